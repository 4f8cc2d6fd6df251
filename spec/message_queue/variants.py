"""Deliberate deviations: the holes of the design document, what was built instead, and rules changed one at a time.

A variant states only its difference from the action that it replaces; the rest of the action is unchanged.
"""

from __future__ import annotations

from model.language import Deviation, Step, for_each, variant
from model.language.quantifiers import exists, forall
from model.language.terms import Formula
from spec.message_queue.aca import consume, learn, receive, restart
from spec.message_queue.definitions import large, member, small, somebody_is_leaving
from spec.message_queue.dpm import (
    NEVER,
    acknowledge,
    ask,
    ask_again,
    close_topic,
    end_subscription,
    finish_closing,
    finish_opening,
    give_up,
    greet,
    hear_acceptance,
    hear_refusal,
    leave,
    open_topic,
    publish,
    remove_port,
    report_done,
    report_failed,
    restart_dpm,
    send_directly,
)
from spec.message_queue.promises import (
    acknowledges_after_applying,
    applied_means_confirmed,
    asking_ends,
    closing_ends,
    confirmations_are_true,
    done_means_applied,
    every_agent_applies_every_revision,
    every_revision_goes_out,
    every_revision_is_reported,
    failed_means_waited,
    falling_back_is_remembered,
    invents_nothing,
    leaving_ends,
    never_flaps,
    newer_wins,
    no_port_no_subscription,
    nobody_misses_a_revision,
    opening_ends,
    opens_for_everybody,
    publishes_for_members_only,
    small_networks_leave_the_topic,
    stays_in_its_vpc,
    subscribed_means_kept,
    the_direct_channel_is_alone,
    what_all_confirm_is_done,
    what_is_applied_is_confirmed,
    what_is_published_leaves_the_backlog,
)
from spec.message_queue.vocabulary import (
    Attempt,
    Channel,
    Epoch,
    Host,
    Point,
    Revision,
    Size,
    Subscription,
    Vpc,
    applied,
    attached,
    attempt,
    backlog,
    barred,
    channel,
    confirmed,
    group,
    hello,
    known,
    many_in_a_group,
    many_ports,
    met,
    outcome,
    patience,
    permitted,
    push,
    rules,
    sent,
    size,
    subscribe,
    subscription,
    tries,
)

_attempt_of = attempt  # an alias, since actions have a parameter called attempt

# -------------------------------------------------------------------------------------------------- as designed


