"""Definitions that several roles and promises share, and the lifecycles: the state machines of the message queue."""

from __future__ import annotations

from model.language import deadlock_when, definition, lifecycle
from model.language.quantifiers import exists
from model.language.terms import Formula, choose
from spec.message_queue.vocabulary import (
    ACA,
    DPM,
    Change,
    Channel,
    Epoch,
    Host,
    Revision,
    Size,
    Subscription,
    Vpc,
    backlog,
    channel,
    epoch,
    group,
    many_in_a_group,
    many_ports,
    met,
    outcome,
    ports,
    push,
    size,
    subscription,
)
from spec.on_demand.vocabulary import Session


@definition
def large(vpc: Vpc) -> Formula:
    """The VPC is large enough to use the topic. Ports are counted after the change that is being sent."""
    return (many_ports(vpc) <= size(vpc)) | (many_in_a_group(vpc) <= group(vpc))


@definition
def small(vpc: Vpc) -> Formula:
    """The VPC is small enough to leave the topic: both numbers are below four fifths of their thresholds, in integer arithmetic."""
    return (5 * size(vpc) < 4 * many_ports(vpc)) & (5 * group(vpc) < 4 * many_in_a_group(vpc))


@definition
def member(host: Host, vpc: Vpc) -> Formula:
    """The host has a port of the VPC."""
    return Size.of(0) < ports(host, vpc)


@definition
def on_the_topic(vpc: Vpc) -> Formula:
    """Revisions are published to the topic."""
    return (channel(vpc) == Channel.opening) | (channel(vpc) == Channel.mq)


@definition
def engaged(host: Host, vpc: Vpc) -> Formula:
    """The host was asked to subscribe, or has subscribed."""
    return (subscription(host, vpc) == Subscription.asked) | (subscription(host, vpc) == Subscription.subscribed)


@definition
def somebody_is_leaving(vpc: Vpc) -> Formula:
    """The broker has yet to end a subscription: anything published now would reach a host that has left."""
    return exists(Host, lambda host: subscription(host, vpc) == Subscription.leaving)


@definition
def in_session(host: Host) -> Formula:
    """DPM has met the agent's current epoch."""
    return (met(host) == epoch(host)) & (Epoch.of(0) < met(host))


@definition
def under_way(host: Host, vpc: Vpc, revision: Revision) -> Formula:
    """The revision is in flight to the host: pushed, or in the backlog of a subscription that DPM relies on."""
    by_topic = (subscription(host, vpc) == Subscription.subscribed) & backlog(host, vpc, revision)
    return push.unspent(host, met(host), vpc, revision) | by_topic


@deadlock_when
def owed() -> Formula:
    """Work is outstanding: a revision is pending, or a channel switch is in progress."""
    pending = exists(Vpc, Revision, lambda vpc, revision: outcome(vpc, revision) == Change.pending)
    switching = exists(Vpc, lambda vpc: (channel(vpc) == Channel.opening) | (channel(vpc) == Channel.closing))
    return pending | switching


# ---------------------------------------------------------------------------------------------------- lifecycles


@lifecycle(holder=DPM)
def channel_state(vpc: Vpc) -> Channel:
    """The channel of a VPC."""
    return channel(vpc)


@lifecycle(holder=DPM)
def subscription_state(host: Host, vpc: Vpc) -> Subscription:
    """The subscription of a host to a VPC's topic, as known to DPM."""
    return subscription(host, vpc)


@lifecycle(holder=DPM)
def revision_state(vpc: Vpc, revision: Revision) -> Change:
    """The outcome of a revision, as known to DPM."""
    return outcome(vpc, revision)


@lifecycle(holder=ACA)
def agent_session(host: Host) -> Session:
    """The session of an agent: greeted once DPM has met its current epoch."""
    return choose(in_session(host), Session.greeted, Session.starting)
