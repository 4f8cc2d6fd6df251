"""The actions of DPM: it counts ports, chooses a channel, moves hosts on and off the topic, and sends each revision.

Every decision is based on what DPM has stored, and is stored before anything is sent.
"""

from __future__ import annotations

from model.language import Change as Changed
from model.language import Step, action, alternatives, for_each
from model.language.quantifiers import exists, forall
from model.language.terms import Formula, choose
from spec.message_queue.definitions import (
    agent_session,
    channel_state,
    engaged,
    large,
    member,
    on_the_topic,
    revision_state,
    small,
    somebody_is_leaving,
    subscription_state,
)
from spec.message_queue.vocabulary import (
    DPM,
    Attempt,
    Change,
    Channel,
    Epoch,
    Host,
    Point,
    Revision,
    Size,
    Subscription,
    Tries,
    Vpc,
    accepted,
    applied,
    attached,
    attempt,
    backlog,
    barred,
    belonged,
    channel,
    confirmed,
    declined,
    group,
    group_then,
    hello,
    met,
    outcome,
    patience,
    permitted,
    ports,
    push,
    rules,
    sent,
    size,
    size_then,
    subscribe,
    subscription,
    tries,
)
from spec.on_demand.vocabulary import Session

_attempt_of = attempt  # an alias, since actions have a parameter called attempt
NEVER = Epoch.of(0)
NO_PORT = Size.of(0)
NOTHING = Revision.of(0)

# ----------------------------------------------------------------------------------------------- ports and groups


@action(by=DPM)
def add_port(host: Host, vpc: Vpc) -> Step:
    """The host gets a port of the VPC. With the first port, DPM sends it the newest revision."""
    first = ports(host, vpc) == NO_PORT
    return Step(
        then=[
            ports.assign(host, vpc, to=ports(host, vpc) + 1),
            size.assign(vpc, to=size(vpc) + 1),
            belonged.add(host, vpc),
            push.send(host, met(host), vpc, sent(vpc)).when(first & (met(host) > NEVER) & (sent(vpc) > NOTHING)),
        ],
    )


@action(by=DPM)
def remove_port(host: Host, vpc: Vpc, remaining: Size, total: Size) -> Step:
    """The host loses a port of the VPC. With the last port, its subscription ends."""
    return Step(
        when=[ports(host, vpc) == remaining + 1, size(vpc) == total + 1],
        then=[
            ports.assign(host, vpc, to=remaining),
            size.assign(vpc, to=total),
            group.assign(vpc, to=choose(total < group(vpc), total, group(vpc))),
            subscription.assign(host, vpc, to=Subscription.leaving).when((remaining == NO_PORT) & engaged(host, vpc)),
        ],
        moves=[
            subscription_state.move(
                host, vpc, source=[Subscription.asked, Subscription.subscribed], to=[Subscription.leaving]
            )
        ],
    )


@action(by=DPM)
def regroup(vpc: Vpc, largest: Size) -> Step:
    """The VPC's largest security group grows or shrinks."""
    return Step(when=[largest <= size(vpc), largest != group(vpc)], then=[group.assign(vpc, to=largest)])


@action(by=DPM)
def change_rules(vpc: Vpc) -> Step:
    """What the VPC's hosts share changes: a new revision, to be sent to all of them."""
    return Step(
        then=[
            rules.assign(vpc, to=rules(vpc) + 1),
            outcome.assign(vpc, rules(vpc) + 1, to=Change.pending),
        ],
        moves=[revision_state.move(vpc, rules(vpc) + 1, source=[Change.none], to=[Change.pending])],
    )


# ------------------------------------------------------------------------------------------- decision and sending


def decided_now(vpc: Vpc) -> list[Changed]:
    """History: the numbers at the time of the decision."""
    return [size_then.assign(vpc, to=size(vpc)), group_then.assign(vpc, to=group(vpc))]


@action(by=DPM, fair=True)
def open_topic(vpc: Vpc) -> Step:
    """The VPC has become large: its hosts are asked to subscribe, including those that could not subscribe before."""
    return Step(
        when=[channel(vpc) == Channel.grpc, large(vpc)],
        then=[
            channel.assign(vpc, to=Channel.opening),
            for_each(Host, lambda host: barred.remove(host, vpc)),
            *decided_now(vpc),
        ],
        moves=[channel_state.move(vpc, source=[Channel.grpc], to=[Channel.opening])],
    )


