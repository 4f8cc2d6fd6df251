"""Somebody who answers an order at the largest level only: there is one in a configuration, and none among all numbers."""

from model.language import Role, Step, action, always, assumption, function, message, relation, sometimes, variant
from model.language.quantifiers import exists
from model.language.terms import Formula, Individual, Number


class Level(Number):
    """A level."""


class Client(Individual):
    """Somebody who orders."""


SYSTEM = Role("The system.")

cancelled = relation(Client, doc="The order is cancelled.")
answered = relation(Client, doc="A cancelled order was answered.")
level = function(Client, to=Level, doc="The level.")
limit = function(Client, to=Level, doc="The largest level.", kind="constant")


@message(sender=SYSTEM, receiver=SYSTEM)
def order(client: Client) -> Formula:
    """Spent once it is cancelled."""
    return cancelled(client)


@assumption
def no_level_is_larger(client: Client, other: Level) -> Formula:
    """No level is larger than the limit, which no number is if there is no bound."""
    return other <= limit(client)


@action(by=SYSTEM)
def give(client: Client) -> Step:
    """It gives the order."""
    return Step(when=[~cancelled(client)], then=[order.send(client)])


@action(by=SYSTEM)
def cancel(client: Client) -> Step:
    """It cancels the order."""
    return Step(when=[~cancelled(client)], then=[cancelled.add(client)])


@action(by=SYSTEM)
def rise(client: Client) -> Step:
    """The level rises."""
    return Step(then=[level.assign(client, to=level(client) + 1)])


@action(by=SYSTEM)
def answer(client: Client) -> Step:
    """It answers at the largest level."""
    return Step(
        takes=[order(client)],
        when=[~exists(Level, lambda other: level(client) < other)],
        then=[answered.assign(client, to=cancelled(client)), cancelled.add(client)],
    )


@sometimes
def is_cancelled(client: Client) -> Formula:
    """The order is cancelled."""
    return cancelled(client)


@always(is_cancelled)
def answers_what_counts(client: Client) -> Formula:
    """A cancelled order is not answered, which is false."""
    return ~answered(client)


@variant(replaces=cancel, breaks=[answers_what_counts])
def answers_at_once(client: Client) -> Step:
    """It answers what it cancels."""
    return Step(then=[cancelled.add(client), answered.add(client)])
