"""A promise about steps that reads the state before them only: bounded model checking broke it without a step."""

from model.language import Role, Step, action, relation, sometimes, two_state
from model.language.terms import Formula, Individual


class Thing(Individual):
    """A thing."""


SYSTEM = Role("The system.")
marked = relation(Thing, doc="It is marked.")


@action(by=SYSTEM)
def mark(x: Thing) -> Step:
    """It is marked."""
    return Step(then=[marked.add(x)])


@sometimes
def is_marked(x: Thing) -> Formula:
    """It is marked."""
    return marked(x)


@two_state(is_marked)
def only_the_marked_go_on(x: Thing) -> Formula:
    """A step starts where all are marked."""
    return marked(x)
