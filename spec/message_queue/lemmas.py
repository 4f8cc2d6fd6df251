"""Supporting invariants: they promise nothing themselves, and make every promise inductive."""

from __future__ import annotations

from model.language import lemma
from model.language.terms import Formula, implies, same
from spec.message_queue.definitions import engaged, in_session, member, on_the_topic
from spec.message_queue.vocabulary import (
    Attempt,
    Change,
    Channel,
    Epoch,
    Host,
    Revision,
    Subscription,
    Vpc,
    accepted,
    applied,
    attached,
    attempt,
    backlog,
    belonged,
    channel,
    correct,
    declined,
    epoch,
    group_then,
    heard,
    hello,
    known,
    listening,
    many_in_a_group,
    many_ports,
    met,
    outcome,
    patience,
    permitted,
    push,
    rules,
    sent,
    size_then,
    subscribe,
    subscription,
    tries,
)

_epoch_of = epoch  # aliases, since lemmas have parameters with these names
_attempt_of = attempt
NEVER = Epoch.of(0)
NOTHING = Revision.of(0)

# ------------------------------------------------------------------------------------------------ subscriptions


@lemma
def permitted_means_under_way(host: Host, vpc: Vpc) -> Formula:
    """A host may subscribe exactly while DPM has it on the topic, joining it or leaving it."""
    return same(permitted(host, vpc), subscription(host, vpc) != Subscription.none)


@lemma
def attached_means_permitted(host: Host, vpc: Vpc) -> Formula:
    """A subscription exists only while it is permitted."""
    return implies(attached(host, vpc), permitted(host, vpc))


@lemma
def only_members_are_asked(host: Host, vpc: Vpc) -> Formula:
    """A host that is asked or subscribed has a port and was met, and the VPC is not on the direct channel."""
    there = member(host, vpc) & (met(host) > NEVER)
    return implies(engaged(host, vpc), there)


@lemma
def the_direct_channel_has_no_subscriptions(host: Host, vpc: Vpc) -> Formula:
    """DPM returns to the direct channel only when no host is on the topic."""
    return implies(channel(vpc) == Channel.grpc, subscription(host, vpc) == Subscription.none)


@lemma
def askings_are_counted(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Formula:
    """Every request to subscribe has an attempt number that was issued, and an epoch that was met."""
    issued = (Attempt.of(0) < attempt) & (attempt <= _attempt_of(host, vpc))
    return implies(subscribe(host, epoch, vpc, attempt), issued & (epoch <= met(host)) & (NEVER < epoch))


@lemma
def answers_are_to_askings(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Formula:
    """A correct agent accepts or declines only what it was asked, in the epoch in which it was asked."""
    answered = accepted(host, epoch, vpc, attempt) | declined(host, epoch, vpc, attempt)
    return implies(correct(host) & answered, subscribe(host, epoch, vpc, attempt))


@lemma
def nobody_is_asked_too_often(host: Host, vpc: Vpc) -> Formula:
    """DPM asks a host no more often in a row than its limit allows."""
    return tries(host, vpc) <= patience(vpc)


@lemma
def accepted_means_attached(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Formula:
    """While DPM waits for the answer to an attempt that a correct agent has accepted, the subscription exists."""
    waited_for = (attempt == _attempt_of(host, vpc)) & (subscription(host, vpc) == Subscription.asked)
    return implies(correct(host) & accepted(host, epoch, vpc, attempt) & waited_for, attached(host, vpc))


# ---------------------------------------------------------------------------------------------------- revisions


@lemma
def only_what_was_sent_is_under_way(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """Every revision that is pushed or in a backlog went out."""
    there = push(host, epoch, vpc, revision) | backlog(host, vpc, revision)
    return implies(there, (revision <= sent(vpc)) & (NOTHING < revision))


@lemma
def pushes_are_to_members(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """Every revision that a host is pushed, has in its backlog or knows is of a VPC of which the host has, or had, a port."""
    there = push(host, epoch, vpc, revision) | backlog(host, vpc, revision) | (NOTHING < known(host, vpc))
    return implies(there, belonged(host, vpc))


@lemma
def members_belonged(host: Host, vpc: Vpc) -> Formula:
    """The history records every host with a port as belonging to the VPC."""
    return implies(member(host, vpc), belonged(host, vpc))


@lemma
def pushes_are_to_met_epochs(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """DPM pushes only to epochs that it has met."""
    return implies(push(host, epoch, vpc, revision), (epoch <= met(host)) & (NEVER < epoch))


@lemma
def sent_means_issued(vpc: Vpc) -> Formula:
    """Only issued revisions went out."""
    return sent(vpc) <= rules(vpc)


@lemma
def issued_revisions_have_an_outcome(vpc: Vpc, revision: Revision) -> Formula:
    """DPM keeps an outcome for exactly the revisions that it issued."""
    return same(outcome(vpc, revision) != Change.none, (NOTHING < revision) & (revision <= rules(vpc)))


# ------------------------------------------------------------------------------------------------------ sessions


@lemma
def dpm_meets_begun_epochs(host: Host, epoch: Epoch) -> Formula:
    """DPM has met no epoch of a correct agent that has not begun."""
    begun = (met(host) <= _epoch_of(host)) & implies(hello(host, epoch), epoch <= _epoch_of(host))
    return implies(correct(host), begun)


@lemma
def only_correct_agents_start(host: Host) -> Formula:
    """The state has no entries for Byzantine agents: what they know or do between messages is not modeled."""
    return implies(~correct(host), epoch(host) == NEVER)


@lemma
def only_the_met_know(host: Host, vpc: Vpc) -> Formula:
    """An agent whose epoch DPM has not met knows nothing, was asked nothing, and consumes nothing. No Byzantine agent does."""
    fresh = (known(host, vpc) == NOTHING) & (heard(host, vpc) == Attempt.of(0)) & ~listening(host, vpc)
    return implies(~in_session(host), fresh)


@lemma
def confirmations_are_of_begun_epochs(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """A correct agent confirms only in epochs that have begun, and only what it knows."""
    of_now = implies(epoch == _epoch_of(host), revision <= known(host, vpc))
    return implies(correct(host) & applied(host, epoch, vpc, revision), (epoch <= _epoch_of(host)) & of_now)


# ------------------------------------------------------------------------------------------------------ decisions


@lemma
def on_the_topic_since_it_was_large(vpc: Vpc) -> Formula:
    """A VPC on the topic was large when DPM decided for it, and a VPC that left the topic was small."""
    was_large = (many_ports(vpc) <= size_then(vpc)) | (many_in_a_group(vpc) <= group_then(vpc))
    was_small = (5 * size_then(vpc) < 4 * many_ports(vpc)) & (5 * group_then(vpc) < 4 * many_in_a_group(vpc))
    never = (size_then(vpc) == size_then(vpc)) & ~on_the_topic(vpc)
    return implies(on_the_topic(vpc), was_large) & implies(never, was_small)
