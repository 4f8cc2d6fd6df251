"""Names for what several roles and promises speak of, and the lifecycles: the state machines of the message queue."""

from __future__ import annotations

from model.language import definition, lifecycle
from model.language.terms import Formula, choose, exists
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
    """From here on a VPC goes to the topic. Ports count as they are after the change that is being sent."""
    return (many_ports(vpc) <= size(vpc)) | (many_in_a_group(vpc) <= group(vpc))


@definition
def small(vpc: Vpc) -> Formula:
    """From here on a VPC leaves the topic: both numbers are below four fifths of their thresholds. Four fifths, in integers."""
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
    """The broker has still to end a subscription: whatever was published now would reach a host that has left."""
    return exists(Host, lambda host: subscription(host, vpc) == Subscription.leaving)


@definition
def in_session(host: Host) -> Formula:
    """DPM has met the agent's present epoch."""
    return (met(host) == epoch(host)) & (Epoch.of(0) < met(host))


@definition
def under_way(host: Host, vpc: Vpc, revision: Revision) -> Formula:
    """The revision is on its way to the host: pushed, or in the backlog of a subscription that DPM counts on."""
    by_topic = (subscription(host, vpc) == Subscription.subscribed) & backlog(host, vpc, revision)
    return push.unspent(host, met(host), vpc, revision) | by_topic


@definition
def owed() -> Formula:
    """Somebody waits: a revision is neither done nor given up, or a switch is under way. With nothing left to do: a deadlock."""
    pending = exists(Vpc, Revision, lambda vpc, revision: outcome(vpc, revision) == Change.pending)
    switching = exists(Vpc, lambda vpc: (channel(vpc) == Channel.opening) | (channel(vpc) == Channel.closing))
    return pending | switching


# ---------------------------------------------------------------------------------------------------- lifecycles


@lifecycle(holder=DPM)
def channel_state(vpc: Vpc) -> Channel:
    """A VPC's channel."""
    return channel(vpc)


@lifecycle(holder=DPM)
def subscription_state(host: Host, vpc: Vpc) -> Subscription:
    """A host's subscription to a VPC's topic, as DPM sees it."""
    return subscription(host, vpc)


@lifecycle(holder=DPM)
def revision_state(vpc: Vpc, revision: Revision) -> Change:
    """A revision, as DPM sees it."""
    return outcome(vpc, revision)


@lifecycle(holder=ACA)
def agent_session(host: Host) -> Session:
    """An agent's session: greeted once DPM has met its present epoch."""
    return choose(in_session(host), Session.greeted, Session.starting)
