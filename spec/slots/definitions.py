"""Definitions that several roles and promises of the topology with slots share, and the lifecycle of a host's subscription."""

from __future__ import annotations

from model.language import deadlock_when, definition, lifecycle
from model.language.quantifiers import exists, forall
from model.language.terms import Formula, implies
from spec.slots.vocabulary import (
    DPM,
    Host,
    Revision,
    Slot,
    Stage,
    Vpc,
    allotted,
    attends,
    correct,
    filled,
    given,
    logged,
    settled,
    stage,
    usable,
)


@definition
def trusting() -> Formula:
    """Every agent is correct."""
    return forall(Host, lambda host: correct(host))


@definition
def attended(vpc: Vpc, slot: Slot) -> Formula:
    """A consumer attends the slot: the broker accepts no other."""
    return filled(vpc, slot) | exists(Host, lambda host: attends(vpc, host, slot))


@definition
def pending(vpc: Vpc, revision: Revision, slot: Slot) -> Formula:
    """The topic still has the revision for the consumer of the slot."""
    return logged(vpc, revision, slot) & ~settled(vpc, revision)


@definition
def drained(vpc: Vpc, slot: Slot) -> Formula:
    """Nothing is in flight to the slot."""
    return forall(Revision, lambda revision: ~pending(vpc, revision, slot))


@definition
def handed_over(vpc: Vpc, slot: Slot) -> Formula:
    """The filler has left the slot to a host that was asked to attend it."""
    return exists(Host, lambda host: allotted(vpc, host, slot) & (stage(vpc, host) == Stage.asked))


@definition
def may_fill(vpc: Vpc, slot: Slot) -> Formula:
    """The filler should attend the slot, and can."""
    return usable(slot) & ~attended(vpc, slot) & ~handed_over(vpc, slot)


@definition
def held(vpc: Vpc, revision: Revision) -> Formula:
    """Some consumer was handed the revision, and has not acknowledged it."""
    return exists(Host, lambda host: given(vpc, revision, host))


@definition
def passed(vpc: Vpc, revision: Revision) -> Formula:
    """The broker has nothing to do for the revision at present: it was not published, is held by a consumer, or is settled."""
    return held(vpc, revision) | forall(Slot, lambda slot: ~pending(vpc, revision, slot))


@definition
def unattended(vpc: Vpc, revision: Revision) -> Formula:
    """The topic has the revision for a slot that no consumer attends."""
    return exists(Slot, lambda slot: pending(vpc, revision, slot) & ~attended(vpc, slot))


@definition
def blocked(vpc: Vpc) -> Formula:
    """Dispatch has stopped, or may stop, at a revision of an unattended slot."""
    return exists(Revision, lambda revision: unattended(vpc, revision))


@definition
def in_order(vpc: Vpc, revision: Revision) -> Formula:
    """Everything before the revision has been passed: it is next in the log."""
    return forall(Revision, lambda older: implies(older < revision, passed(vpc, older)))


@deadlock_when
def owed() -> Formula:
    """Work is outstanding: a host was asked and has not answered, or a revision is on a topic."""
    waiting = exists(Vpc, Host, lambda vpc, host: stage(vpc, host) == Stage.asked)
    return waiting | exists(Vpc, Revision, Slot, lambda vpc, revision, slot: pending(vpc, revision, slot))


@lifecycle(holder=DPM)
def subscription(vpc: Vpc, host: Host) -> Stage:
    """The subscription of a host to the topic of a VPC, as known to DPM."""
    return stage(vpc, host)
