"""Divergences are shrunk on the target, and have a rate."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from rich.console import Console

from conformance import configurations
from conformance.configurations import of_scenarios
from conformance.evidence.variants import negative_of
from conformance.mutation.faulty import EVERY_FAULTY, cores_of
from conformance.mutation.faulty_message_queue import FAULTY as OF_MESSAGE_QUEUE
from conformance.mutation.faulty_on_demand import FAULTY, RESTRICTIVE
from conformance.replay.cores import Cores
from conformance.replay.lockstep import replay
from conformance.replay.replays import Vector, read_vectors, trace_files, vectors_of
from conformance.replay.targets import open_target
from conformance.report.shrunk import print_shrunk
from conformance.shrink.kinds import kind_of
from conformance.shrink.shrink import Shrunk, shrink
from impl.broker.deployment import Deployment
from impl.cli.exits import Exit
from impl.core import Effects
from impl.messages import Message, Pod, Route
from impl.on_demand.aca import Aca
from model.language import Protocol
from model.reference import itf
from model.reference.interpreter import Interpreter
from model.reference.runs import executed
from model.reference.state import Occurrence, Trace, initial_state
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.on_demand.protocol import PROTOCOL
from tests.conformance.cli.test_commands import Command, ondemand, sentence
from tests.conformance.replay.long_runs import diverging_late
from tests.conformance.replay.test_enabledness import EvictsLocalPods, SendsForAnyPod

__all__ = ["ondemand"]

NEGATIVE = negative_of(PROTOCOL)
SLACK = 3
"""Additional steps allowed over the shortest trace to the broken promise: the failure may show in another step."""


def negative_steps(protocol: Protocol) -> Mapping[str, int]:
    """By variant: the number of steps to where it leaves the protocol, from the negative vectors."""
    vectors = read_vectors([negative_of(protocol)], protocol)
    return {vector.name.replace("-", "_"): vector.diverges_at or 0 for vector in vectors}


def shrunk(protocol: Protocol, configuration: str, cores: Cores, times: int = 2) -> tuple[Vector, Shrunk]:
    """A run that diverges in its 60th step or later, and the result of shrinking it, in memory."""
    with open_target("memory") as target:
        vector = diverging_late(protocol, configuration, cores, target)
        return vector, shrink(vector, target, cores=cores, times=times)


@pytest.mark.parametrize(
    "name",
    [
        "learns_the_older",
        "older_overwrites_newer",
        "forgets_whom_it_told",
        "pushes_to_all",
        "serves_the_deleted",
        "grants_the_next_version",
        "releases_again",
        "reuses_a_version",
        "takes_every_report_for_done",
    ],
)
def test_a_long_run_is_shrunk_to_the_length_of_its_negative_vector(name: str) -> None:
    vector, found = shrunk(PROTOCOL, "one-network", cores_of(name))
    assert found.divergence is not None
    assert found.divergence.step >= 60
    assert found.smallest is not None
    assert found.smallest.steps <= negative_steps(PROTOCOL)[name] + SLACK
    assert (found.smallest.likewise, found.smallest.otherwise) == (2, 0)
    assert found.exit is Exit.VIOLATED
    again = found.smallest.divergence
    assert again is not None
    last = vector.trace.steps[found.divergence.step - 1]
    assert kind_of(found.smallest.trace.steps[-1], again) == kind_of(last, found.divergence)


@pytest.mark.parametrize(
    "name",
    [
        "sends_nothing_at_equality",
        "counts_any_confirmation",
        "keeps_the_subscription",
        "closes_the_topic_at_once",
        "ends_it_at_the_broker_later",
    ],
)
def test_a_long_run_of_the_message_queue_is_shrunk(name: str) -> None:
    _, found = shrunk(MESSAGE_QUEUE, "two-vpcs", cores_of(name))
    assert found.smallest is not None
    assert found.smallest.steps <= negative_steps(MESSAGE_QUEUE).get(name, 5) + SLACK
    assert found.smallest.likewise == 2


def test_a_failure_that_only_a_repeated_message_shows_is_shrunk() -> None:
    _, found = shrunk(PROTOCOL, "one-network", cores_of("never_reminds"))
    assert found.divergence is not None
    assert found.divergence.field == "messages"
    assert found.smallest is not None
    assert found.smallest.steps <= 5


class SometimesLearnsTheOlder(Aca):
    """Seldom takes an older version for a newer one."""

    generator: ClassVar[random.Random]

    def _is_newer(self, pod: Pod, version: int) -> bool:
        return super()._is_newer(pod, version) or self.generator.random() < 0.1


def test_an_intermittent_failure_has_a_rate() -> None:
    """Each shorter run is tried several times: tried once, most would seem to conform."""
    with open_target("memory") as target:
        vector = diverging_late(PROTOCOL, "one-network", cores_of("learns_the_older"), target)
        SometimesLearnsTheOlder.generator = random.Random(7)
        found = shrink(vector, target, cores=Cores(aca=SometimesLearnsTheOlder), times=40)
    assert found.smallest is not None
    assert found.smallest.steps <= negative_steps(PROTOCOL)["learns_the_older"] + SLACK
    assert 0 < found.smallest.likewise < 40
    assert found.smallest.otherwise == 0


class LearnsTheOlder(Aca):
    """As the mutant of this name."""

    def _is_newer(self, pod: Pod, version: int) -> bool:
        return True


class FailsInTwoWays(LearnsTheOlder):
    """Also fails if the first version that it learns of a pod is not the first one."""

    def _learn(self, message: Route) -> Effects:
        if message.version > 1 and not self.seen(message.pod)[0]:
            raise OverflowError
        return super()._learn(message)


def test_a_run_that_diverges_in_another_way_is_no_smaller_one() -> None:
    host, pod = ("host", "h1"), ("pod", "p1")
    first, second, epoch = ("version", 1), ("version", 2), ("epoch", 1)
    steps = [
        Occurrence("restart", (host,)),
        Occurrence("greet", (host, epoch)),
        Occurrence("place", (pod, host)),
        Occurrence("store", (pod, first)),
        Occurrence("learn", (host, epoch, pod, first)),
        Occurrence("remove", (pod,)),
        Occurrence("store", (pod, second)),
        Occurrence("learn", (host, epoch, pod, second)),
    ]
    configuration = configurations.find("one-network", PROTOCOL)
    interpreter = Interpreter(PROTOCOL, configuration)
    start = Trace(PROTOCOL.name, configuration, (initial_state(PROTOCOL, configuration),), ())
    trace = executed(interpreter, start, steps)
    assert trace is not None
    with open_target("memory") as target:
        both, one = (
            shrink(Vector("both", trace, PROTOCOL, PROTOCOL), target, cores=Cores(aca=aca), times=1).smallest
            for aca in (FailsInTwoWays, LearnsTheOlder)
        )
    assert both is not None
    assert one is not None
    assert (both.steps, one.steps) == (8, 7)


class FailsAfterMuch(Aca):
    """Has a fault unrelated to the rules of the protocol: it counts its messages."""

    handed: int = 0

    def receive(self, message: Message) -> Effects:
        self.handed += 1
        if self.handed > 3:
            raise OverflowError
        return super().receive(message)


def test_a_failure_that_no_rule_of_the_protocol_explains_is_shrunk() -> None:
    vectors = [
        read_vector for read_vector in read_vectors([vectors_of(PROTOCOL)], PROTOCOL) if read_vector.diverges_at is None
    ]
    cores = Cores(aca=FailsAfterMuch)
    with open_target("memory") as target:
        replays = [
            (vector, replay(vector.trace, vector.name, PROTOCOL, target, cores).divergence) for vector in vectors
        ]
        # The one that diverges latest, in a step: unauthorized messages are counted too.
        diverging = [
            (vector, found.step) for vector, found in replays if found is not None and "(host=" in found.action
        ]
        latest, _ = max(diverging, key=lambda item: item[1])
        found = shrink(latest, target, cores=cores, times=1)
    assert found.divergence is not None
    assert found.smallest is not None
    assert found.divergence.step > found.smallest.steps
    assert found.smallest.divergence is not None
    assert "OverflowError" in found.smallest.divergence.because


def test_a_divergence_at_the_start_is_not_shrunk() -> None:
    vector = read_vectors([vectors_of(PROTOCOL)], PROTOCOL)[0]
    with open_target("memory") as target:
        found = shrink(vector, target, cores=Cores(aca=SendsForAnyPod), times=1)
    assert found.divergence is not None
    assert (found.divergence.step, found.tried, found.exit) == (0, [], Exit.VIOLATED)
    shown = io.StringIO()
    print_shrunk(found, Console(file=shown, width=80))
    assert "It diverges at the start: there is nothing to shrink." in shown.getvalue()


def test_a_failure_of_enabledness_is_shrunk() -> None:
    _, found = shrunk(PROTOCOL, "one-network", Cores(aca=EvictsLocalPods))
    assert found.divergence is not None
    assert found.divergence.field.endswith(": timer: evict")
    assert found.smallest is not None
    assert found.smallest.steps <= 12


def test_a_run_that_leaves_the_protocol_stays_one() -> None:
    """A negative vector with unnecessary steps."""
    (vector,) = read_vectors([NEGATIVE / "grants-the-next-version.scenario"], PROTOCOL)
    with open_target("memory") as target:
        found = shrink(vector, target, cores=cores_of("grants_the_next_version"), times=1)
    assert found.smallest is not None
    assert found.smallest.protocol is vector.protocol is not PROTOCOL
    assert found.smallest.steps <= (vector.diverges_at or 0)


def test_a_conforming_trace_is_not_shrunk() -> None:
    vector = read_vectors([vectors_of(PROTOCOL)], PROTOCOL)[0]
    with open_target("memory") as target:
        found = shrink(vector, target, times=2)
    assert (found.verdict, found.exit, found.tried, found.smallest) == ("conforms", Exit.HOLDS, [], None)


def test_a_trace_that_cannot_be_replayed_is_undecided() -> None:
    """A DPM has the same thresholds for all VPCs; this configuration does not."""
    configuration = next(candidate for candidate in of_scenarios(MESSAGE_QUEUE) if candidate.name == "two-vpcs")
    thresholds: dict[tuple[str | int, ...], str | int] = {("red",): 1, ("blue",): 2}
    configuration = replace(configuration, constants={**configuration.constants, "many_ports": thresholds})
    interpreter = Interpreter(MESSAGE_QUEUE, configuration)
    start = Trace(MESSAGE_QUEUE.name, configuration, (initial_state(MESSAGE_QUEUE, configuration),), ())
    trace = executed(interpreter, start, interpreter.enabled(start.states[0])[:1])
    assert trace is not None
    with open_target("memory") as target:
        found = shrink(Vector("other thresholds", trace, MESSAGE_QUEUE, MESSAGE_QUEUE), target, times=2)
    assert "different thresholds" in found.because
    assert found.exit is Exit.UNDECIDED


def test_it_is_confirmed_on_a_real_broker(broker: Deployment) -> None:
    cores = cores_of("learns_the_older")
    with open_target("memory") as memory:
        vector = diverging_late(PROTOCOL, "one-network", cores, memory)
    with open_target("pulsar", broker) as target:
        found = shrink(vector, target, cores=cores, times=3)
    assert found.smallest is not None
    assert found.smallest.steps <= negative_steps(PROTOCOL)["learns_the_older"] + SLACK
    assert (found.smallest.likewise, found.smallest.times) == (3, 3)


# -------------------------------------------------------------------------------------------------------- command


def test_shrink_shows_and_saves_the_smallest(ondemand: Command, tmp_path: Path) -> None:
    small, long = tmp_path / "small.scenario", tmp_path / "long.itf.json"
    with open_target("memory") as target:
        vector = diverging_late(PROTOCOL, "one-network", cores_of("older_overwrites_newer"), target)
    itf.write(vector.trace, long, PROTOCOL)
    ended = ondemand("shrink", long, "--faulty", "older_overwrites_newer", "--save", small, "--json", "-")
    assert ended.code == 1
    result = json.loads(ended.out)
    assert (result["verdict"], result["smallest"]["likewise"], result["smallest"]["times"]) == ("diverges", 5, 5)
    assert result["steps"] >= 60
    assert result["smallest"]["steps"] == 4
    said = " ".join(ended.err.split())
    assert f"{result['steps']} steps reduced to 4 on memory. Diverges in the same way in 5 of 5 runs" in said
    assert "the original run: 5 of 5." in said
    assert "The run up to this step:" in said
    assert ondemand("replay", small, "--faulty", "older_overwrites_newer").code == 1
    assert ondemand("replay", small).code == 0
    assert ondemand("shrink", small).code == 0


def test_the_smallest_of_a_run_that_leaves_can_be_replayed(ondemand: Command, tmp_path: Path) -> None:
    small = tmp_path / "small.itf.json"
    way = NEGATIVE / "grants-the-next-version.scenario"
    assert ondemand("shrink", way, "--faulty", "grants_the_next_version", "--times", "1", "--save", small).code == 1
    assert ondemand("replay", small).code == 0
    (vector,) = read_vectors([small], PROTOCOL)
    assert vector.diverges_at == len(vector.trace.steps)
    assert vector.trace.description.startswith("Shrunk from grants-the-next-version.")


def test_replay_shrinks_the_first_divergence(ondemand: Command) -> None:
    vectors = trace_files(vectors_of(PROTOCOL) / "found")[:4]
    ended = ondemand("replay", *vectors, "--faulty", "learns_the_older", "--shrink", "--json", "-")
    assert ended.code == 1
    shrunk = json.loads(ended.out)["shrunk"]
    assert shrunk["smallest"]["steps"] == 7
    assert "steps reduced to 7" in ended.err
    assert json.loads(ondemand("replay", *vectors, "--shrink", "--json", "-").out)["verdict"] == "conforms"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((NEGATIVE,), "is a folder; name one trace"),
        (("none.itf.json",), "none.itf.json: cannot be read"),
        ((NEGATIVE / "pushes-to-all.scenario", "--faulty", "pushes_to_al"), "(did you mean pushes_to_all?)"),
        ((NEGATIVE / "pushes-to-all.scenario", "--times", "0"), "0 is not in the range"),
    ],
)
def test_wrong_usage_is_reported_in_a_sentence(arguments: tuple[object, ...], said: str, ondemand: Command) -> None:
    assert said in sentence(ondemand("shrink", *arguments))


def test_faulty_implementations_have_distinct_names_and_exist() -> None:
    assert len(EVERY_FAULTY) == len(FAULTY) + len(RESTRICTIVE) + len(OF_MESSAGE_QUEUE)
    assert all(map(cores_of, EVERY_FAULTY))


def test_a_mutant_of_the_table_is_a_faulty_implementation(ondemand: Command) -> None:
    way, mutant = NEGATIVE / "reuses-a-version.scenario", FAULTY["reuses_a_version"]
    assert ondemand("replay", way, "--faulty", mutant).code == 1
    assert "unknown faulty" in sentence(ondemand("replay", way, "--faulty", f"{mutant} or nothing"))
