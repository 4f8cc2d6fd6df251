"""The vocabulary of the topology with slots: sorts, state and messages.

The design document gives a VPC one topic for everything that goes to single hosts, and the topic one subscription that all hosts
share. Pulsar hashes the key of a message to one of 65 536 *slots*; each consumer of the subscription attends its own slot, and is
handed what is published under keys of that slot.

- DPM *allots* slots, so that two hosts of a VPC never have the same one, and looks up a key that hashes to each. Slot 0 is never
  used: no key reaches it.
- DPM runs a *filler* consumer that attends every slot that no agent attends. DPM hands back what the filler is handed for a host:
  it sends that host its newest revision by gRPC, and acknowledges only then. A revision is published at most once.
- A host is *asked* to attend only while the filler attends its slot and nothing is in flight there. The filler leaves, and nothing
  is published to the slot before the host has confirmed. A refusal, a timeout, or the loss of its consumer leads back to gRPC; in
  one epoch a host is asked a limited number of times.
- What DPM sends to a host has a *revision*, counted for each VPC. A revision is complete, so the newer one wins, and duplicates or
  late arrivals are harmless. Revisions also serve as the positions in the topic's log.
- A slot is given to another host only when nothing for the former one is in flight, and the former one has confirmed that it no
  longer listens, or has begun a new epoch.

Pulsar is part of the statement, as an environment that was checked against measurements: the log; what is acknowledged; what was
handed to which consumer and is not acknowledged; delivery at least once, in order for each slot; an overlapping consumer is
refused; a lost consumer's messages are redelivered; and dispatch stops at a message whose slot is unattended. (4.2.4 looks ahead
over 2 000 such messages for each consumer, and then stops: the statement permits looking ahead, and nothing relies on it.)

Left out: what all hosts of a VPC share uses another topic; the rules of the message queue decide which VPC is on its topic.

**What cannot be repaired.** Slots do not isolate hosts: any client that may consume from the topic may take any slot that is free,
or open its own subscription and read everything. Any client that may write to the shared topic of confirmations may confirm in
another host's name. So some promises cover only VPCs all of whose agents are correct, and the runs to the leak, the loss and the
forgery are stated beside them.
"""

from __future__ import annotations

from model.language import Role, function, message, relation
from model.language.terms import Enumeration, Formula, Individual, Member, Number
from spec.on_demand.vocabulary import ACA, ADVERSARY, DPM, Epoch, Host, Vpc, correct

__all__ = ["ACA", "ADVERSARY", "DPM", "Epoch", "Host", "Vpc", "correct"]


class Slot(Individual):
    """A range of one hash value, which at most one consumer of the subscription attends."""


class Revision(Number):
    """Counts what DPM sends to the hosts of a VPC; 0 is before the first. It is also the position on a topic."""


class Turn(Number):
    """Counts how often, in one epoch of a host, DPM has told it to attend the topic or to leave it."""


class Stage(Enumeration):
    """How DPM reaches a host."""

    direct = Member("By gRPC; the host has no consumer, and none is being opened.")
    asked = Member("By gRPC; the host was asked to attend its slot.")
    subscribed = Member("By the topic: the host has confirmed that it attends its slot.")
    leaving = Member("By gRPC; the host was told to leave, and may still have its consumer.")


BROKER = Role("Pulsar: it keeps the log, and dispatches its messages.")

# ------------------------------------------------------------------------------------------------------ constants

usable = relation(Slot, doc="Keys can hash to it; slot 0 is not usable.", kind="constant")
patience = function(
    Vpc, to=Turn, doc="A host that was told this often to attend or to leave is not asked again.", kind="constant"
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
settled = relation(Vpc, Revision, doc="The revision was published and is acknowledged.", holder=BROKER)
given = relation(
    Vpc, Revision, Host, doc="The revision was handed to the host's consumer, and is not acknowledged.", holder=BROKER
)

up = relation(Host, doc="The agent runs.", holder=ACA)
epoch = function(Host, to=Epoch, doc="The number of times the agent has started.", holder=ACA)
known = function(
    Vpc, Host, to=Revision, doc="The newest revision that the agent has applied in this epoch.", holder=ACA
)
heard = function(Vpc, Host, to=Turn, doc="The newest turn that the agent has heard of in this epoch.", holder=ACA)
invited = relation(Vpc, Host, Slot, doc="The agent attends the slot, or tries to get it back.", holder=ACA)

# -------------------------------------------------------------------------------------------------------- history

received = relation(Host, Vpc, Revision, doc="The host has received the revision from the topic.", kind="history")

# ------------------------------------------------------------------------------------------------------- messages

_epoch_of, _turn_of = epoch, turn  # aliases, since messages have fields with these names


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
    """Stop listening. Spent when its epoch is over, or when the agent has heard of this turn or a newer one."""
    return _heard_of(host, epoch, vpc, turn)


def _answered(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn, waiting: Stage) -> Formula:
    over = (turn < _turn_of(vpc, host)) | (turn == _turn_of(vpc, host)) & (stage(vpc, host) != waiting)
    return (epoch < met(host)) | (epoch == met(host)) & over


@message(sender=ACA, receiver=DPM)
def accepted(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Formula:
    """The broker has accepted the agent's consumer. Spent when DPM no longer waits for the answer to this turn."""
    return _answered(host, epoch, vpc, turn, Stage.asked)


@message(sender=ACA, receiver=DPM)
def refused(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Formula:
    """The broker has refused the agent's consumer. Spent when DPM no longer waits for the answer to this turn."""
    return _answered(host, epoch, vpc, turn, Stage.asked)


@message(sender=ACA, receiver=DPM)
def left(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Formula:
    """The agent has no consumer any more. Spent when DPM no longer waits for the answer to this turn."""
    return _answered(host, epoch, vpc, turn, Stage.leaving)


@message(sender=DPM, receiver=ACA)
def goal(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """The revision, by gRPC. Spent when its epoch is over, or when the (correct) agent knows the revision or a newer one."""
    return (
        (epoch < met(host))
        | correct(host) & (epoch < _epoch_of(host))
        | correct(host) & (epoch == _epoch_of(host)) & (revision <= known(vpc, host))
    )


@message(sender=ACA, receiver=DPM)
def applied(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Formula:
    """The host has applied the revision; sent on the shared topic. Spent when its epoch is over, or a newer one is confirmed."""
    return (epoch < met(host)) | (epoch == met(host)) & (revision <= confirmed(vpc, host))
