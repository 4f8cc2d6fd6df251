"""The words of the message queue: sorts, state and messages.

What all hosts of a VPC share (its subnets, the rules of its security groups) changes by *revisions*. In a small VPC, DPM pushes
each revision to every host that has a port there: the *direct* channel. That costs a message for each host, so in a large VPC DPM
publishes it once, to the VPC's *topic*, and the broker keeps a copy for every host that has a *subscription* there.

- DPM decides for each VPC which channel it uses, by the number of its ports and the size of its largest security group, with
  hysteresis. Going over takes time: the topic is *opening* while hosts are asked to subscribe, and *closing* while they are
  taken off it.
- A host is on the topic only when it has confirmed that its subscription exists. Until then, and whenever it refuses or does not
  answer, it is pushed to as before. So nobody misses what was published before he came, and a host that cannot subscribe is
  served all the same.
- Whoever leaves the topic is first sent, directly, the newest revision; then DPM ends the subscription at the broker itself, so
  that an agent that is dead or does not cooperate holds nobody up and receives nothing more.
- Revisions make repeats and overtaking harmless: newer wins.

The broker is part of the state: which host may subscribe, whose subscription exists, and its *backlog*: what it has still to
deliver. It delivers in any order, again and again, until the agent acknowledges.
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
    """Counts how often a host was asked to subscribe to a VPC's topic, over all times; so it names one asking."""


class Tries(Number):
    """Counts how often a host was asked in a row."""


class Channel(Enumeration):
    """How a VPC's revisions go to its hosts."""

    grpc = Member("Directly, a message for each host.")
    opening = Member("By the topic to those who have subscribed; the others are being asked.")
    mq = Member("By the topic; directly to those who could not subscribe.")
    closing = Member("Directly again; subscriptions are being ended.")


class Subscription(Enumeration):
    """How a host stands to a VPC's topic, as far as DPM knows."""

    none = Member("Not on it.")
    asked = Member("Asked to subscribe, and not yet known to have done so.")
    subscribed = Member("On it: what is published reaches the host.")
    leaving = Member("Off it already; the broker has still to end the subscription.")


BROKER = Role("Keeps a copy of what is published for each subscription, until its agent acknowledges it.")

# ------------------------------------------------------------------------------------------------------ constants

many_ports = function(
    Vpc, to=Size, doc="From this number of ports on the VPC is large (X of the design).", kind="constant"
)
many_in_a_group = function(
    Vpc, to=Size, doc="From this size of a security group on the VPC is large (Y).", kind="constant"
)
patience = function(Vpc, to=Tries, doc="How often in a row DPM asks a host of the VPC to subscribe.", kind="constant")


@assumption
def thresholds_are_positive(vpc: Vpc) -> Formula:
    """No VPC is large without ports, and DPM asks at least once."""
    positive = (Size.of(0) < many_ports(vpc)) & (Size.of(0) < many_in_a_group(vpc))
    return positive & (Tries.of(0) < patience(vpc))


# ---------------------------------------------------------------------------------------------------------- DPM

rules = function(Vpc, to=Revision, doc="The newest revision of what the VPC's hosts share.", holder=DPM)
sent = function(Vpc, to=Revision, doc="The newest revision that went out.", holder=DPM)
outcome = function(Vpc, Revision, to=Change, doc="What became of the revision.", holder=DPM)
size = function(Vpc, to=Size, doc="The number of ports of the VPC.", holder=DPM)
group = function(Vpc, to=Size, doc="The ports of the VPC's largest security group.", holder=DPM)
ports = function(Host, Vpc, to=Size, doc="The number of the VPC's ports at the host.", holder=DPM)
channel = function(Vpc, to=Channel, doc="How revisions go out.", holder=DPM)
subscription = function(Host, Vpc, to=Subscription, doc="How the host stands to the topic.", holder=DPM)
attempt = function(Host, Vpc, to=Attempt, doc="The number of the newest asking.", holder=DPM)
tries = function(Host, Vpc, to=Tries, doc="How often the host was asked in a row.", holder=DPM)
barred = relation(Host, Vpc, doc="The host could not subscribe: it is pushed to, and not asked now.", holder=DPM)
met = function(Host, to=Epoch, doc="The newest epoch of the host that DPM has met.", holder=DPM)
confirmed = function(
    Host, Vpc, to=Revision, doc="The newest revision that the agent of that epoch confirmed.", holder=DPM
)

