"""What a core would do besides: replays notice what it lists wrongly, and what it does not refuse, though no step asks for it."""

from __future__ import annotations

import pytest

from conformance.replay.cores import Cores
from conformance.replay.replays import Vector, read_vectors, replay_all, vectors_of
from conformance.replay.targets import open_target
from impl.core import Effects, Event
from impl.message_queue.cache import Patch
from impl.message_queue.dpm import MessageQueueDpm
from impl.messages import Outcome, Pod, Request
from impl.on_demand.aca import Aca
from impl.on_demand.dpm import Dpm
from impl.on_demand.ncm import Ncm
from spec.message_queue.protocol import PROTOCOL as QUEUE
from spec.on_demand.protocol import PROTOCOL


@pytest.fixture(scope="module")
def vectors() -> list[Vector]:
    """Runs of both protocols."""
    return [
        one
        for protocol in (PROTOCOL, QUEUE)
        for one in read_vectors([vectors_of(protocol)], protocol)
        if one.diverges_at is None
    ]


class ReportsAtOnce(Ncm):
    """What is stored is due."""

    def due(self) -> list[tuple[Pod, int]]:
        return self.pending()


class IsDoneWhenAsked(Ncm):
    """It reports whatever is pending, confirmed or not."""

    def report_done(self, pod: Pod, version: int) -> Effects:
        return (
            self._end(pod, version, Outcome.DONE)
            if (pod, version) in self.pending()
            else super().report_done(pod, version)
        )


class RemindsAnybody(Ncm):
    def remind(self, host: str, pod: Pod) -> Effects:
        if host in self._greeted and pod in self._places:
            return Effects(sends=(self._route(host, pod, self.recorded(pod)),))
        return super().remind(host, pod)


class MovesToWhereItIs(Dpm):
    def place(self, pod: Pod, host: str) -> Effects:
        return self._issue(pod, host)


class EvictsLocalPods(Aca):
    def may_evict(self, pod: Pod) -> bool:
        return pod in self._installed


class SendsForAnyPod(Aca):
    """Whoever sends, it asks in its name."""

    def packet(self, request: int, source: Pod, destination: Pod) -> Effects:
        if source not in self._known:
            return Effects(sends=(self._to_ncm(Request(self.host, self._epoch, request, source, destination)),))
        return super().packet(request, source, destination)


class NeverRests(Aca):
    """It does not say that a pair is paused, so nobody ends the pause."""

    def is_paused(self, source: Pod, destination: Pod) -> bool:
        return False


class WaitsForNothing(MessageQueueDpm):
    """It would open a topic again."""

    def may_open(self, vpc: str) -> bool:
        return self._is_large(self._vpc(vpc))


class TakesAnyDecision(MessageQueueDpm):
    """Told to decide, it asks nothing."""

    def _demand(self, vpc: str, what: str, allowed: bool) -> None:
        self._vpc(vpc)


class ForgetsToDecide(MessageQueueDpm):
    def unreported(self, vpc: str) -> list[int]:
        return []


class CountsMoreThanThereAre(MessageQueueDpm):
    """A group may have more ports than its VPC."""

    def regroup(self, vpc: str, largest: int) -> Effects:
        patch = Patch()
        patch.vpc(vpc, group=largest)
        return self._done(patch, Event("regroup", {"vpc": vpc, "largest": largest}, "message-queue.regroup"))


@pytest.mark.parametrize(
    ("cores", "field"),
    [
        (Cores(ncm=ReportsAtOnce), "ncm: timer: report_done"),
        (Cores(ncm=IsDoneWhenAsked), "ncm: report_done(p1, 1)"),
        (Cores(ncm=RemindsAnybody), "ncm: remind("),
        (Cores(dpm=MovesToWhereItIs), "dpm: place("),
        (Cores(aca=EvictsLocalPods), "h1: timer: evict"),
        (Cores(aca=SendsForAnyPod), "h1: packet("),
        (Cores(aca=NeverRests), "h1: is_paused"),
        (Cores(message_queue_dpm=WaitsForNothing), "dpm: may_open"),
        (Cores(message_queue_dpm=TakesAnyDecision), "dpm: "),
        (Cores(message_queue_dpm=ForgetsToDecide), "dpm: timer: report_failed"),
        (Cores(message_queue_dpm=CountsMoreThanThereAre), "dpm: regroup("),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_no_step_asks_for_is_noticed(cores: Cores, field: str, vectors: list[Vector]) -> None:
    with open_target("memory") as target:
        found = replay_all(vectors, target, cores=cores, stop_at_divergence=True)
    assert found.divergence is not None
    assert found.divergence.field.startswith(field)


class EvictsNothing(Aca):
    """Routes stay. Nobody waits for their end."""

    def may_evict(self, pod: Pod) -> bool:
        return False


def test_to_do_less_than_is_permitted_is_permitted_where_nobody_waits_for_it(vectors: list[Vector]) -> None:
    others = [one for one in vectors if all(step.action != "evict" for step in one.trace.steps)]
    with open_target("memory") as target:
        assert replay_all(others, target, cores=Cores(aca=EvictsNothing)).verdict == "conforms"


def test_bounds_are_the_worlds_and_no_core_has_to_refuse_for_them(vectors: list[Vector]) -> None:
    """Where the last version of a configuration is issued, DPM goes on issuing."""
    ended = [one for one in vectors if one.base is PROTOCOL]
    at_the_bound = [
        one
        for one in ended
        if any(
            version == one.trace.configuration.bounds["Version"]
            for version in one.trace.states[-1].functions["latest"].values()
        )
    ]
    assert at_the_bound
    with open_target("memory") as target:
        assert replay_all(at_the_bound, target).verdict == "conforms"
