"""An NCM of Alcor that runs is held against the specification: ours conforms, and each defect of Alcor's is seen where it shows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from conformance.replay.alcor.live_replays import LiveReplays, addresses_of, parse_where, replay_live
from conformance.replay.alcor.peers import Waits, Where
from conformance.replay.alcor.probes import PROBES, executed
from conformance.replay.alcor.run import NOT_DRIVEN
from conformance.replay.replays import Vector, read_vectors, vectors_of
from impl.cli.exits import Exit
from impl.errors import BadDeployment, EnvironmentProblem
from impl.transport.grpc.endpoints import Deadlines
from impl.transport.grpc.event_loop import Loop
from impl.wire.alcor.schema import HEAD, NUMBERINGS, PIN, schema
from model.reference import itf
from spec.on_demand.promises import whoever_was_told_is_told_the_newest
from spec.on_demand.protocol import PROTOCOL
from tests.conformance.replay.alcor.stand_in_ncm import DEFECTS, StandInNcm
from tests.impl.transport.grpc.network import World
from tests.ports import free_port

WAITS: Final = Waits(reply=20.0, push=0.2, contact=5.0, settle=0.1)
"""A stand-in replies when it has pushed all that it will push."""
PATIENT: Final = Deadlines(push=10.0, answer=20.0, outcome=20.0, retry_first=0.05)
WAITS_LONG: Final = replace(WAITS, reply=40.0, push=10.0)
"""For what works, so that a machine that is busy is no divergence."""
AS_BUILT: Final = (
    "grants what is unknown",
    "says yes after an exception",
    "answers only the last of a batch",
    "does not check whose the source is",
    "serves what is deleted",
    "keeps the first owner of an address",
    "sends only the subnet of the source",
    "says yes to an agent that it cannot call",
    "does not know of restarts",
    "takes an older revision",
    "forgets whom it told",
)
"""What Alcor's NCM of December 2021 does, all of it at once; but for hosts that it mixes up, which is a matter of the moment."""


@pytest.fixture(scope="module")
def vectors() -> list[Vector]:
    """The vectors of the on-demand protocol."""
    return read_vectors([vectors_of(PROTOCOL)], PROTOCOL)


@pytest.fixture
def start(world: World) -> Iterator[Callable[..., StandInNcm]]:
    """Starts stand-ins that are stopped at the end."""
    started: list[StandInNcm] = []

    def make(*defects: str, numbering: str = PIN, agent_port: int | None = None) -> StandInNcm:
        port = world.port if agent_port is None else agent_port
        started.append(StandInNcm(str(world.ncm_at), port, numbering, defects).start())
        return started[-1]

    yield make
    for item in started:
        item.stop()


def where_of(world: World) -> Where:
    """Everybody's addresses, in the block of the test."""
    return Where(world.ncm_at, world.address(101), world.address(1), world.port)


def replayed(
    world: World, vectors: Collection[Vector] = (), probes: Collection[str] = (), waits: Waits = WAITS
) -> LiveReplays:
    """What becomes of these vectors, and of the probes of these names."""
    chosen = [probe for probe in PROBES if probe.name in probes]
    assert len(chosen) == len(probes)
    return replay_live(
        list(vectors), PROTOCOL, where_of(world), world.schema, probes=chosen, waits=waits, loop=world.loop
    )


def names(found: LiveReplays, verdict: str) -> set[str]:
    """The traces that ended so."""
    return {vector.name for vector, result in found.results if result.verdict == verdict}


EVERY_PROBE: Final = tuple(probe.name for probe in PROBES)


# ----------------------------------------------------------------------------------------------- nothing wrong


@pytest.mark.parametrize("world", NUMBERINGS, indirect=True)
def test_our_own_ncm_conforms_to_all_that_can_be_driven(world: World, vectors: list[Vector]) -> None:
    world.ncm(deadlines=PATIENT)
    found = replayed(world, vectors[:: 12 if world.numbering == PIN else 60], EVERY_PROBE, WAITS_LONG)
    assert found.divergences == []
    assert (found.verdict, found.exit) == ("conforms", Exit.HOLDS)
    assert set(EVERY_PROBE) <= names(found, "conforms")


