"""The promises of the topology with slots, and where a Byzantine agent limits them.

Promises about messages cover messages that were sent and are unspent.
"""

from __future__ import annotations

from model.language import always, eventually, leads_to, sometimes, two_state
from model.language.claims import LeadsTo
from model.language.quantifiers import exists
from model.language.terms import Formula, implies
from spec.slots.definitions import attended, blocked, may_fill, pending, trusting, unattended
from spec.slots.vocabulary import (
    Epoch,
    Host,
    Revision,
    Slot,
    Stage,
    Vpc,
    addressed,
    allotted,
    attends,
    confirmed,
    correct,
    epoch,
    filled,
    goal,
    hello,
    known,
    logged,
    met,
    newest,
    received,
    settled,
    stage,
    up,
    usable,
)

NEVER = Epoch.of(0)
NOTHING = Revision.of(0)


@sometimes
def two_hosts_have_slots(vpc: Vpc, host: Host, other: Host) -> Formula:
    """DPM reaches two hosts of one VPC by the topic."""
    both = (stage(vpc, host) == Stage.subscribed) & (stage(vpc, other) == Stage.subscribed)
    return both & (host != other)


@always(two_hosts_have_slots)
def no_two_hosts_share_a_slot(vpc: Vpc, host: Host, other: Host, slot: Slot) -> Formula:
    """No slot of a VPC is allotted to two hosts, and no two consumers attend one."""
    return (
        implies(allotted(vpc, host, slot) & allotted(vpc, other, slot), host == other)
        & implies(attends(vpc, host, slot) & attends(vpc, other, slot), host == other)
        & ~(attends(vpc, host, slot) & filled(vpc, slot))
    )


@sometimes
def a_slot_is_allotted(vpc: Vpc, host: Host, slot: Slot) -> Formula:
    """A host has a slot."""
    return allotted(vpc, host, slot)


@always(a_slot_is_allotted)
def a_key_reaches_every_slot(vpc: Vpc, host: Host, slot: Slot) -> Formula:
    """Every allotted slot is one that keys hash to."""
    return implies(allotted(vpc, host, slot), usable(slot))


@sometimes
def something_is_published(vpc: Vpc, revision: Revision, slot: Slot) -> Formula:
    """A revision is on the topic."""
    return pending(vpc, revision, slot)


@always(something_is_published)
def goes_where_it_was_told(vpc: Vpc, revision: Revision, slot: Slot, host: Host) -> Formula:
    """A revision in flight to a host is under a key of the slot that the host was told."""
    return implies(pending(vpc, revision, slot) & addressed(vpc, revision, host), allotted(vpc, host, slot))


@sometimes
def a_slot_is_left_alone(vpc: Vpc, revision: Revision, slot: Slot) -> Formula:
    """A revision is on the topic for a slot whose consumer was lost."""
    return pending(vpc, revision, slot) & ~attended(vpc, slot)


@always(a_slot_is_left_alone)
def a_handover_holds_nobody_up(vpc: Vpc, revision: Revision, slot: Slot) -> Formula:
    """Every revision on the topic is for a slot that a consumer attends, or that the filler may take at once."""
    return implies(pending(vpc, revision, slot), attended(vpc, slot) | may_fill(vpc, slot))


@sometimes
def a_stranger_reads(host: Host, vpc: Vpc, revision: Revision) -> Formula:
    """The remaining weakness: a Byzantine agent receives what is for another host."""
    for_another = exists(Host, lambda other: addressed(vpc, revision, other) & (other != host))
    return received(host, vpc, revision) & ~correct(host) & for_another


@sometimes
def the_addressee_receives(host: Host, vpc: Vpc, revision: Revision) -> Formula:
    """A correct agent receives from the topic a revision that is for it."""
    return received(host, vpc, revision) & correct(host) & addressed(vpc, revision, host)


@always(the_addressee_receives, a_stranger_reads)
def only_the_addressee_receives(host: Host, vpc: Vpc, revision: Revision) -> Formula:
    """A correct agent receives from the topic only what is for it; so if all are correct, only the addressee receives.

    It does not hold for Byzantine agents: slots do not isolate hosts.
    """
    return implies(received(host, vpc, revision) & correct(host), addressed(vpc, revision, host))


@sometimes
def handed_back(vpc: Vpc, host: Host, slot: Slot) -> Formula:
    """The newest revision for a host was published to its slot, and the filler has handed it back: it is sent by gRPC as well."""
    directly = goal.unspent(host, met(host), vpc, newest(vpc, host))
    return directly & allotted(vpc, host, slot) & filled(vpc, slot) & logged(vpc, newest(vpc, host), slot)


@sometimes
def a_stranger_swallows(vpc: Vpc, host: Host) -> Formula:
    """The remaining weakness: a revision for a correct host is lost, since another host acknowledged it."""
    behind = up(host) & (met(host) == epoch(host)) & (known(vpc, host) < newest(vpc, host))
    directly = goal.unspent(host, met(host), vpc, newest(vpc, host))
    return correct(host) & behind & ~directly & settled(vpc, newest(vpc, host))


