"""If every line fits and a promise is broken, the statement is wrong, and validation reports it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.logs.validate import Validation
from conformance.logs.verdict import Verdict
from conformance.replay.replays import Vector
from model.reference.interpreter import Interpreter
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND
from tests.conformance.logs.test_validate import BAD, GOOD, written


def by_its_own_rules(vector: Vector) -> Verdict:
    """The verdict on the log of a variant's run against the variant itself: every line fits."""
    validation = Validation(protocols=[replace(vector.protocol, name=ON_DEMAND.name)])
    for record in written(vector):
        if validation.feed(record) is not None:
            break
    return validation.finish()


def breaks(vector: Vector) -> set[str]:
    """The state promises broken at the end of a vector's run, evaluated by the interpreter, which has the full history."""
    interpreter = Interpreter(vector.protocol, vector.trace.configuration)
    state = vector.trace.states[0]
    for step in vector.trace.steps:
        state = interpreter.apply(state, step)[0]
    return {
        promise.name
        for promise in vector.protocol.promises
        if promise.kind == "always" and not promise.lemma and interpreter.counterexample(promise, state) is not None
    }


BREAKING = [(item, names) for item in BAD if (names := breaks(item))]


def test_runs_of_variants_break_promises_about_states() -> None:
    assert len(BREAKING) >= 8


UNFIT = {"grants-the-next-version"}
"""The place of the granted version was never decided, so no log can be written that contains it."""


@pytest.mark.parametrize("vector", [one for one, _ in BREAKING if one.name not in UNFIT], ids=lambda item: item.name)
def test_lines_that_fit_a_faulty_statement_diverge_by_a_promise_or_conform(vector: Vector) -> None:
    found = by_its_own_rules(vector)
    assert found.divergence is None
    assert found.verdict == ("diverges" if found.broken else "conforms")
    assert all(item.promise.name in found.why for item in found.broken)


def test_most_promises_that_are_broken_are_found() -> None:
    found = [one for one, names in BREAKING if names & {broken.promise.name for broken in by_its_own_rules(one).broken}]
    assert len(found) > len(BREAKING) // 2


@pytest.mark.parametrize("vector", [item for item in GOOD if item.diverges_at is None][::5], ids=lambda item: item.name)
def test_the_protocol_itself_breaks_none(vector: Vector) -> None:
    assert by_its_own_rules(vector).broken == ()


def test_an_uncertain_state_breaks_no_promise() -> None:
    vector = next(one for one, _ in BREAKING if by_its_own_rules(one).broken)
    validation = Validation(protocols=[replace(vector.protocol, name=ON_DEMAND.name)], without=["dpm"])
    for record in written(vector):
        if record.line.process != "dpm" and validation.feed(record) is not None:
            break
    assert validation.finish().broken == ()
