"""Lassos: infinite runs as data, and a check with the plain interpreter whether one breaks an eventuality.

A lasso is a trace whose last state equals an earlier one, `states[loop]`: from there the steps since repeat forever. If `loop` is
the last state itself, nothing more happens.
"""

from __future__ import annotations

from collections.abc import Mapping

from model.language import Eventuality
from model.reference.interpreter import Interpreter
from model.reference.state import Element, Occurrence, State, Trace


def why_no_counterexample(
    interpreter: Interpreter,
    trace: Trace,
    eventuality: Eventuality,
    values: Mapping[str, Element],
    *,
    forget_spent: bool,
) -> str:
    """Why a lasso is not a fair run that breaks the eventuality for these values; empty if it is one.

    The check reads the protocol's text only: each step is enabled and leads where the trace says; the premise holds somewhere, and
    the conclusion neither then nor ever after; and each fair action, for each choice, is in some state of the loop not enabled to
    change anything, or has the effect of one of the loop's steps. Where a bound cuts it, it is enabled, and has no such effect.
    """
    if trace.loop is None or trace.states[trace.loop] != trace.states[-1]:
        return "its last state does not equal the state at which the loop starts"
    for number, step in enumerate(trace.steps):
        before, after = trace.states[number], trace.states[number + 1]
        if not interpreter.is_enabled(before, step) or _after(interpreter, before, step, forget_spent) != after:
            return f"step {number + 1}, {step}, is not enabled, or leads elsewhere"
    if not _is_unmet(interpreter, trace, eventuality, values):
        return f"{eventuality.name} holds for {values}"
    ignored = _ignored(interpreter, trace, forget_spent)
    return f"{ignored} is always enabled in the loop, and never taken" if ignored else ""


def values_of(interpreter: Interpreter, trace: Trace, eventuality: Eventuality) -> dict[str, Element] | None:
    """The first parameter values for which the eventuality's premise holds in a lasso and its conclusion never after."""
    for values in interpreter.environments(eventuality.parameters):
        if _is_unmet(interpreter, trace, eventuality, values):
            return values
    return None


def _after(interpreter: Interpreter, state: State, step: Occurrence, forget_spent: bool) -> State:
    after = interpreter.apply(state, step)[0]
    return interpreter.forget_spent(after) if forget_spent else after


def _is_unmet(interpreter: Interpreter, trace: Trace, eventuality: Eventuality, values: Mapping[str, Element]) -> bool:
    assert trace.loop is not None
    met = [bool(interpreter.evaluate(eventuality.conclusion, state, values)) for state in trace.states]
    if any(met[trace.loop :]):
        return False
    # From the last state in which the conclusion holds, or from the start; the loop repeats, so all of it counts.
    since = max((number + 1 for number, is_met in enumerate(met) if is_met), default=0)
    return any(interpreter.evaluate(eventuality.premise, state, values) for state in trace.states[since:])


def _ignored(interpreter: Interpreter, trace: Trace, forget_spent: bool) -> Occurrence | None:
    """A fair action, with its choices, that the loop does not treat fairly."""
    assert trace.loop is not None
    fair = {action.name for action in interpreter.protocol.actions if action.fair}
    around = range(trace.loop, max(len(trace.steps), trace.loop + 1))
    cut = {number: interpreter.cut(trace.states[number]) for number in around}
    for step in (*interpreter.enabled(trace.states[trace.loop]), *cut[trace.loop]):
        if step.action not in fair:
            continue
        for number in around:
            state = trace.states[number]
            if step in cut[number]:
                continue
            if not interpreter.is_enabled(state, step):
                break
            after = _after(interpreter, state, step, forget_spent)
            if after == state or (number < len(trace.steps) and after == trace.states[number + 1]):
                break
        else:
            return step
    return None