def test_a_stand_in_without_defects_conforms_and_most_of_the_vectors_steps_are_driven(
    world: World, vectors: list[Vector], start: Callable[..., StandInNcm]
) -> None:
    start()
    found = replayed(world, vectors, EVERY_PROBE)
    assert found.divergences == []
    assert len(found.results) == len(vectors) + len(PROBES)
    assert set(EVERY_PROBE) <= names(found, "conforms")
    steps = sum(len(vector.trace.steps) for vector in vectors)
    driven = found.total(lambda item: item.steps) - sum(len(executed(probe, PROTOCOL).trace.steps) for probe in PROBES)
    assert driven * 3 > steps * 2
    assert {vector.name for vector, _ in found.results} == names(found, "conforms") | names(found, "not driven")


def test_whatever_is_not_driven_says_at_which_step_and_why(
    world: World, vectors: list[Vector], start: Callable[..., StandInNcm]
) -> None:
    start()
    chosen = [vector for vector in vectors if any(step.action in NOT_DRIVEN for step in vector.trace.steps)]
    found = replayed(world, chosen[::4])
    assert found.not_driven
    for vector, result in found.results:
        first = next(at for at, step in enumerate(vector.trace.steps) if step.action in NOT_DRIVEN)
        assert result.verdict == "not driven"
        assert result.steps < len(vector.trace.steps)
        at = int(result.because.split(",")[0].removeprefix("step "))
        assert at <= first + 1
        assert result.because.startswith(f"step {at}, {vector.trace.steps[at - 1]}: ")


def test_negative_vectors_of_ncm_are_driven_to_the_step_that_leaves_the_protocol(
    world: World, vectors: list[Vector], start: Callable[..., StandInNcm]
) -> None:
    start()
    wanted = {"grants-the-unknown", "leaks-to-another-tenant", "pushes-to-all", "greets-without-sending"}
    found = replayed(world, [vector for vector in vectors if vector.name in wanted])
    assert names(found, "conforms") == wanted
    assert all(result.steps == vector.diverges_at for vector, result in found.results)


# ------------------------------------------------------------------------------------------ each defect alone

