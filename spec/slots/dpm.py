"""The actions of DPM with slots: it allots them, asks hosts to attend, publishes or pushes, and hands back what its filler gets."""

from __future__ import annotations

from model.language import Change as Changed
from model.language import Step, action, alternatives, for_each
from model.language.quantifiers import forall
from model.language.terms import Formula
from spec.slots.definitions import drained, in_order, may_fill, pending, subscription
from spec.slots.vocabulary import (
    DPM,
    Epoch,
    Host,
    Revision,
    Slot,
    Stage,
    Turn,
    Vpc,
    accepted,
    addressed,
    allotted,
    applied,
    confirmed,
    filled,
    goal,
    hello,
    issued,
    left,
    logged,
    met,
    newest,
    patience,
    refused,
    settled,
    stage,
    subscribe,
    turn,
    unsubscribe,
    usable,
)

NEVER = Epoch.of(0)
NOTHING = Revision.of(0)

_turn_of = turn  # an alias, since actions have a parameter called turn

# ---------------------------------------------------------------------------------------------------------- slots


@action(by=DPM)
def allot(vpc: Vpc, host: Host, slot: Slot) -> Step:
    """A host of the VPC gets a free slot. If there is none, it stays with gRPC."""
    return Step(
        when=[
            usable(slot),
            forall(Slot, lambda other: ~allotted(vpc, host, other)),
            forall(Host, lambda other: ~allotted(vpc, other, slot)),
        ],
        then=[allotted.add(vpc, host, slot)],
    )


@action(by=DPM)
def release(vpc: Vpc, host: Host, slot: Slot) -> Step:
    """The host returns its slot: it is not listening, and nothing for it is in flight."""
    return Step(
        when=[allotted(vpc, host, slot), stage(vpc, host) == Stage.direct, drained(vpc, slot)],
        then=[allotted.remove(vpc, host, slot)],
    )


@action(by=DPM, fair=True)
def fill(vpc: Vpc, slot: Slot) -> Step:
    """No consumer attends the slot, and no host is asked to: the filler takes it. If a host's consumer was there, it has been lost.

    DPM need not know who attends a slot: it tries, and the broker refuses while another consumer attends it.
    """

    def lost(host: Host) -> Formula:
        return allotted(vpc, host, slot) & (stage(vpc, host) == Stage.subscribed)

    return Step(
        when=[may_fill(vpc, slot)],
        then=[
            filled.add(vpc, slot),
            for_each(Host, lambda host: stage.assign(vpc, host, to=Stage.leaving).when(lost(host))),
            for_each(Host, lambda host: turn.assign(vpc, host, to=turn(vpc, host) + 1).when(lost(host))),
            for_each(
                Host,
                lambda host: unsubscribe.send(host, met(host), vpc, turn(vpc, host) + 1).when(lost(host)),
            ),
        ],
        moves=[
            for_each(
                Host,
                lambda host: subscription.move(vpc, host, source=[Stage.subscribed], to=[Stage.leaving]).when(
                    lost(host)
                ),
            )
        ],
    )


# ------------------------------------------------------------------------------------------ attending and leaving


@action(by=DPM)
def ask(vpc: Vpc, host: Host, slot: Slot) -> Step:
    """DPM asks a host to attend its slot. The filler leaves it, and nothing is in flight there that would have to wait."""
    return Step(
        when=[
            allotted(vpc, host, slot),
            stage(vpc, host) == Stage.direct,
            met(host) > NEVER,
            turn(vpc, host) < patience(vpc),
            filled(vpc, slot),
            drained(vpc, slot),
        ],
        then=[
            filled.remove(vpc, slot),
            stage.assign(vpc, host, to=Stage.asked),
            turn.assign(vpc, host, to=turn(vpc, host) + 1),
            subscribe.send(host, met(host), vpc, slot, turn(vpc, host) + 1),
        ],
        moves=[subscription.move(vpc, host, source=[Stage.direct], to=[Stage.asked])],
    )


