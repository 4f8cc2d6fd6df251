"""On a toy protocol: hypotheses explain the observation and where it would show; runs are shortened; contexts are distinguished."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.explaining.fault_hypotheses import (
    Effects,
    FaultHypothesis,
    action_of,
    fault_hypotheses_of,
    input_of,
    never_done,
    never_leaves,
    never_shows,
)
from model.explore.shrinking import adapted, reduced, shortest, world_of
from model.language import Protocol
from model.reference.configuration import Configuration
from model.reference.contexts import Contexts
from model.reference.interpreter import Interpreter
from model.reference.runs import executed, prefix
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


def test_a_run_is_left_with_what_it_needs(interpreter: Interpreter, start: Trace) -> None:
    more = [step("promise", client="c"), step("take", client="c", turn=1), step("give_back", client="c")]
    again = (TURN[0], step("take", client="a", turn=2))
    long = run(interpreter, start, *TURN, *more, *again)
    found = reduced(interpreter, long, lambda item: ("a",) in item.states[-1].relations["holds"] or None)
    assert found is not None
    assert found[0].steps == TURN[:2]
    assert reduced(interpreter, long, lambda item: None) is None


def test_a_small_world_has_what_the_run_names(interpreter: Interpreter, start: Trace) -> None:
    small = world_of(run(interpreter, start, *TURN), PROTOCOL)
    assert (dict(small.sorts), dict(small.bounds)) == ({"Client": ("a",)}, {"Turn": 1})
    assert world_of(start, PROTOCOL, frozenset({"b", "c"})).sorts == {"Client": ("b", "c")}


def test_a_shortest_run_to_an_action_is_found(interpreter: Interpreter, start: Trace) -> None:
    long = run(interpreter, start, *TURN, TURN[0])
    never = never_done(action_of(PROTOCOL, "give_back"))
    found = shortest(interpreter, long, never, steps_max=3)
    assert found is not None
    assert found.steps == TURN[:2]
    assert shortest(interpreter, long, never, steps_max=1) is None
    assert shortest(interpreter, long, never, steps_max=-1) is None


def hypothesis(
    interpreter: Interpreter, trace: Trace, done: Occurrence, words: str, expected: str = ""
) -> FaultHypothesis:
    """The hypothesis with this description, for the step after a run; `expected`: the protocol's action, if any."""
    given = input_of(interpreter, trace.states[-1], done)
    action = action_of(PROTOCOL, expected) if expected else None
    found = {
        fault_hypothese.words: fault_hypothese
        for fault_hypothese in fault_hypotheses_of(interpreter, trace.states[-1], given, action)
    }
    return found[words]


def test_a_part_of_a_guard_that_is_false_is_suspected_of_being_ignored(interpreter: Interpreter, start: Trace) -> None:
    trace = run(interpreter, start, *TURN)
    again = step("take", client="a", turn=1)
    found = hypothesis(interpreter, trace, again, "take without taken(client) < turn")
    effects = Effects(interpreter)
    assert again in effects.possible(trace.states[-1], found)
    assert effects.difference(trace.states[-1], None, found, again) == {"holds": ([], [("a",)])}
    assert effects.result(trace.states[-1], found, again).relations["holds"] == {("a",)}


def test_changes_that_are_not_made_are_suspected(interpreter: Interpreter, start: Trace) -> None:
    first = TURN[0]
    found = hypothesis(interpreter, start, first, "promise without changing lent", expected="promise")
    difference = Effects(interpreter).difference(start.states[0], first, found, first)
    assert difference == {"lent": (("lent(a)", 1), ("lent(a)", 0))}
    silent = hypothesis(interpreter, start, first, "promise without changing lend", expected="promise")
    assert Effects(interpreter).difference(start.states[0], first, silent, first) == {"lend": ([("a", 1)], [])}


def test_what_is_said_differs_too(interpreter: Interpreter, start: Trace) -> None:
    trace = run(interpreter, start, *TURN[:2])
    state, effects = trace.states[-1], Effects(interpreter)
    mute = replace(lock.give_back, emits=())
    object.__setattr__(mute, "name", "give_back")
    found = effects.difference(state, TURN[2], FaultHypothesis("mute", mute, lock.give_back, ignores=False), TURN[2])
    assert found == {"events": ([("used", ("a", 1))], [])}


def test_a_suspect_is_led_to_where_it_shows(interpreter: Interpreter, start: Trace) -> None:
    trace = run(interpreter, start, *TURN, TURN[0])
    last = step("take", client="a", turn=1)
    ignoring = hypothesis(interpreter, trace, last, "take without taken(client) < turn")
    never = never_shows(PROTOCOL, ignoring, "holds", instead_of=None)
    found = shortest(interpreter, trace, never, steps_max=9)
    assert found is not None
    assert found.steps == TURN
    silent = hypothesis(interpreter, start, TURN[0], "promise without changing lend", expected="promise")
    never = never_shows(PROTOCOL, silent, "lend", instead_of=lock.promise)
    assert shortest(interpreter, trace, never, steps_max=9) == replace(start, steps=())


def test_a_suspect_that_never_shows_is_led_nowhere(interpreter: Interpreter, start: Trace) -> None:
    trace = run(interpreter, start, *TURN)
    silent = hypothesis(interpreter, start, TURN[0], "promise without changing lend", expected="promise")
    assert (
        shortest(interpreter, trace, never_shows(PROTOCOL, silent, "holds", instead_of=lock.promise), steps_max=9)
        is None
    )


def test_a_variant_is_led_to_where_it_leaves(interpreter: Interpreter, start: Trace) -> None:
    trace = run(interpreter, start, step("promise", client="a"))
    variant = next(each_variant for each_variant in PROTOCOL.variants if each_variant.name == "promises_twice")
    twice = FaultHypothesis(variant.name, variant.action, variant.replaces, ignores=True)
    found = shortest(interpreter, trace, never_leaves(PROTOCOL, twice), steps_max=5)
    assert found is not None
    assert found.steps == (step("promise", client="a"),)


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
