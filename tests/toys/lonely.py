"""A toy protocol with a promise that is false: things are chosen, and a helper says of one that no other is."""

from __future__ import annotations

from model.language import Role, Step, action, always, relation, sometimes
from model.language.quantifiers import forall
from model.language.terms import Formula, Individual, implies


class Thing(Individual):
    """What is chosen."""


KEEPER = Role("Chooses things.")

chosen = relation(Thing, doc="The thing is chosen.", holder=KEEPER)


def alone(me: Thing) -> Formula:
    """No other thing is chosen."""
    return forall(Thing, lambda other: implies(other != me, ~chosen(other)))


@action(by=KEEPER)
def take(thing: Thing) -> Step:
    """A thing is chosen."""
    return Step(when=[~chosen(thing)], then=[chosen.add(thing)])


@sometimes
def one_is_chosen(thing: Thing) -> Formula:
    """A thing is chosen."""
    return chosen(thing)


@always(one_is_chosen)
def is_alone(other: Thing) -> Formula:
    """What is chosen is alone. False: but its variable is called as the one that `alone` binds."""
    return implies(chosen(other), alone(other))
