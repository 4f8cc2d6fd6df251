"""A choice depends on an event, and an event is read of a value: the kernel crashed."""

from model.language import Role, Step, action, event, function, sometimes, two_state
from model.language.terms import Formula, Individual, Number, choose


class Thing(Individual):
    """A thing."""


class Count(Number):
    """A count."""


SYSTEM = Role("The system.")
many = function(Thing, to=Count, doc="How many there are.")
grown = event(Thing, Count, doc="It grows.")


@action(by=SYSTEM)
def grow(x: Thing) -> Step:
    """One more."""
    return Step(then=[many.assign(x, to=many(x) + 1)], emits=[grown(x, many(x))])


@sometimes
def has_grown(x: Thing) -> Formula:
    """It grows."""
    return grown(x, many(x)) & (many(x) == Count.of(1))


@two_state(has_grown)
def grows_by_one(x: Thing) -> Formula:
    """It is one more exactly if it grows."""
    return many.after(x) == choose(grown(x, many(x)), many(x) + 1, many(x))
