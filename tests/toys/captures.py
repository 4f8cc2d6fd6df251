"""A toy protocol whose every claim is false: the names of variables once made each of them true, or an engine fail."""

from __future__ import annotations

from model.language import Role, Step, action, definition, for_each, function, lemma, message, relation
from model.language.quantifiers import exists, forall
from model.language.terms import Formula, Individual, Number, implies


class Thing(Individual):
    """What is chosen."""


class Count(Number):
    """How often."""


KEEPER = Role("Chooses things.")

chosen = relation(Thing, doc="The thing is chosen.", holder=KEEPER)
beside = relation(Thing, Thing, doc="The first thing is listed beside the second.", holder=KEEPER)
near = relation(Thing, Thing, doc="The first thing is listed near the second.", holder=KEEPER)
left = function(Thing, Thing, to=Count, doc="What is left for two things.", holder=KEEPER)


@message(sender=KEEPER, receiver=KEEPER)
def offer(x: Thing) -> Formula:
    """The thing may be listed. Spent when it is."""
    return beside(x, x)


def undecided(me: Thing) -> Formula:
    """Of the other things one is chosen, and one is not."""
    return exists(Thing, Thing, lambda t, t_: chosen(t) & ~chosen(t_) & (t != me) & (t_ != me))


@definition
def some_is_chosen(t: Thing) -> Formula:
    """A thing is chosen, whatever this one is."""
    return exists(Thing, lambda t_: chosen(t_))


@action(by=KEEPER)
def take(x: Thing) -> Step:
    """A thing is chosen."""
    return Step(when=[~chosen(x)], then=[chosen.add(x)])


@action(by=KEEPER)
def list_beside(x: Thing, other: Thing) -> Step:
    """All things are listed beside a chosen one, if it is the other one."""
    return Step(when=[chosen(x)], then=[for_each(Thing, lambda other: beside.add(other, x)).when(other == x)])


@action(by=KEEPER)
def list_offered(x: Thing) -> Step:
    """All things that were offered are listed beside themselves, spent or not."""
    return Step(when=[~beside(x, x)], then=[for_each(Thing, lambda x: beside.add(x, x).when(offer(x)))])


@action(by=KEEPER)
def list_near(other: Thing) -> Step:
    """Once a thing is chosen, all things are listed near all."""
    return Step(
        when=[chosen(other)], then=[for_each(Thing, lambda x: for_each(Thing, lambda other: near.add(x, other)))]
    )


@action(by=KEEPER)
def use(x: Thing) -> Step:
    """One is taken of what is left for each two things, if there is one or not."""
    return Step(
        when=[chosen(x)],
        then=[for_each(Thing, Thing, lambda t, t_: left.assign(t, t_, to=left(t, t_) + -1).when(t != t_))],
    )


@lemma
def all_or_none() -> Formula:
    """Two variables of one quantifier were renamed to one."""
    return ~exists(Thing, lambda t: undecided(t))


@lemma
def at_most_one() -> Formula:
    """In proofs, a bound variable was renamed to the one that is bound outside."""
    return forall(Thing, lambda x_: forall(Thing, lambda x: implies(chosen(x) & chosen(x_), x == x_)))


@lemma
def only_beside_itself(one: Thing, two: Thing) -> Formula:
    """A condition on the step's choice was about the bound variable of the same name."""
    return implies(beside(one, two), one == two)


@lemma
def near_what_is_chosen(one: Thing, two: Thing) -> Formula:
    """The inner one of two bulk changes lost its variable to the step's choice of the same name."""
    return implies(near(one, two), chosen(two))


@lemma
def none_is_chosen() -> Formula:
    """An argument that a definition does not read was no variable of the export."""
    return ~exists(Thing, lambda x: exists(Thing, lambda t: some_is_chosen(x) & (t == t)))
