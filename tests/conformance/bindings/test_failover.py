"""Failover: whatever is wrong with a journal, a runner or a core is noticed in a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from conformance.bindings.binding import follow
from conformance.bindings.failover import FailoverBinding, Parts
from conformance.protocols import named
from conformance.replay.lockstep import Leaving, Replay
from conformance.replay.replays import Vector, read_vectors, vectors_of
from conformance.replay.targets import MemoryTarget, OpenLog
from impl.core import Effects
from impl.errors import Deposed
from impl.on_demand.dpm import Dpm
from impl.outputs import Acknowledge, Append, Publish, Work
from impl.process import Process
from impl.storage.journal import LEADER, JournalStore
from impl.storage.log import Entry
from impl.storage.memory_log import MemoryJournal, MemoryLog
from impl.storage.store import Durable, Outgoing
from impl.transport.interface import Delivery

PROTOCOL = named("failover")


def vector(name: str) -> Vector:
    """The shipped one of this name."""
    return next(item for item in read_vectors([vectors_of(PROTOCOL)], PROTOCOL) if item.name == name)


def followed(given: Vector, parts: Parts | None = None, target: MemoryTarget | None = None) -> Replay:
    """What becomes of a vector."""
    leaving = Leaving(given.diverges_at, given.protocol) if given.diverges_at is not None else None
    bind = partial(FailoverBinding, parts=parts)
    return follow(given.trace, given.name, PROTOCOL, target or MemoryTarget(), bind, leaving)


class GivesAVersionAgain(Dpm):
    """Two decisions get the same version."""

    def _next_version(self, pod: object) -> int:
        return 1


class HoldsOnToTheFirst(Dpm):
    """What is restored is not what was stored."""

    def apply(self, record: object) -> None:
        if not self._places:
            super().apply(record)  # type: ignore[arg-type] # only passed on


class Breaks(Dpm):
    """An answer is too much for it."""

    def receive(self, message: object) -> Effects:
        raise ValueError("what is that?")


class SendsFirst(Process):
    """Sends what it has only decided."""

    def _perform(self, effects: Effects, taken: str = "") -> Work:
        yield from self._publish(effects.sends)
        yield Append(effects)
        return effects


class AcknowledgesFirst(Process):
    """Acknowledges an answer before it is recorded."""

    def deliver(self, delivery: Delivery) -> Work:
        yield Acknowledge((delivery,))
        return (yield from super().deliver(delivery))


class AcknowledgesUnconfirmed(Process):
    """Acknowledges what changed nothing, whoever leads by now."""

    def settle(self) -> Work:
        owed, self._owed = self._owed, []
        if owed:
            yield from self._acknowledge(owed)
        return Effects()


class NeverSendsAgain(Process):
    """What its predecessor had stored counts as sent."""

    def recover(self, unpublished: Sequence[Outgoing]) -> Work:
        yield from ()
        return Effects()


class SendsTheNewestOnly(Process):
    """Of what its predecessor had stored it sends the last message."""

    def recover(self, unpublished: Sequence[Outgoing]) -> Work:
        if unpublished:
            yield Publish((unpublished[-1].send,), ("",))
        return Effects()


class TakesARefusalForSuccess(JournalStore):
    """That the journal has refused a record does not matter to it."""

    def append(self, effects: Effects, core: Durable) -> list[Outgoing]:
        with suppress(Deposed):
            return super().append(effects, core)
        return []


class AlwaysConfirms(JournalStore):
    """It confirms whatever another instance has done."""

    def confirm(self) -> None:
        pass


class LoadsWithoutRecords(JournalStore):
    """It begins a new journal."""

    def _read(self, own: bytes) -> list[Entry]:
        return []


WRONG = [
    (Parts(core=GivesAVersionAgain), "one-instance-decides", "append"),
    (Parts(core=HoldsOnToTheFirst), "one-instance-decides", "action"),
    (Parts(core=Breaks), "one-instance-decides", "action"),
    (Parts(runner=SendsFirst), "one-instance-decides", "append"),
    (Parts(runner=SendsFirst), "sends-before-it-records", "append"),
    (Parts(runner=AcknowledgesFirst), "one-instance-decides", "mark"),
    (Parts(runner=AcknowledgesFirst), "an-answer-goes-to-any-instance", "mark"),
    (Parts(runner=NeverSendsAgain), "crashes-before-it-sends", "action"),
    (Parts(runner=SendsTheNewestOnly), "all-is-sent-again", "action"),
    (Parts(store=TakesARefusalForSuccess), "deposed-with-an-append-on-its-way", "append"),
    (Parts(store=TakesARefusalForSuccess), "deposed-with-a-mark-on-its-way", "append"),
    (Parts(store=AlwaysConfirms), "wakes-up-deposed", "the journal accepts what i1 writes"),
    (Parts(store=LoadsWithoutRecords), "crashes-before-it-sends", "loaded(i2)"),
]


@pytest.mark.parametrize(
    ("parts", "name", "field"), WRONG, ids=[f"{number}-{name}" for number, (_, name, _) in enumerate(WRONG)]
)
def test_what_is_wrong_is_noticed(parts: Parts, name: str, field: str) -> None:
    assert followed(vector(name)).verdict == "conforms"
    found = followed(vector(name), parts)
    assert found.divergence is not None
    assert found.divergence.field == field


class Unfenced(MemoryLog):
    """It accepts entries of older terms."""

    def append(self, entries: Sequence[Entry]) -> None:
        with self._journal.changed:
            self._journal.entries += entries


class ReadsBeforeTheFence(MemoryLog):
    """What it has read as a standby is what it loads."""

    def __init__(self, journal: MemoryJournal, take_over: bool) -> None:
        super().__init__(journal, take_over)
        self._earlier = list(journal.entries)

    def read(self) -> Iterator[Entry]:
        yield from self._earlier
        yield from (entry for entry in self._journal.entries[-1:] if entry.key == LEADER)


class LeadsBesideAnother(MemoryLog):
    """The lead is given to whoever wants it."""

    def _may_lead(self) -> bool:
        return True


class MemoryTargetOf(MemoryTarget):
    """With logs of another kind. The first one of a run only reads it, for the comparison."""

    def __init__(self, kind: type[MemoryLog]) -> None:
        super().__init__()
        self._kind = kind

    def journal(self) -> OpenLog:
        journal, kinds = MemoryJournal("journal-dpm", 0.0), iter([MemoryLog])
        return lambda take_over: next(kinds, self._kind)(journal, take_over)


@pytest.mark.parametrize(
    ("kind", "name", "field"),
    [
        (MemoryLog, "crashes-before-it-sends", ""),
        (Unfenced, "deposed-with-an-append-on-its-way", "the journal accepts what i1 writes"),
        (Unfenced, "wakes-up-deposed", "the journal accepts what i1 writes"),
        (ReadsBeforeTheFence, "crashes-before-it-sends", "loaded(i2)"),
        (ReadsBeforeTheFence, "crashes-with-nothing-open", "loaded(i2)"),
        (LeadsBesideAnother, "the-lead-goes-to-and-fro", "fence"),
    ],
)
def test_a_wrong_log_is_noticed(kind: type[MemoryLog], name: str, field: str) -> None:
    found = followed(vector(name), target=MemoryTargetOf(kind))
    assert (found.divergence.field if found.divergence is not None else "") == field


def written(variant: str, steps: str, folder: Path) -> Vector:
    """A run of a variant that leaves the protocol with its last step."""
    file = folder / "refused.scenario"
    head = f"claim What is late.\nprotocol failover\nvariant {variant}\nconfiguration two-instances\n"
    file.write_text(head + steps.replace("; ", "\n") + "\n  expect leaves failover\n", encoding="utf-8")
    (given,) = read_vectors([file], PROTOCOL)
    assert given.diverges_at == len(given.trace.steps)
    return given


DECIDED = "take_over i1 j1 1; load i1 j1; propose i1 j1 d1; "
HEARD = "accept i1 j1 1 1 d1; read i1 j1; publish i1 j1 1 d1; apply j1 1 d1; hear i1 j1 1; "


@pytest.mark.parametrize(
    ("variant", "steps"),
    [
        ("several_decide_at_once", f"{DECIDED}depose i2 j1 2; accept i1 j1 1 1 d1"),
        ("the_deposed_record_answers", f"{DECIDED}{HEARD}depose i2 j1 2; record i1 j1 1 1"),
    ],
)
def test_what_was_sent_in_an_earlier_term_is_refused(variant: str, steps: str, tmp_path: Path) -> None:
    """The shipped runs of these variants have an instance load in a term that is over; these have it deposed afterwards."""
    given = written(variant, steps, tmp_path)
    assert followed(given).verdict == "conforms"
    found = followed(given, target=MemoryTargetOf(Unfenced))
    assert found.divergence is not None


def test_an_answer_is_left_to_the_successor(tmp_path: Path) -> None:
    """A deposed instance finds nothing to do in an answer to its successor, and must not acknowledge it."""
    steps = (
        "take_over i1 j1 1; load i1 j1; depose i2 j1 2; load i2 j1; propose i2 j1 d1; accept i2 j1 2 1 d1; read i2 j1; "
    )
    steps += "publish i2 j1 1 d1; apply j1 1 d1; acknowledge i1 j1 1"
    given = written("an_answer_goes_to_any_instance", steps, tmp_path)
    assert followed(given).verdict == "conforms"
    found = followed(given, Parts(runner=AcknowledgesUnconfirmed))
    assert found.divergence is not None
    assert found.divergence.field == "mark"
