"""Standing still: where it is a deadlock that no role can change the state."""

from __future__ import annotations

from model.explore.kernel.boolean import Expression
from model.explore.kernel.ground import Ground


def no_end(ground: Ground) -> Expression:
    """Whether a state in which no role can change anything is a deadlock.

    It is one where `@deadlock_when` holds; without that, unless only a bound of the configuration keeps a role from acting.
    """
    declared, algebra = ground.protocol.deadlock_when, ground.algebra
    if declared is not None:
        return ground.truth(declared.closed, {})
    cut = (step.condition for step in ground.cuts if not step.action.role.environment)
    return algebra.conjunction(map(algebra.negation, cut))
