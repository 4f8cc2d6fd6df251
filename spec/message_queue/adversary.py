"""The actions of a Byzantine agent: it sends anything on its own channel, and subscribes wherever it is permitted to."""

from __future__ import annotations

from model.language import Step, action
from spec.message_queue.vocabulary import (
    ADVERSARY,
    Attempt,
    Epoch,
    Host,
    Revision,
    Vpc,
    accepted,
    applied,
    attached,
    backlog,
    correct,
    declined,
    hello,
    permitted,
)

NEVER = Epoch.of(0)


@action(by=ADVERSARY)
def forge_hello(host: Host, epoch: Epoch) -> Step:
    """It claims to have started."""
    return Step(when=[~correct(host), epoch > NEVER], then=[hello.send(host, epoch)])


@action(by=ADVERSARY)
def forge_acceptance(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Step:
    """It claims to have subscribed."""
    return Step(when=[~correct(host), epoch > NEVER], then=[accepted.send(host, epoch, vpc, attempt)])


@action(by=ADVERSARY)
def forge_refusal(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Step:
    """It claims that it could not subscribe."""
    return Step(when=[~correct(host), epoch > NEVER], then=[declined.send(host, epoch, vpc, attempt)])


@action(by=ADVERSARY)
def forge_applied(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """It confirms any revision."""
    return Step(
        when=[~correct(host), epoch > NEVER, Revision.of(0) < revision],
        then=[applied.send(host, epoch, vpc, revision)],
    )


@action(by=ADVERSARY)
def attach_unasked(host: Host, vpc: Vpc) -> Step:
    """It subscribes unasked, where the broker permits it."""
    return Step(when=[~correct(host), permitted(host, vpc)], then=[attached.add(host, vpc)])


@action(by=ADVERSARY)
def discard(host: Host, vpc: Vpc, revision: Revision) -> Step:
    """It acknowledges any message to the broker."""
    return Step(when=[~correct(host), backlog(host, vpc, revision)], then=[backlog.remove(host, vpc, revision)])
