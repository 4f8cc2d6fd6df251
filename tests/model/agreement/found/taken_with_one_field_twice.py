"""A message is taken with one variable as both fields: the machines counted the step once for each message that was sent."""

from model.language import Role, Step, action, message
from model.language.terms import FALSE, Formula, Individual


class Thing(Individual):
    """A thing."""


SYSTEM = Role("The system.")


@message(sender=SYSTEM, receiver=SYSTEM)
def pair(x: Thing, y: Thing) -> Formula:
    """Two things."""
    return FALSE


@action(by=SYSTEM)
def send(x: Thing, y: Thing) -> Step:
    """Any two are sent."""
    return Step(then=[pair.send(x, y)])


@action(by=SYSTEM)
def take(x: Thing) -> Step:
    """A thing is taken twice."""
    return Step(takes=[pair(x, x)])