SHOWN: Final = (
    # defect; probe; the step; what of it; expected; observed
    (
        "grants what is unknown",
        "a-batch-with-a-refusal",
        "18, refuse(host=h1, epoch=1, asked_by=r2, source=p1, destination=p4, why=unknown)",
        "RequestGoalStates of h1",
        "FAILURE: refused as unknown. NCM has no record of the destination.",
        "SUCCESS; h1 was pushed nothing of p4",
    ),
    (
        "grants what is unknown",
        "a-removed-pod",
        "16, refuse(host=h1, epoch=1, asked_by=r2, source=p1, destination=p2, why=gone)",
        "RequestGoalStates of h1",
        "FAILURE: refused as gone. The destination was removed.",
        "SUCCESS; h1 was pushed nothing of p2",
    ),
    (
        "says yes after an exception",
        "a-port-without-a-neighbor",
        "12, grant(host=h1, epoch=1, asked_by=r1, source=p1, destination=p2, version=1)",
        "RequestGoalStates of h1",
        "SUCCESS only after p2",
        "SUCCESS, and h1 was pushed nothing of p2",
    ),
    (
        "answers only the last of a batch",
        "a-batch",
        "16, grant(host=h1, epoch=1, asked_by=r1, source=p1, destination=p2, version=1)",
        "RequestGoalStates of h1",
        "SUCCESS only after p2",
        "SUCCESS, and h1 was pushed nothing of p2",
    ),
    (
        "swaps two hosts",
        "two-hosts-at-once",
        "63, grant(host=h1, epoch=1, asked_by=r1, source=p1, destination=a1, version=1)",
        "RequestGoalStates of h1",
        "SUCCESS only after a1",
        "h1 was pushed nothing of a1; h2",
    ),
    (
        "does not check whose the source is",
        "another-tenant",
        "16, refuse(host=h1, epoch=1, asked_by=r2, source=p2, destination=p1, why=not_your_source)",
        "RequestGoalStates of h1",
        "FAILURE: refused as not_your_source",
        "SUCCESS; h1 was pushed PORT",
    ),
    (
        "does not check the network",
        "another-tenant",
        "14, refuse(host=h1, epoch=1, asked_by=r1, source=p1, destination=p3, why=other_vpc)",
        "RequestGoalStates of h1",
        "FAILURE: refused as other_vpc",
        "SUCCESS; h1 was pushed NEIGHBOR",
    ),
    (
        "does not check the network",
        "another-tenant",
        "14, refuse(host=h1, epoch=1, asked_by=r1, source=p1, destination=p3, why=other_vpc)",
        "PushGoalStatesStream to h1",
        "nothing of p3",
        "NEIGHBOR",
    ),
    (
        "serves what is deleted",
        "a-removed-pod",
        "14, store(pod=p2, version=2)",
        "PushGoalStatesStream to h1",
        "revision 2, deleted",
        "nothing of p2",
    ),
    (
        "serves what is deleted",
        "a-removed-pod-nobody-asked-for",
        "14, refuse(host=h1, epoch=1, asked_by=r1, source=p1, destination=p2, why=gone)",
        "RequestGoalStates of h1",
        "FAILURE: refused as gone",
        "SUCCESS; h1 was pushed NEIGHBOR",
    ),
    (
        "keeps the first owner of an address",
        "a-reused-address",
        "19, grant(host=h1, epoch=1, asked_by=r1, source=p1, destination=p2, version=3)",
        "RequestGoalStates of h1",
        "revision 3, at h3",
        "revision 1, at h2",
    ),
    (
        "sends only the subnet of the source",
        "another-subnet",
        "12, grant(host=h1, epoch=1, asked_by=r1, source=p1, destination=p2, version=1)",
        "RequestGoalStates of h1",
        "SUCCESS only after p2",
        "is not in the same goal state",
    ),
    (
        "says yes to an agent that it cannot call",
        "an-agent-that-cannot-be-called",
        "12, grant(host=deaf, epoch=1, asked_by=r1, source=p1, destination=p2, version=1)",
        "RequestGoalStates of deaf",
        "no SUCCESS: nothing calls deaf back",
        "SUCCESS",
    ),
    (
        "does not know of restarts",
        "a-restart",
        "14, greet(host=h1, epoch=2)",
        "status of AGENT_RESTARTED",
        "SUCCESS: NCM meets the agent's new epoch",
        "FAILURE",
    ),
    (
        "does not know of restarts",
        "a-restart",
        "14, greet(host=h1, epoch=2)",
        "PushGoalStatesStream to h1",
        "revision 1, at h1",
        "nothing of p1",
    ),
    (
        "follows a null pointer",
        "a-batch",
        "17, grant(host=h1, epoch=1, asked_by=r2, source=p1, destination=p3, version=1)",
        "RequestGoalStates of h1",
        "SUCCESS only after p3",
        "SUCCESS, and h1 was pushed nothing of p3",
    ),
    (
        "is hard-wired",
        "a-removed-pod",
        "12, grant(host=h1, epoch=1, asked_by=r1, source=p1, destination=p2, version=1)",
        "RequestGoalStates of h1",
        "SUCCESS only after p2",
        "nothing of p2",
    ),
    (
        "is hard-wired",
        "a-removed-pod",
        "12, grant(host=h1, epoch=1, asked_by=r1, source=p1, destination=p2, version=1)",
        "PushGoalStatesStream to h1",
        "no pod at 10.0.0.2 of demo",
        "NEIGHBOR demo_n",
    ),
    (
        "takes an older revision",
        "an-older-revision",
        "14, supersede(pod=p2, version=1)",
        "PushGoalStatesStream to h2",
        "nothing of p2 as of revision 1",
        "revision 1, at h2",
    ),
    (
        "takes an older revision",
        "an-older-revision",
        "16, grant(host=h1, epoch=1, asked_by=r1, source=p1, destination=p2, version=2)",
        "RequestGoalStates of h1",
        "revision 2, at h3",
        "revision 1, at h2",
    ),
    (
        "forgets whom it told",
        "a-move",
        "19, store(pod=p2, version=2)",
        "PushGoalStatesStream to h1",
        "revision 2, at h3",
        "nothing of p2",
    ),
    (
        "pushes to all",
        "a-move",
        "9, store(pod=p1, version=1)",
        "PushGoalStatesStream to h2",
        "nothing of p1",
        "NEIGHBOR",
    ),
    (
        "answers nothing",
        "a-batch",
        "16, grant(host=h1, epoch=1, asked_by=r1, source=p1, destination=p2, version=1)",
        "RequestGoalStates of h1",
        "one status for each of 2 requests, with its id",
        "0, 0 statuses",
    ),
    (
        "answers under another id",
        "a-move",
        "17, grant(host=h1, epoch=1, asked_by=r1, source=p1, destination=p2, version=1)",
        "RequestGoalStates of h1",
        "one status for each of 1 requests, with its id",
        "0 statuses, and 1 with the id of no request",
    ),
    (
        "says done of what came too late",
        "an-older-revision",
        "14, supersede(pod=p2, version=1)",
        "PushGoalStatesStream of DPM",
        "OUT_OF_ORDER or PENDING, or no status",
        "SUCCESS",
    ),
    (
        "changes the place",
        "another-subnet",
        "12, grant(host=h1, epoch=1, asked_by=r1, source=p1, destination=p2, version=1)",
        "PushGoalStatesStream to h1",
        "revision 1, at h2",
        "revision 1, at h1",
    ),
    (
        "tells everybody afterwards",
        "a-removed-pod",
        "14, store(pod=p2, version=2)",
        "PushGoalStatesStream to h3",
        "nothing of p2 as of revision 1",
        "revision 1, at h2",
    ),
)


