"""The promises of the message queue.

Promises about what an agent knows or does cover correct agents only; promises about what DPM sends and the broker keeps cover all
hosts.
"""

from __future__ import annotations

from model.language import always, eventually, leads_to, sometimes, two_state
from model.language.claims import LeadsTo
from model.language.quantifiers import exists, forall
from model.language.terms import Formula, implies
from spec.message_queue.definitions import in_session, member, on_the_topic, small, under_way
from spec.message_queue.vocabulary import (
    Attempt,
    Change,
    Channel,
    Epoch,
    Host,
    Revision,
    Size,
    Subscription,
    Vpc,
    applied,
    attached,
    attempt,
    backlog,
    barred,
    belonged,
    channel,
    confirmed,
    correct,
    epoch,
    group,
    group_then,
    hello,
    known,
    listening,
    many_in_a_group,
    many_ports,
    met,
    outcome,
    permitted,
    ports,
    push,
    rules,
    sent,
    size,
    size_then,
    subscription,
)

NOTHING = Revision.of(0)
NO_PORT = Size.of(0)

# ------------------------------------------------------------------------------------------------ nothing is lost


@sometimes
def a_revision_comes_by_the_topic(host: Host, vpc: Vpc) -> Formula:
    """The newest revision reaches a host by the topic alone: it is in the backlog, not pushed, and not yet known."""
    by_topic = (subscription(host, vpc) == Subscription.subscribed) & backlog(host, vpc, sent(vpc))
    return by_topic & ~push.unspent(host, met(host), vpc, sent(vpc)) & (known(host, vpc) < sent(vpc)) & in_session(host)


@sometimes
def a_topic_was_used_and_closed(host: Host, vpc: Vpc) -> Formula:
    """A VPC is on the direct channel again, and a host that had been asked to subscribe knows the newest revision."""
    back = (channel(vpc) == Channel.grpc) & (NOTHING < sent(vpc)) & member(host, vpc)
    return back & (known(host, vpc) == sent(vpc)) & (Attempt.of(0) < attempt(host, vpc))


@always(a_revision_comes_by_the_topic, a_topic_was_used_and_closed)
def nobody_misses_a_revision(host: Host, vpc: Vpc) -> Formula:
    """Over any number of switches, a host with a port of the VPC knows the newest revision that went out, or it is in flight.

    This covers correct agents whose current epoch DPM has met; other agents are sent everything when they are met.
    """
    due = correct(host) & in_session(host) & member(host, vpc) & (NOTHING < sent(vpc))
    return implies(due, (sent(vpc) <= known(host, vpc)) | under_way(host, vpc, sent(vpc)))


@sometimes
def a_host_is_subscribed(host: Host, vpc: Vpc) -> Formula:
    """A host has subscribed, and DPM knows it."""
    return attached(host, vpc) & (subscription(host, vpc) == Subscription.subscribed)


@always(a_host_is_subscribed)
def subscribed_means_kept(host: Host, vpc: Vpc) -> Formula:
    """A correct agent that DPM counts as subscribed is, so that the broker keeps for it what is published: subscribe first."""
    return implies(correct(host) & (subscription(host, vpc) == Subscription.subscribed), attached(host, vpc))


# ---------------------------------------------------------------------------------------------------- isolation


@sometimes
def a_host_has_left(host: Host, vpc: Vpc) -> Formula:
    """A host that had a port of the VPC and knows a revision has no port any more."""
    return belonged(host, vpc) & ~member(host, vpc) & (NOTHING < known(host, vpc))


@always(a_host_has_left)
def no_port_no_subscription(host: Host, vpc: Vpc) -> Formula:
    """A host without a port of the VPC may not subscribe and has no subscription, whatever its agent does, once DPM has ended it.

    Until then the subscription is leaving; `leaving_ends` says that this ends.
    """
    may = permitted(host, vpc) | attached(host, vpc)
    return implies(may, member(host, vpc) | (subscription(host, vpc) == Subscription.leaving))


