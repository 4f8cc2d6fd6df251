"""No configuration could give a constant function of numbers, of an enumeration, or of nothing."""

from model.language import Role, Step, action, always, function, relation, sometimes, variant
from model.language.quantifiers import exists
from model.language.terms import Enumeration, Formula, Member, Number


class Count(Number):
    """A count."""


class Color(Enumeration):
    """A color."""

    RED = Member("red")
    BLUE = Member("blue")


SYSTEM = Role("The system.")
following = function(Count, to=Count, doc="The next count.", kind="constant")
weight = function(Color, Count, to=Count, doc="The weight of a color.", kind="constant")
last = function(to=Color, doc="The last color.", kind="constant")
seen = relation(Color, Count, doc="A color was seen.")


@action(by=SYSTEM)
def see(color: Color, count: Count) -> Step:
    """It sees a color."""
    return Step(
        when=[color == last(), weight(color, count) == Count.of(1), ~seen(color, following(count))],
        then=[seen.add(color, following(count))],
    )


@sometimes
def witness(color: Color, count: Count) -> Formula:
    """It happens."""
    return seen(color, count)


@always(witness)
def promise(color: Color, count: Count) -> Formula:
    """It is promised."""
    return ~seen(color, count) | exists(Count, lambda other: following(other) == count)


@variant(replaces=see, breaks=[promise])
def deviates(color: Color, count: Count) -> Step:
    """It sees everything."""
    return Step(then=[seen.add(color, count)])
