"""The vocabulary of the message queue: sorts, state and messages.

What all hosts of a VPC share (its subnets, the rules of its security groups) changes by *revisions*. In a small VPC, DPM pushes
each revision to every host that has a port there: the *direct* channel. That costs one message per host. In a large VPC, DPM
publishes the revision once, to the VPC's *topic*, and the broker keeps a copy for every host that has a *subscription*.

- DPM chooses the channel of each VPC by the number of its ports and the size of its largest security group, with hysteresis.
  Switching takes time: the topic is *opening* while hosts are asked to subscribe, and *closing* while they are taken off it.
- A host is on the topic only once it has confirmed that its subscription exists. Until then, and if it refuses or does not answer,
  DPM keeps pushing to it. So no host misses what was published before it joined, and a host that cannot subscribe is still served.
- DPM pushes the newest revision to a host that leaves the topic, and then ends the subscription at the broker itself. A dead or
  uncooperative agent therefore cannot block the switch, and receives nothing more.
- Revisions make duplicates and reordering harmless: the newer revision wins.

The broker is part of the state: which host may subscribe, which subscriptions exist, and the *backlog* of each: the revisions to be
delivered. It delivers them in any order, repeatedly, until the agent acknowledges them.
"""

from __future__ import annotations

from model.language import Role, assumption, function, message, relation
from model.language.terms import Enumeration, Formula, Member, Number
from spec.on_demand.vocabulary import ACA, ADVERSARY, DPM, Change, Epoch, Host, Point, Vpc, correct

__all__ = ["ACA", "ADVERSARY", "DPM", "Change", "Epoch", "Host", "Point", "Vpc", "correct"]


class Revision(Number):
    """Counts the changes to what a VPC's hosts share; 0 is before the first."""


class Size(Number):
    """A number of ports."""


class Attempt(Number):
    """Counts how often a host was asked to subscribe to a VPC's topic, in total, and so identifies one attempt."""


class Tries(Number):
    """Counts how often a host was asked in a row."""


class Channel(Enumeration):
    """How a VPC's revisions reach its hosts."""

    grpc = Member("Directly, one message per host.")
    opening = Member("By the topic to the subscribed hosts; the others are being asked.")
    mq = Member("By the topic; directly to the hosts that could not subscribe.")
    closing = Member("Directly again; subscriptions are being ended.")


class Subscription(Enumeration):
    """The subscription of a host to a VPC's topic, as known to DPM."""

    none = Member("Not subscribed.")
    asked = Member("Asked to subscribe, and not yet known to have done so.")
    subscribed = Member("Subscribed: what is published reaches the host.")
    leaving = Member("No longer counted as subscribed; the broker has yet to end the subscription.")


BROKER = Role("Keeps a copy of each published revision for each subscription, until its agent acknowledges it.")

# ------------------------------------------------------------------------------------------------------ constants

many_ports = function(
    Vpc, to=Size, doc="A VPC with at least this number of ports is large (X of the design).", kind="constant"
)
many_in_a_group = function(
    Vpc, to=Size, doc="A VPC with a security group of at least this size is large (Y).", kind="constant"
)
patience = function(
    Vpc, to=Tries, doc="How often in a row DPM asks a host of the VPC to subscribe, at most.", kind="constant"
)


@assumption
def thresholds_are_positive(vpc: Vpc) -> Formula:
    """No VPC is large without ports, and DPM asks at least once."""
    positive = (Size.of(0) < many_ports(vpc)) & (Size.of(0) < many_in_a_group(vpc))
    return positive & (Tries.of(0) < patience(vpc))


# ---------------------------------------------------------------------------------------------------------- DPM

