"""Extending, cutting and adapting runs, for engines that search near a given run.

Removing steps renumbers: a pod's third version becomes its second. So `adapted` replaces a step that is no longer enabled by the
nearest enabled one, of the same action with the same members and other numbers; if there is none, it is removed too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from model.language import Protocol
from model.language.terms import Number
from model.reference.configuration import Configuration
from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, State, Trace


def prefix(trace: Trace, steps: int) -> Trace:
    """The beginning of a run, with this number of steps."""
    return replace(trace, states=trace.states[: steps + 1], steps=trace.steps[:steps])


def executed(interpreter: Interpreter, trace: Trace, steps: Sequence[Occurrence]) -> Trace | None:
    """The run extended by these steps, without discarding messages; None if one of them is not enabled."""
    states = list(trace.states)
    for step in steps:
        if not interpreter.is_enabled(states[-1], step):
            return None
        states.append(interpreter.apply(states[-1], step)[0])
    return replace(trace, states=tuple(states), steps=(*trace.steps, *steps))


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


def world_of(trace: Trace, protocol: Protocol) -> Configuration:
    """The smallest configuration that permits the run: the members that its steps name, their constants, and numbers so far."""
    configuration = trace.configuration
    named = {value for step in trace.steps for _, value in step.choices}
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
