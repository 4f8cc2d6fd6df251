"""Slots: whatever is wrong with a core, a runner, the filler or the transport is noticed in a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pytest

from conformance.bindings.binding import Bind, follow
from conformance.bindings.slots import Cores, SlotsBinding
from conformance.protocols import named
from conformance.replay.lockstep import Leaving, Replay
from conformance.replay.replays import Vector, read_vectors, vectors_of
from conformance.replay.targets import MemoryTarget, open_target
from impl.broker.deployment import Deployment
from impl.core import Effects, Send
from impl.messages import Told
from impl.outputs import Acknowledge, Listen, Publish, Work
from impl.process import Process
from impl.roles.slots_roles import Place, SlotsAcaRole, SlotsDpmRole
from impl.slots.aca import SlotsAca
from impl.slots.dpm import SlotsDpm
from impl.slots.topics import SUBSCRIPTION, unicast
from impl.transport import memory
from impl.transport.interface import Delivery, Slots

PROTOCOL = named("slots")


def vector(name: str) -> Vector:
    """The shipped one of this name."""
    return next(item for item in read_vectors([vectors_of(PROTOCOL)], PROTOCOL) if item.name == name)


def followed(name: str, bind: Bind, target: MemoryTarget | None = None) -> Replay:
    """What becomes of a vector."""
    given = vector(name)
    leaving = Leaving(given.diverges_at, given.protocol) if given.diverges_at is not None else None
    return follow(given.trace, name, PROTOCOL, target or MemoryTarget(), bind, leaving)


class ForgetsWhatItHandsBack(SlotsDpm):
    """The filler keeps the topic moving, and what it was handed is gone."""

    def _newest(self, vpc: str, host: str) -> tuple[Send, ...]:
        return ()


class PublishesToAll(SlotsDpm):
    """Who was never asked is published to."""

    def _by_topic(self, vpc: str, host: str) -> bool:
        return True


class ForgetsToRelease(SlotsDpm):
    """A slot that is released stays given out."""

    def release(self, vpc: str, host: str) -> Effects:
        return Effects({"slots": {"do": "release", "vpc": vpc, "host": host, "slot": 1}})


class ForgetsInTheStore(SlotsDpm):
    """What it stores of its allotment is not what it has."""

    def allot(self, vpc: str, host: str) -> Effects:
        effects = super().allot(vpc, host)
        return Effects(None, effects.sends, effects.events)


class ReleasesWhoListens(SlotsDpm):
    """A slot is released while its host may still listen."""

    def release(self, vpc: str, host: str) -> Effects:
        effects = self.allotment.release(vpc, host)
        return Effects({"slots": dict(effects.record or {})}, (), effects.events)


class AppliesTheOlder(SlotsAca):
    """What comes again is applied again."""

    def _is_newer(self, revision: int, known: int) -> bool:
        return True


class AcknowledgesAnything(SlotsAca):
    """Every message is acknowledged, and none applied."""

    def _is_newer(self, revision: int, known: int) -> bool:
        return False

    def may_acknowledge(self, message: Told) -> bool:
        return True


class KeepsEverything(SlotsAca):
    """Nothing is acknowledged."""

    def may_acknowledge(self, message: Told) -> bool:
        return False


class SendsFirst(Process):
    """Publishes before it stores."""

    def _perform(self, effects: Effects, taken: str = "") -> Work:
        yield Publish(effects.sends, ("",) * len(effects.sends))
        return (yield from super()._perform(replace(effects, sends=()), taken))


class AcknowledgesFirst(Process):
    """Acknowledges before the core has seen it."""

    def deliver(self, delivery: Delivery) -> Work:
        yield Acknowledge((delivery,))
        return (yield from super().deliver(delivery))


class AcknowledgesUnconfirmed(Process):
    """Another instance may have taken over, and would have to act on what this one acknowledges."""

    def settle(self) -> Work:
        if self._unmarked:
            yield from self._mark()
        owed, self._owed = self._owed, []
        if owed:
            yield from self._acknowledge(owed)
        return Effects()


class FillsAndForgets(SlotsDpmRole):
    """The filler attends the slot of a host that is lost, and the host is not told to leave."""

    def _fill(self, place: Place) -> Work:
        yield from super()._fill(place)
        return Effects()


class SeesNothing(SlotsDpmRole):
    """Every slot is drained."""

    def _is_drained(self, vpc: str, host: str) -> bool:
        return True


class NeverStepsAside(SlotsDpmRole):
    """The slot of a host that was asked stays the filler's."""

    def step_aside(self, place: Place) -> Work:
        yield from ()
        return Effects()


