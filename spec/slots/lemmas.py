"""Supporting invariants for the proofs of the promises about slots."""

from __future__ import annotations

from model.language import lemma
from model.language.quantifiers import exists
from model.language.terms import Formula, implies
from spec.slots.definitions import drained, pending, trusting
from spec.slots.vocabulary import (
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
    attends,
    confirmed,
    correct,
    epoch,
    given,
    goal,
    heard,
    hello,
    invited,
    issued,
    known,
    left,
    logged,
    met,
    newest,
    refused,
    settled,
    stage,
    subscribe,
    turn,
    unsubscribe,
    up,
)

_epoch_of, _turn_of = epoch, turn  # aliases, since lemmas have parameters with these names
NEVER = Epoch.of(0)
NOTHING = Revision.of(0)


@lemma
def a_host_has_one_slot(vpc: Vpc, host: Host, slot: Slot, other: Slot) -> Formula:
    """A host has at most one slot of a VPC."""
    return implies(allotted(vpc, host, slot) & allotted(vpc, host, other), slot == other)


@lemma
def only_correct_agents_start(vpc: Vpc, host: Host) -> Formula:
    """The state has no entries for Byzantine agents: what they know or do between messages is not modeled."""
    return implies(~correct(host), ~up(host) & (epoch(host) == NEVER) & (known(vpc, host) == NOTHING))


