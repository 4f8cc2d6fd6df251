"""Strangers, and questions: replays notice a core that heeds what is not for it, and one that says something wrong of its state."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from conformance.replay.cores import Cores
from conformance.replay.memo import Memo
from conformance.replay.replays import Vector, read_vectors, replay_all, vectors_of
from conformance.replay.targets import open_target
from impl.core import Effects
from impl.message_queue.aca import MessageQueueAca
from impl.message_queue.dpm import MessageQueueDpm
from impl.messages import Message, Pod, Reason, Registered, Report, Request
from impl.on_demand.aca import Aca, Phase
from impl.on_demand.dpm import Dpm
from impl.on_demand.ncm import Channel, Ncm
from model.reference.interpreter import Interpreter
from spec.message_queue.protocol import PROTOCOL as QUEUE
from spec.on_demand.protocol import PROTOCOL


@pytest.fixture(scope="module")
def vectors() -> list[Vector]:
    """Some runs of each protocol, one with a host that has left among them."""
    found: list[Vector] = []
    for protocol in (PROTOCOL, QUEUE):
        runs = [item for item in read_vectors([vectors_of(protocol)], protocol) if item.diverges_at is None]
        found += [*runs[::4], *(item for item in runs if item.name == "who-has-left-is-not-answered")]
    return found


class BelievesThePayload(Ncm):
    def _speaks_for(self, host: str, channel: Channel) -> bool:
        return channel.role == "host"


class TurnsDownSilently(Ncm):
    def _turn_down(self, message: Request, channel: Channel) -> Effects:
        return Effects()


class TurnsDownForAnotherReason(Ncm):
    def _turn_down(self, message: Request, channel: Channel) -> Effects:
        return self._refuse(channel.host, message, Reason.NOT_YOUR_SOURCE)


class RegistersTwice(Ncm):
    def register(self, message: Registered) -> Effects:
        return self._done({"do": "register", "host": message.host, "registration": message.registration})


class HearsTheLastReport(Dpm):
    """It takes what is said last of a change for how it ended."""

    def receive(self, message: Message) -> Effects:
        if isinstance(message, Report) and self.latest(message.pod) >= message.version:
            self._outcomes[message.pod, message.version] = "pending"
        return super().receive(message)


class ReadsOthersMail(Aca):
    def receive(self, message: Message) -> Effects:
        self.host, own = getattr(message, "host", self.host), self.host
        try:
            return super().receive(message)
        finally:
            self.host = own


class AnswersWhoHasLeft(Ncm):
    def answer(self, message: Request) -> Effects:
        if message.host not in self.removed():
            return super().answer(message)
        self._greeted[message.host] = message.epoch
        effects = super().answer(message)
        del self._greeted[message.host]
        return effects


class ForgetsWhoTakesPart(Ncm):
    def hosts(self) -> list[str]:
        return []


class RetellsNothing(Ncm):
    def retell(self) -> Effects:
        return Effects()


class TakesInstalledForEvicted(Aca):
    def phase(self, pod: Pod) -> Phase:
        found = super().phase(pod)
        return Phase.EVICTED if found is Phase.INSTALLED else found


class BelievesAnyNotice(MessageQueueDpm):
    def _speaks_for(self, host: str, speaker: str) -> bool:
        return True


class KeepsStillWhatHasChanged(MessageQueueDpm):
    def stirred(self) -> set[str]:
        return set()


class HasHeardNothing(MessageQueueAca):
    def heard(self, vpc: str) -> int:
        return 0


@pytest.mark.parametrize(
    ("cores", "field"),
    [
        (Cores(ncm=BelievesThePayload), "ncm: stranger ("),
        (Cores(ncm=TurnsDownSilently), "ncm: stranger (Request by "),
        (Cores(ncm=TurnsDownForAnotherReason), "ncm: stranger (Request by "),
        (Cores(ncm=RegistersTwice), "ncm: stranger (Registered again)"),
        (Cores(ncm=AnswersWhoHasLeft), "ncm: stranger (Request by h1, which has left)"),
        (Cores(dpm=HearsTheLastReport), "dpm: stranger (Report of what has ended"),
        (Cores(aca=ReadsOthersMail), "h1: stranger ("),
        (Cores(ncm=ForgetsWhoTakesPart), "ncm: hosts"),
        (Cores(ncm=RetellsNothing), "ncm: retell"),
        (Cores(aca=TakesInstalledForEvicted), "h1: phase"),
        (Cores(message_queue_dpm=BelievesAnyNotice), "dpm: stranger ("),
        (Cores(message_queue_dpm=KeepsStillWhatHasChanged), "dpm: stirred"),
        (Cores(message_queue_aca=HasHeardNothing), ": heard"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_a_core_that_heeds_strangers_or_answers_wrongly_is_noticed(
    cores: Cores, field: str, vectors: Sequence[Vector]
) -> None:
    with open_target("memory") as target:
        found = replay_all(vectors, target, cores=cores, stop_at_divergence=True)
    assert found.divergence is not None
    assert field in found.divergence.field


def test_what_was_found_out_once_is_not_asked_again(vectors: Sequence[Vector], monkeypatch: pytest.MonkeyPatch) -> None:
    memo = Memo()
    with open_target("memory") as target:
        first = replay_all(vectors[:5], target, memo=memo)
        monkeypatch.setattr(Interpreter, "enabled", None)
        monkeypatch.setattr(Interpreter, "guarded", None)
        again = replay_all(vectors[:5], target, memo=memo)
    assert first.verdict == again.verdict == "conforms"
    assert first.total(lambda item: item.duplicates) == again.total(lambda item: item.duplicates) > 0
