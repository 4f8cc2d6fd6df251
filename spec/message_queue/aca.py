"""The actions of a correct agent: it applies newer revisions from either channel, and acknowledges only what it has applied."""

from __future__ import annotations

from model.language import Step, action, for_each
from spec.message_queue.definitions import agent_session
from spec.message_queue.vocabulary import (
    ACA,
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
    epoch,
    heard,
    hello,
    known,
    listening,
    permitted,
    push,
    subscribe,
)
from spec.on_demand.vocabulary import Session

_epoch_of = epoch  # an alias, since actions have a parameter called epoch


@action(by=ACA)
def restart(host: Host) -> Step:
    """The agent starts or restarts: it begins a new epoch in which it knows nothing. Its subscriptions stay."""
    return Step(
        when=[correct(host)],
        then=[
            epoch.assign(host, to=epoch(host) + 1),
            hello.send(host, epoch(host) + 1),
            for_each(Vpc, lambda vpc: known.assign(host, vpc, to=Revision.of(0))),
            for_each(Vpc, lambda vpc: heard.assign(host, vpc, to=Attempt.of(0))),
            for_each(Vpc, lambda vpc: listening.remove(host, vpc)),
        ],
        moves=[agent_session.move(host, source=[Session.greeted], to=[Session.starting])],
    )


@action(by=ACA, fair=True)
def learn(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """DPM pushed a revision newer than the known one: the agent applies and confirms it."""
    return Step(
        takes=[push(host, epoch, vpc, revision)],
        when=[correct(host), epoch == _epoch_of(host), known(host, vpc) < revision],
        then=[known.assign(host, vpc, to=revision), applied.send(host, epoch, vpc, revision)],
    )


@action(by=ACA, fair=True)
def accept(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Step:
    """The agent subscribes from the latest message, and accepts only once the subscription exists."""
    return Step(
        takes=[subscribe(host, epoch, vpc, attempt)],
        when=[correct(host), epoch == _epoch_of(host), heard(host, vpc) < attempt, permitted(host, vpc)],
        then=[
            attached.add(host, vpc),
            listening.add(host, vpc),
            heard.assign(host, vpc, to=attempt),
            accepted.send(host, epoch, vpc, attempt),
        ],
    )


@action(by=ACA)
def decline(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Step:
    """The agent could not subscribe: the broker refused or is unreachable. It also stops consuming an existing subscription."""
    return Step(
        takes=[subscribe(host, epoch, vpc, attempt)],
        when=[correct(host), epoch == _epoch_of(host), heard(host, vpc) < attempt],
        then=[
            listening.remove(host, vpc),
            heard.assign(host, vpc, to=attempt),
            declined.send(host, epoch, vpc, attempt),
        ],
    )


@action(by=ACA, fair=True)
def receive(host: Host, vpc: Vpc, revision: Revision) -> Step:
    """The subscription delivers a revision newer than the known one: the agent applies and confirms it."""
    return Step(
        when=[correct(host), listening(host, vpc), backlog(host, vpc, revision), known(host, vpc) < revision],
        then=[known.assign(host, vpc, to=revision), applied.send(host, epoch(host), vpc, revision)],
    )


@action(by=ACA, fair=True)
def consume(host: Host, vpc: Vpc, revision: Revision) -> Step:
    """The agent acknowledges to the broker what it has applied or what is outdated, so that the broker does not redeliver it."""
    return Step(
        when=[correct(host), listening(host, vpc), backlog(host, vpc, revision), revision <= known(host, vpc)],
        then=[backlog.remove(host, vpc, revision)],
    )
