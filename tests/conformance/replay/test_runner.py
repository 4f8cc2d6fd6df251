"""What runs in a replay is the services' own runner: a wrong one is red, and so is a core that its snapshot does not hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from conformance.protocols import named
from conformance.replay.cores import Cores
from conformance.replay.replays import read_vectors, replay_all, vectors_of
from conformance.replay.targets import MemoryTarget
from impl.core import Effects, Send
from impl.messages import Pod
from impl.on_demand.dpm import Dpm
from impl.on_demand.ncm import Ncm
from impl.outputs import Acknowledge, Append, Confirm, MarkSent, Work
from impl.process import Process
from impl.service.loop import Service
from impl.storage.store import Outgoing
from impl.transport.interface import Delivery


class AcknowledgesFirst(Process):
    """An input that is acknowledged before it is stored is lost if the process crashes in between."""

    def deliver(self, delivery: Delivery) -> Work:
        yield Acknowledge((delivery,))
        return (yield from super().deliver(delivery))


class PublishesFirst(Process):
    """What is published before it is stored may be decided otherwise after a crash."""

    def _perform(self, effects: Effects, taken: str = "") -> Work:
        yield from self._publish(effects.sends)
        yield from super()._perform(Effects(effects.record, (), effects.events), taken)
        return effects


class StoresNothing(Process):
    """What is not stored is forgotten in a crash."""

    def _perform(self, effects: Effects, taken: str = "") -> Work:
        yield from super()._perform(Effects(None, effects.sends, effects.events), taken)
        return effects


class ForgetsTheOutbox(Process):
    """What was stored to be published is not published after a crash."""

    def recover(self, unpublished: Sequence[Outgoing]) -> Work:
        if unpublished:
            yield MarkSent(tuple(unpublished))
        return Effects()


class MarksEarly(Process):
    """What is marked before it is published is lost if the process crashes in between."""

    def _publish(self, sends: Sequence[Send], origins: Sequence[str] = ()) -> Work:
        if self._unmarked:
            yield from self._mark()
        return (yield from super()._publish(sends, origins))

    def _perform(self, effects: Effects, taken: str = "") -> Work:
        if effects.record is not None:
            outgoing = yield Append(effects)
            if outgoing:
                yield MarkSent(tuple(outgoing))
            yield from self._publish(effects.sends)
            return effects
        return (yield from super()._perform(effects, taken))


class NeverConfirms(Process):
    """A deposed instance acknowledges what its successor has to act upon."""

    def settle(self) -> Work:
        for output in super().settle():
            if not isinstance(output, Confirm):
                yield output
        return Effects()


class NeverAcknowledges(Process):
    """Everything comes again, for ever."""

    def _acknowledge(self, deliveries: Sequence[Delivery]) -> Work:
        return Effects()
        yield


class DropsTheLastMessage(Process):
    """A part of what the core sends is not sent."""

    def _publish(self, sends: Sequence[Send], origins: Sequence[str] = ()) -> Work:
        return (yield from super()._publish(sends[:-1]))


class AcknowledgesTheOldest(Process):
    """A message of another input is acknowledged."""

    def _acknowledge(self, deliveries: Sequence[Delivery]) -> Work:
        first = getattr(self, "first", deliveries[0])
        self.first = first
        yield Acknowledge((first,))
        return Effects()


WRONG = [
    AcknowledgesFirst,
    PublishesFirst,
    StoresNothing,
    ForgetsTheOutbox,
    MarksEarly,
    NeverConfirms,
    NeverAcknowledges,
    DropsTheLastMessage,
    AcknowledgesTheOldest,
]


def first_divergence(protocol: str, cores: Cores) -> str:
    """Why the first vector that does not conform does not; empty: all do."""
    stated = named(protocol)
    vectors = read_vectors([vectors_of(stated) / "found"], stated)
    found = replay_all(vectors, MemoryTarget(), cores=cores, stop_at_divergence=True)
    return next((result.divergence.because for _, result in found.results if result.divergence is not None), "")


@pytest.mark.parametrize("protocol", ["on-demand", "message-queue"])
@pytest.mark.parametrize("runner", WRONG, ids=lambda runner: runner.__name__)
def test_a_wrong_runner_is_red(runner: type[Process], protocol: str) -> None:
    assert first_divergence(protocol, Cores(runner=runner))


def test_the_runner_of_services_is_the_one_that_is_replayed() -> None:
    assert Service.runner is Process is Cores().runner


class LosesAnIndex(Ncm):
    """A restored NCM does not know which changes are pending."""

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        super().restore(snapshot)
        self._under_way.clear()


class LeavesAFieldOut(Ncm):
    """The snapshot does not say whom NCM told."""

    def snapshot(self) -> dict[str, Any]:
        return {**super().snapshot(), "told": []}


class RemembersBesides(Dpm):
    """A field that no snapshot has decides an answer: the third change of a pod goes out twice."""

    def __init__(self) -> None:
        super().__init__()
        self._changes: dict[Pod, int] = {}

    def place(self, pod: Pod, host: str) -> Effects:
        effects = super().place(pod, host)
        self._changes[pod] = self._changes.get(pod, 0) + 1
        return replace(effects, sends=effects.sends * 2) if self._changes[pod] == 3 else effects


@pytest.mark.parametrize("cores", [Cores(ncm=LeavesAFieldOut), Cores(dpm=RemembersBesides)], ids=["field", "beside"])
def test_a_core_that_its_snapshot_does_not_hold_is_red(cores: Cores) -> None:
    assert "restored from its snapshot" in first_divergence("on-demand", cores)


def test_a_restored_core_that_lost_an_index_is_red() -> None:
    assert first_divergence("on-demand", Cores(ncm=LosesAnIndex)) == "what is enabled is different"