@lemma
def nothing_is_said_before_the_first_epoch(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """Revisions are sent to, and confirmed in, epochs that have begun."""
    return implies(goal(host, epoch, vpc, revision) | applied(host, epoch, vpc, revision), NEVER < epoch)


@lemma
def only_the_met_are_on_the_topic(vpc: Vpc, host: Host, revision: Revision, slot: Slot) -> Formula:
    """Only a host that DPM has met is asked, is published to, and confirms."""
    published = addressed(vpc, revision, host) & logged(vpc, revision, slot)
    return implies((stage(vpc, host) != Stage.direct) | published | (confirmed(vpc, host) > NOTHING), NEVER < met(host))


@lemma
def revisions_are_counted(vpc: Vpc, revision: Revision, slot: Slot, host: Host) -> Formula:
    """Every revision that is addressed, published or acknowledged was counted before, and none is newer than the newest."""
    return (
        implies(addressed(vpc, revision, host), (revision <= newest(vpc, host)) & (revision > NOTHING))
        & implies(newest(vpc, host) > NOTHING, addressed(vpc, newest(vpc, host), host))
        & implies(logged(vpc, revision, slot) | settled(vpc, revision), revision <= issued(vpc))
        & (newest(vpc, host) <= issued(vpc))
    )


@lemma
def what_is_published_is_for_somebody(vpc: Vpc, revision: Revision, slot: Slot, host: Host, other: Host) -> Formula:
    """A revision is for one host."""
    return implies(addressed(vpc, revision, host) & addressed(vpc, revision, other), host == other) & implies(
        logged(vpc, revision, slot), exists(Host, lambda somebody: addressed(vpc, revision, somebody))
    )


@lemma
def consumers_are_invited(vpc: Vpc, host: Host, slot: Slot) -> Formula:
    """A correct agent attends only where it was invited: its own slot, in the epoch that DPM has met, and while it runs."""
    return implies(correct(host) & attends(vpc, host, slot), invited(vpc, host, slot)) & implies(
        correct(host) & invited(vpc, host, slot),
        allotted(vpc, host, slot) & up(host) & (met(host) == epoch(host)) & (stage(vpc, host) != Stage.direct),
    )


@lemma
def invitations_are_to_ones_own_slot(
    host: Host, epoch: Epoch, vpc: Vpc, slot: Slot, turn: Turn, other: Slot
) -> Formula:
    """A valid invitation is the newest, or was withdrawn since; it is for the host's slot, and the host attends none."""
    counts = correct(host) & subscribe.unspent(host, epoch, vpc, slot, turn) & (epoch == _epoch_of(host))
    newest_turn = (stage(vpc, host) == Stage.asked) & (turn == _turn_of(vpc, host))
    taken_back = (stage(vpc, host) == Stage.leaving) & (turn + 1 == _turn_of(vpc, host))
    return implies(
        counts,
        allotted(vpc, host, slot) & (met(host) == epoch) & (newest_turn | taken_back) & ~invited(vpc, host, other),
    )


@lemma
def nobody_waits_for_who_is_asked(vpc: Vpc, host: Host, slot: Slot) -> Formula:
    """Nothing is in flight to the slot of a host that was asked to attend it."""
    return implies(allotted(vpc, host, slot) & (stage(vpc, host) == Stage.asked), drained(vpc, slot))


@lemma
def turns_are_counted(host: Host, epoch: Epoch, vpc: Vpc, slot: Slot, turn: Turn) -> Formula:
    """DPM knows every turn that it has told the host of, and sends to no epoch that it has not met."""
    told = subscribe.unspent(host, epoch, vpc, slot, turn) | unsubscribe.unspent(host, epoch, vpc, turn)
    return implies(told, (epoch <= met(host)) & implies(epoch == met(host), turn <= _turn_of(vpc, host)))


@lemma
def nothing_is_heard_that_was_not_said(host: Host, vpc: Vpc) -> Formula:
    """A correct agent has heard of no future turn, and of none in an epoch that was not met."""
    return implies(correct(host) & (met(host) == epoch(host)), heard(vpc, host) <= turn(vpc, host)) & implies(
        correct(host) & (met(host) < epoch(host)), heard(vpc, host) == Turn.of(0)
    )


@lemma
def who_says_that_it_left_does_not_listen(host: Host, epoch: Epoch, vpc: Vpc, slot: Slot, turn: Turn) -> Formula:
    """A correct agent has heard of the turn that it answers; if it left or was refused, it attends no slot until a later turn."""
    said = left.unspent(host, epoch, vpc, turn) | refused.unspent(host, epoch, vpc, turn)
    now = correct(host) & (epoch == _epoch_of(host))
    return implies(now & (said | accepted.unspent(host, epoch, vpc, turn)), turn <= heard(vpc, host)) & implies(
        now & said & (turn == heard(vpc, host)), ~invited(vpc, host, slot)
    )


@lemma
def epochs_are_met_in_order(host: Host, epoch: Epoch) -> Formula:
    """DPM has met, and messages name, no future epoch of a correct agent; an epoch that DPM has not met has a hello in flight."""
    return implies(
        correct(host),
        (met(host) <= _epoch_of(host))
        & implies(hello.unspent(host, epoch), epoch <= _epoch_of(host))
        & implies(met(host) < _epoch_of(host), hello.unspent(host, _epoch_of(host)))
        & implies(up(host), NEVER < _epoch_of(host)),
    )


@lemma
def answers_are_of_epochs_that_were(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Formula:
    """A correct agent has answered in no future epoch."""
    answered = (
        accepted.unspent(host, epoch, vpc, turn)
        | refused.unspent(host, epoch, vpc, turn)
        | left.unspent(host, epoch, vpc, turn)
    )
    return implies(correct(host) & answered, epoch <= _epoch_of(host))


@lemma
def what_is_sent_directly_is_addressed(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """What is sent by gRPC is for its receiver, and to no epoch that was not met."""
    return implies(goal.unspent(host, epoch, vpc, revision), addressed(vpc, revision, host) & (epoch <= met(host)))


@lemma
def what_is_held_is_pending(vpc: Vpc, revision: Revision, host: Host, slot: Slot) -> Formula:
    """A revision that a consumer was handed and has not acknowledged is on the topic, and the host has received it."""
    return implies(
        given(vpc, revision, host),
        exists(Slot, lambda under: pending(vpc, revision, under) & attends(vpc, host, under)),
    )


@lemma
def confirmations_are_true(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """If all agents are correct, a confirmation of a host's current epoch is of a revision that it knows."""
    current = trusting() & applied.unspent(host, epoch, vpc, revision)
    return implies(
        current, (epoch <= _epoch_of(host)) & implies(epoch == _epoch_of(host), revision <= known(vpc, host))
    )
