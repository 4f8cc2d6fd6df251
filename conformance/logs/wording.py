"""Sentences about lines, messages, and differences between a line and a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from impl.events.line import Sent
from model.explaining.nearest import Difference, Nearest
from model.explaining.reasons import call
from model.language.notation import notation
from model.matching.observed import Misfit, Observer


def shown(value: Any) -> str:
    """A message or a value as text."""
    if isinstance(value, tuple | list):
        return call(str(value[0]), tuple(value[1:])) if value and isinstance(value[0], str) else str(value)
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def written(message: Sent | None) -> str:
    """A message as the specification writes it; `it` if there is none."""
    return f"{message[0]}({', '.join(map(str, message[1:]))})" if message else "it"


def sentence(observer: Observer, misfit: Misfit) -> str:
    """What does not fit, in one sentence without a full stop."""
    match misfit.kind:
        case "guard":
            action = observer.actions[misfit.action].action
            return f"{notation(action.guard[misfit.expected])} is false"
        case "sent":
            return "it sent other messages than the step sends"
        case "missing":
            return f"{misfit.field} is missing"
        case _:
            entry = ", ".join(map(str, misfit.entry))
            return (
                f"{misfit.field.partition('.')[2]}({entry}) is {misfit.expected}, and the line says {misfit.observed}"
            )


def contrast(difference: Difference) -> str:
    """A difference as a sentence: what the line says, and what the step does."""
    verb = "sends" if difference.field == "sent" else "leaves"
    if difference.observed is None:
        return f"the step {verb} {shown(difference.expected)}, and the line does not say so"
    if difference.expected is None:
        return f"the line says that it {verb} {shown(difference.observed)}, and the step does not"
    what = difference.field.removeprefix("attributes.")
    return f"{what} is {shown(difference.observed)} in the line, and would be {shown(difference.expected)}"


def change(difference: Difference) -> str:
    """A difference as an instruction: the field, its right value and its present value."""
    field = "the step" if difference.field == "action" else difference.field.removeprefix("attributes.")
    if difference.observed is None:
        return f"{field} also has {shown(difference.expected)}"
    if difference.expected is None:
        return f"{field} has no {shown(difference.observed)}"
    return f"{field} is {shown(difference.expected)} instead of {shown(difference.observed)}"


def decisive(nearest: Nearest) -> Sequence[Difference]:
    """The differences that cause the others: those of the action and its choices; all of them if there are none."""
    about = [
        difference
        for difference in nearest.differences
        if difference.field == "action" or difference.field.startswith("attributes.")
    ]
    return about or nearest.differences
