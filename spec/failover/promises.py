"""The promises of failover, and the lemmas that support their proofs."""

from __future__ import annotations

from model.language import LeadsTo, always, eventually, leads_to, lemma, sometimes, two_state
from model.language.quantifiers import exists
from model.language.terms import Formula, implies
from spec.failover.actions import NO_TERM, NOTHING, decides, leads
from spec.failover.vocabulary import (
    Decision,
    Instance,
    Journal,
    Term,
    Version,
    answer,
    answered,
    append,
    applied,
    consumed,
    entry,
    fence,
    fenced_at,
    in_term,
    loaded,
    mark,
    newest,
    noted,
    paused,
    proposed,
    published,
    ready,
    sent,
    took,
    written,
)

# ---------------------------------------------------------------------------------------------------- who decides


@sometimes
def a_deposed_instance_believes_that_it_leads(instance: Instance, journal: Journal) -> Formula:
    """An instance is awake and would decide, although another has a newer term."""
    return ready(instance, journal) & ~paused(instance) & (in_term(instance, journal) < fence(journal))


@always(a_deposed_instance_believes_that_it_leads)
def a_term_belongs_to_one_instance(journal: Journal, term: Term, instance: Instance, other: Instance) -> Formula:
    """No two instances were given the same term of a journal."""
    return implies(took(instance, journal, term) & took(other, journal, term), instance == other)


@sometimes
def a_successor_decides_too(journal: Journal, before: Version, after: Version) -> Formula:
    """A journal has entries of two terms."""
    terms = (NO_TERM < written(journal, before)) & (written(journal, before) < written(journal, after))
    return terms & (before < after)


@always(a_successor_decides_too)
def versions_have_one_allocator(journal: Journal, version: Version, decision: Decision, other: Decision) -> Formula:
    """Two different entries of a journal never share a version."""
    return implies(entry(journal, version, decision) & entry(journal, version, other), decision == other)


@always(a_successor_decides_too, a_deposed_instance_believes_that_it_leads)
def a_deposed_instance_changes_nothing(journal: Journal, term: Term, version: Version, decision: Decision) -> Formula:
    """After the entries that a journal had when a term was given out, there are only entries of that term and newer ones."""
    later = (NO_TERM < term) & (term <= fence(journal)) & (fenced_at(journal, term) < version)
    return implies(entry(journal, version, decision) & later, term <= written(journal, version))


@two_state(a_successor_decides_too)
def a_journal_only_grows(journal: Journal, version: Version, decision: Decision) -> Formula:
    """An entry, and the record of its answer, stay forever; and terms never decrease."""
    stays = implies(entry(journal, version, decision), entry.after(journal, version, decision))
    stays_answered = implies(answered(journal, version), answered.after(journal, version))
    return stays & stays_answered & (fence(journal) <= fence.after(journal))


@sometimes
def a_successor_leads(instance: Instance, journal: Journal) -> Formula:
    """An instance decides, in a term after the first."""
    return leads(instance, journal) & decides(instance, journal) & (Term.of(1) < in_term(instance, journal))


@eventually(a_successor_leads)
def somebody_leads(journal: Journal, instance: Instance) -> LeadsTo:
    """While an instance is awake, some instance eventually leads and decides, in runs with finitely many takeovers."""
    somebody = exists(Instance, lambda other: leads(other, journal) & decides(other, journal))
    return leads_to(~paused(instance), somebody | paused(instance))


@eventually(a_successor_decides_too)
def what_is_decided_is_recorded(instance: Instance, journal: Journal, version: Version, decision: Decision) -> LeadsTo:
    """An entry on its way to the journal is eventually there, unless a newer term has begun."""
    under_way = append.unspent(instance, journal, fence(journal), version, decision)
    return leads_to(under_way, ~under_way)


# ----------------------------------------------------------------------------------------------------------- sending


@sometimes
def the_peer_is_told(journal: Journal, version: Version, decision: Decision) -> Formula:
    """A decision is in flight to the peer."""
    return published.unspent(journal, version, decision)


