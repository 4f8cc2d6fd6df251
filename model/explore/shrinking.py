"""Shorter runs: removes the steps that a run does not need, and searches for the shortest run to the same result.

Removing steps renumbers: a pod's third version becomes its second. So a step that is no longer enabled is replaced by the nearest
enabled one, of the same action with the same members and other numbers; if there is none, it is removed too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from model.explore.explore import explore
from model.language import Promise, Protocol
from model.language.terms import Number
from model.reference.configuration import Configuration
from model.reference.interpreter import Interpreter
from model.reference.runs import executed
from model.reference.state import Element, Occurrence, State, Trace, initial_state

STATES_MAX: Final = 1_000_000
"""The maximum number of states of the search for a shortest run: about a second. If it finds none, the reduced run stays."""

LOW: Final = 2
"""The bounds of the configuration that is searched first: most faults need an older and a newer version, and no more."""

T = TypeVar("T")


def adapted(interpreter: Interpreter, trace: Trace, steps: Iterable[Occurrence]) -> Trace:
    """The run from the trace's last state along these steps, each unchanged, replaced by the nearest enabled one, or left out."""
    states, taken = list(trace.states), list(trace.steps)
    for step in steps:
        done = step if interpreter.is_enabled(states[-1], step) else _nearest(interpreter, states[-1], step)
        if done is not None:
            states.append(interpreter.apply(states[-1], done)[0])
            taken.append(done)
    return replace(trace, states=tuple(states), steps=tuple(taken))


def _nearest(interpreter: Interpreter, state: State, step: Occurrence) -> Occurrence | None:
    members = [value for _, value in step.choices if isinstance(value, str)]
    possible = [
        occurrence
        for occurrence in interpreter.enabled(state, step.action)
        if [value for _, value in occurrence.choices if isinstance(value, str)] == members
    ]
    return min(possible, key=lambda occurrence: _distance(occurrence, step), default=None)


def _distance(first: Occurrence, second: Occurrence) -> int:
    pairs = zip(first.choices, second.choices, strict=True)
    return sum(abs(a - b) for (_, a), (_, b) in pairs if isinstance(a, int) and isinstance(b, int))


def reduced(interpreter: Interpreter, trace: Trace, shows: Callable[[Trace], T | None]) -> tuple[Trace, T] | None:
    """The run without the steps that the result does not need, with the result; None if the run does not show it at all.

    Halves are removed first, then quarters and so on down to single steps, the last ones first, until nothing more can be removed.
    """
    found = shows(trace)
    if found is None:
        return None
    start = replace(trace, states=trace.states[:1], steps=())
    size = max(len(trace.steps) // 2, 1)
    while True:
        shorter = _without_a_part(interpreter, start, trace.steps, size, shows)
        if shorter is not None:
            trace, found = shorter
            size = min(size, max(len(trace.steps) // 2, 1))
        elif size == 1:
            return trace, found
        else:
            size = max(size // 2, 1)


def _without_a_part(
    interpreter: Interpreter, start: Trace, steps: Sequence[Occurrence], size: int, shows: Callable[[Trace], T | None]
) -> tuple[Trace, T] | None:
    for last in range(len(steps), 0, -size):
        kept = (*steps[: max(last - size, 0)], *steps[last:])
        shorter = adapted(interpreter, start, kept)
        found = shows(shorter)
        if found is not None:
            return shorter, found
    return None


def world_of(trace: Trace, protocol: Protocol, also: frozenset[Element] = frozenset()) -> Configuration:
    """The smallest configuration that permits the run: the members that its steps name, with their constants, and numbers so far.

    `also`: additional members and numbers.
    """
    configuration = trace.configuration
    named = {value for step in trace.steps for _, value in step.choices} | also
    named |= {
        value
        for constant in configuration.constants.values()
        if not isinstance(constant, frozenset)
        for key, value in constant.items()
        if set(key) <= named
    }
    sorts = {
        sort: tuple(member for member in members if member in named) or members[:1]
        for sort, members in configuration.sorts.items()
    }
    gone = {member for sort, members in configuration.sorts.items() for member in members if member not in sorts[sort]}
    constants = {
        name: frozenset(arguments for arguments in constant if not gone & set(arguments))
        if isinstance(constant, frozenset)
        else {key: value for key, value in constant.items() if not gone & set(key)}
        for name, constant in configuration.constants.items()
    }
    return replace(
        configuration,
        name=f"{configuration.name}-small",
        sorts=sorts,
        bounds=_bounds(trace, protocol),
        constants=constants,
        pinned={},
    )


def _bounds(trace: Trace, protocol: Protocol) -> dict[str, int]:
    """The largest value of each number in the run, at least 1. Numbers of constants stay."""
    state, bounds = trace.states[-1], {number.__name__: 1 for number in protocol.numbers}
    for symbol in protocol.symbols:
        if symbol.kind == "event":
            continue
        sorts = symbol.arguments
        tuples = state.relations[symbol.name] if symbol.name in state.relations else state.functions[symbol.name]
        for arguments in tuples if symbol.name in state.relations else ():
            for value, sort in zip(arguments, sorts, strict=True):
                if issubclass(sort, Number) and isinstance(value, int):
                    bounds[sort.__name__] = max(bounds[sort.__name__], value)
        if symbol.name in state.functions and issubclass(symbol.result, Number):
            values = [value for value in state.functions[symbol.name].values() if isinstance(value, int)]
            bounds[symbol.result.__name__] = max(bounds[symbol.result.__name__], *values)
    for step in trace.steps:
        action = next(action for action in protocol.actions if action.name == step.action)
        for variable, (_, value) in zip(action.parameters, step.choices, strict=True):
            if issubclass(variable.sort, Number) and isinstance(value, int):
                bounds[variable.sort.__name__] = max(bounds[variable.sort.__name__], value)
    return bounds


def shortest(
    interpreter: Interpreter,
    trace: Trace,
    never: Promise,
    *,
    also: frozenset[Element] = frozenset(),
    steps_max: int,
    states_max: int = STATES_MAX,
) -> Trace | None:
    """A shortest run to a violation of a claim, in the small configuration of a run; None if there is none within the bounds.

    Messages are not discarded: a hypothesis may take one that the protocol no longer needs. `also`: as for `world_of`.
    """
    if steps_max < 0:
        return None
    protocol = interpreter.protocol
    world = world_of(trace, protocol, also)
    low = replace(world, bounds={number: min(bound, LOW) for number, bound in world.bounds.items()})
    options = {"promises": [never], "sometimes": [], "deadlocks": False, "forget_spent": False}
    for tried in dict.fromkeys((low, world)):
        found = explore(protocol, tried, states_max=states_max, **options)  # type: ignore[arg-type] # options of different types
        if found.trace is not None and len(found.trace.steps) <= steps_max:
            start = replace(trace, states=(initial_state(protocol, trace.configuration),), steps=())
            return executed(interpreter, start, found.trace.steps)
    return None
