"""Differences between a line and a step, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model.explaining.nearest import Difference, Nearest
from model.explaining.reasons import call


def shown(value: Any) -> str:
    """A message or a value."""
    if isinstance(value, tuple | list):
        return call(str(value[0]), tuple(value[1:])) if value and isinstance(value[0], str) else str(value)
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def contrast(difference: Difference) -> str:
    """What the line says, and what the step does."""
    verb = "sends" if difference.field == "sent" else "leaves"
    if difference.observed is None:
        return f"the step {verb} {shown(difference.expected)}, and the line does not say so"
    if difference.expected is None:
        return f"the line says that it {verb} {shown(difference.observed)}, and the step does not"
    what = difference.field.removeprefix("attributes.")
    return f"{what} is {shown(difference.observed)} in the line, and would be {shown(difference.expected)}"


def change(difference: Difference) -> str:
    """A difference as an instruction: which field is to have which value instead of which."""
    field = "the step" if difference.field == "action" else difference.field.removeprefix("attributes.")
    if difference.observed is None:
        return f"{field} has {shown(difference.expected)} besides"
    if difference.expected is None:
        return f"{field} has no {shown(difference.observed)}"
    return f"{field} is {shown(difference.expected)} instead of {shown(difference.observed)}"


def decisive(nearest: Nearest) -> Sequence[Difference]:
    """The differences that the others follow from: of the action and its choices; if there are none, all of them."""
    about = [
        difference
        for difference in nearest.differences
        if difference.field == "action" or difference.field.startswith("attributes.")
    ]
    return about or nearest.differences
