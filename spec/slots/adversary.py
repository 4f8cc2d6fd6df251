"""The actions of a Byzantine agent on a shared topic: more than any rule for slots can prevent.

Its direct channel is its own, so it cannot speak for another host there. But any client that may consume from the topic may attend
any free slot, acknowledge what it is handed, or open its own subscription; and the topic of confirmations is shared.
"""

from __future__ import annotations

from model.language import Step, action
from model.language.quantifiers import exists
from spec.slots.definitions import attended
from spec.slots.vocabulary import (
    ADVERSARY,
    Epoch,
    Host,
    Revision,
    Slot,
    Turn,
    Vpc,
    accepted,
    applied,
    attends,
    correct,
    given,
    hello,
    left,
    logged,
    received,
    settled,
)

NEVER = Epoch.of(0)


@action(by=ADVERSARY)
def grab(host: Host, vpc: Vpc, slot: Slot) -> Step:
    """It attends a slot that is free, whichever host it belongs to."""
    return Step(when=[~correct(host), ~attended(vpc, slot)], then=[attends.add(vpc, host, slot)])


@action(by=ADVERSARY)
def spy(host: Host, vpc: Vpc, revision: Revision) -> Step:
    """It reads the topic through its own subscription."""
    return Step(
        when=[~correct(host), exists(Slot, lambda slot: logged(vpc, revision, slot))],
        then=[received.add(host, vpc, revision)],
    )


@action(by=ADVERSARY)
def swallow(host: Host, vpc: Vpc, revision: Revision) -> Step:
    """It acknowledges to the broker what it was handed, so that no other host receives it."""
    return Step(
        when=[~correct(host), given(vpc, revision, host)],
        then=[settled.add(vpc, revision), given.remove(vpc, revision, host)],
    )


@action(by=ADVERSARY)
def forge_applied(host: Host, other: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """It confirms in the name of any host: the topic is shared."""
    return Step(when=[~correct(host), epoch > NEVER], then=[applied.send(other, epoch, vpc, revision)])


@action(by=ADVERSARY)
def forge_hello(host: Host, epoch: Epoch) -> Step:
    """It claims to have started."""
    return Step(when=[~correct(host), epoch > NEVER], then=[hello.send(host, epoch)])


@action(by=ADVERSARY)
def forge_accepted(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Step:
    """It claims that it attends its slot."""
    return Step(when=[~correct(host), epoch > NEVER], then=[accepted.send(host, epoch, vpc, turn)])


@action(by=ADVERSARY)
def forge_left(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Step:
    """It claims that it has no consumer any more."""
    return Step(when=[~correct(host), epoch > NEVER], then=[left.send(host, epoch, vpc, turn)])
