"""A bound variable hides another one of its name, and a third has that name too: the export declared it twice."""

from model.language import Role, Step, action, always, relation, sometimes
from model.language.quantifiers import exists, forall
from model.language.terms import Enumeration, Formula, Individual, Member, implies


class Thing(Individual):
    """A thing."""


class Color(Enumeration):
    """A color."""

    BLUE = Member("blue")


SYSTEM = Role("The system.")
marked = relation(Thing, doc="It is marked.")


def no_other_unless_marked(other: Thing) -> Formula:
    """It is the only thing, or marked."""
    return forall(Thing, lambda x: implies(x != other, exists(Color, lambda x: marked(other))))


@action(by=SYSTEM)
def mark(x: Thing) -> Step:
    """It is marked."""
    return Step(then=[marked.add(x)])


@sometimes
def is_marked(x: Thing) -> Formula:
    """It is marked."""
    return marked(x)


@always(is_marked)
def some_is_alone(x: Thing) -> Formula:
    """One of them is alone, or marked."""
    return exists(Thing, Thing, lambda other, x: no_other_unless_marked(other))
