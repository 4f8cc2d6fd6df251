"""The actions of Pulsar: it dispatches the topic's log slot by slot, and redelivers when a consumer is lost.

At most one consumer attends a slot: the actions that open consumers (of agents, the filler and the adversary) enforce it.
"""

from __future__ import annotations

from model.language import Change as Changed
from model.language import Step, action, alternatives, for_each
from model.language.quantifiers import exists, forall
from model.language.terms import Formula, implies
from spec.slots.definitions import held, in_order, passed, pending, unattended
from spec.slots.vocabulary import BROKER, Host, Revision, Slot, Vpc, attends, given, received


def drop_consumer(vpc: Vpc, host: Host) -> list[Changed]:
    """The host's consumer is gone; what it was handed and did not acknowledge will be redelivered."""
    return [
        for_each(Slot, lambda slot: attends.remove(vpc, host, slot)),
        for_each(Revision, lambda revision: given.remove(vpc, revision, host)),
    ]


def hand(vpc: Vpc, revision: Revision, host: Host) -> list[Changed]:
    """The host's consumer receives the revision."""
    return [given.add(vpc, revision, host), received.add(host, vpc, revision)]


@action(by=BROKER, fair=True)
def dispatch(vpc: Vpc, revision: Revision, slot: Slot, host: Host) -> Step:
    """The next revision in the log goes to the consumer that attends its slot."""
    return Step(
        when=[
            pending(vpc, revision, slot),
            ~held(vpc, revision),
            attends(vpc, host, slot),
            in_order(vpc, revision),
        ],
        then=hand(vpc, revision, host),
    )


@action(by=BROKER)
def look_ahead(vpc: Vpc, revision: Revision, slot: Slot, host: Host) -> Step:
    """Dispatch may skip revisions of unattended slots, within limits; so nothing relies on it."""
    return Step(
        when=[
            pending(vpc, revision, slot),
            ~held(vpc, revision),
            attends(vpc, host, slot),
            ~in_order(vpc, revision),
            forall(
                Revision,
                lambda older: implies(older < revision, passed(vpc, older) | unattended(vpc, older)),
            ),
        ],
        then=hand(vpc, revision, host),
    )


@alternatives(dispatch, look_ahead)
def hands_out(vpc: Vpc, revision: Revision, slot: Slot, host: Host) -> Formula:
    """If a revision has a consumer, and all before it are passed or unattended, one of the two actions dispatches it."""
    clear = forall(Revision, lambda older: implies(older < revision, passed(vpc, older) | unattended(vpc, older)))
    return pending(vpc, revision, slot) & ~held(vpc, revision) & attends(vpc, host, slot) & clear


@action(by=BROKER)
def lose(vpc: Vpc, host: Host) -> Step:
    """A host's connection breaks: its consumer is gone, and what it was handed is redelivered to the next consumer."""
    return Step(
        when=[exists(Slot, lambda slot: attends(vpc, host, slot))],
        then=drop_consumer(vpc, host),
    )