@action(by=DPM, fair=True)
def close_topic(vpc: Vpc) -> Step:
    """The VPC has become small: DPM stops publishing to its topic."""
    return Step(
        when=[on_the_topic(vpc), small(vpc)],
        then=[channel.assign(vpc, to=Channel.closing), *decided_now(vpc)],
        moves=[channel_state.move(vpc, source=[Channel.opening, Channel.mq], to=[Channel.closing])],
    )


@action(by=DPM, fair=True)
def send_directly(vpc: Vpc) -> Step:
    """If the VPC is not large or is leaving the topic, DPM pushes the newest revision to every host with a port there."""
    return Step(
        when=[
            sent(vpc) < rules(vpc),
            (channel(vpc) == Channel.grpc) & ~large(vpc) | (channel(vpc) == Channel.closing),
        ],
        then=[
            sent.assign(vpc, to=rules(vpc)),
            for_each(
                Host,
                lambda host: push.send(host, met(host), vpc, rules(vpc)).when(member(host, vpc) & (met(host) > NEVER)),
            ),
        ],
    )


@action(by=DPM, fair=True)
def publish(vpc: Vpc) -> Step:
    """On the topic, DPM publishes the newest revision once, and pushes it to the hosts that are not known to be subscribed."""
    return Step(
        when=[sent(vpc) < rules(vpc), on_the_topic(vpc), ~small(vpc), ~somebody_is_leaving(vpc)],
        then=[
            sent.assign(vpc, to=rules(vpc)),
            for_each(Host, lambda host: backlog.add(host, vpc, rules(vpc)).when(attached(host, vpc))),
            for_each(
                Host,
                lambda host: push.send(host, met(host), vpc, rules(vpc)).when(
                    member(host, vpc) & (met(host) > NEVER) & (subscription(host, vpc) != Subscription.subscribed)
                ),
            ),
        ],
    )


@alternatives(open_topic, close_topic, send_directly, publish)
def sends_a_revision(vpc: Vpc) -> Formula:
    """A revision to be sent goes out on one channel, or DPM first switches to the other one. All combinations of numbers are
    covered.
    """
    return (sent(vpc) < rules(vpc)) & ~somebody_is_leaving(vpc)


@action(by=DPM, fair=True)
def finish_opening(vpc: Vpc) -> Step:
    """Every host of the VPC has subscribed, is known to be unable to, or has no agent yet."""

    def settled(host: Host) -> Formula:
        absent = ~member(host, vpc) | (met(host) == NEVER)
        return absent | barred(host, vpc) | (subscription(host, vpc) == Subscription.subscribed)

    return Step(
        when=[channel(vpc) == Channel.opening, ~small(vpc), forall(Host, settled)],
        then=[channel.assign(vpc, to=Channel.mq)],
        moves=[channel_state.move(vpc, source=[Channel.opening], to=[Channel.mq])],
    )


@action(by=DPM, fair=True)
def finish_closing(vpc: Vpc) -> Step:
    """No subscription to the VPC's topic is left."""
    return Step(
        when=[
            channel(vpc) == Channel.closing,
            forall(Host, lambda host: subscription(host, vpc) == Subscription.none),
        ],
        then=[channel.assign(vpc, to=Channel.grpc)],
        moves=[channel_state.move(vpc, source=[Channel.closing], to=[Channel.grpc])],
    )


# ---------------------------------------------------------------------------------------------- joining the topic


@action(by=DPM, fair=True)
def ask(host: Host, vpc: Vpc) -> Step:
    """DPM permits a host of a VPC on the topic to subscribe, and asks it to."""
    number = attempt(host, vpc) + 1
    return Step(
        when=[
            on_the_topic(vpc),
            ~small(vpc),
            member(host, vpc),
            met(host) > NEVER,
            subscription(host, vpc) == Subscription.none,
            ~barred(host, vpc),
        ],
        then=[
            subscription.assign(host, vpc, to=Subscription.asked),
            attempt.assign(host, vpc, to=number),
            tries.assign(host, vpc, to=Tries.of(1)),
            permitted.add(host, vpc),
            subscribe.send(host, met(host), vpc, number),
        ],
        moves=[subscription_state.move(host, vpc, source=[Subscription.none], to=[Subscription.asked])],
    )


