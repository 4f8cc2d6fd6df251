"""Extending and cutting runs, for engines that search near a given run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, Trace


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
