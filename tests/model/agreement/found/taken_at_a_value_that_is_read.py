"""The kernel took the fields of a taken message for the same ones in every state."""

from model.language import Role, Step, action, always, function, message, relation, sometimes, variant
from model.language.terms import Formula, Individual, Number, choose


class Thing(Individual):
    """A thing."""


class Count(Number):
    """A count."""


SYSTEM = Role("The system.")
level = function(Thing, to=Count, doc="The level of a thing.")
seen = relation(Thing, doc="The thing was seen.")


@message(sender=SYSTEM, receiver=SYSTEM)
def news(thing: Thing, count: Count) -> Formula:
    """Spent once the level is higher."""
    return count < level(thing)


@action(by=SYSTEM)
def send(thing: Thing) -> Step:
    """It sends what the level is."""
    return Step(then=[news.send(thing, level(thing))])


@action(by=SYSTEM)
def rise(thing: Thing) -> Step:
    """The level is no longer 0."""
    return Step(when=[level(thing) == Count.of(0)], then=[level.assign(thing, to=Count.of(1))])


@action(by=SYSTEM)
def hear(thing: Thing, other: Thing) -> Step:
    """It takes the news of this level; where there is no other thing, those of level 0 only."""
    return Step(
        takes=[news(thing, choose(thing == other, Count.of(0), level(thing)))],
        when=[level(thing) == choose(thing == other, Count.of(0), level(thing))],
        then=[level.assign(thing, to=level(thing) + 1), seen.add(other)],
    )


@sometimes
def witness(thing: Thing) -> Formula:
    """It happens."""
    return seen(thing)


@always(witness)
def promise(thing: Thing) -> Formula:
    """It is promised, and false."""
    return level(thing) <= Count.of(1)


@variant(replaces=hear, breaks=[promise])
def deviates(thing: Thing, other: Thing) -> Step:
    """It hears everything."""
    return Step(then=hear.changes)
