"""Actions with their choices, grounded: what a step reads and writes, as expressions over the fields of a state."""

from __future__ import annotations

from dataclasses import dataclass

from model.explore.kernel.boolean import Expression
from model.language import Action, Symbol
from model.reference.cut import Cut

Happenings = tuple[tuple[Symbol, tuple[int, ...], Expression], ...]
"""The events of a step with their arguments and conditions."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """If the condition holds before the step, the field has the value after it."""

    field: int
    condition: Expression
    value: int


@dataclass(frozen=True, slots=True)
class Instance:
    """An action with its choices, grounded."""

    action: Action
    choices: tuple[int, ...]
    taken: tuple[int, ...]
    """The fields of the messages that it takes, if they are the same in every state: the quickest test."""
    guard: Expression
    assignments: tuple[Assignment, ...]
    events: Happenings


@dataclass(frozen=True, slots=True)
class CutStep:
    """An action with its choices, and the condition under which it is not taken because it would leave the bounds."""

    action: Action
    choices: tuple[int, ...]
    why: Cut
    condition: Expression
