"""Deadlocks: the states in which no role can change anything, and where a run may not end."""

from __future__ import annotations

from collections.abc import Iterator

from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, State


def moves(interpreter: Interpreter, state: State) -> Iterator[tuple[Occurrence, State]]:
    """What a role, and not the environment, can do that changes the state, and the state after it."""
    for action in interpreter.protocol.actions:
        for occurrence in [] if action.role.environment else interpreter.enabled(state, action.name):
            after = interpreter.apply(state, occurrence)[0]
            if after != state:
                yield occurrence, after


def is_deadlock(interpreter: Interpreter, state: State) -> bool:
    """No role can change the state, and a run may not end here.

    It may where `@deadlock_when` is false; without that, where only a bound of the configuration keeps a role from acting.
    """
    if next(moves(interpreter, state), None) is not None:
        return False
    declared = interpreter.protocol.deadlock_when
    if declared is not None:
        return bool(interpreter.evaluate(declared.closed, state, {}))
    return all(interpreter.action(occurrence.action).role.environment for occurrence in interpreter.cut(state))
