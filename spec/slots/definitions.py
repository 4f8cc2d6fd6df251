"""Names for what several roles and promises of the topology with slots speak of, and the lifecycle of a host's subscription."""

from __future__ import annotations

from model.language import definition, lifecycle
from model.language.terms import Formula, exists, forall, implies
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
    """A consumer attends the slot: the broker takes no other."""
    return filled(vpc, slot) | exists(Host, lambda host: attends(vpc, host, slot))


@definition
def pending(vpc: Vpc, revision: Revision, slot: Slot) -> Formula:
    """The topic still has the revision for whoever attends the slot."""
    return logged(vpc, revision, slot) & ~settled(vpc, revision)


@definition
def drained(vpc: Vpc, slot: Slot) -> Formula:
    """Nothing is on the way to the slot."""
    return forall(Revision, lambda revision: ~pending(vpc, revision, slot))


@definition
def handed_over(vpc: Vpc, slot: Slot) -> Formula:
    """The filler has stepped aside for a host that was asked to come."""
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
    """The broker has nothing to do for the revision just now: it was not published, or is held by somebody, or is settled."""
    return held(vpc, revision) | forall(Slot, lambda slot: ~pending(vpc, revision, slot))


@definition
def unattended(vpc: Vpc, revision: Revision) -> Formula:
    """The topic has the revision for a slot that nobody attends."""
    return exists(Slot, lambda slot: pending(vpc, revision, slot) & ~attended(vpc, slot))


@definition
def blocked(vpc: Vpc) -> Formula:
    """Dispatch has stopped, or may, at something that nobody attends."""
    return exists(Revision, lambda revision: unattended(vpc, revision))


@definition
def in_order(vpc: Vpc, revision: Revision) -> Formula:
    """Everything before the revision has been passed: it is next in the log."""
    return forall(Revision, lambda older: implies(older < revision, passed(vpc, older)))


@definition
def owed() -> Formula:
    """Somebody was asked and has not answered, or something is on a topic."""
    waiting = exists(Vpc, Host, lambda vpc, host: stage(vpc, host) == Stage.asked)
    return waiting | exists(Vpc, Revision, Slot, lambda vpc, revision, slot: pending(vpc, revision, slot))


@lifecycle(holder=DPM)
def subscription(vpc: Vpc, host: Host) -> Stage:
    """How a host stands to the topic of a VPC, as DPM sees it."""
    return stage(vpc, host)