@action(by=DPM, fair=True)
def hear_acceptance(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Step:
    """The host attends its slot: from now on DPM publishes to it."""
    return Step(
        takes=[accepted(host, epoch, vpc, turn)],
        when=[epoch == met(host), turn == _turn_of(vpc, host), stage(vpc, host) == Stage.asked],
        then=[stage.assign(vpc, host, to=Stage.subscribed)],
        moves=[subscription.move(vpc, host, source=[Stage.asked], to=[Stage.subscribed])],
    )


@action(by=DPM, fair=True)
def hear_refusal(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Step:
    """The broker has refused the host's consumer, since another attends the slot: the host stays with gRPC."""
    return Step(
        takes=[refused(host, epoch, vpc, turn)],
        when=[epoch == met(host), turn == _turn_of(vpc, host), stage(vpc, host) == Stage.asked],
        then=[stage.assign(vpc, host, to=Stage.direct)],
        moves=[subscription.move(vpc, host, source=[Stage.asked], to=[Stage.direct])],
    )


def tell_to_leave(vpc: Vpc, host: Host) -> list[Changed]:
    """The host is reached by gRPC at once; its answer will tell whether it still listens."""
    return [
        stage.assign(vpc, host, to=Stage.leaving),
        turn.assign(vpc, host, to=turn(vpc, host) + 1),
        unsubscribe.send(host, met(host), vpc, turn(vpc, host) + 1),
    ]


@action(by=DPM, fair=True)
def give_up(vpc: Vpc, host: Host) -> Step:
    """No answer arrived in time: the host stays with gRPC, and is told to leave the slot that it may have taken meanwhile."""
    return Step(
        when=[stage(vpc, host) == Stage.asked],
        then=tell_to_leave(vpc, host),
        moves=[subscription.move(vpc, host, source=[Stage.asked], to=[Stage.leaving])],
    )


@action(by=DPM)
def dismiss(vpc: Vpc, host: Host) -> Step:
    """The VPC has become small, or the host has lost its last port: the host is taken off the topic."""
    return Step(
        when=[stage(vpc, host) == Stage.subscribed],
        then=tell_to_leave(vpc, host),
        moves=[subscription.move(vpc, host, source=[Stage.subscribed], to=[Stage.leaving])],
    )


@action(by=DPM, fair=True)
def hear_leaving(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Step:
    """The host no longer listens. It may be asked again, unless it has reached its limit of being told to attend or to leave."""
    return Step(
        takes=[left(host, epoch, vpc, turn)],
        when=[epoch == met(host), turn == _turn_of(vpc, host), stage(vpc, host) == Stage.leaving],
        then=[stage.assign(vpc, host, to=Stage.direct)],
        moves=[subscription.move(vpc, host, source=[Stage.leaving], to=[Stage.direct])],
    )


@action(by=DPM, fair=True)
def greet(host: Host, epoch: Epoch) -> Step:
    """The agent has begun a new epoch: it knows nothing and listens to nothing. DPM sends it its newest revision by gRPC."""
    return Step(
        takes=[hello(host, epoch)],
        when=[met(host) < epoch],
        then=[
            met.assign(host, to=epoch),
            for_each(Vpc, lambda vpc: stage.assign(vpc, host, to=Stage.direct)),
            for_each(Vpc, lambda vpc: turn.assign(vpc, host, to=Turn.of(0))),
            for_each(Vpc, lambda vpc: confirmed.assign(vpc, host, to=NOTHING)),
            for_each(Vpc, lambda vpc: goal.send(host, epoch, vpc, newest(vpc, host)).when(newest(vpc, host) > NOTHING)),
        ],
        moves=[
            for_each(
                Vpc,
                lambda vpc: subscription.move(
                    vpc, host, source=[Stage.asked, Stage.subscribed, Stage.leaving], to=[Stage.direct]
                ),
            )
        ],
    )


# ----------------------------------------------------------------------------------------------- what hosts receive


def count(vpc: Vpc, host: Host) -> list[Changed]:
    """The next revision of the VPC is for the host."""
    revision = issued(vpc) + 1
    return [
        issued.assign(vpc, to=revision),
        newest.assign(vpc, host, to=revision),
        addressed.add(vpc, revision, host),
    ]


@action(by=DPM)
def publish(vpc: Vpc, host: Host, slot: Slot) -> Step:
    """DPM publishes to a host that has confirmed, under a key that hashes to its slot."""
    return Step(
        when=[allotted(vpc, host, slot), stage(vpc, host) == Stage.subscribed],
        then=[*count(vpc, host), logged.add(vpc, issued(vpc) + 1, slot)],
    )


@action(by=DPM)
def push(vpc: Vpc, host: Host) -> Step:
    """DPM sends to any other host by gRPC; to one that was never met, once it is met."""
    return Step(
        when=[stage(vpc, host) != Stage.subscribed],
        then=[*count(vpc, host), goal.send(host, met(host), vpc, issued(vpc) + 1).when(met(host) > NEVER)],
    )


@alternatives(publish, push)
def says(vpc: Vpc, host: Host, slot: Slot) -> Formula:
    """A revision for a host with a slot is sent on exactly one channel."""
    return allotted(vpc, host, slot)


@action(by=DPM, fair=True)
def hand_back(vpc: Vpc, revision: Revision, slot: Slot, host: Host) -> Step:
    """The filler was handed a revision for a host: DPM sends the host its newest revision by gRPC, and acknowledges only then."""
    return Step(
        when=[
            filled(vpc, slot),
            pending(vpc, revision, slot),
            in_order(vpc, revision),
            addressed(vpc, revision, host),
        ],
        then=[settled.add(vpc, revision), goal.send(host, met(host), vpc, newest(vpc, host))],
    )


@action(by=DPM, fair=True)
def acknowledge(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """The host has applied this revision in this epoch: the confirmation counts for it and older ones, and for no others."""
    return Step(
        takes=[applied(host, epoch, vpc, revision)],
        when=[epoch == met(host), confirmed(vpc, host) < revision, revision <= newest(vpc, host)],
        then=[confirmed.assign(vpc, host, to=revision)],
    )


@action(by=DPM)
def restart_dpm() -> Step:
    """DPM crashes and restarts from its store. It loses nothing: unsent messages are sent now, others possibly again."""
    return Step()