def test_every_defect_is_shown() -> None:
    assert {defect for defect, *_ in SHOWN} == DEFECTS


@pytest.mark.parametrize(
    ("defect", "probe", "step", "what", "expected", "observed"), SHOWN, ids=[f"{item[0]}: {item[1]}" for item in SHOWN]
)
def test_a_defect_is_a_divergence_where_it_shows(
    world: World,
    start: Callable[..., StandInNcm],
    defect: str,
    probe: str,
    step: str,
    what: str,
    expected: str,
    observed: str,
) -> None:
    start(defect)
    beside = {"a-move"} - {probe} if "everybody" in defect else set()  # so that there is a host that never asked
    found = replayed(world, probes=[probe, *beside])
    assert found.verdict == "diverges"
    said = [
        (
            f"{divergence.step}, {divergence.action}",
            divergence.field,
            str(divergence.expected),
            str(divergence.observed),
        )
        for divergence in found.divergences
    ]
    assert any(
        at == step and what in field and expected in wanted and observed in seen for at, field, wanted, seen in said
    ), said
    assert all(divergence.because.split(":")[0] in CLAIMS for divergence in found.divergences)


CLAIMS: Final = {promise.name for promise in (*PROTOCOL.promises, *PROTOCOL.actions)}
"""What a divergence may refer to: promises and steps of the specification."""


def test_what_comes_when_a_trace_is_over_is_laid_to_that_trace(world: World, start: Callable[..., StandInNcm]) -> None:
    start("tells everybody afterwards")
    found = replayed(world, probes=["another-subnet", "a-move"])
    (late,) = (divergence for divergence in found.divergences if divergence.trace == "another-subnet")
    assert (late.step, late.action.split("(")[0]) == (12, "after grant")
    assert late.field.startswith("PushGoalStatesStream to h3")


def test_ncm_as_alcor_built_it_diverges_in_every_probe(world: World, start: Callable[..., StandInNcm]) -> None:
    start(*AS_BUILT)
    found = replayed(world, probes=[name for name in EVERY_PROBE if name != "two-hosts-at-once"])
    assert found.verdict == "diverges"
    assert names(found, "conforms") == set()
    assert set(found.kinds) == {
        "SUCCESS for a request that is refused as unknown",
        "SUCCESS for a request that is refused as gone",
        "SUCCESS for a request that is refused as other_vpc",
        "SUCCESS for a request that is refused as not_your_source",
        "SUCCESS before the host that asked was pushed the destination as it is recorded",
        "SUCCESS for a host that is not called back",
        "SUCCESS for a change that is superseded",
        "FAILURE for AGENT_RESTARTED",
        "a host that has to hear of it is not pushed a port that is deleted",
        "a host that has to hear of it is not pushed a port that came or moved",
        "a host is pushed a revision that was superseded",
    }
    assert sum(map(len, found.kinds.values())) == len(found.divergences)


