"""Grounded eventualities: one goal for each choice of an eventuality's parameters.

`goals(state, out)` writes two bits for each goal, `GOALS_OF_A_WORD` goals to a word: whether its premise holds, and its conclusion.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from model.explore.kernel.boolean import Expression
from model.explore.kernel.ground import Ground
from model.language import Eventuality
from model.reference.state import Element

GOALS_OF_A_WORD = 32


@dataclass(frozen=True)
class Goal:
    """An eventuality for one choice of its parameters."""

    eventuality: Eventuality
    values: tuple[tuple[str, Element], ...]
    """The parameters, by name."""
    premise: Expression
    conclusion: Expression


def goals_of(ground: Ground, eventualities: Iterable[Eventuality]) -> tuple[Goal, ...]:
    """All goals that can be unmet: a goal with an impossible premise or a certain conclusion is trivially met."""
    found = []
    for eventuality in eventualities:
        for environment in ground.environments(eventuality.parameters):
            premise, conclusion = (
                ground.truth(side, environment) for side in (eventuality.premise, eventuality.conclusion)
            )
            if premise is not False and conclusion is not True:
                sorts = [variable.sort for variable in eventuality.parameters]
                names = ground.names(sorts, list(environment.values()))
                parameters = (variable.name for variable in eventuality.parameters)
                found.append(Goal(eventuality, tuple(zip(parameters, names, strict=True)), premise, conclusion))
    return tuple(found)
