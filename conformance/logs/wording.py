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


def contrast(one: Difference) -> str:
    """What the line says, and what the step does."""
    verb = "sends" if one.field == "sent" else "leaves"
    if one.observed is None:
        return f"the step {verb} {shown(one.expected)}, and the line does not say so"
    if one.expected is None:
        return f"the line says that it {verb} {shown(one.observed)}, and the step does not"
    what = one.field.removeprefix("attributes.")
    return f"{what} is {shown(one.observed)} in the line, and would be {shown(one.expected)}"


def change(one: Difference) -> str:
    """A difference as an instruction: which field is to have which value instead of which."""
    field = "the step" if one.field == "action" else one.field.removeprefix("attributes.")
    if one.observed is None:
        return f"{field} has {shown(one.expected)} besides"
    if one.expected is None:
        return f"{field} has no {shown(one.observed)}"
    return f"{field} is {shown(one.expected)} instead of {shown(one.observed)}"


def decisive(nearest: Nearest) -> Sequence[Difference]:
    """The differences that the others follow from: of the action and its choices; if there are none, all of them."""
    about = [one for one in nearest.differences if one.field == "action" or one.field.startswith("attributes.")]
    return about or nearest.differences