# --------------------------------------------------------------------------------- what is no verdict on NCM


def test_nothing_driven_to_its_end_is_undecided(
    world: World, vectors: list[Vector], start: Callable[..., StandInNcm]
) -> None:
    start()
    found = replayed(world, [vector for vector in vectors if vector.trace.steps[0].action == "deregister"])
    assert found.results
    assert (found.verdict, found.exit, found.driven) == ("undecided", Exit.UNDECIDED, 0)


def test_an_ncm_that_says_nothing_of_a_change_leaves_that_step_unseen(
    world: World, vectors: list[Vector], start: Callable[..., StandInNcm]
) -> None:
    """Alcor's replies to DPM have no statuses: that is no divergence, and no pass of the steps that hear of them."""

    start().says_outcomes = False
    chosen = next(
        vector
        for vector in vectors
        if any(step.action == "complete" for step in vector.trace.steps)
        and not any(step.action in NOT_DRIVEN for step in vector.trace.steps)
    )
    found = replayed(world, [chosen])
    ((_, result),) = found.results
    assert result.verdict == "not driven"
    assert result.steps == sum(step.action not in ("report_done", "complete") for step in chosen.trace.steps)
    assert "is not seen, since NCM's reply says nothing of the port" in result.because
    assert found.verdict == "undecided"


def test_an_ncm_that_is_not_there_is_no_verdict(world: World) -> None:
    with pytest.raises(EnvironmentProblem, match="cannot be reached; start NCM"):
        replayed(world, probes=["a-batch"])


def test_an_ncm_that_calls_nobody_back_is_no_verdict(world: World, start: Callable[..., StandInNcm]) -> None:
    start(agent_port=free_port())
    waits = Waits(reply=20.0, push=0.1, contact=0.1)
    with pytest.raises(EnvironmentProblem, match=r"nothing called back to 127\.\S+ .*--first-host"):
        replayed(world, probes=["a-batch"], waits=waits)


def test_an_ncm_that_does_not_take_us_for_dpm_is_no_verdict(world: World) -> None:
    world.ncm(dpm=world.host(102))
    with pytest.raises(
        EnvironmentProblem, match=r"takes no goal state from 127\.\S+ \(PERMISSION_DENIED: .*--controller"
    ):
        replayed(world, probes=["a-batch"])


def test_an_ncm_of_another_numbering_is_no_verdict(world: World, loop: Loop) -> None:
    world.ncm()
    where = where_of(world)
    with pytest.raises(EnvironmentProblem, match=r"takes no goal state from .*--numbering"):
        replay_live([], PROTOCOL, where, schema(HEAD), waits=WAITS, loop=loop)


def test_an_address_that_is_in_use_is_no_verdict(world: World, start: Callable[..., StandInNcm]) -> None:
    start()
    world.stand_in(2)
    with pytest.raises(EnvironmentProblem, match="cannot listen there"):
        replayed(world, probes=["a-batch"])


@pytest.mark.parametrize(
    ("target", "controller", "first", "sentence"),
    [
        ("alcor://", "127.0.0.101", "127.0.0.1", "--target alcor://: invalid address ''"),
        ("alcor://moon", "127.0.0.101", "127.0.0.1", "invalid address 'moon'"),
        ("alcor://127.0.0.1:0x", "127.0.0.101", "127.0.0.1", "invalid address"),
        ("alcor://127.0.0.1", "moon", "127.0.0.1", "--controller 'moon' is no IPv4 address"),
        ("alcor://127.0.0.1", "127.0.0.101", "::1", "--first-host '::1' is no IPv4 address"),
        ("alcor://127.0.0.1", "127.0.0.2", "127.0.0.1", "--controller 127.0.0.2 is the address of a host too"),
        ("alcor://127.0.0.1", "127.0.0.101", "255.255.255.255", "no 2 addresses follow it"),
    ],
)
def test_addresses_that_are_none_are_refused(target: str, controller: str, first: str, sentence: str) -> None:
    with pytest.raises(BadDeployment) as raised:
        addresses_of(("h1", "h2"), parse_where(target, controller, first, 50001))
    assert sentence in str(raised.value)


# ----------------------------------------------------------------------------------------- on the command line


