"""What the logs of a recorded deployment are worth in the check: they conform, and a log that does not is red."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cli.check import faults_of
from conformance.evidence import logs
from conformance.evidence.gathering import Evidence
from conformance.evidence.logs import is_logged, logged
from conformance.logs.names import LOGGED
from conformance.logs.verdict import Verdict
from impl.cli.exits import Exit, Problem
from model.language import Protocol
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND
from tests.conformance.logs.test_validate import BAD, judged, written


@pytest.mark.parametrize("protocol", LOGGED, ids=lambda item: item.name)
def test_a_deployment_in_memory_keeps_to_the_protocol(protocol: Protocol) -> None:
    found = logged(protocol, None)
    assert found.verdict == "conforms", found
    assert found.events > 5_000


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
