"""Deliberate deviations: what the design document and its implementation do with slots, and rules changed one at a time."""

from __future__ import annotations

from model.language import Deviation, Step, variant
from model.language.quantifiers import forall
from spec.slots.aca import learn, learn_directly, pass_over
from spec.slots.definitions import drained
from spec.slots.dpm import acknowledge, allot, ask, fill, give_up, greet, hand_back, hear_leaving, publish, release
from spec.slots.promises import (
    a_handover_holds_nobody_up,
    a_key_reaches_every_slot,
    asking_ends,
    confirmed_means_applied,
    goes_where_it_was_told,
    knows_only_its_own,
    leaving_ends,
    newer_wins,
    no_slot_stays_unattended,
    no_two_hosts_share_a_slot,
    nothing_is_lost,
    only_the_addressee_receives,
    what_is_applied_is_confirmed,
    what_is_issued_arrives,
    what_is_published_leaves_the_topic,
)
from spec.slots.vocabulary import (
    Epoch,
    Host,
    Revision,
    Slot,
    Stage,
    Turn,
    Vpc,
    addressed,
    allotted,
    applied,
    confirmed,
    given,
    goal,
    issued,
    known,
    logged,
    met,
    newest,
    settled,
    stage,
    usable,
)

# --------------------------------------------------------------------------------------------------- as designed


@variant(replaces=allot, breaks=[no_two_hosts_share_a_slot], kind=Deviation.AS_DESIGNED)
def shares_a_slot(vpc: Vpc, host: Host, slot: Slot) -> Step:
    """The slot follows from the host's address, and DPM does not notice that another host of the VPC has the same slot."""
    return allot.but(without=[forall(Host, lambda other: ~allotted(vpc, other, slot))])


@variant(replaces=publish, breaks=[a_handover_holds_nobody_up], kind=Deviation.AS_DESIGNED)
def publishes_before_it_is_confirmed(vpc: Vpc, host: Host, slot: Slot) -> Step:
    """The goal state is published first, while the host is being asked to subscribe."""
    return publish.but(without=[stage(vpc, host) == Stage.subscribed], when=[stage(vpc, host) == Stage.asked])


@variant(replaces=fill, breaks=[no_slot_stays_unattended], kind=Deviation.AS_DESIGNED)
def leaves_a_slot_unattended(vpc: Vpc, slot: Slot) -> Step:
    """No consumer attends the slot of an absent host, and what was published to it blocks the others."""
    return fill.but(when=[forall(Host, lambda host: ~allotted(vpc, host, slot))])


@variant(replaces=give_up, breaks=[asking_ends], kind=Deviation.AS_DESIGNED)
def asks_a_dead_agent_for_ever(vpc: Vpc, host: Host) -> Step:
    """A host that does not answer is asked again without limit."""
    return Step(when=[stage(vpc, host) == Stage.asked])


