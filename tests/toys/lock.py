"""A toy protocol on one screen: a server lends one lock to many clients. Every engine is tried on it first."""

from __future__ import annotations

from spec.language import Role, Step, action, always, event, lemma, message, relation, sometimes, two_state, variant
from spec.terms import Formula, Individual, Number, forall, implies


class Client(Individual):
    """Who wants the lock."""


class Turn(Number):
    """How often the lock was lent."""


SERVER = Role("Lends the lock.")
CLIENT = Role("Uses the lock.", each=Client)

free = relation(Client, doc="History-free marker: this client was promised the lock.", holder=SERVER)
holds = relation(Client, doc="This client has the lock.", holder=CLIENT)
used = event(Client, Client, doc="A client used the lock (twice the same, since events have two arguments at least).")


@message(sender=SERVER, receiver=CLIENT)
def lend(client: Client) -> Formula:
    """Take the lock."""
    return ~free(client)


@action(by=SERVER)
def promise(client: Client) -> Step:
    """The server lends the lock if nobody was promised it."""
    return Step(when=[forall(Client, lambda other: ~free(other))], then=[free.add(client), lend.send(client)])


@action(by=CLIENT)
def take(client: Client) -> Step:
    """A client takes the lock."""
    return Step(takes=[lend(client)], when=[free(client), ~holds(client)], then=[holds.add(client)])


@action(by=CLIENT)
def give_back(client: Client) -> Step:
    """A client gives the lock back."""
    return Step(when=[holds(client)], then=[holds.remove(client), free.remove(client)], emits=[used(client, client)])


@sometimes
def held(client: Client) -> Formula:
    """Somebody holds the lock."""
    return holds(client)


@always(held)
def one_holder(client: Client, other: Client) -> Formula:
    """Two different clients never hold the lock."""
    return implies(holds(client) & holds(other), client == other)


@two_state()
def used_only_when_held(client: Client) -> Formula:
    """A lock is used by its holder only."""
    return implies(used(client, client), holds(client))


@lemma
def held_was_promised(client: Client) -> Formula:
    """Who holds the lock was promised it."""
    return implies(holds(client), free(client))


@lemma
def promised_once(client: Client, other: Client) -> Formula:
    """One promise at a time."""
    return implies(free(client) & free(other), client == other)


@variant(replaces=promise, breaks=[one_holder])
def promises_twice(client: Client) -> Step:
    """The server forgets that it promised the lock to another."""
    return Step(then=[free.add(client), lend.send(client)])
