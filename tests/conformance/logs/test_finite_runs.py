"""The beginning of the logs is a run of the statement; unexercised behavior in its states is tried on the implementation."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from conformance.logs.finite_runs import run_of
from conformance.logs.fleet import record_in_memory
from conformance.logs.reading import LogFile
from conformance.mutation.faulty import cores_of
from conformance.replay.targets import open_target
from conformance.replay.unexercised import permissiveness
from impl.cli.exits import Exit, Problem
from model.reference.state import Trace
from spec.on_demand.protocol import PROTOCOL
from tests.conformance.cli.test_commands import Command, ondemand, sentence

__all__ = ["ondemand"]

STEPS = 60


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The logs of two agents, DPM and NCM."""
    return list(record_in_memory(tmp_path_factory.mktemp("logs"), 400, agents=2, seed=3).files)


@pytest.fixture(scope="module")
def run(logs: list[Path]) -> Trace:
    """The run at the beginning of the logs."""
    return run_of([LogFile(log) for log in logs], steps_max=STEPS)


def test_the_run_has_the_steps_of_the_lines(run: Trace, logs: list[Path]) -> None:
    lines = [json.loads(line) for log in logs for line in log.read_text(encoding="utf-8").splitlines()]
    recorded = Counter(line["event.name"] for line in lines)
    assert len(run.steps) == STEPS == len(run.states) - 1
    for action, times in Counter(step.action for step in run.steps).items():
        assert times <= recorded[f"on-demand.{action}"]
    assert {"place", "store", "greet", "learn", "ask"} <= {step.action for step in run.steps}
    assert run.configuration.sorts["Host"] == ("h1", "h2")
    assert set(run.configuration.constants["correct"]) == {("h1",), ("h2",)}


def test_unexercised_behavior_is_tried_on_the_implementation(run: Trace) -> None:
    with open_target("memory") as target:
        found = permissiveness(PROTOCOL, [], target, followed=[("logs", run)])
    assert (found.runs, found.steps, found.states) == (1, STEPS, STEPS + 1)
    assert sum(item.done for item in found.permitted.values()) == STEPS
    assert len(found.never_done) > 20
    assert {item.verdict for item in found.never_done} == {"done"}
    sizes = [len(item.tried.trace.configuration.sorts["Pod"]) for item in found.never_done if item.tried]
    small = [pods for pods in sizes if pods <= 2]
    assert len(small) > len(sizes) / 2  # most are tried in a configuration reduced to what they involve
    assert found.exit is Exit.HOLDS


def test_behavior_that_a_core_refuses_is_found(run: Trace) -> None:
    with open_target("memory") as target:
        found = permissiveness(PROTOCOL, [], target, cores=cores_of("never_reminds"), followed=[("logs", run)])
    assert {(finding.context.action, finding.verdict) for finding in found.findings} == {("remind", "refused")}
    assert found.exit is Exit.UNDECIDED


def test_the_command_takes_logs(ondemand: Command, logs: list[Path]) -> None:
    named = [part for log in logs for part in ("--log", log)]
    ended = ondemand("unexercised", *named, "--log-steps", "20", "--json", "-")
    assert ended.code == 0
    (result,) = json.loads(ended.out)
    assert (result["runs"], result["steps"], result["verdict"]) == (1, 20, "holds")


def test_empty_and_diverging_logs_are_refused(ondemand: Command, logs: list[Path], tmp_path: Path) -> None:
    empty, wrong = tmp_path / "empty.ndjson", tmp_path / "dpm.ndjson"
    empty.write_text("", encoding="utf-8")
    with pytest.raises(Problem):
        run_of([LogFile(empty)], steps_max=5)
    assert "none.ndjson: cannot be read" in sentence(ondemand("unexercised", "--log", "none.ndjson"))
    lines = logs[0].read_text(encoding="utf-8").splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if '"on-demand.place"' in line)
    wrong.write_text("".join(lines[:first] + lines[first + 1 :]), encoding="utf-8")
    ended = ondemand("unexercised", "--log", wrong)
    assert ended.code == 3
    assert "the logs do not conform there; run ondemand validate for the reason" in ended.err
