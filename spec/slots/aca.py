"""The actions of a correct agent: it attends the slot it is told, applies newer revisions, and acknowledges only after that."""

from __future__ import annotations

from model.language import Change as Changed
from model.language import Step, action, alternatives, for_each
from model.language.terms import Formula
from spec.slots.broker import drop_consumer
from spec.slots.definitions import attended
from spec.slots.vocabulary import (
    ACA,
    Epoch,
    Host,
    Revision,
    Slot,
    Turn,
    Vpc,
    accepted,
    addressed,
    applied,
    attends,
    correct,
    epoch,
    given,
    goal,
    heard,
    hello,
    invited,
    known,
    left,
    refused,
    settled,
    subscribe,
    unsubscribe,
    up,
)

_epoch_of = epoch  # an alias, since actions have a parameter called epoch

# ---------------------------------------------------------------------------------------------------------- epochs


@action(by=ACA)
def start(host: Host) -> Step:
    """The agent starts: it begins a new epoch in which it knows nothing."""
    return Step(
        when=[correct(host), ~up(host)],
        then=[
            up.add(host),
            epoch.assign(host, to=epoch(host) + 1),
            for_each(Vpc, lambda vpc: known.assign(vpc, host, to=Revision.of(0))),
            for_each(Vpc, lambda vpc: heard.assign(vpc, host, to=Turn.of(0))),
            hello.send(host, epoch(host) + 1),
        ],
    )


@action(by=ACA)
def crash(host: Host) -> Step:
    """The agent dies, and its consumers with it. It may or may not come back."""
    return Step(
        when=[correct(host), up(host)],
        then=[
            up.remove(host),
            for_each(Vpc, Slot, lambda vpc, slot: attends.remove(vpc, host, slot)),
            for_each(Vpc, Slot, lambda vpc, slot: invited.remove(vpc, host, slot)),
            for_each(Vpc, Revision, lambda vpc, revision: given.remove(vpc, revision, host)),
        ],
    )


# ------------------------------------------------------------------------------------------ attending and leaving


@action(by=ACA, fair=True)
def attach(host: Host, epoch: Epoch, vpc: Vpc, slot: Slot, turn: Turn) -> Step:
    """The agent opens a consumer for the slot that it is told, and confirms it."""
    return Step(
        takes=[subscribe(host, epoch, vpc, slot, turn)],
        when=[correct(host), up(host), epoch == _epoch_of(host), heard(vpc, host) < turn, ~attended(vpc, slot)],
        then=[
            heard.assign(vpc, host, to=turn),
            attends.add(vpc, host, slot),
            invited.add(vpc, host, slot),
            accepted.send(host, epoch, vpc, turn),
        ],
    )


@action(by=ACA, fair=True)
def be_refused(host: Host, epoch: Epoch, vpc: Vpc, slot: Slot, turn: Turn) -> Step:
    """The broker refuses, since another consumer attends the slot: the agent reports it, and does not retry by itself."""
    return Step(
        takes=[subscribe(host, epoch, vpc, slot, turn)],
        when=[correct(host), up(host), epoch == _epoch_of(host), heard(vpc, host) < turn, attended(vpc, slot)],
        then=[heard.assign(vpc, host, to=turn), refused.send(host, epoch, vpc, turn)],
    )


@alternatives(attach, be_refused)
def takes_a_place(host: Host, epoch: Epoch, vpc: Vpc, slot: Slot, turn: Turn) -> Formula:
    """An agent that is asked to attend a slot is accepted or refused."""
    return subscribe.unspent(host, epoch, vpc, slot, turn) & correct(host) & up(host) & (epoch == _epoch_of(host))


@action(by=ACA)
def reattach(host: Host, vpc: Vpc, slot: Slot) -> Step:
    """The connection is back, and the slot is still free: the agent's client reopens its consumer by itself."""
    return Step(
        when=[correct(host), up(host), invited(vpc, host, slot), ~attended(vpc, slot)],
        then=[attends.add(vpc, host, slot)],
    )


@action(by=ACA, fair=True)
def detach(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Step:
    """The agent closes its consumer, if it has one, and confirms that."""
    return Step(
        takes=[unsubscribe(host, epoch, vpc, turn)],
        when=[correct(host), up(host), epoch == _epoch_of(host), heard(vpc, host) < turn],
        then=[
            heard.assign(vpc, host, to=turn),
            *drop_consumer(vpc, host),
            for_each(Slot, lambda slot: invited.remove(vpc, host, slot)),
            left.send(host, epoch, vpc, turn),
        ],
    )


# ------------------------------------------------------------------------------------------------ receiving revisions


def settle(host: Host, vpc: Vpc, revision: Revision) -> list[Changed]:
    """Applied: acknowledged to the broker, and confirmed to DPM."""
    return [
        settled.add(vpc, revision),
        given.remove(vpc, revision, host),
        applied.send(host, epoch(host), vpc, revision),
    ]


@action(by=ACA, fair=True)
def learn(host: Host, vpc: Vpc, revision: Revision) -> Step:
    """A newer revision is applied and acknowledged in one step: a crash between the two would only cause a redelivery."""
    return Step(
        when=[
            correct(host),
            up(host),
            given(vpc, revision, host),
            addressed(vpc, revision, host),
            known(vpc, host) < revision,
        ],
        then=[known.assign(vpc, host, to=revision), *settle(host, vpc, revision)],
    )


@action(by=ACA, fair=True)
def pass_over(host: Host, vpc: Vpc, revision: Revision) -> Step:
    """A revision that is known, or older than the known one, is only acknowledged."""
    return Step(
        when=[
            correct(host),
            up(host),
            given(vpc, revision, host),
            addressed(vpc, revision, host),
            revision <= known(vpc, host),
        ],
        then=settle(host, vpc, revision),
    )


@alternatives(learn, pass_over)
def takes_from_the_topic(host: Host, vpc: Vpc, revision: Revision) -> Formula:
    """A revision handed to the agent that it is for is applied or passed over."""
    return correct(host) & up(host) & given(vpc, revision, host) & addressed(vpc, revision, host)


@action(by=ACA, fair=True)
def learn_directly(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """A newer revision that arrives by gRPC is applied."""
    return Step(
        takes=[goal(host, epoch, vpc, revision)],
        when=[correct(host), up(host), epoch == _epoch_of(host), known(vpc, host) < revision],
        then=[known.assign(vpc, host, to=revision), applied.send(host, epoch, vpc, revision)],
    )