@always(the_peer_is_told)
def nothing_is_sent_that_is_not_recorded(journal: Journal, version: Version, decision: Decision) -> Formula:
    """Everything that the peer is sent, or has done, is an entry of the journal."""
    heard = published.unspent(journal, version, decision) | applied(journal, version, decision)
    return implies(heard, entry(journal, version, decision))


@sometimes
def a_successor_sends_for_its_predecessor(instance: Instance, journal: Journal, version: Version) -> Formula:
    """An instance has sent an entry of a term older than its own."""
    return sent(instance, journal, version) & (written(journal, version) < in_term(instance, journal))


@always(a_successor_sends_for_its_predecessor)
def what_counts_as_sent_was_sent(instance: Instance, journal: Journal, version: Version, decision: Decision) -> Formula:
    """An entry that an instance counts as sent is in flight to the peer, or the peer has done it."""
    gone = published.unspent(journal, version, decision) | applied(journal, version, decision)
    return implies(sent(instance, journal, version) & entry(journal, version, decision), gone)


@sometimes
def an_entry_waits_for_a_leader(journal: Journal, version: Version, decision: Decision, lost: Instance) -> Formula:
    """An entry was not sent yet, and its writer is paused."""
    told = published.unspent(journal, version, decision) | applied(journal, version, decision)
    not_sent = entry(journal, version, decision) & ~told
    return not_sent & paused(lost) & (in_term(lost, journal) == written(journal, version))


@eventually(an_entry_waits_for_a_leader)
def what_is_recorded_is_done(journal: Journal, version: Version, decision: Decision, instance: Instance) -> LeadsTo:
    """While an instance is awake, every recorded entry is eventually sent and done.

    Instances that depose each other forever can prevent this: it covers runs with finitely many takeovers.
    """
    recorded = entry(journal, version, decision) & ~paused(instance)
    return leads_to(recorded, applied(journal, version, decision) | paused(instance))


# -------------------------------------------------------------------------------------------------------- answers


@sometimes
def an_answer_waits(journal: Journal, version: Version) -> Formula:
    """An answer is in flight, and the journal does not record it yet."""
    return answer.unspent(journal, version) & ~answered(journal, version)


@sometimes
def an_answer_was_acknowledged(journal: Journal, version: Version) -> Formula:
    """An answer is recorded, and is not redelivered."""
    return answered(journal, version) & consumed(journal, version)


@always(an_answer_waits, an_answer_was_acknowledged)
def an_answer_is_recorded_or_comes_again(journal: Journal, version: Version, decision: Decision) -> Formula:
    """The journal records everything that the peer has done, or the answer is redelivered, whoever received it before."""
    return implies(applied(journal, version, decision), answered(journal, version) | answer.unspent(journal, version))


@sometimes
def an_answer_counts(journal: Journal, version: Version, term: Term) -> Formula:
    """An answer is recorded in a later term than the entry."""
    return noted(journal, version, term) & (written(journal, version) < term)


@two_state(an_answer_counts)
def an_answer_counts_for_who_can_record_it(journal: Journal, version: Version, term: Term) -> Formula:
    """An answer is recorded in the newest term only, and only for an entry."""
    there = exists(Decision, lambda decision: entry(journal, version, decision))
    return implies(noted(journal, version, term), (term == fence(journal)) & there)


@eventually(an_answer_waits)
def what_is_answered_is_recorded(journal: Journal, version: Version, decision: Decision, instance: Instance) -> LeadsTo:
    """While an instance is awake, everything that is done is eventually recorded as answered, under the same condition."""
    done = applied(journal, version, decision) & ~paused(instance)
    return leads_to(done, answered(journal, version) | paused(instance))


@eventually(an_answer_was_acknowledged)
def redelivery_ends(journal: Journal, version: Version, instance: Instance) -> LeadsTo:
    """While an instance is awake, an answer that is recorded is eventually acknowledged, and not redelivered any more."""
    return leads_to(answered(journal, version) & ~paused(instance), consumed(journal, version) | paused(instance))


