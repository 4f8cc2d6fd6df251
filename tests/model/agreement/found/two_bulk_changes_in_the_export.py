"""The export joined what two bulk changes keep within the bounds without parentheses."""

from model.language import Role, Step, action, for_each, function
from model.language.terms import Individual, Number


class Thing(Individual):
    """A thing."""


class Count(Number):
    """A count."""


SYSTEM = Role("The system.")
state_0 = function(Thing, to=Count, doc="A function.")
history_3 = function(Thing, Thing, to=Count, doc="A function.")


@action(by=SYSTEM)
def action_3() -> Step:
    """It acts."""
    return Step(
        then=[
            for_each(Thing, Thing, lambda y, x: history_3.assign(y, x, to=history_3(y, x) + 1)),
            for_each(Thing, lambda y: state_0.assign(y, to=state_0(y) + 1)),
        ]
    )
