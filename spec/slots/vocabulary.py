"""The words of the topology with slots: sorts, state and messages.

The design document gives a VPC one topic for all that goes to single hosts, and the topic one subscription that all hosts share.
Pulsar hashes the key of a message to one of 65 536 *slots*; each consumer of the subscription attends a slot of its own, and so is
handed what is published under keys of that slot.

- DPM *allots* slots, so that two hosts of a VPC never have the same one, and looks up a key that hashes to each. Slot 0 is never
  used: no key reaches it.
- A *filler* consumer of DPM's own attends every slot that no agent attends. What it is handed for a host it hands back: DPM sends
  that host the newest it has for it directly, by gRPC, and acknowledges only then. A revision is published once at most.
- A host is *asked* to come only while the filler attends its slot and nothing is on the way there. The filler steps aside, and
  nothing is published to the slot before the host has confirmed. A refusal, silence, or the loss of its consumer leads to gRPC;
  in one epoch a host is asked a few times at most.
- What DPM sends to a host has a *revision*, counted for each VPC: it says all there is to say, so newer wins, and what comes
  again or late does no harm. Counted like that, revisions are also the positions in the topic's log.
- A slot is given to another host only when nothing for the former one is on the way, and that one has confirmed that it does not
  listen any more, or has begun a new epoch.

Pulsar is part of the statement, as an environment that is held to what was measured: the log; what is acknowledged; what was
handed to whom and is not acknowledged; at least once, in order for each slot; an overlapping consumer is refused; a lost consumer's
messages are handed out again; and dispatch that stops at a message whose slot nobody attends. (4.2.4 looks ahead over 2 000 such
messages for each consumer, and then stops: looking ahead is allowed to it, and nothing counts on it.)

Left out: what all hosts of a VPC share goes by another topic; which VPC is on its topic is decided by the rules of the message
queue.

**What cannot be repaired.** A slot is no isolation: whoever may consume from the topic may take any slot that is free just then,
or make a subscription of his own and read everything. And whoever may write to the shared topic of confirmations may confirm in
another's name. So some promises speak of VPCs all of whose agents are correct, and the ways to the leak, the loss and the forgery
stand beside them.
"""

from __future__ import annotations

from model.language import Role, function, message, relation
from model.language.terms import Enumeration, Formula, Individual, Member, Number
from spec.on_demand.vocabulary import ACA, ADVERSARY, DPM, Epoch, Host, Vpc, correct

__all__ = ["ACA", "ADVERSARY", "DPM", "Epoch", "Host", "Vpc", "correct"]


class Slot(Individual):
    """A range of one hash value: a consumer of the subscription attends it, or nobody does."""


class Revision(Number):
    """Counts what DPM has to say to the hosts of a VPC; 0 is before the first. On a topic it is the position too."""


class Turn(Number):
    """Counts how often, in one epoch of a host, DPM has told it to come to the topic or to leave it."""


class Stage(Enumeration):
    """How DPM reaches a host."""

    direct = Member("By gRPC; the host has no consumer, and none is being opened.")
    asked = Member("By gRPC; the host was asked to attend its slot.")
    subscribed = Member("By the topic: the host has confirmed that it attends its slot.")
    leaving = Member("By gRPC; the host was told to leave, and may still have its consumer.")


BROKER = Role("Pulsar: it keeps the log, and hands out what is on it.")

# ------------------------------------------------------------------------------------------------------ constants

usable = relation(Slot, doc="Keys can hash to it; slot 0 is not usable.", kind="constant")
patience = function(
    Vpc, to=Turn, doc="A host that was told to come or to leave so often is not asked again.", kind="constant"
)

# ---------------------------------------------------------------------------------------------------------- state

allotted = relation(Vpc, Host, Slot, doc="The slot is the host's.", holder=DPM)
stage = function(Vpc, Host, to=Stage, doc="How DPM reaches the host.", holder=DPM)
turn = function(Vpc, Host, to=Turn, doc="The newest turn of which DPM told the host, in its epoch.", holder=DPM)
met = function(Host, to=Epoch, doc="The newest epoch of the host that DPM has met.", holder=DPM)
issued = function(Vpc, to=Revision, doc="The newest revision that DPM has counted.", holder=DPM)
newest = function(Vpc, Host, to=Revision, doc="The newest revision that is for the host.", holder=DPM)
addressed = relation(Vpc, Revision, Host, doc="The revision is for the host.", holder=DPM)
confirmed = function(
    Vpc, Host, to=Revision, doc="The newest revision that the host has confirmed, in its epoch.", holder=DPM
)