@variant(replaces=hear_refusal, breaks=[subscribed_means_kept], kind=Deviation.AS_DESIGNED)
def takes_a_refusal_for_success(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Step:
    """The branch for a successful subscription handles a failed one: the broker keeps the next published revision for no host."""
    return hear_refusal.but(
        without=[subscription, barred], then=[subscription.assign(host, vpc, to=Subscription.subscribed)]
    )


@variant(replaces=open_topic, breaks=[every_revision_goes_out], kind=Deviation.AS_DESIGNED)
def sends_nothing_at_equality(vpc: Vpc) -> Step:
    """Large means *more than* the threshold, and small means less: exactly at the threshold neither applies; nothing is sent."""
    return open_topic.but(
        without=[large(vpc)], when=[(many_ports(vpc) < size(vpc)) | (many_in_a_group(vpc) < group(vpc))]
    )


@variant(replaces=publish, breaks=[nobody_misses_a_revision], kind=Deviation.AS_DESIGNED)
def sends_nothing_to_the_subscribed(vpc: Vpc) -> Step:
    """There is no branch for an agent that has already subscribed: the most common case sends nothing."""
    return publish.but(without=[backlog])


@variant(replaces=receive, breaks=[newer_wins], kind=Deviation.AS_DESIGNED)
def replays_over_newer(host: Host, vpc: Vpc, revision: Revision) -> Step:
    """An agent starts at the earliest message, or seeks back, and applies again what newer revisions have replaced."""
    return receive.but(without=[known(host, vpc) < revision])


@variant(replaces=ask, breaks=[subscribed_means_kept], kind=Deviation.AS_DESIGNED)
def publishes_before_it_subscribes(host: Host, vpc: Vpc) -> Step:
    """The goal state is published first and the agent is asked to subscribe afterwards, from the latest message."""
    return ask.but(without=[subscription], then=[subscription.assign(host, vpc, to=Subscription.subscribed)])


@variant(replaces=close_topic, breaks=[never_flaps], kind=Deviation.AS_DESIGNED)
def has_no_hysteresis(vpc: Vpc) -> Step:
    """The thresholds for leaving the topic equal those for joining it: one port more or less causes a switch each time."""
    return close_topic.but(without=[small(vpc)], when=[~large(vpc)])


@variant(replaces=ask_again, breaks=[asking_ends], kind=Deviation.AS_DESIGNED)
def asks_for_ever(host: Host, vpc: Vpc) -> Step:
    """Attempts are not limited: a host whose agent is dead, or whose subscription is refused, is asked forever."""
    return ask_again.but(
        without=[tries(host, vpc) < patience(vpc), tries, attempt, subscribe],
        then=[subscribe.send(host, met(host), vpc, attempt(host, vpc))],
    )


@variant(replaces=hear_refusal, breaks=[falling_back_is_remembered], kind=Deviation.AS_DESIGNED)
def forgets_that_it_fell_back(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Step:
    """After a refusal the state goes by the direct channel, but the topic exists, so the next state asks the host again."""
    return hear_refusal.but(without=[barred])


@variant(replaces=finish_opening, breaks=[opening_ends])
def opens_only_with_everybody(vpc: Vpc) -> Step:
    """A topic goes into use only when every host of the VPC has subscribed, also one that cannot."""

    def subscribed(host: Host) -> Formula:
        return ~member(host, vpc) | (met(host) == NEVER) | (subscription(host, vpc) == Subscription.subscribed)

    return Step(
        when=[channel(vpc) == Channel.opening, ~small(vpc), forall(Host, subscribed)],
        then=finish_opening.changes,
        moves=finish_opening.moves,
    )


@variant(replaces=leave, breaks=[nobody_misses_a_revision], kind=Deviation.AS_DESIGNED)
def leaves_without_a_snapshot(host: Host, vpc: Vpc) -> Step:
    """When the topic is closed, anything published to it and not yet consumed is lost with the subscription."""
    return leave.but(without=[push])


@variant(replaces=learn, breaks=[newer_wins], kind=Deviation.AS_DESIGNED)
def the_channels_overtake_each_other(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """States on the two channels are not ordered with each other: the one that arrives last is applied, even if it is older."""
    return learn.but(without=[known(host, vpc) < revision])


@variant(replaces=close_topic, breaks=[subscribed_means_kept], kind=Deviation.AS_DESIGNED)
def closes_the_topic_at_once(vpc: Vpc) -> Step:
    """The topic is closed while one state is sent to one host; the other hosts still count as subscribed."""
    return close_topic.but(
        then=[
            for_each(Host, lambda host: attached.remove(host, vpc)),
            for_each(Host, Revision, lambda host, revision: backlog.remove(host, vpc, revision)),
        ]
    )


@variant(replaces=acknowledge, breaks=[confirmations_are_true], kind=Deviation.AS_DESIGNED)
def counts_any_confirmation(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """Confirmations are kept by host alone: an old one completes a new change."""
    return acknowledge.but(without=[confirmed], then=[confirmed.assign(host, vpc, to=sent(vpc))])


@variant(replaces=report_done, breaks=[done_means_applied], kind=Deviation.AS_DESIGNED)
def reports_before_they_confirm(vpc: Vpc, revision: Revision) -> Step:
    """Success is reported when DPM starts to watch for confirmations, not when they have arrived."""
    return report_done.but(without=[forall(Host, lambda host: ~member(host, vpc) | (revision <= confirmed(host, vpc)))])


@variant(replaces=open_topic, breaks=[never_flaps])
def opens_at_a_fifth_of_the_ports(vpc: Vpc) -> Step:
    """A topic opens when the ports have grown by exactly a fifth of the threshold, not by more."""
    return open_topic.but(without=[large(vpc)], when=[5 * size(vpc) == many_ports(vpc)])


@variant(replaces=open_topic, breaks=[never_flaps])
def opens_at_a_fifth_of_the_group(vpc: Vpc) -> Step:
    """A topic opens when the largest group has grown by exactly a fifth of the threshold, not by more."""
    return open_topic.but(without=[large(vpc)], when=[5 * group(vpc) == many_in_a_group(vpc)])


@variant(replaces=close_topic, breaks=[never_flaps])
def closes_at_four_fifths_of_the_ports(vpc: Vpc) -> Step:
    """With exactly four fifths of the ports, a VPC counts as small: one port leads from large to small."""
    return close_topic.but(
        without=[small(vpc)],
        when=[5 * size(vpc) <= 4 * many_ports(vpc), 5 * group(vpc) < 4 * many_in_a_group(vpc)],
    )


@variant(replaces=close_topic, breaks=[never_flaps])
def closes_at_four_fifths_of_the_group(vpc: Vpc) -> Step:
    """With exactly four fifths of the largest group, a VPC counts as small."""
    return close_topic.but(
        without=[small(vpc)],
        when=[5 * size(vpc) < 4 * many_ports(vpc), 5 * group(vpc) <= 4 * many_in_a_group(vpc)],
    )


@variant(replaces=leave, breaks=[subscribed_means_kept], kind=Deviation.AS_DESIGNED)
def forgets_that_it_unsubscribed(host: Host, vpc: Vpc) -> Step:
    """An agent unsubscribes, and the record of subscribed hosts is not updated."""
    return leave.but(without=[subscription], then=[attached.remove(host, vpc)])


@variant(replaces=remove_port, breaks=[no_port_no_subscription], kind=Deviation.AS_DESIGNED)
def keeps_the_subscription(host: Host, vpc: Vpc, remaining: Size, total: Size) -> Step:
    """A host loses its last port of a VPC, and its subscription stays, with a backlog, forever."""
    return remove_port.but(without=[subscription])


@variant(replaces=close_topic, breaks=[never_flaps], kind=Deviation.AS_DESIGNED)
def decides_on_the_size_before(vpc: Vpc) -> Step:
    """Ports are counted before the change: a VPC that has just reached the threshold counts as smaller."""
    ports_before = 5 * size(vpc) < 4 * many_ports(vpc) + Size.of(5)
    return close_topic.but(without=[small(vpc)], when=[ports_before, 5 * group(vpc) < 4 * many_in_a_group(vpc)])


# ------------------------------------------------------------------------------------------------------ as built


@variant(replaces=close_topic, breaks=[small_networks_leave_the_topic], kind=Deviation.AS_BUILT)
def leaves_far_too_late(vpc: Vpc) -> Step:
    """The threshold for leaving the topic is a tenth of the one for joining it: a VPC that is small again stays for long."""
    return close_topic.but(
        without=[small(vpc)], when=[10 * size(vpc) < many_ports(vpc), 10 * group(vpc) < many_in_a_group(vpc)]
    )


@variant(replaces=open_topic, breaks=[every_revision_goes_out], kind=Deviation.AS_BUILT)
def counts_ports_only(vpc: Vpc) -> Step:
    """The size of security groups decides nothing: a VPC with one large group never uses the topic."""
    return open_topic.but(without=[large(vpc)], when=[many_ports(vpc) <= size(vpc)])


@variant(replaces=consume, breaks=[acknowledges_after_applying], kind=Deviation.AS_BUILT)
def acknowledges_whatever_comes(host: Host, vpc: Vpc, revision: Revision) -> Step:
    """The agent acknowledges every message to the broker, even if parsing or applying it failed."""
    return consume.but(without=[revision <= known(host, vpc)])


@variant(replaces=hear_acceptance, breaks=[subscribed_means_kept], kind=Deviation.AS_BUILT)
def takes_any_answer(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Step:
    """The answer to an earlier attempt counts for the newest one, although its subscription has been ended since."""
    return hear_acceptance.but(without=[attempt == _attempt_of(host, vpc)])


@variant(replaces=end_subscription, breaks=[closing_ends, leaving_ends], kind=Deviation.AS_BUILT)
def never_unsubscribes(host: Host, vpc: Vpc) -> Step:
    """No host ever unsubscribes."""
    return end_subscription.but(without=[subscription, permitted, attached, backlog])


@variant(replaces=give_up, breaks=[asking_ends], kind=Deviation.AS_BUILT)
def has_no_fallback(host: Host, vpc: Vpc) -> Step:
    """A host that does not answer stays asked: it never falls back to the direct channel."""
    return give_up.but(without=[subscription, barred])


# ------------------------------------------------------------------------------------------------------- mutants


@variant(replaces=publish, breaks=[publishes_for_members_only])
def publishes_while_somebody_leaves(vpc: Vpc) -> Step:
    """Revisions are published while a host without a port still has its subscription."""
    return publish.but(without=[~somebody_is_leaving(vpc)])


@variant(replaces=report_failed, breaks=[failed_means_waited])
def fails_what_all_have_confirmed(vpc: Vpc, revision: Revision) -> Step:
    """DPM reports a revision as failed although every host has confirmed it."""
    return report_failed.but(
        without=[exists(Host, lambda host: member(host, vpc) & (confirmed(host, vpc) < revision))],
        when=[exists(Host, lambda host: member(host, vpc))],
    )


@variant(replaces=report_done, breaks=[done_means_applied])
def reports_done_before_it_goes_out(vpc: Vpc, revision: Revision) -> Step:
    """A revision counts as done while nobody has a port, although it did not go out: hosts with later ports are not sent it."""
    return report_done.but(without=[revision <= sent(vpc)])


@variant(replaces=report_failed, breaks=[failed_means_waited])
def fails_what_did_not_go_out(vpc: Vpc, revision: Revision) -> Step:
    """DPM waits for confirmations of a revision that nobody was sent."""
    return report_failed.but(without=[revision <= sent(vpc)])


@variant(replaces=report_failed, breaks=[every_revision_is_reported])
def fails_the_newest_revision_only(vpc: Vpc, revision: Revision) -> Step:
    """DPM forgets what it waits for when a newer revision goes out: what a silent host did not confirm until then stays pending."""
    return report_failed.but(when=[revision == sent(vpc)])


@variant(replaces=report_done, breaks=[what_all_confirm_is_done])
def waits_for_newer_confirmations(vpc: Vpc, revision: Revision) -> Step:
    """The confirmation of a revision does not count for it, only for older ones."""
    return report_done.but(
        without=[forall(Host, lambda host: ~member(host, vpc) | (revision <= confirmed(host, vpc)))],
        when=[forall(Host, lambda host: ~member(host, vpc) | (revision < confirmed(host, vpc)))],
    )


@variant(replaces=report_done, breaks=[what_all_confirm_is_done])
def waits_for_its_own_confirmation(vpc: Vpc, revision: Revision) -> Step:
    """The confirmation of a newer revision does not count for the older ones, which it has replaced."""
    return report_done.but(
        without=[forall(Host, lambda host: ~member(host, vpc) | (revision <= confirmed(host, vpc)))],
        when=[forall(Host, lambda host: ~member(host, vpc) | (revision == confirmed(host, vpc)))],
    )


@variant(replaces=report_done, breaks=[what_all_confirm_is_done])
def reports_the_newest_revision_only(vpc: Vpc, revision: Revision) -> Step:
    """DPM reports a revision as done only while no newer one went out."""
    return report_done.but(when=[revision == sent(vpc)])


@variant(replaces=publish, breaks=[nobody_misses_a_revision])
def pushes_to_nobody_on_the_topic(vpc: Vpc) -> Step:
    """On the topic nothing is pushed: a host that could not subscribe, or has not yet, misses the revision."""
    return publish.but(without=[push])


@variant(replaces=send_directly, breaks=[stays_in_its_vpc, publishes_for_members_only])
def pushes_to_all_hosts(vpc: Vpc) -> Step:
    """Every host is sent the revisions of every VPC."""
    return send_directly.but(
        without=[push],
        then=[for_each(Host, lambda host: push.send(host, met(host), vpc, rules(vpc)).when(met(host) > Epoch.of(0)))],
    )


@variant(replaces=open_topic, breaks=[opens_for_everybody])
def remembers_who_could_not_subscribe(vpc: Vpc) -> Step:
    """A host that could not subscribe is not asked again when the topic opens again."""
    return open_topic.but(without=[barred])


@variant(replaces=send_directly, breaks=[invents_nothing])
def sends_the_next_revision(vpc: Vpc) -> Step:
    """DPM sends a revision whose number was not issued yet."""
    return send_directly.but(without=[sent], then=[sent.assign(vpc, to=rules(vpc) + 1)])


@variant(replaces=restart_dpm, breaks=[newer_wins])
def forgets_what_it_sent(after: Point) -> Step:
    """DPM does not store which revision went out, and sends all of them again after a restart."""
    return restart_dpm.but(then=[for_each(Vpc, lambda vpc: sent.assign(vpc, to=Revision.of(0)))])


@variant(replaces=learn, breaks=[invents_nothing])
def counts_the_next_revision_as_applied(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """The agent counts revisions from 1 and DPM from 0: the agent takes what it applies for the next revision."""
    return learn.but(without=[known], then=[known.assign(host, vpc, to=revision + 1)])


@variant(replaces=restart, breaks=[applied_means_confirmed])
def does_not_say_that_it_started(host: Host) -> Step:
    """An agent restarts, and DPM is not told: it is sent nothing of what it has forgotten."""
    return restart.but(without=[hello])


@variant(replaces=acknowledge, breaks=[what_is_applied_is_confirmed])
def ignores_confirmations(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """DPM reads confirmations and does not count them: every revision fails."""
    return acknowledge.but(without=[confirmed])


@variant(replaces=consume, breaks=[what_is_published_leaves_the_backlog])
def never_acknowledges(host: Host, vpc: Vpc, revision: Revision) -> Step:
    """The agent acknowledges nothing to the broker, which keeps and redelivers everything."""
    return consume.but(without=[backlog])


@variant(replaces=learn, breaks=[applied_means_confirmed])
def applies_without_confirming_it(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """The agent applies a revision and does not confirm it."""
    return learn.but(without=[applied])


@variant(replaces=receive, breaks=[confirmations_are_true])
def confirms_what_it_did_not_apply(host: Host, vpc: Vpc, revision: Revision) -> Step:
    """The agent confirms what the topic delivers without applying it."""
    return receive.but(without=[known])


@variant(replaces=finish_closing, breaks=[the_direct_channel_is_alone])
def finishes_closing_early(vpc: Vpc) -> Step:
    """The VPC counts as back on the direct channel while hosts are still subscribed."""
    return finish_closing.but(without=[forall(Host, lambda host: subscription(host, vpc) == Subscription.none)])


@variant(replaces=greet, breaks=[nobody_misses_a_revision])
def greets_without_a_snapshot(host: Host, epoch: Epoch) -> Step:
    """DPM meets a restarted agent, and does not resend what it had applied."""
    return greet.but(without=[push])


@variant(replaces=end_subscription, breaks=[no_port_no_subscription])
def ends_it_at_the_broker_later(host: Host, vpc: Vpc) -> Step:
    """DPM counts the subscription as ended while the broker still keeps it."""
    return end_subscription.but(without=[attached, backlog])


@variant(replaces=learn, breaks=[every_agent_applies_every_revision])
def ignores_what_is_pushed(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """The agent takes a pushed revision and does not apply it."""
    return learn.but(without=[known, applied])


@variant(replaces=report_failed, breaks=[every_revision_is_reported], kind=Deviation.AS_DESIGNED)
def waits_for_the_dead(vpc: Vpc, revision: Revision) -> Step:
    """Missing confirmations are looked for repeatedly without consequence: DPM waits for a dead agent forever."""
    return report_failed.but(without=[outcome])