def ondemand(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, in a process of its own."""
    command = [sys.executable, "-c", "from conformance.cli.main import main; main()", "replay", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def wired(world: World) -> list[str]:
    """The options that lead to the NCM of a world."""
    where = where_of(world)
    options = {"target": where.name, "controller": where.controller, "first-host": where.first_host}
    return [f"--{name}={value}" for name, value in {**options, "agent-port": where.agent_port}.items()]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A trace in which a pod is granted, then moves, then is granted again."""
    vector = executed(next(probe for probe in PROBES if probe.name == "a-move"), PROTOCOL)
    path = tmp_path / "a-move.itf.json"
    itf.write(vector.trace, path, PROTOCOL)
    return path


def test_the_command_line_says_what_was_driven(
    world: World, start: Callable[..., StandInNcm], trace: Path, vectors: list[Vector]
) -> None:
    start()
    left = next(vectors_of(PROTOCOL).rglob("24-*.scenario"))
    done = ondemand(str(trace), str(left), "--json", "-", "--received", *wired(world))
    assert done.returncode == Exit.HOLDS, done.stderr
    result = json.loads(done.stdout)
    assert (result["traces"], result["driven"], result["verdict"]) == (2, 1, "conforms")
    assert result["target"] == where_of(world).name
    assert [item["trace"] for item in result["not_driven"]] == ["24-one-network"]
    assert "Alcor's wire has no word for a host that leaves" in done.stderr
    assert any("revision 2" in item for item in result["received"]["a-move"]["h1"])


def test_the_command_line_shows_every_divergence_and_the_first_in_full(
    world: World, start: Callable[..., StandInNcm], trace: Path, tmp_path: Path
) -> None:
    start("forgets whom it told")
    report = tmp_path / "result.json"
    done = ondemand(str(trace), f"--json={report}", *wired(world))
    assert done.returncode == Exit.VIOLATED, done.stderr
    result = json.loads(report.read_text())
    assert result["verdict"] == "diverges"
    assert (result["divergence"]["step"], result["divergence"]["action"]) == (19, "store(pod=p2, version=2)")
    told = {(item["kind"], item["field"].split(" (")[0]) for item in result["divergences"]}
    kind = "a host that has to hear of it is not pushed a port that came or moved"
    assert told == {(kind, f"PushGoalStatesStream to {host}") for host in ("h1", "h2")}, "who asked, and the old home"
    shown = " ".join(done.stdout.replace("│", " ").split())
    assert f"2 times: {kind} a-move, step 19, store(pod=p2, version=2) PushGoalStatesStream to h1" in shown
    assert f"whoever_was_told_is_told_the_newest: {whoever_was_told_is_told_the_newest.doc.splitlines()[0]}" in shown
    assert "The run up to this step:" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (
            ["--target=alcor://127.0.0.1:9", "--store=own"],
            Exit.BAD_INPUT,
            "--store is for target memory and pulsar only",
        ),
        (["--numbering=head"], Exit.BAD_INPUT, "--numbering is for target alcor://HOST:PORT only"),
        (["--target=alcor://moon"], Exit.BAD_INPUT, "invalid address 'moon'"),
        (["--target=moon"], Exit.BAD_INPUT, "'moon' is not one of 'memory', 'pulsar', 'alcor://HOST:PORT'"),
    ],
)
def test_the_command_line_refuses_what_does_not_go_together(arguments: list[str], code: Exit, sentence: str) -> None:
    done = ondemand(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr


def test_the_command_line_refuses_traces_in_which_ncm_has_no_part(world: World) -> None:
    other = next((vectors_of(PROTOCOL).parent / "message-queue").rglob("01-*.scenario"))
    done = ondemand(str(other), *wired(world))
    assert done.returncode == Exit.BAD_INPUT
    assert "a trace of message-queue, which does not involve Alcor's NCM; name a trace of on-demand" in done.stderr


def test_no_ncm_is_a_matter_of_the_surroundings(world: World, trace: Path) -> None:
    done = ondemand(str(trace), *wired(world))
    assert done.returncode == Exit.ENVIRONMENT
    assert done.stderr.strip().startswith(f"{where_of(world).name}: cannot be reached")
    assert len(done.stderr.strip().splitlines()) == 1