@always(handed_back, a_stranger_swallows)
def nothing_is_lost(vpc: Vpc, host: Host) -> Formula:
    """If all agents are correct, the newest revision for a host is known there, or is in flight by the topic or by gRPC.

    Or the host has started and is not yet met: then DPM will send it everything. Or it has never started.
    """
    revision = newest(vpc, host)
    arrives = (
        (epoch(host) == NEVER)
        | (met(host) < epoch(host)) & hello.unspent(host, epoch(host))
        | (revision <= known(vpc, host))
        | goal.unspent(host, met(host), vpc, revision)
        | exists(Slot, lambda slot: pending(vpc, revision, slot))
    )
    return implies(trusting() & (revision > NOTHING), arrives)


@sometimes
def two_ways_cross(vpc: Vpc, host: Host, revision: Revision, slot: Slot) -> Formula:
    """An older revision is on the topic while the host knows a newer one."""
    return pending(vpc, revision, slot) & addressed(vpc, revision, host) & (revision < known(vpc, host))


@two_state(two_ways_cross)
def newer_wins(vpc: Vpc, host: Host) -> Formula:
    """What an agent knows never decreases within an epoch, on either channel."""
    return implies(epoch(host) == epoch.after(host), known(vpc, host) <= known.after(vpc, host))


@sometimes
def learned(vpc: Vpc, host: Host) -> Formula:
    """A host knows a revision."""
    return known(vpc, host) > NOTHING


@always(learned)
def knows_only_its_own(vpc: Vpc, host: Host) -> Formula:
    """What an agent knows was for its host."""
    return implies(known(vpc, host) > NOTHING, addressed(vpc, known(vpc, host), host))


@sometimes
def confirmation_arrives(vpc: Vpc, host: Host) -> Formula:
    """DPM learns that a revision was applied."""
    return (confirmed(vpc, host) > NOTHING) & (confirmed(vpc, host) <= known(vpc, host))


@sometimes
def a_stranger_confirms(vpc: Vpc, host: Host) -> Formula:
    """The remaining weakness: DPM counts as applied what was confirmed in another host's name."""
    return correct(host) & (met(host) == epoch(host)) & (known(vpc, host) < confirmed(vpc, host))


@always(confirmation_arrives, a_stranger_confirms)
def confirmed_means_applied(vpc: Vpc, host: Host) -> Formula:
    """If all agents are correct, a host has applied every revision that it counts as having confirmed in its epoch."""
    return implies(trusting() & (met(host) == epoch(host)), confirmed(vpc, host) <= known(vpc, host))


@sometimes
def asked_in_vain(vpc: Vpc, host: Host) -> Formula:
    """A host that is asked does not run."""
    return (stage(vpc, host) == Stage.asked) & ~up(host)


@eventually(asked_in_vain)
def asking_ends(vpc: Vpc, host: Host) -> LeadsTo:
    """A host that was asked is eventually subscribed or served by gRPC, whether its agent answers, is refused, or is dead."""
    return leads_to(stage(vpc, host) == Stage.asked, stage(vpc, host) != Stage.asked)


@eventually(a_slot_is_left_alone)
def leaving_ends(vpc: Vpc, host: Host) -> LeadsTo:
    """A correct agent that is told to leave its slot eventually counts as having left, unless it dies."""
    leaving = stage(vpc, host) == Stage.leaving
    return leads_to(correct(host) & up(host) & leaving, ~leaving | ~up(host))


@eventually(confirmation_arrives)
def what_is_applied_is_confirmed(vpc: Vpc, host: Host, revision: Revision) -> LeadsTo:
    """DPM eventually counts as confirmed what a correct agent knows, unless it dies."""
    knows = correct(host) & up(host) & (known(vpc, host) == revision) & (NOTHING < revision)
    return leads_to(knows, (revision <= confirmed(vpc, host)) | ~up(host))


@eventually(a_slot_is_left_alone)
def no_slot_stays_unattended(vpc: Vpc, revision: Revision) -> LeadsTo:
    """An unattended slot does not block dispatch forever."""
    return leads_to(unattended(vpc, revision), ~unattended(vpc, revision))


@eventually(something_is_published)
def what_is_published_leaves_the_topic(vpc: Vpc, revision: Revision, slot: Slot) -> LeadsTo:
    """If all agents are correct, every revision on the topic is eventually acknowledged, unless consumers keep getting lost."""
    return leads_to(trusting() & pending(vpc, revision, slot), ~pending(vpc, revision, slot) | blocked(vpc))


@eventually(learned)
def what_is_issued_arrives(vpc: Vpc, host: Host, revision: Revision) -> LeadsTo:
    """If all agents are correct, a host eventually learns its newest revision, unless it dies or consumers keep getting lost."""
    waits = trusting() & up(host) & (newest(vpc, host) == revision)
    return leads_to(waits, (revision <= known(vpc, host)) | ~up(host) | blocked(vpc))