WRONG: list[tuple[Cores, str, str]] = [
    (Cores(dpm=ForgetsWhatItHandsBack), "handed-back", "goal"),
    (Cores(dpm=PublishesToAll), "the-two-ways-cross", "goal"),
    (Cores(dpm=ForgetsToRelease), "the-other-host-gets-the-slot", "allotted"),
    (Cores(dpm=ForgetsInTheStore), "dpm-restarts-all-along", "allotted"),
    (Cores(dpm=ReleasesWhoListens), "reuses-a-slot-that-is-listened-to", "allotted"),
    (Cores(aca=AppliesTheOlder), "out-of-order", "known(h1)"),
    (Cores(aca=AppliesTheOlder), "replays-the-older", "known(h1)"),
    (Cores(aca=AcknowledgesAnything), "reached-by-its-slot", "known(h1)"),
    (Cores(aca=KeepsEverything), "reached-by-its-slot", "attends"),
    (Cores(runner=SendsFirst), "reached-by-its-slot", "action"),
    (Cores(runner=AcknowledgesFirst), "reached-by-its-slot", "action"),
    (Cores(runner=AcknowledgesUnconfirmed), "handed-back", "action"),
    (Cores(role=FillsAndForgets), "handed-back", "unsubscribe"),
    (Cores(role=SeesNothing), "hands-over-what-is-not-drained", "subscribe"),
    (Cores(role=SeesNothing), "reuses-a-slot-at-once", "allotted"),
    (Cores(role=NeverStepsAside), "reached-by-its-slot", "filled"),
]


@pytest.mark.parametrize(
    ("cores", "name", "field"), WRONG, ids=[f"{number}-{name}" for number, (_, name, _) in enumerate(WRONG)]
)
def test_what_is_wrong_is_noticed(cores: Cores, name: str, field: str) -> None:
    assert followed(name, SlotsBinding).verdict == "conforms"
    found = followed(name, partial(SlotsBinding, cores=cores))
    assert found.divergence is not None
    assert found.divergence.field == field


def test_a_slot_that_the_run_does_not_have_is_a_divergence_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def beside(role: SlotsAcaRole, vpc: str, slot: int, *, waits: bool = True) -> Listen:
        return Listen(unicast(vpc), SUBSCRIPTION, waits, ((slot + 100, slot + 100),))

    monkeypatch.setattr(SlotsAcaRole, "_attend", beside)
    found = followed("reached-by-its-slot", SlotsBinding)
    assert found.divergence is not None
    assert (found.divergence.field, found.divergence.expected) == ("attends", "a slot of the run")


def test_a_wrong_core_is_noticed_on_the_broker(deployment: Deployment) -> None:
    given = vector("handed-back")
    with open_target("pulsar", deployment) as target:
        target.prepare(["h1", "h2"])
        wrong = partial(SlotsBinding, cores=Cores(dpm=ForgetsWhatItHandsBack))
        found = follow(given.trace, given.name, PROTOCOL, target, wrong)
    assert found.divergence is not None
    assert found.divergence.field == "goal"


def hands_out_to_anybody(delivery: Delivery, slots: Slots) -> bool:
    """A transport that does not look at keys."""
    return True


def loses_what_is_held(broker: memory.MemoryBroker, place: memory.Place, unacknowledged: Sequence[Delivery]) -> None:
    """A transport that does not deliver again."""
    broker._attended.discard(place)


def refuses_nobody(broker: memory.MemoryBroker, place: memory.Place) -> None:
    """A transport with any number of consumers for a slot."""


@pytest.mark.parametrize(
    ("owner", "name", "wrong", "run", "field"),
    [
        (memory, "_is_for", hands_out_to_anybody, "the-broker-looks-ahead", "given"),
        (memory.MemoryBroker, "leave", loses_what_is_held, "handed-out-again", "given"),
        (memory.MemoryBroker, "attend", refuses_nobody, "refused-by-the-broker", "accepted"),
    ],
)
def test_a_wrong_transport_is_noticed(
    owner: object, name: str, wrong: Callable[..., object], run: str, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, wrong)
    monkeypatch.setattr("conformance.bindings.slots.WAIT_SECONDS_MAX", 0.1)
    found = followed(run, SlotsBinding)
    assert found.divergence is not None
    assert found.divergence.field == field