rules = function(Vpc, to=Revision, doc="The newest revision of what the VPC's hosts share.", holder=DPM)
sent = function(Vpc, to=Revision, doc="The newest revision that went out.", holder=DPM)
outcome = function(Vpc, Revision, to=Change, doc="The outcome of the revision.", holder=DPM)
size = function(Vpc, to=Size, doc="The number of ports of the VPC.", holder=DPM)
group = function(Vpc, to=Size, doc="The ports of the VPC's largest security group.", holder=DPM)
ports = function(Host, Vpc, to=Size, doc="The number of the VPC's ports at the host.", holder=DPM)
channel = function(Vpc, to=Channel, doc="How revisions are sent.", holder=DPM)
subscription = function(
    Host, Vpc, to=Subscription, doc="The state of the host's subscription to the topic.", holder=DPM
)
attempt = function(Host, Vpc, to=Attempt, doc="The number of the newest attempt.", holder=DPM)
tries = function(Host, Vpc, to=Tries, doc="How often the host was asked in a row.", holder=DPM)
barred = relation(Host, Vpc, doc="The host could not subscribe: DPM pushes to it, and does not ask it now.", holder=DPM)
met = function(Host, to=Epoch, doc="The newest epoch of the host that DPM has met.", holder=DPM)
confirmed = function(
    Host, Vpc, to=Revision, doc="The newest revision that the agent of that epoch confirmed.", holder=DPM
)

# ------------------------------------------------------------------------------------------------------- broker

permitted = relation(Host, Vpc, doc="The host may subscribe to the VPC's topic.", holder=BROKER)
attached = relation(Host, Vpc, doc="The host's subscription to the VPC's topic exists.", holder=BROKER)
backlog = relation(Host, Vpc, Revision, doc="Published for the subscription, and not acknowledged.", holder=BROKER)

# ---------------------------------------------------------------------------------------------------------- ACA

epoch = function(Host, to=Epoch, doc="The number of times the agent has started.", holder=ACA)
known = function(
    Host, Vpc, to=Revision, doc="The newest revision that the agent has applied in this epoch.", holder=ACA
)
heard = function(
    Host, Vpc, to=Attempt, doc="The newest attempt that the agent has processed in this epoch.", holder=ACA
)
listening = relation(Host, Vpc, doc="The agent's consumer is connected to its subscription.", holder=ACA)

# ------------------------------------------------------------------------------------------------------- history

belonged = relation(Host, Vpc, doc="The host has, or had, a port of the VPC.", kind="history")
size_then = function(Vpc, to=Size, doc="The number of ports when the channel was last decided.", kind="history")
group_then = function(Vpc, to=Size, doc="The largest group when the channel was last decided.", kind="history")

# ------------------------------------------------------------------------------------------------------- messages

_epoch_of = epoch  # aliases, since messages have fields with these names
_attempt_of = attempt


@message(sender=DPM, receiver=ACA)
def push(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """The VPC has this revision. Spent when its epoch is over, or when the (correct) agent knows it or a newer one."""
    return (
        (epoch < met(host)) | correct(host) & (epoch < _epoch_of(host)) | correct(host) & (revision <= known(host, vpc))
    )


@message(sender=DPM, receiver=ACA)
def subscribe(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Formula:
    """Asks to subscribe to the VPC's topic. Spent when its epoch is over, or when the (correct) agent has processed it or a newer
    one.
    """
    return (
        (epoch < met(host)) | correct(host) & (epoch < _epoch_of(host)) | correct(host) & (attempt <= heard(host, vpc))
    )


@message(sender=ACA, receiver=DPM)
def hello(host: Host, epoch: Epoch) -> Formula:
    """The agent has started. Spent when DPM has met this epoch or a newer one."""
    return epoch <= met(host)


@message(sender=ACA, receiver=DPM)
def accepted(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Formula:
    """The subscription of this attempt exists. Spent when DPM no longer waits for the answer."""
    waited_for = (attempt == _attempt_of(host, vpc)) & (subscription(host, vpc) == Subscription.asked)
    return (epoch < met(host)) | (attempt <= _attempt_of(host, vpc)) & ~waited_for


@message(sender=ACA, receiver=DPM)
def declined(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Formula:
    """The agent could not subscribe. Spent when DPM no longer waits for the answer to this attempt."""
    waited_for = (attempt == _attempt_of(host, vpc)) & (subscription(host, vpc) == Subscription.asked)
    return (epoch < met(host)) | (attempt <= _attempt_of(host, vpc)) & ~waited_for


@message(sender=ACA, receiver=DPM)
def applied(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """The agent has applied this revision. Spent when its epoch is over, or when DPM counts it or a newer one as confirmed."""
    return (epoch < met(host)) | (epoch == met(host)) & (revision <= confirmed(host, vpc))
