"""A toy protocol with a deadlock: two clients take the same two locks, each in its own order."""

from __future__ import annotations

from model.language import Role, Step, action, always, eventually, leads_to, relation, sometimes
from model.language.claims import LeadsTo
from model.language.quantifiers import forall
from model.language.terms import Formula, Individual, implies


class Client(Individual):
    """Who takes locks."""


class Lock(Individual):
    """What one client at a time has."""


CLIENT = Role("Takes its first lock, then its second.", each=Client)

first = relation(Client, Lock, doc="The client takes this lock first.", kind="constant")
has = relation(Client, Lock, doc="The client has the lock.", holder=CLIENT)


@action(by=CLIENT, fair=True)
def take_first(client: Client, lock: Lock) -> Step:
    """A client takes its first lock, if it is free."""
    free = forall(Client, lambda other: ~has(other, lock))
    return Step(when=[first(client, lock), free], then=[has.add(client, lock)])


@action(by=CLIENT, fair=True)
def take_second(client: Client, lock: Lock, other: Lock) -> Step:
    """A client that has its first lock takes the other one, if it is free."""
    free = forall(Client, lambda another: ~has(another, other))
    return Step(when=[first(client, lock), has(client, lock), lock != other, free], then=[has.add(client, other)])


@action(by=CLIENT, fair=True)
def give_back(client: Client, lock: Lock, other: Lock) -> Step:
    """A client that has both locks gives them back."""
    both = [first(client, lock), has(client, lock), has(client, other), lock != other]
    return Step(when=both, then=[has.remove(client, lock), has.remove(client, other)])


@sometimes
def somebody_has_both(client: Client, lock: Lock, other: Lock) -> Formula:
    """A client has two locks."""
    return has(client, lock) & has(client, other) & (lock != other)


@always(somebody_has_both)
def one_has_it(client: Client, other: Client, lock: Lock) -> Formula:
    """No two clients have the same lock."""
    return implies(has(client, lock) & has(other, lock), client == other)


@eventually(somebody_has_both)
def gets_both(client: Client, lock: Lock) -> LeadsTo:
    """A client that has its first lock eventually has the other one too."""
    return leads_to(first(client, lock) & has(client, lock), forall(Lock, lambda other: has(client, other)))