@variant(replaces=acknowledge, breaks=[confirmed_means_applied], kind=Deviation.AS_DESIGNED)
def counts_for_any_change(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """An acknowledgment names the host and not the change, so an old one completes a new request."""
    return acknowledge.but(without=[confirmed], then=[confirmed.assign(vpc, host, to=newest(vpc, host))])


@variant(replaces=pass_over, breaks=[newer_wins], kind=Deviation.AS_DESIGNED)
def replays_the_older(host: Host, vpc: Vpc, revision: Revision) -> Step:
    """A redelivered revision is applied again, over what arrived by gRPC since."""
    return pass_over.but(then=[known.assign(vpc, host, to=revision)])


# ------------------------------------------------------------------------------------------------------ as built


@variant(replaces=publish, breaks=[only_the_addressee_receives, goes_where_it_was_told], kind=Deviation.AS_BUILT)
def publishes_to_another_slot(vpc: Vpc, host: Host, slot: Slot, other: Slot) -> Step:
    """The slot that a host is told is not its key's: the document names the key itself, the code hashes it twice."""
    return publish.but(without=[logged], then=[logged.add(vpc, issued(vpc) + 1, other)])


@variant(replaces=allot, breaks=[a_key_reaches_every_slot], kind=Deviation.AS_BUILT)
def gives_out_slot_0(vpc: Vpc, host: Host, slot: Slot) -> Step:
    """A slot that no key reaches is used: slot 0, by an agent that is told nothing; or an address, which is beyond all slots."""
    return allot.but(without=[usable(slot)])


@variant(replaces=learn, breaks=[nothing_is_lost], kind=Deviation.AS_BUILT)
def acknowledges_what_it_did_not_apply(host: Host, vpc: Vpc, revision: Revision) -> Step:
    """Every message is acknowledged to the broker, even if applying it failed."""
    return learn.but(without=[known, applied])


# ------------------------------------------------------------------------------------------------------- mutants


@variant(replaces=learn_directly, breaks=[confirmed_means_applied])
def confirms_before_applying(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """An agent confirms what it has received, not what it has applied."""
    return learn_directly.but(without=[known])


@variant(replaces=release, breaks=[goes_where_it_was_told])
def reuses_a_slot_at_once(vpc: Vpc, host: Host, slot: Slot) -> Step:
    """A slot is given to the next host while a revision for the former one is still on the topic."""
    return release.but(without=[drained(vpc, slot)])


@variant(replaces=release, breaks=[only_the_addressee_receives])
def reuses_a_slot_that_is_listened_to(vpc: Vpc, host: Host, slot: Slot) -> Step:
    """A slot is given to the next host before the former one has confirmed that it no longer listens."""
    return release.but(without=[stage(vpc, host) == Stage.direct], when=[stage(vpc, host) == Stage.leaving])


@variant(replaces=ask, breaks=[a_handover_holds_nobody_up])
def hands_over_what_is_not_drained(vpc: Vpc, host: Host, slot: Slot) -> Step:
    """The filler leaves the slot while a revision is still in flight to it."""
    return ask.but(without=[drained(vpc, slot)])


@variant(replaces=hand_back, breaks=[nothing_is_lost])
def fills_and_forgets(vpc: Vpc, revision: Revision, slot: Slot, host: Host) -> Step:
    """The filler keeps the topic moving, but drops what it was handed."""
    return hand_back.but(without=[goal])


@variant(replaces=hand_back, breaks=[what_is_issued_arrives, what_is_published_leaves_the_topic])
def keeps_for_later(vpc: Vpc, revision: Revision, slot: Slot, host: Host) -> Step:
    """The filler keeps what it was handed until the host is back, and the host is not asked while anything is in flight."""
    return hand_back.but(when=[stage(vpc, host) == Stage.subscribed])


@variant(replaces=pass_over, breaks=[what_is_published_leaves_the_topic])
def acknowledges_news_only(host: Host, vpc: Vpc, revision: Revision) -> Step:
    """A revision that is already known is not acknowledged, and stays on the topic forever."""
    return pass_over.but(without=[settled, given])


@variant(replaces=hear_leaving, breaks=[leaving_ends])
def never_takes_back_who_has_left(host: Host, epoch: Epoch, vpc: Vpc, turn: Turn) -> Step:
    """DPM does not count a host that has left as such: the host is never asked again, and keeps its slot from others."""
    return hear_leaving.but(without=[stage])


@variant(replaces=acknowledge, breaks=[what_is_applied_is_confirmed])
def counts_no_confirmation(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """DPM reads confirmations and does not count them."""
    return acknowledge.but(without=[confirmed])


@variant(replaces=hand_back, breaks=[knows_only_its_own])
def hands_back_to_anybody(vpc: Vpc, revision: Revision, slot: Slot, host: Host) -> Step:
    """The filler sends what it was handed to any host, not to the one that it is for."""
    return hand_back.but(
        without=[addressed(vpc, revision, host), goal], then=[goal.send(host, met(host), vpc, revision)]
    )


@variant(replaces=greet, breaks=[nothing_is_lost])
def greets_and_sends_nothing(host: Host, epoch: Epoch) -> Step:
    """DPM meets a restarted agent, and what it had before counts as known."""
    return greet.but(without=[goal])


@variant(replaces=acknowledge, breaks=[confirmed_means_applied])
def counts_older_epochs(host: Host, epoch: Epoch, vpc: Vpc, revision: Revision) -> Step:
    """What a host applied before it restarted counts as applied afterwards."""
    return acknowledge.but(without=[epoch == met(host)])
