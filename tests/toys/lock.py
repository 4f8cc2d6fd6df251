"""A toy protocol on one screen: a server lends one lock to many clients. Every engine is first tested on it."""

from __future__ import annotations

from model.language import (
    Role,
    Step,
    action,
    always,
    event,
    function,
    lemma,
    message,
    relation,
    sometimes,
    two_state,
    variant,
)
from model.language.quantifiers import forall
from model.language.terms import Formula, Individual, Number, implies


class Client(Individual):
    """A user of the lock."""


class Turn(Number):
    """How often a client was lent the lock."""


SERVER = Role("Lends the lock.")
CLIENT = Role("Uses the lock.", each=Client)

promised = relation(Client, doc="The client was promised the lock, and has not given it back.", holder=SERVER)
lent = function(Client, to=Turn, doc="How often the client was lent the lock.", holder=SERVER)
holds = relation(Client, doc="The client has the lock.", holder=CLIENT)
taken = function(Client, to=Turn, doc="The newest turn that the client has taken.", holder=CLIENT)
used = event(Client, Turn, doc="A client has used the lock in a turn.")


@message(sender=SERVER, receiver=CLIENT)
def lend(client: Client, turn: Turn) -> Formula:
    """Take the lock. Spent when the client has taken this turn."""
    return turn <= taken(client)


@action(by=SERVER)
def promise(client: Client) -> Step:
    """The server lends the lock if no client was promised it."""
    return Step(
        when=[forall(Client, lambda other: ~promised(other))],
        then=[
            promised.add(client),
            lent.assign(client, to=lent(client) + 1),
            lend.send(client, lent(client) + 1),
        ],
    )


@action(by=CLIENT)
def take(client: Client, turn: Turn) -> Step:
    """A client takes the lock."""
    return Step(
        takes=[lend(client, turn)],
        when=[taken(client) < turn],
        then=[holds.add(client), taken.assign(client, to=turn)],
    )


@action(by=CLIENT)
def give_back(client: Client) -> Step:
    """A client gives the lock back."""
    return Step(
        when=[holds(client)],
        then=[holds.remove(client), promised.remove(client)],
        emits=[used(client, taken(client))],
    )


@sometimes
def held(client: Client) -> Formula:
    """A client holds the lock."""
    return holds(client)


@always(held)
def one_holder(client: Client, other: Client) -> Formula:
    """Two different clients never hold the lock."""
    return implies(holds(client) & holds(other), client == other)


@sometimes
def used_again(client: Client, turn: Turn) -> Formula:
    """A client used the lock a second time."""
    return used(client, turn) & (Turn.of(1) < turn)


@two_state(used_again)
def used_only_when_held(client: Client, turn: Turn) -> Formula:
    """Only its holder uses the lock."""
    return implies(used(client, turn), holds(client) & (turn == taken(client)))


@lemma
def held_was_promised(client: Client) -> Formula:
    """A client that holds the lock was promised it, and has taken the last turn."""
    return implies(holds(client), promised(client) & (taken(client) == lent(client)))


@lemma
def promised_once(client: Client, other: Client) -> Formula:
    """There is one promise at a time."""
    return implies(promised(client) & promised(other), client == other)


@lemma
def turns_are_lent_in_order(client: Client, turn: Turn) -> Formula:
    """The server has counted every turn that was lent, and a turn not yet taken is the last one, and promised."""
    last = promised(client) & ~holds(client) & (turn == lent(client))
    return (taken(client) <= lent(client)) & implies(lend.unspent(client, turn), last)


@variant(replaces=promise, breaks=[one_holder])
def promises_twice(client: Client) -> Step:
    """The server forgets that it promised the lock to another client."""
    return Step(then=promise.changes)


@variant(replaces=give_back, breaks=[used_only_when_held])
def uses_what_it_was_promised(client: Client) -> Step:
    """A client uses the lock when it is promised, before taking it."""
    return Step(when=[promised(client)], then=give_back.changes, emits=[used(client, taken(client))])
