"""Divergences are made small on a model of what is wrong, confirmed on the target, and have a rate."""

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

from conformance.evidence.variants import negative_of
from conformance.mutation.faulty import EVERY_FAULTY
from conformance.mutation.faulty_message_queue import FAULTY as OF_MESSAGE_QUEUE
from conformance.mutation.faulty_on_demand import FAULTY, RESTRICTIVE, LearnsTheOlder
from conformance.replay.driver import Cores
from conformance.replay.lockstep import Leaving, replay
from conformance.replay.replays import Vector, read_vectors, vectors_of
from conformance.replay.targets import open_target
from conformance.report.shrunk import print_shrunk
from conformance.shrink.shrink import Shrunk, shrink
from conformance.shrink.wrong import kind_of
from conformance.vectors.generation import worlds
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
"""Steps more than the shortest way to the broken promise, which may show in another step, or more easily."""


def negative_steps(protocol: Protocol) -> Mapping[str, int]:
    """How far it is to where each variant leaves the protocol, by the shipped vectors."""
    vectors = read_vectors([negative_of(protocol)], protocol)
    return {vector.name.replace("-", "_"): vector.diverges_at or 0 for vector in vectors}


def made_small(protocol: Protocol, world: str, cores: Cores, times: int = 2) -> tuple[Vector, Shrunk]:
    """A run that diverges in its 60th step or later, and what is made of it, in memory."""
    with open_target("memory") as target:
        vector = diverging_late(protocol, world, cores, target)
        return vector, shrink(vector, target, cores=cores, times=times)


@pytest.mark.parametrize(
    "name",
    [
        "learns_the_older",  # a message that comes once more: a part of a guard is ignored
        "older_overwrites_newer",  # another action is taken
        "forgets_whom_it_told",  # a change is not made
        "pushes_to_all",  # a message to others too
        "serves_the_deleted",  # a variant that no single change is
        "grants_the_next_version",  # what is sent says something else
        "releases_again",
        "reuses_a_version",
        "takes_every_report_for_done",
    ],
)
def test_a_long_run_is_made_as_short_as_the_way_of_its_variant(name: str) -> None:
    vector, found = made_small(PROTOCOL, "one-network", FAULTY[name])
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
        "counts_any_confirmation",  # a message that comes once more, in a context that is learned
        "keeps_the_subscription",
        "closes_the_topic_at_once",  # no hypothesis explains it: the target is asked
        "ends_it_at_the_broker_later",
    ],
)
def test_so_is_one_of_the_message_queue(name: str) -> None:
    _, found = made_small(MESSAGE_QUEUE, "two-networks", OF_MESSAGE_QUEUE[name])
    assert found.smallest is not None
    assert found.smallest.steps <= negative_steps(MESSAGE_QUEUE).get(name, 5) + SLACK
    assert found.smallest.likewise == 2


def test_what_is_wrong_is_told_in_the_words_of_the_statement() -> None:
    _, found = made_small(PROTOCOL, "one-network", FAULTY["learns_the_older"])
    assert found.smallest is not None
    assert found.smallest.candidate.because == "learn without known(host, pod) < version"


def test_what_only_a_message_sent_again_shows_is_made_small() -> None:
    _, found = made_small(PROTOCOL, "one-network", RESTRICTIVE["never_reminds"])
    assert found.divergence is not None
    assert found.divergence.field == "messages"
    assert found.smallest is not None
    assert found.smallest.candidate.because == "remind without changing route"
    assert found.smallest.steps <= 5


class SometimesLearnsTheOlder(LearnsTheOlder):
    """It takes an older version for a newer one now and then."""

    generator: ClassVar[random.Random]

    def _is_newer(self, pod: Pod, version: int) -> bool:
        return Aca._is_newer(self, pod, version) or self.generator.random() < 0.4


def test_a_wrong_that_happens_sometimes_has_a_rate() -> None:
    with open_target("memory") as target:
        vector = diverging_late(PROTOCOL, "one-network", FAULTY["learns_the_older"], target)
        SometimesLearnsTheOlder.generator = random.Random(7)
        found = shrink(vector, target, cores=Cores(aca=SometimesLearnsTheOlder), times=20)
    assert found.smallest is not None
    assert found.smallest.steps <= negative_steps(PROTOCOL)["learns_the_older"] + SLACK
    assert 0 < found.smallest.likewise < 20
    assert found.smallest.otherwise == 0


class FailsAfterMuch(Aca):
    """It has a fault that no rule of the protocol is about: it counts what it is handed."""

    handed: int = 0

    def receive(self, message: Message) -> Effects:
        self.handed += 1
        if self.handed > 3:
            raise OverflowError
        return super().receive(message)


def test_what_no_hypothesis_explains_is_still_made_small() -> None:
    vectors = [
        read_vector for read_vector in read_vectors([vectors_of(PROTOCOL)], PROTOCOL) if read_vector.diverges_at is None
    ]
    cores = Cores(aca=FailsAfterMuch)
    with open_target("memory") as target:
        replays = [
            (vector, replay(vector.trace, vector.name, PROTOCOL, target, cores).divergence) for vector in vectors
        ]
        # One that goes wrong late, and by a step: messages of strangers are counted too.
        diverging = [(one, found.step) for one, found in replays if found is not None and "(host=" in found.action]
        latest, _ = max(diverging, key=lambda item: item[1])
        found = shrink(latest, target, cores=cores, times=1)
    assert found.divergence is not None
    assert found.smallest is not None
    assert found.divergence.step > found.smallest.steps
    assert found.smallest.divergence is not None
    assert "OverflowError" in found.smallest.divergence.because