@two_state(a_host_has_left)
def publishes_for_members_only(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """No revision is added to the backlog of a host without a port of the VPC, or pushed to it."""
    published = backlog.after(host, vpc, revision) & ~backlog(host, vpc, revision)
    pushed = push.begins(host, epoch, vpc, revision)
    return implies(published | pushed, NO_PORT < ports.after(host, vpc))


@always(a_host_has_left)
def stays_in_its_vpc(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """A host is sent revisions only of a VPC of which it has, or had, a port."""
    return implies(push.unspent(host, epoch, vpc, revision) | backlog(host, vpc, revision), belonged(host, vpc))


# ----------------------------------------------------------------------------------------------- newer wins, truth


@sometimes
def an_old_revision_is_still_in_the_backlog(host: Host, vpc: Vpc, revision: Revision) -> Formula:
    """The broker has yet to deliver a revision that a push has overtaken."""
    return backlog(host, vpc, revision) & (revision < known(host, vpc))


@two_state(an_old_revision_is_still_in_the_backlog)
def newer_wins(host: Host, vpc: Vpc) -> Formula:
    """The newest revision sent never decreases; what a correct agent knows never decreases within an epoch, on either channel."""
    same_epoch = correct(host) & (epoch.after(host) == epoch(host))
    return (sent(vpc) <= sent.after(vpc)) & implies(same_epoch, known(host, vpc) <= known.after(host, vpc))


@always(a_host_is_subscribed)
def invents_nothing(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """No revision goes out that DPM did not issue, none is pushed or kept that did not go out, and correct agents know no other."""
    under_way = push.unspent(host, epoch, vpc, revision) | backlog(host, vpc, revision)
    knows = correct(host) & (known(host, vpc) == revision)
    return (sent(vpc) <= rules(vpc)) & implies(under_way | knows, revision <= sent(vpc))


# ------------------------------------------------------------------------------------------------- confirmation


@sometimes
def a_backlog_is_consumed(host: Host, vpc: Vpc, revision: Revision) -> Formula:
    """An agent acknowledges a revision to the broker."""
    return backlog(host, vpc, revision) & ~backlog.after(host, vpc, revision) & attached.after(host, vpc)


@two_state(a_backlog_is_consumed)
def acknowledges_after_applying(host: Host, vpc: Vpc, revision: Revision) -> Formula:
    """A correct agent acknowledges a revision to the broker only after applying it or a newer one."""
    taken = backlog(host, vpc, revision) & ~backlog.after(host, vpc, revision)
    return implies(correct(host) & taken & attached.after(host, vpc), revision <= known(host, vpc))


@sometimes
def a_confirmation_is_under_way(host: Host, vpc: Vpc) -> Formula:
    """An agent has applied a revision, and DPM does not know it yet."""
    return in_session(host) & correct(host) & (confirmed(host, vpc) < known(host, vpc))


@always(a_confirmation_is_under_way)
def confirmations_are_true(host: Host, vpc: Vpc, revision: Revision) -> Formula:
    """A correct agent has applied everything that it confirms and that DPM counts as confirmed, for that VPC and in that epoch."""
    said = implies(applied.unspent(host, epoch(host), vpc, revision), revision <= known(host, vpc))
    return implies(correct(host), said & implies(in_session(host), confirmed(host, vpc) <= known(host, vpc)))


@always(a_confirmation_is_under_way)
def applied_means_confirmed(host: Host, vpc: Vpc) -> Formula:
    """If DPM does not know what a correct agent has applied, the confirmation is in flight; before DPM meets it, the hello is."""
    behind = correct(host) & in_session(host) & (confirmed(host, vpc) < known(host, vpc))
    said = implies(behind, applied.unspent(host, met(host), vpc, known(host, vpc)))
    return said & implies(correct(host) & (met(host) < epoch(host)), hello.unspent(host, epoch(host)))


@sometimes
def a_revision_is_done(vpc: Vpc, revision: Revision) -> Formula:
    """A revision is reported done."""
    return outcome(vpc, revision) == Change.done


@sometimes
def a_revision_fails(vpc: Vpc, revision: Revision) -> Formula:
    """A revision is reported failed."""
    return outcome(vpc, revision) == Change.failed


@two_state(a_revision_is_done, a_revision_fails)
def done_means_applied(host: Host, vpc: Vpc, revision: Revision) -> Formula:
    """A revision is reported done only once it went out and every host with a port of the VPC has confirmed it or a newer one.

    So every correct agent of such a host has applied it, unless it has restarted and DPM has not met it yet.
    """
    reported = (outcome.after(vpc, revision) == Change.done) & (outcome(vpc, revision) != Change.done)
    said = (revision <= sent(vpc)) & implies(member(host, vpc), revision <= confirmed(host, vpc))
    due = correct(host) & in_session(host) & member(host, vpc)
    return implies(reported, said & implies(due, revision <= known(host, vpc)))


@two_state(a_revision_fails)
def failed_means_waited(vpc: Vpc, revision: Revision) -> Formula:
    """A revision is reported failed only once it went out, and while some host with a port of the VPC has not confirmed it."""
    reported = (outcome.after(vpc, revision) == Change.failed) & (outcome(vpc, revision) != Change.failed)
    waits = exists(Host, lambda host: member(host, vpc) & (confirmed(host, vpc) < revision))
    return implies(reported, (revision <= sent(vpc)) & waits)


# --------------------------------------------------------------------------------------------------- the channel


@sometimes
def a_topic_is_in_use(vpc: Vpc) -> Formula:
    """A VPC has switched to its topic, and a host is subscribed."""
    return (channel(vpc) == Channel.mq) & exists(Host, lambda host: subscription(host, vpc) == Subscription.subscribed)


@sometimes
def a_topic_is_closing(vpc: Vpc) -> Formula:
    """A VPC leaves its topic."""
    return channel(vpc) == Channel.closing


@always(a_topic_is_in_use, a_topic_is_closing)
def the_direct_channel_is_alone(host: Host, vpc: Vpc) -> Formula:
    """When a VPC is back on the direct channel, no subscription is left, at DPM or at the broker."""
    left = (subscription(host, vpc) == Subscription.none) & ~attached(host, vpc)
    return implies(channel(vpc) == Channel.grpc, left)


@two_state(a_topic_is_in_use, a_topic_is_closing)
def never_flaps(vpc: Vpc) -> Formula:
    """Between two decisions, one of the numbers has changed by more than a fifth of its threshold."""
    opened = (channel(vpc) == Channel.grpc) & (channel.after(vpc) == Channel.opening)
    grown = (many_ports(vpc) + 5 * size_then(vpc) < 5 * size(vpc)) | (
        many_in_a_group(vpc) + 5 * group_then(vpc) < 5 * group(vpc)
    )
    closed = (channel(vpc) != Channel.closing) & (channel.after(vpc) == Channel.closing)
    shrunk = (many_ports(vpc) + 5 * size(vpc) < 5 * size_then(vpc)) | (
        many_in_a_group(vpc) + 5 * group(vpc) < 5 * group_then(vpc)
    )
    return implies(opened, grown) & implies(closed, shrunk)


@sometimes
def a_host_could_not_subscribe(host: Host, vpc: Vpc) -> Formula:
    """A VPC has left its topic, which a host of it could not subscribe to."""
    return barred(host, vpc) & member(host, vpc) & (channel(vpc) == Channel.grpc)


@two_state(a_host_could_not_subscribe)
def opens_for_everybody(host: Host, vpc: Vpc) -> Formula:
    """When a topic opens, no host counts as unable to subscribe: all are asked, also those that could not the last time."""
    opens = (channel(vpc) == Channel.grpc) & (channel.after(vpc) == Channel.opening)
    return implies(opens, ~barred.after(host, vpc))


@sometimes
def a_host_falls_back(host: Host, vpc: Vpc) -> Formula:
    """A VPC is on the topic, and a host could not subscribe to it."""
    return barred(host, vpc) & on_the_topic(vpc)


@two_state(a_host_falls_back)
def falling_back_is_remembered(host: Host, vpc: Vpc) -> Formula:
    """A host whose subscription ends while its VPC is on the topic counts as unable to subscribe: it is not asked over and over."""
    leaves = (subscription(host, vpc) != Subscription.leaving) & (subscription.after(host, vpc) == Subscription.leaving)
    stays = Size.of(0) < ports.after(host, vpc)
    return implies(leaves & stays & on_the_topic(vpc), barred.after(host, vpc))


# ------------------------------------------------------------------------------------------------------ eventually


def unchanged(vpc: Vpc, total: Size, largest: Size) -> Formula:
    """The numbers that decide the channel have these values."""
    return (size(vpc) == total) & (group(vpc) == largest)


@eventually(a_revision_comes_by_the_topic)
def every_revision_goes_out(vpc: Vpc, revision: Revision, total: Size, largest: Size) -> LeadsTo:
    """Every revision eventually goes out, or a newer one in its place, unless the VPC's size changes in between."""
    waits = (sent(vpc) < revision) & (revision <= rules(vpc)) & unchanged(vpc, total, largest)
    return leads_to(waits, (revision <= sent(vpc)) | ~unchanged(vpc, total, largest))


@eventually(a_topic_is_in_use)
def opening_ends(vpc: Vpc, total: Size, largest: Size) -> LeadsTo:
    """A topic is not opening forever, whatever its agents do, unless the VPC's size changes in between."""
    opening = (channel(vpc) == Channel.opening) & unchanged(vpc, total, largest)
    return leads_to(opening, (channel(vpc) != Channel.opening) | ~unchanged(vpc, total, largest))


@eventually(a_topic_is_closing)
def closing_ends(vpc: Vpc) -> LeadsTo:
    """A closing topic is eventually closed, whatever its agents do."""
    return leads_to(channel(vpc) == Channel.closing, channel(vpc) == Channel.grpc)


@eventually(a_topic_is_closing)
def small_networks_leave_the_topic(vpc: Vpc, total: Size, largest: Size) -> LeadsTo:
    """A VPC that is small and stays small eventually leaves the topic."""
    there = on_the_topic(vpc) & small(vpc) & unchanged(vpc, total, largest)
    return leads_to(there, ~on_the_topic(vpc) | ~unchanged(vpc, total, largest))


@eventually(a_host_is_subscribed)
def asking_ends(host: Host, vpc: Vpc) -> LeadsTo:
    """A host that was asked to subscribe is eventually subscribed or left alone: no host is asked forever."""
    asked = subscription(host, vpc) == Subscription.asked
    return leads_to(asked, ~asked)


@eventually(a_host_has_left)
def leaving_ends(host: Host, vpc: Vpc) -> LeadsTo:
    """A subscription that is ending eventually ends."""
    leaving = subscription(host, vpc) == Subscription.leaving
    return leads_to(leaving, ~leaving)


@eventually(a_revision_comes_by_the_topic)
def every_agent_applies_every_revision(host: Host, vpc: Vpc, revision: Revision) -> LeadsTo:
    """A correct agent in session eventually applies what went out, or a newer one, unless it restarts or loses its last port."""
    due = correct(host) & in_session(host) & member(host, vpc)
    return leads_to(
        due & (NOTHING < revision) & (revision <= sent(vpc)),
        (revision <= known(host, vpc)) | ~in_session(host) | ~member(host, vpc),
    )


@eventually(a_backlog_is_consumed)
def what_is_published_leaves_the_backlog(host: Host, vpc: Vpc, revision: Revision) -> LeadsTo:
    """While a correct agent consumes from the topic, everything in its backlog is eventually acknowledged to the broker."""
    kept = backlog(host, vpc, revision)
    return leads_to(correct(host) & listening(host, vpc) & kept, ~kept | ~listening(host, vpc))


@eventually(a_confirmation_is_under_way)
def what_is_applied_is_confirmed(host: Host, vpc: Vpc, revision: Revision) -> LeadsTo:
    """DPM eventually counts as confirmed what a correct agent in session knows, unless it restarts or loses its last port."""
    due = correct(host) & in_session(host) & member(host, vpc)
    knows = due & (known(host, vpc) == revision) & (NOTHING < revision)
    return leads_to(knows, (revision <= confirmed(host, vpc)) | ~in_session(host) | ~member(host, vpc))


@eventually(a_revision_is_done, a_revision_fails)
def every_revision_is_reported(vpc: Vpc, revision: Revision, total: Size, largest: Size) -> LeadsTo:
    """A revision that went out is eventually reported done or failed, unless the VPC's size changes in between."""
    open_ = (outcome(vpc, revision) == Change.pending) & (revision <= sent(vpc)) & unchanged(vpc, total, largest)
    return leads_to(open_, (outcome(vpc, revision) != Change.pending) | ~unchanged(vpc, total, largest))


@eventually(a_revision_is_done)
def what_all_confirm_is_done(vpc: Vpc, revision: Revision) -> LeadsTo:
    """A revision that every host with a port has confirmed is eventually reported done, unless a port or an epoch is added."""
    open_ = (outcome(vpc, revision) == Change.pending) & (revision <= sent(vpc))
    all_ = forall(Host, lambda host: ~member(host, vpc) | (revision <= confirmed(host, vpc)))
    return leads_to(open_ & all_, (outcome(vpc, revision) == Change.done) | ~all_)
