"""Rates of event logs are reported only if the planted fault was found."""

from __future__ import annotations

import pytest

from conformance.bench import log_rates
from impl.broker.deployment import Deployment
from impl.cli.exits import Problem


def test_the_time_of_an_explanation_is_of_one_whose_edit_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_rates, "EXPLAINED_AGENTS", 20)
    monkeypatch.setattr(log_rates, "EXPLAINED_EVENTS", 2_000)
    done: list[int] = []
    found = log_rates.explanation(lambda count, _: done.append(count))
    assert done
    assert found.data["agents"] == 20
    assert found.data["edits"][0]["then"] is None
    assert "in logs of 20 agents" in found.row[0]


def test_a_fault_that_is_not_found_has_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_rates, "EXPLAINED_AGENTS", 20)
    monkeypatch.setattr(log_rates, "EXPLAINED_EVENTS", 2_000)
    monkeypatch.setattr(log_rates, "_plant", lambda _: None)
    with pytest.raises(Problem, match="the planted fault was not found: conforms"):
        log_rates.explanation(lambda *_: None)


def test_the_rate_of_validation_is_given_in_processor_time_and_by_the_clock(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_rates, "VALIDATED_AGENTS", 10)
    found = log_rates.validation(deployment, lambda *_: None, events=2_000)
    assert found.data["events"] >= 2_000
    assert 0 < found.data["seconds"]
    assert 0 < found.data["seconds_by_the_clock"]
    assert found.row[1].endswith("by the clock")
