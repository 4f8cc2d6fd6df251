"""On a toy protocol: runs are adapted when steps are left out, small worlds permit them, and contexts are distinguished."""

from __future__ import annotations

import pytest

from model.language import Protocol
from model.reference.configuration import Configuration
from model.reference.contexts import Contexts
from model.reference.interpreter import Interpreter
from model.reference.runs import adapted, executed, prefix, world_of
from model.reference.state import Occurrence, Trace, initial_state
from tests.toys import lock

PROTOCOL = Protocol.of("lock", lock)
WORLD = Configuration("three", {"Client": ("a", "b", "c")}, {"Turn": 4}, {})


def step(action: str, **choices: str | int) -> Occurrence:
    """An occurrence by name."""
    return Occurrence(action, tuple(choices.items()))


TURN = (step("promise", client="a"), step("take", client="a", turn=1), step("give_back", client="a"))


@pytest.fixture(scope="module")
def interpreter() -> Interpreter:
    """Of the toy."""
    return Interpreter(PROTOCOL, WORLD)


@pytest.fixture(scope="module")
def start() -> Trace:
    """The initial state."""
    return Trace("lock", WORLD, (initial_state(PROTOCOL, WORLD),), ())


def run(interpreter: Interpreter, start: Trace, *steps: Occurrence) -> Trace:
    """The run of these steps."""
    found = executed(interpreter, start, steps)
    assert found is not None
    return found


def test_a_step_that_is_not_possible_any_more_becomes_the_nearest_one(interpreter: Interpreter, start: Trace) -> None:
    again = (step("promise", client="a"), step("take", client="a", turn=2), step("give_back", client="a"))
    assert executed(interpreter, start, again) is None
    assert adapted(interpreter, start, again).steps == TURN
    assert adapted(interpreter, start, [step("take", client="b", turn=1), *TURN]).steps == TURN


def test_a_small_world_has_what_the_run_names(interpreter: Interpreter, start: Trace) -> None:
    small = world_of(run(interpreter, start, *TURN), PROTOCOL)
    assert (dict(small.sorts), dict(small.bounds)) == ({"Client": ("a",)}, {"Turn": 1})


def test_situations_tell_what_is_taken_again_and_what_is_newer(interpreter: Interpreter, start: Trace) -> None:
    situations = Contexts(interpreter)
    trace = run(interpreter, start, *TURN[:1])
    taking = TURN[1]
    first = situations.of(trace.states[-1], taking, ())
    again = situations.of(trace.states[-1], taking, {("lend", ("a", 1))})
    assert situations.taken(trace.states[-1], taking) == [("lend", ("a", 1))]
    assert (first.words[-1], again.words[-1]) == ("first", "again")
    assert {"promised(client)", "not holds(client)", "turn = lent(client)", "turn > taken(client)"} <= set(first.words)
    assert prefix(trace, 0) == start