# ------------------------------------------------------------------------------------------------------- broker

permitted = relation(Host, Vpc, doc="The host may subscribe to the VPC's topic.", holder=BROKER)
attached = relation(Host, Vpc, doc="The host's subscription to the VPC's topic exists.", holder=BROKER)
backlog = relation(Host, Vpc, Revision, doc="Published for the subscription, and not acknowledged.", holder=BROKER)

# ---------------------------------------------------------------------------------------------------------- ACA

epoch = function(Host, to=Epoch, doc="How often the agent has started.", holder=ACA)
known = function(
    Host, Vpc, to=Revision, doc="The newest revision that the agent has applied in this epoch.", holder=ACA
)
heard = function(
    Host, Vpc, to=Attempt, doc="The newest asking that the agent has dealt with in this epoch.", holder=ACA
)
listening = relation(Host, Vpc, doc="The agent's consumer is connected to its subscription.", holder=ACA)

# ------------------------------------------------------------------------------------------------------- history

belonged = relation(Host, Vpc, doc="The host has, or had, a port of the VPC.", kind="history")
size_then = function(Vpc, to=Size, doc="The number of ports when the channel was last decided anew.", kind="history")
group_then = function(Vpc, to=Size, doc="The largest group when the channel was last decided anew.", kind="history")

# ------------------------------------------------------------------------------------------------------- messages

_epoch_of = epoch  # under other names, since messages have fields called so
_attempt_of = attempt


@message(sender=DPM, receiver=ACA)
def push(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """The VPC has this revision. Spent when its epoch is over, or when the (correct) agent knows it or a newer one."""
    return (
        (epoch < met(host)) | correct(host) & (epoch < _epoch_of(host)) | correct(host) & (revision <= known(host, vpc))
    )


@message(sender=DPM, receiver=ACA)
def subscribe(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Formula:
    """Subscribe to the VPC's topic. Spent when its epoch is over, or when the (correct) agent has dealt with it, or a newer one."""
    return (
        (epoch < met(host)) | correct(host) & (epoch < _epoch_of(host)) | correct(host) & (attempt <= heard(host, vpc))
    )


@message(sender=ACA, receiver=DPM)
def hello(host: Host, epoch: Epoch) -> Formula:
    """The agent has started. Spent when DPM has met this epoch or a newer one."""
    return epoch <= met(host)


@message(sender=ACA, receiver=DPM)
def accepted(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Formula:
    """The subscription that this asking was about exists. Spent when nothing waits for the answer to it any more."""
    waited_for = (attempt == _attempt_of(host, vpc)) & (subscription(host, vpc) == Subscription.asked)
    return (epoch < met(host)) | (attempt <= _attempt_of(host, vpc)) & ~waited_for


@message(sender=ACA, receiver=DPM)
def declined(host: Host, epoch: Epoch, vpc: Vpc, attempt: Attempt) -> Formula:
    """The agent could not subscribe. Spent when nothing waits for the answer to this asking any more."""
    waited_for = (attempt == _attempt_of(host, vpc)) & (subscription(host, vpc) == Subscription.asked)
    return (epoch < met(host)) | (attempt <= _attempt_of(host, vpc)) & ~waited_for


@message(sender=ACA, receiver=DPM)
def applied(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """The agent has applied this revision. Spent when its epoch is over, or when DPM counts on it or on a newer one."""
    return (epoch < met(host)) | (epoch == met(host)) & (revision <= confirmed(host, vpc))
