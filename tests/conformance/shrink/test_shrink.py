"""Divergences are shrunk on a model of the failure, confirmed on the target, and have a rate."""

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

from conformance.configurations import of_scenarios
from conformance.evidence.variants import negative_of
from conformance.mutation.faulty import EVERY_FAULTY
from conformance.mutation.faulty_message_queue import FAULTY as OF_MESSAGE_QUEUE
from conformance.mutation.faulty_on_demand import FAULTY, RESTRICTIVE, LearnsTheOlder
from conformance.replay.driver import Cores
from conformance.replay.lockstep import Leaving, replay
from conformance.replay.replays import Vector, read_vectors, trace_files, vectors_of
from conformance.replay.targets import open_target
from conformance.report.shrunk import print_shrunk
from conformance.shrink.failure import kind_of
from conformance.shrink.shrink import Shrunk, shrink
from impl.broker.deployment import Deployment
from impl.cli.exits import Exit
from impl.core import Effects
from impl.messages import Message, Pod
from impl.on_demand.aca import Aca
from model.language import Protocol
from model.reference import itf
from model.reference.interpreter import Interpreter
from model.reference.runs import executed
from model.reference.state import Trace, initial_state
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
        "learns_the_older",  # a repeated message: a conjunct of a guard is ignored
        "older_overwrites_newer",  # another action is taken
        "forgets_whom_it_told",  # a change is omitted
        "pushes_to_all",  # an additional message
        "serves_the_deleted",  # a variant that is no single change
        "grants_the_next_version",  # a message has other content
        "releases_again",
        "reuses_a_version",
        "takes_every_report_for_done",
    ],
)
def test_a_long_run_is_shrunk_to_the_length_of_its_negative_vector(name: str) -> None:
    vector, found = shrunk(PROTOCOL, "one-network", FAULTY[name])
    assert found.divergence is not None
    assert found.divergence.step >= 60
    assert found.smallest is not None
    assert found.smallest.steps <= negative_steps(PROTOCOL)[name] + SLACK
    assert (found.smallest.likewise, found.smallest.otherwise) == (2, 0)
    assert found.exit is Exit.VIOLATED
    wanted, again = kind_of(vector.trace, found.divergence), found.smallest.divergence
    assert again is not None
    assert kind_of(found.smallest.candidate.trace, again).name == wanted.name


@pytest.mark.parametrize(
    "name",
    [
        "sends_nothing_at_equality",  # the core refuses: a context is learned
        "counts_any_confirmation",  # a repeated message in a learned context
        "keeps_the_subscription",
        "closes_the_topic_at_once",  # no hypothesis explains it: reduced on the target
        "ends_it_at_the_broker_later",
    ],
)
def test_a_long_run_of_the_message_queue_is_shrunk(name: str) -> None:
    _, found = shrunk(MESSAGE_QUEUE, "two-vpcs", OF_MESSAGE_QUEUE[name])
    assert found.smallest is not None
    assert found.smallest.steps <= negative_steps(MESSAGE_QUEUE).get(name, 5) + SLACK
    assert found.smallest.likewise == 2


def test_the_hypothesis_is_stated_in_the_terms_of_the_statement() -> None:
    _, found = shrunk(PROTOCOL, "one-network", FAULTY["learns_the_older"])
    assert found.smallest is not None
    assert found.smallest.candidate.because == "learn without known(host, pod) < version"


def test_a_failure_that_only_a_repeated_message_shows_is_shrunk() -> None:
    _, found = shrunk(PROTOCOL, "one-network", RESTRICTIVE["never_reminds"])
    assert found.divergence is not None
    assert found.divergence.field == "messages"
    assert found.smallest is not None
    assert found.smallest.candidate.because == "remind without changing route"
    assert found.smallest.steps <= 5


class SometimesLearnsTheOlder(LearnsTheOlder):
    """Sometimes takes an older version for a newer one."""

    generator: ClassVar[random.Random]

    def _is_newer(self, pod: Pod, version: int) -> bool:
        return Aca._is_newer(self, pod, version) or self.generator.random() < 0.4


def test_an_intermittent_failure_has_a_rate() -> None:
    with open_target("memory") as target:
        vector = diverging_late(PROTOCOL, "one-network", FAULTY["learns_the_older"], target)
        SometimesLearnsTheOlder.generator = random.Random(7)
        found = shrink(vector, target, cores=Cores(aca=SometimesLearnsTheOlder), times=20)
    assert found.smallest is not None
    assert found.smallest.steps <= negative_steps(PROTOCOL)["learns_the_older"] + SLACK
    assert 0 < found.smallest.likewise < 20
    assert found.smallest.otherwise == 0


class FailsAfterMuch(Aca):
    """Has a fault unrelated to the rules of the protocol: it counts its messages."""

    handed: int = 0

    def receive(self, message: Message) -> Effects:
        self.handed += 1
        if self.handed > 3:
            raise OverflowError
        return super().receive(message)


def test_a_failure_without_a_hypothesis_is_still_shrunk() -> None:
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
    assert found.divergence.field.endswith(": may_evict")
    assert found.smallest is not None
    assert found.smallest.steps <= 12


def test_a_run_that_leaves_the_protocol_stays_one() -> None:
    """A negative vector with unnecessary steps."""
    (vector,) = read_vectors([NEGATIVE / "grants-the-next-version.scenario"], PROTOCOL)
    with open_target("memory") as target:
        found = shrink(vector, target, cores=FAULTY["grants_the_next_version"], times=1)
    assert found.smallest is not None
    leaving = found.smallest.candidate.leaving
    assert isinstance(leaving, Leaving)
    assert leaving.step == len(found.smallest.candidate.trace.steps) <= (vector.diverges_at or 0)


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
    cores = FAULTY["learns_the_older"]
    with open_target("memory") as memory:
        vector = diverging_late(PROTOCOL, "one-network", cores, memory)
    with open_target("pulsar", broker) as target:
        found = shrink(vector, target, cores=cores, times=3)
    assert found.smallest is not None
    assert found.smallest.steps <= negative_steps(PROTOCOL)["learns_the_older"] + SLACK
    assert (found.smallest.likewise, found.smallest.times) == (3, 3)


# -------------------------------------------------------------------------------------------------------- command


def test_shrink_shows_the_candidates_and_saves_the_smallest(ondemand: Command, tmp_path: Path) -> None:
    small, long = tmp_path / "small.itf.json", tmp_path / "long.itf.json"
    with open_target("memory") as target:
        vector = diverging_late(PROTOCOL, "one-network", FAULTY["older_overwrites_newer"], target)
    itf.write(vector.trace, long, PROTOCOL)
    ended = ondemand("shrink", long, "--faulty", "older_overwrites_newer", "--save", small, "--json", "-")
    assert ended.code == 1
    result = json.loads(ended.out)
    assert (result["verdict"], result["smallest"]["likewise"], result["smallest"]["times"]) == ("diverges", 5, 5)
    assert result["steps"] >= 60
    assert result["smallest"]["steps"] == 4
    said = " ".join(ended.err.split())
    assert f"{result['steps']} steps reduced to 4: diverges in the same way in 5 of 5 runs" in said
    assert "Hypothesis: store without recorded(pod) < version." in said
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
    assert "hypothesis" in ended.err
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


def test_faulty_implementations_have_distinct_names() -> None:
    assert len(EVERY_FAULTY) == len(FAULTY) + len(RESTRICTIVE) + len(OF_MESSAGE_QUEUE)