@action(by=DPM, fair=True)
def ask_again(host: Host, vpc: Vpc) -> Step:
    """No answer arrived in time: DPM asks the host again, after a longer wait each time."""
    number = attempt(host, vpc) + 1
    return Step(
        when=[subscription(host, vpc) == Subscription.asked, tries(host, vpc) < patience(vpc)],
        then=[
            attempt.assign(host, vpc, to=number),
            tries.assign(host, vpc, to=tries(host, vpc) + 1),
            subscribe.send(host, met(host), vpc, number),
        ],
    )


def fall_back(host: Host, vpc: Vpc) -> list[Changed]:
    """The host stays on the direct channel, which it never left, and DPM deletes whatever the broker may hold for it."""
    return [subscription.assign(host, vpc, to=Subscription.leaving), barred.add(host, vpc)]


@action(by=DPM, fair=True)
def give_up(host: Host, vpc: Vpc) -> Step:
    """DPM has asked the host the maximum number of times in a row without an answer."""
    return Step(
        when=[subscription(host, vpc) == Subscription.asked, patience(vpc) <= tries(host, vpc)],
        then=fall_back(host, vpc),
        moves=[subscription_state.move(host, vpc, source=[Subscription.asked], to=[Subscription.leaving])],
    )


@action(by=DPM, fair=True)
def hear_acceptance(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Step:
    """The host accepts the newest attempt: from now on it receives what is published, and nothing is pushed to it."""
    return Step(
        takes=[accepted(host, epoch, vpc, attempt)],
        when=[
            epoch == met(host),
            attempt == _attempt_of(host, vpc),
            subscription(host, vpc) == Subscription.asked,
        ],
        then=[subscription.assign(host, vpc, to=Subscription.subscribed)],
        moves=[subscription_state.move(host, vpc, source=[Subscription.asked], to=[Subscription.subscribed])],
    )


@action(by=DPM, fair=True)
def hear_refusal(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Step:
    """The host declines the newest attempt. Asking again would not change the answer."""
    return Step(
        takes=[declined(host, epoch, vpc, attempt)],
        when=[
            epoch == met(host),
            attempt == _attempt_of(host, vpc),
            subscription(host, vpc) == Subscription.asked,
        ],
        then=fall_back(host, vpc),
        moves=[subscription_state.move(host, vpc, source=[Subscription.asked], to=[Subscription.leaving])],
    )


# ---------------------------------------------------------------------------------------------- leaving the topic


@action(by=DPM, fair=True)
def leave(host: Host, vpc: Vpc) -> Step:
    """While the topic closes, DPM takes each host off it, and pushes what the host may not have received from the topic."""
    was_on = subscription(host, vpc) == Subscription.subscribed
    return Step(
        when=[channel(vpc) == Channel.closing, engaged(host, vpc)],
        then=[
            subscription.assign(host, vpc, to=Subscription.leaving),
            push.send(host, met(host), vpc, sent(vpc)).when(was_on & (sent(vpc) > NOTHING)),
        ],
        moves=[
            subscription_state.move(
                host, vpc, source=[Subscription.asked, Subscription.subscribed], to=[Subscription.leaving]
            )
        ],
    )


@action(by=DPM, fair=True)
def end_subscription(host: Host, vpc: Vpc) -> Step:
    """DPM withdraws the permission and deletes the subscription at the broker. It needs no agent for this."""
    return Step(
        when=[subscription(host, vpc) == Subscription.leaving],
        then=[
            subscription.assign(host, vpc, to=Subscription.none),
            permitted.remove(host, vpc),
            attached.remove(host, vpc),
            for_each(Revision, lambda revision: backlog.remove(host, vpc, revision)),
        ],
        moves=[subscription_state.move(host, vpc, source=[Subscription.leaving], to=[Subscription.none])],
    )


# ------------------------------------------------------------------------------------- sessions and confirmations


@action(by=DPM, fair=True)
def greet(host: Host, epoch: Epoch) -> Step:
    """DPM meets a newer epoch of an agent, which knows nothing: DPM resends everything, and asks again for each topic."""
    return Step(
        takes=[hello(host, epoch)],
        when=[met(host) < epoch],
        then=[
            met.assign(host, to=epoch),
            for_each(Vpc, lambda vpc: confirmed.assign(host, vpc, to=NOTHING)),
            for_each(Vpc, lambda vpc: barred.remove(host, vpc)),
            for_each(
                Vpc,
                lambda vpc: push.send(host, epoch, vpc, sent(vpc)).when(member(host, vpc) & (sent(vpc) > NOTHING)),
            ),
            for_each(
                Vpc, lambda vpc: subscribe.send(host, epoch, vpc, attempt(host, vpc) + 1).when(engaged(host, vpc))
            ),
            for_each(Vpc, lambda vpc: attempt.assign(host, vpc, to=attempt(host, vpc) + 1).when(engaged(host, vpc))),
            for_each(Vpc, lambda vpc: tries.assign(host, vpc, to=Tries.of(1)).when(engaged(host, vpc))),
            for_each(Vpc, lambda vpc: subscription.assign(host, vpc, to=Subscription.asked).when(engaged(host, vpc))),
        ],
        moves=[
            agent_session.move(host, source=[Session.starting], to=[Session.greeted]),
            for_each(
                Vpc,
                lambda vpc: subscription_state.move(
                    host, vpc, source=[Subscription.subscribed], to=[Subscription.asked]
                ),
            ),
        ],
    )


@action(by=DPM, fair=True)
def remind(host: Host, vpc: Vpc) -> Step:
    """The host has not confirmed a revision that went out: DPM pushes it again."""
    return Step(
        when=[member(host, vpc), met(host) > NEVER, confirmed(host, vpc) < sent(vpc)],
        then=[push.send(host, met(host), vpc, sent(vpc))],
    )


@action(by=DPM, fair=True)
def acknowledge(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """The host confirms the revision of this VPC that it applied, and all older ones.

    It cannot confirm a revision that did not go out, nor one of a VPC in which it has no port.
    """
    return Step(
        takes=[applied(host, epoch, vpc, revision)],
        when=[epoch == met(host), member(host, vpc), confirmed(host, vpc) < revision, revision <= sent(vpc)],
        then=[confirmed.assign(host, vpc, to=revision)],
    )


@action(by=DPM, fair=True)
def report_done(vpc: Vpc, revision: Revision) -> Step:
    """Every host with a port in the VPC has confirmed the revision or a newer one."""
    return Step(
        when=[
            outcome(vpc, revision) == Change.pending,
            revision <= sent(vpc),
            forall(Host, lambda host: ~member(host, vpc) | (revision <= confirmed(host, vpc))),
        ],
        then=[outcome.assign(vpc, revision, to=Change.done)],
        moves=[revision_state.move(vpc, revision, source=[Change.pending], to=[Change.done])],
    )


@action(by=DPM, fair=True)
def report_failed(vpc: Vpc, revision: Revision) -> Step:
    """Some host has not confirmed the revision in time. DPM reports the failure and keeps reminding the host."""
    return Step(
        when=[
            outcome(vpc, revision) == Change.pending,
            revision <= sent(vpc),
            exists(Host, lambda host: member(host, vpc) & (confirmed(host, vpc) < revision)),
        ],
        then=[outcome.assign(vpc, revision, to=Change.failed)],
        moves=[revision_state.move(vpc, revision, source=[Change.pending], to=[Change.failed])],
    )


@alternatives(report_done, report_failed)
def ends_a_revision(vpc: Vpc, revision: Revision) -> Formula:
    """A revision that went out can always end: no host can block it forever."""
    return (outcome(vpc, revision) == Change.pending) & (revision <= sent(vpc))


@action(by=DPM)
def restart_dpm(after: Point) -> Step:
    """DPM crashes and restarts from its store. It loses nothing: unsent messages are sent now, others possibly again."""
    return Step()