def test_what_goes_wrong_at_the_start_is_small_already() -> None:
    vector = read_vectors([vectors_of(PROTOCOL)], PROTOCOL)[0]
    with open_target("memory") as target:
        found = shrink(vector, target, cores=Cores(aca=SendsForAnyPod), times=1)
    assert found.divergence is not None
    assert (found.divergence.step, found.tried, found.exit) == (0, [], Exit.VIOLATED)
    shown = io.StringIO()
    print_shrunk(found, Console(file=shown, width=80))
    assert "It diverges in the initial state: there is nothing to shrink." in shown.getvalue()


def test_what_a_core_only_would_do_is_made_small() -> None:
    _, found = made_small(PROTOCOL, "one-network", Cores(aca=EvictsLocalPods))
    assert found.divergence is not None
    assert found.divergence.field.endswith(": may_evict")
    assert found.smallest is not None
    assert found.smallest.steps <= 12


def test_a_run_that_leaves_the_protocol_stays_one() -> None:
    """A negative vector with steps that it does not need."""
    (vector,) = read_vectors([NEGATIVE / "grants-the-next-version.itf.json"], PROTOCOL)
    with open_target("memory") as target:
        found = shrink(vector, target, cores=FAULTY["grants_the_next_version"], times=1)
    assert found.smallest is not None
    leaving = found.smallest.candidate.leaving
    assert isinstance(leaving, Leaving)
    assert leaving.step == len(found.smallest.candidate.trace.steps) <= (vector.diverges_at or 0)


def test_ours_has_nothing_to_make_small() -> None:
    vector = read_vectors([vectors_of(PROTOCOL)], PROTOCOL)[0]
    with open_target("memory") as target:
        found = shrink(vector, target, times=2)
    assert (found.verdict, found.exit, found.tried, found.smallest) == ("conforms", Exit.HOLDS, [], None)


def test_what_cannot_be_driven_is_undecided() -> None:
    """A DPM has the same thresholds for all VPCs; this world does not."""
    world = next(each_world for each_world in worlds(MESSAGE_QUEUE) if each_world.name == "two-networks")
    thresholds: dict[tuple[str | int, ...], str | int] = {("red",): 1, ("blue",): 2}
    world = replace(world, constants={**world.constants, "many_ports": thresholds})
    interpreter = Interpreter(MESSAGE_QUEUE, world)
    start = Trace(MESSAGE_QUEUE.name, world, (initial_state(MESSAGE_QUEUE, world),), ())
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
    assert f"{result['steps']} steps, shrunk to 4: diverges likewise in 5 of 5 runs" in said
    assert "As if: store without recorded(pod) < version." in said
    assert "The run up to this step:" in said
    assert ondemand("replay", small, "--faulty", "older_overwrites_newer").code == 1
    assert ondemand("replay", small).code == 0
    assert ondemand("shrink", small).code == 0


def test_the_smallest_of_a_run_that_leaves_can_be_replayed(ondemand: Command, tmp_path: Path) -> None:
    small = tmp_path / "small.itf.json"
    way = NEGATIVE / "grants-the-next-version.itf.json"
    assert ondemand("shrink", way, "--faulty", "grants_the_next_version", "--times", "1", "--save", small).code == 1
    assert ondemand("replay", small).code == 0
    (vector,) = read_vectors([small], PROTOCOL)
    assert vector.diverges_at == len(vector.trace.steps)
    assert vector.trace.description.startswith("Shrunk from grants-the-next-version.")


def test_replay_makes_the_first_divergence_small(ondemand: Command) -> None:
    vectors = sorted(vectors_of(PROTOCOL).glob("*.itf.json"))[:4]
    ended = ondemand("replay", *vectors, "--faulty", "learns_the_older", "--shrink", "--json", "-")
    assert ended.code == 1
    shrunk = json.loads(ended.out)["shrunk"]
    assert shrunk["smallest"]["steps"] == 7
    assert "if this is wrong" in ended.err
    assert json.loads(ondemand("replay", *vectors, "--shrink", "--json", "-").out)["verdict"] == "conforms"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((NEGATIVE,), "is a folder; name one trace"),
        (("none.itf.json",), "none.itf.json: cannot be read"),
        ((NEGATIVE / "pushes-to-all.itf.json", "--faulty", "pushes_to_al"), "(did you mean pushes_to_all?)"),
        ((NEGATIVE / "pushes-to-all.itf.json", "--times", "0"), "0 is not in the range"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(arguments: tuple[object, ...], said: str, ondemand: Command) -> None:
    assert said in sentence(ondemand("shrink", *arguments))


def test_no_double_hides_another_of_the_same_name() -> None:
    assert len(EVERY_FAULTY) == len(FAULTY) + len(RESTRICTIVE) + len(OF_MESSAGE_QUEUE)
