"""What the logs of a recorded deployment are worth in the check: they conform, and a log that does not is red."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from conformance.cli.check import faults_of
from conformance.evidence import logs
from conformance.evidence.gathering import Evidence
from conformance.evidence.logs import is_logged, logged
from conformance.logs.names import LOGGED
from conformance.logs.one_pass import validate
from conformance.logs.reading import LogFile
from conformance.logs.verdict import Verdict
from impl.cli.exits import Exit, Problem
from model.language import Protocol
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND
from tests.conformance.logs.test_validate import BAD, judged, written


@pytest.mark.parametrize("protocol", LOGGED, ids=lambda item: item.name)
def test_a_deployment_in_memory_keeps_to_the_protocol(protocol: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few agents have little to tell each other: one alone is sent 82 routes, and ignores 66 late or repeated messages."""
    seen: Counter[str] = Counter()

    def counted(files: Sequence[LogFile], *, protocols: Sequence[Protocol]) -> Verdict:
        lines = [line for file in files for line in Path(file.path).read_text(encoding="utf-8").splitlines()]
        seen.update(json.loads(line)["event.name"] for line in lines)
        return validate(files, protocols=protocols)

    monkeypatch.setattr(logs, "validate", counted)
    found = logged(protocol, None)
    assert found.verdict == "conforms", found
    assert found.events > 5_000
    assert min(seen[name] for name in ("on-demand.learn", "message.ignored", "on-demand.refuse")) > 200
    assert min(seen[name] for name in ("message-queue.learn", "message-queue.acknowledge")) > 30


def test_a_deployment_on_the_broker_is_no_smaller() -> None:
    """Fewer would be as green."""
    assert (logs.AGENTS_ON_BROKER, logs.EVENTS_ON_BROKER) == (4, 600)


def test_a_variant_is_not_logged() -> None:
    assert is_logged(ON_DEMAND)
    assert not is_logged(ON_DEMAND.with_variant(ON_DEMAND.variants[0]))


def test_a_log_that_diverges_is_red() -> None:
    found = Evidence(ON_DEMAND, (), logs={"memory": judged(written(BAD[0]))})
    assert found.is_red
    assert found.exit is Exit.VIOLATED
    fault, *_ = faults_of(found, None)
    assert fault.failed == ["memory"]
    assert "The log of a deployment on memory diverges from the specification" in fault.sentence
    (finding,) = fault.findings
    assert finding.title == "the log diverges from the specification"
    assert finding.show is not None
    assert finding.source is not None
    said = Path(finding.source.file).read_text(encoding="utf-8").splitlines()[finding.source.line - 1]
    assert said.startswith("def "), "it stands on the line of the promise that is broken, or of the action"


def test_a_log_that_says_too_little_is_no_pass() -> None:
    found = Evidence(ON_DEMAND, (), logs={"memory": Verdict("inconclusive", 0, 0.0, why="nothing was logged")})
    assert not found.is_red
    fault, *_ = faults_of(found, None)
    assert "are inconclusive: nothing was logged. To reproduce: ondemand check --protocol on-demand" in fault.sentence
    (finding,) = fault.findings
    assert finding.title == "the log is inconclusive"
    assert not fault.failed
    assert finding.undecided


def test_a_statement_whose_steps_read_what_others_change_gets_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines could be matched in one order that fits and in another that does not."""
    monkeypatch.setattr(logs, "FACTS", {})
    with pytest.raises(Problem, match="Logs of on-demand cannot be matched: store reads at, which place of another"):
        logs.logged(ON_DEMAND, None)