# --------------------------------------------------------------------------------------------------------- lemmas


@lemma
def terms_are_given_out_in_order(instance: Instance, journal: Journal, term: Term) -> Formula:
    """A term that was given to an instance is not a future one."""
    return implies(took(instance, journal, term), (NO_TERM < term) & (term <= fence(journal)))


@lemma
def who_believes_was_given_the_term(instance: Instance, journal: Journal) -> Formula:
    """An instance believes that it leads only in a term that it was given; without a term it is not ready."""
    believes = in_term(instance, journal)
    return implies(NO_TERM < believes, took(instance, journal, believes)) & implies(
        ready(instance, journal), NO_TERM < believes
    )


@lemma
def entries_are_counted(journal: Journal, version: Version, decision: Decision) -> Formula:
    """The journal has no entry beyond its newest version."""
    return implies(entry(journal, version, decision), (NOTHING < version) & (version <= newest(journal)))


@lemma
def nobody_has_read_what_is_not_there(instance: Instance, journal: Journal, version: Version) -> Formula:
    """An instance has read no further than the journal goes, and has sent nothing beyond it."""
    return (loaded(instance, journal) <= newest(journal)) & implies(
        sent(instance, journal, version), version <= newest(journal)
    )


@lemma
def who_leads_has_read_all_but_its_own(instance: Instance, journal: Journal) -> Formula:
    """If the newest term's instance has loaded the journal, there is no entry after the newest version that it has allocated."""
    newest_term = ready(instance, journal) & (in_term(instance, journal) == fence(journal))
    return implies(newest_term, newest(journal) <= proposed(instance, journal))


@lemma
def appends_are_of_given_terms(
    instance: Instance, journal: Journal, term: Term, version: Version, decision: Decision
) -> Formula:
    """An append names a term of its sender; while the sender is in that term, the version is one that it has allocated."""
    allocated = ready(instance, journal) & (version <= proposed(instance, journal))
    return implies(
        append(instance, journal, term, version, decision),
        took(instance, journal, term) & (NOTHING < version) & implies(in_term(instance, journal) == term, allocated),
    )


@lemma
def what_may_be_appended_is_new(
    instance: Instance, journal: Journal, term: Term, version: Version, decision: Decision
) -> Formula:
    """An append of the newest term is in the journal, or its version is new."""
    possible = append(instance, journal, term, version, decision) & (term == fence(journal))
    return implies(possible, entry(journal, version, decision) | (newest(journal) < version))


@lemma
def one_at_a_time(
    instance: Instance,
    journal: Journal,
    term: Term,
    before: Version,
    earlier: Decision,
    version: Version,
    decision: Decision,
) -> Formula:
    """Of two appends of the newest term the earlier one is in the journal; and a version is allocated to one decision."""
    both_sent = append(instance, journal, term, before, earlier) & append(instance, journal, term, version, decision)
    in_order = implies(before < version, entry(journal, before, earlier))
    return implies(both_sent & (term == fence(journal)), in_order & implies(before == version, earlier == decision))


@lemma
def answers_are_to_entries(journal: Journal, version: Version) -> Formula:
    """Only entries are answered, and only recorded answers are acknowledged."""
    there = exists(Decision, lambda decision: entry(journal, version, decision))
    return implies(answer(journal, version), there) & implies(consumed(journal, version), answered(journal, version))


@lemma
def marks_are_of_entries(instance: Instance, journal: Journal, term: Term, version: Version) -> Formula:
    """Only entries are recorded as answered."""
    there = exists(Decision, lambda decision: entry(journal, version, decision))
    return implies(mark(instance, journal, term, version), there)


@lemma
def who_has_done_it_has_answered(journal: Journal, version: Version, decision: Decision) -> Formula:
    """The peer answers what it has done."""
    return implies(applied(journal, version, decision), answer(journal, version))
