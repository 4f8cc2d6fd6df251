"""A bulk change of a function encloses an earlier one in the export, and both bind one name."""

from model.language import Role, Step, action, for_each, function
from model.language.terms import Individual, Number


class Thing(Individual):
    """A thing."""


class Count(Number):
    """A count."""


SYSTEM = Role("The system.")
state_1 = function(Thing, Thing, to=Count, doc="A function.")


@action(by=SYSTEM)
def action_0() -> Step:
    """It acts."""
    return Step(
        then=[
            for_each(Thing, Thing, lambda y, x: state_1.assign(y, x, to=state_1(y, x))),
            for_each(Thing, lambda y: state_1.assign(y, y, to=Count.of(1))),
        ]
    )