filled = relation(Vpc, Slot, doc="The filler attends the slot.", holder=BROKER)
attends = relation(Vpc, Host, Slot, doc="A consumer of the host attends the slot.", holder=BROKER)
logged = relation(Vpc, Revision, Slot, doc="The revision was published, under a key of the slot.", holder=BROKER)
settled = relation(Vpc, Revision, doc="What was published as this revision is acknowledged.", holder=BROKER)
given = relation(
    Vpc, Revision, Host, doc="The revision was handed to the host's consumer, and is not acknowledged.", holder=BROKER
)

up = relation(Host, doc="The agent runs.", holder=ACA)
epoch = function(Host, to=Epoch, doc="How often the agent has started.", holder=ACA)
known = function(
    Vpc, Host, to=Revision, doc="The newest revision that the agent has applied in this epoch.", holder=ACA
)
heard = function(Vpc, Host, to=Turn, doc="The newest turn that the agent has heard of in this epoch.", holder=ACA)
invited = relation(Vpc, Host, Slot, doc="The agent attends the slot, or tries to get it back.", holder=ACA)

# -------------------------------------------------------------------------------------------------------- history

received = relation(Host, Vpc, Revision, doc="The host has received the revision from the topic.", kind="history")

# ------------------------------------------------------------------------------------------------------- messages

_epoch_of, _turn_of = epoch, turn  # under other names, since messages have fields called so


@message(sender=ACA, receiver=DPM)
def hello(host: Host, epoch: Epoch) -> Formula:
    """The agent has started. Spent when DPM has met this epoch or a newer one."""
    return epoch <= met(host)


def _heard_of(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Formula:
    return (epoch < _epoch_of(host)) | (epoch == _epoch_of(host)) & (turn <= heard(vpc, host))


@message(sender=DPM, receiver=ACA)
def subscribe(host: Host, epoch: Epoch, vpc: Vpc, slot: Slot, turn: Turn) -> Formula:
    """Attend this slot. Spent when its epoch is over, or when the agent has heard of this turn or a newer one."""
    return _heard_of(host, epoch, vpc, turn)


@message(sender=DPM, receiver=ACA)
def unsubscribe(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Formula:
    """Do not listen any more. Spent when its epoch is over, or when the agent has heard of this turn or a newer one."""
    return _heard_of(host, epoch, vpc, turn)


def _answered(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn, waiting: Stage) -> Formula:
    over = (turn < _turn_of(vpc, host)) | (turn == _turn_of(vpc, host)) & (stage(vpc, host) != waiting)
    return (epoch < met(host)) | (epoch == met(host)) & over


@message(sender=ACA, receiver=DPM)
def accepted(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Formula:
    """The broker has taken the agent's consumer. Spent when DPM does not wait for the answer to this turn any more."""
    return _answered(host, epoch, vpc, turn, Stage.asked)


@message(sender=ACA, receiver=DPM)
def refused(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Formula:
    """The broker has refused the agent's consumer. Spent when DPM does not wait for the answer to this turn any more."""
    return _answered(host, epoch, vpc, turn, Stage.asked)


@message(sender=ACA, receiver=DPM)
def left(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Formula:
    """The agent has no consumer any more. Spent when DPM does not wait for the answer to this turn any more."""
    return _answered(host, epoch, vpc, turn, Stage.leaving)


@message(sender=DPM, receiver=ACA)
def goal(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """Directly: the revision. Spent when its epoch is over, or when the (correct) agent knows the revision or a newer one."""
    return (
        (epoch < met(host))
        | correct(host) & (epoch < _epoch_of(host))
        | correct(host) & (epoch == _epoch_of(host)) & (revision <= known(vpc, host))
    )


@message(sender=ACA, receiver=DPM)
def applied(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """By the shared topic: the host has applied the revision. Spent when its epoch is over, or a newer one is confirmed."""
    return (epoch < met(host)) | (epoch == met(host)) & (revision <= confirmed(vpc, host))
