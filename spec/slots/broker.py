"""What Pulsar does: it hands out what is on the topic, slot by slot, and hands it out again when a consumer is lost.

At most one consumer attends a slot: that stands where consumers come, with agents, the filler and the adversary.
"""

from __future__ import annotations

from model.language import Change as Changed
from model.language import Step, action, alternatives, for_each
from model.language.terms import Formula, exists, forall, implies
from spec.slots.definitions import held, in_order, passed, pending, unattended
from spec.slots.vocabulary import BROKER, Host, Revision, Slot, Vpc, attends, given, received


def drop_consumer(vpc: Vpc, host: Host) -> list[Changed]:
    """The host's consumer is gone; what it was handed and did not acknowledge will be handed out again."""
    return [
        for_each(Slot, lambda slot: attends.remove(vpc, host, slot)),
        for_each(Revision, lambda revision: given.remove(vpc, revision, host)),
    ]


def hand(vpc: Vpc, revision: Revision, host: Host) -> list[Changed]:
    """The host's consumer gets the revision."""
    return [given.add(vpc, revision, host), received.add(host, vpc, revision)]


@action(by=BROKER, fair=True)
def dispatch(vpc: Vpc, revision: Revision, slot: Slot, host: Host) -> Step:
    """What is next in the log goes to whoever attends its slot."""
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
    """Dispatch may pass what nobody attends, within limits; so nothing counts on it."""
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
    """What has a consumer, and nothing before it but what is passed or nobody attends, is handed out in one of the two ways."""
    clear = forall(Revision, lambda older: implies(older < revision, passed(vpc, older) | unattended(vpc, older)))
    return pending(vpc, revision, slot) & ~held(vpc, revision) & attends(vpc, host, slot) & clear


@action(by=BROKER)
def lose(vpc: Vpc, host: Host) -> Step:
    """A host's connection breaks: its consumer is gone, and what it was handed is handed out again to whoever comes next."""
    return Step(
        when=[exists(Slot, lambda slot: attends(vpc, host, slot))],
        then=drop_consumer(vpc, host),
    )
