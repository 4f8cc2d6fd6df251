"""The prover stated the range of a function without arguments for all values of none, which z3 refuses."""

from model.language import Role, Step, action, always, function, sometimes, variant
from model.language.terms import Formula, Number


class Count(Number):
    """A count."""


SYSTEM = Role("The system.")
turn = function(to=Count, doc="Whose turn it is.")


@action(by=SYSTEM)
def move() -> Step:
    """It moves."""
    return Step(when=[turn() == Count.of(0)], then=[turn.assign(to=turn() + 1)])


@action(by=SYSTEM)
def move_back() -> Step:
    """It moves back."""
    return Step(when=[turn() == Count.of(1)], then=[turn.assign(to=turn() + -1)])


@sometimes
def witness() -> Formula:
    """It happens."""
    return turn() == Count.of(1)


@always(witness)
def promise() -> Formula:
    """It is promised."""
    return turn() <= Count.of(1)


@variant(replaces=move, breaks=[promise])
def deviates() -> Step:
    """It always moves."""
    return Step(then=move.changes)
