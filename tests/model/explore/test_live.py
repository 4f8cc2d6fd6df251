"""The live engine: verdicts known by hand, and the verdicts of a plain check of all states on random protocols."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.explore.live import live
from model.explore.liveness import Outcome
from model.language import Protocol
from model.reference.configuration import Configuration
from model.reference.interpreter import Interpreter
from model.reference.lasso import values_of, why_no_counterexample
from model.reference.state import Trace
from tests.toys import hopes
from tests.toys.hopes import ONE, WORLD


def outcome(protocol: Protocol, configuration: Configuration = ONE) -> Outcome:
    """The outcome of a toy's only eventuality."""
    (found,) = live(protocol, configuration).outcomes
    return found


def lasso_of(found: Outcome) -> Trace:
    """The run that breaks it."""
    assert found.verdict == "violated"
    assert found.lasso is not None
    return found.lasso


def actions(trace: Trace) -> tuple[list[str], list[str]]:
    """The steps before the loop, and in it."""
    names = [step.action for step in trace.steps]
    assert trace.loop is not None
    return names[: trace.loop], names[trace.loop :]


def test_what_is_fair_happens() -> None:
    found = outcome(hopes.one_step(fair=True), WORLD)
    assert (found.verdict, found.goals, found.occurred) == ("holds", 2, 2)


def test_what_nobody_is_bound_to_do_may_never_happen() -> None:
    assert actions(lasso_of(outcome(hopes.one_step(fair=False)))) == ([], [])


def test_a_step_that_changes_nothing_is_no_progress() -> None:
    assert actions(lasso_of(outcome(hopes.self_loop_only()))) == ([], [])


def test_weak_fairness_does_not_go_through_a_door_that_keeps_closing() -> None:
    assert outcome(hopes.door(closes=False)).verdict == "holds"
    before, loop = actions(lasso_of(outcome(hopes.door(closes=True))))
    assert (before, sorted(loop)) == ([], ["close_it", "open_it"])


def test_a_wake_up_is_lost_between_looking_and_sleeping() -> None:
    assert outcome(hopes.sleeper(atomic=True)).verdict == "holds"
    assert actions(lasso_of(outcome(hopes.sleeper(atomic=False)))) == (["look", "signal", "fall_asleep"], [])


def test_each_choice_of_a_fair_action_is_treated_fairly() -> None:
    assert outcome(hopes.queue(), WORLD).verdict == "holds"


def test_what_a_configuration_forbids_is_not_owed() -> None:
    found = outcome(hopes.queue(), replace(WORLD, only={"serve": (("t1",),)}))
    assert found.values == (("thing", "t2"),)
    before, loop = actions(lasso_of(found))
    assert (before, loop) == (["want"], [])
    assert outcome(hopes.queue(), replace(WORLD, without=frozenset({"serve"}))).verdict == "violated"


def test_the_end_of_a_bounded_world_decides_nothing() -> None:
    assert outcome(hopes.counter(resets=False), WORLD).verdict == "holds"
    short = outcome(hopes.counter(resets=False), replace(ONE, bounds={"Count": 1}))
    assert (short.verdict, short.ends_at_a_bound, short.lasso) == ("undecided", True, None)


def test_a_loop_comes_back_to_the_whole_state_whatever_nothing_reads() -> None:
    found = outcome(hopes.counter(resets=True))
    # Resetting forever is fair, since each round takes one step.
    trace = lasso_of(found)
    before, loop = actions(trace)
    assert sorted(loop) == ["reset", "step"]
    assert trace.loop is not None
    assert trace.states[trace.loop] == trace.states[-1]
    assert before[0] == "step"


def test_a_bound_is_undecided() -> None:
    for bounds in ({"states_max": 3}, {"steps_max": 3}):
        found = live(hopes.queue(), WORLD, **bounds)  # type: ignore[arg-type] # one bound at a time
        assert (found.verdict, found.complete) == ("undecided", False)
        assert [each_outcome.verdict for each_outcome in found.outcomes] == ["undecided"]


def test_a_premise_that_never_holds_is_told() -> None:
    found = outcome(hopes.queue(), replace(WORLD, without=frozenset({"want"})))
    assert (found.verdict, found.occurred) == ("holds", 0)


# ---------------------------------------------------------------------------------------- non-counterexamples


@pytest.fixture
def kept_open() -> tuple[Interpreter, Trace, Protocol]:
    """A door that opens and closes forever."""
    protocol = hopes.door(closes=True)
    return Interpreter(protocol, ONE), lasso_of(outcome(protocol)), protocol


def why(given: tuple[Interpreter, Trace, Protocol], trace: Trace) -> str:
    """Why a trace is not a counterexample."""
    interpreter, _, protocol = given
    (promised,) = protocol.eventualities
    return why_no_counterexample(interpreter, trace, promised, {"thing": "t1"}, forget_spent=True)


def test_a_lasso_is_checked_by_the_text_alone(kept_open: tuple[Interpreter, Trace, Protocol]) -> None:
    interpreter, trace, protocol = kept_open
    assert why(kept_open, trace) == ""
    assert values_of(interpreter, trace, protocol.eventualities[0]) == {"thing": "t1"}
    assert "its last state does not equal the state at which the loop starts" in why(
        kept_open, replace(trace, loop=None)
    )
    assert "its last state does not equal the state at which the loop starts" in why(kept_open, replace(trace, loop=1))
    assert "always enabled in the loop, and never taken" in why(
        kept_open, replace(trace, states=trace.states[:1], steps=(), loop=0)
    )
    assert "step 1" in why(kept_open, replace(trace, steps=trace.steps[::-1]))


def test_a_run_that_keeps_the_promise_is_no_counterexample() -> None:
    protocol = hopes.door(closes=True)
    interpreter = Interpreter(protocol, ONE)
    states = [lasso_of(outcome(protocol)).states[0]]
    steps = []
    for name in ("open_it", "go", "close_it", "open_it"):
        step = next(item for item in interpreter.enabled(states[-1]) if item.action == name)
        steps.append(step)
        states.append(interpreter.apply(states[-1], step)[0])
    trace = Trace(protocol.name, ONE, tuple(states), tuple(steps), loop=2)
    assert "gets_through holds for" in why((interpreter, trace, protocol), trace)
    assert values_of(interpreter, trace, protocol.eventualities[0]) is None


def test_a_fair_step_that_nobody_sees_is_in_the_loop_all_the_same() -> None:
    protocol = hopes.blinker()
    found = live(protocol, ONE)
    before, loop = actions(lasso_of(found.outcomes[0]))
    assert {"blink", "turn"} <= set(loop)
    assert "turn" in [*before, *loop]
