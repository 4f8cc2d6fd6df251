"""Deliberate deviations, which show that the checks detect errors.

The first ones are holes of the design document; the others change one rule each. A variant states only its difference from the
action that it replaces; the rest of the action is unchanged.
"""

from __future__ import annotations

from model.language import Deviation, Step, for_each, variant
from model.language.quantifiers import exists
from spec.failover.actions import (
    NO_TERM,
    NOTHING,
    accept,
    acknowledge,
    apply,
    crash,
    decides,
    depose,
    hear,
    load,
    propose,
    record,
    take_over,
)
from spec.failover.promises import (
    a_deposed_instance_changes_nothing,
    a_journal_only_grows,
    a_term_belongs_to_one_instance,
    an_answer_counts_for_who_can_record_it,
    an_answer_is_recorded_or_comes_again,
    nothing_is_sent_that_is_not_recorded,
    redelivery_ends,
    somebody_leads,
    versions_have_one_allocator,
    what_counts_as_sent_was_sent,
    what_is_answered_is_recorded,
    what_is_decided_is_recorded,
    what_is_recorded_is_done,
)
from spec.failover.vocabulary import (
    Decision,
    Instance,
    Journal,
    Term,
    Version,
    answered,
    applied,
    consumed,
    entry,
    fence,
    in_term,
    loaded,
    mark,
    newest,
    proposed,
    published,
    ready,
    sent,
    written,
)

# --------------------------------------------------------------------------------------------------- as designed


@variant(
    replaces=accept,
    breaks=[versions_have_one_allocator, a_deposed_instance_changes_nothing],
    kind=Deviation.AS_DESIGNED,
)
def several_decide_at_once(
    instance: Instance, journal: Journal, term: Term, version: Version, decision: Decision
) -> Step:
    """Several instances run without a lock or a term: everything that any of them decides is appended."""
    return accept.but(without=[term == fence(journal)])


@variant(
    replaces=acknowledge,
    breaks=[an_answer_is_recorded_or_comes_again, what_is_answered_is_recorded],
    kind=Deviation.AS_DESIGNED,
)
def an_answer_goes_to_any_instance(instance: Instance, journal: Journal, version: Version) -> Step:
    """An answer is acknowledged by any instance that receives it, and kept in that instance's cache, which no other reads."""
    return acknowledge.but(without=[answered(journal, version)])


# ------------------------------------------------------------------------------------------------------- mutants


@variant(replaces=propose, breaks=[nothing_is_sent_that_is_not_recorded])
def sends_before_it_records(instance: Instance, journal: Journal, decision: Decision) -> Step:
    """The peer is told at once, while the entry is still in flight to the journal."""
    return propose.but(then=[published.send(journal, loaded(instance, journal) + 1, decision)])


@variant(replaces=depose, breaks=[versions_have_one_allocator])
def loads_before_the_fence(instance: Instance, journal: Journal, term: Term) -> Step:
    """An instance that takes over relies on what it read as a standby, and misses what was appended since."""
    return depose.but(
        without=[ready],
        then=[ready.add(instance, journal), proposed.assign(instance, journal, to=loaded(instance, journal))],
    )


@variant(replaces=depose, breaks=[a_term_belongs_to_one_instance, versions_have_one_allocator])
def gives_the_term_again(instance: Instance, journal: Journal, term: Term) -> Step:
    """An instance that takes over is not given a new term, so that its predecessor is not fenced."""
    return depose.but(without=[term == fence(journal) + 1], when=[term == fence(journal)])


@variant(replaces=propose, breaks=[versions_have_one_allocator])
def allocates_twice(instance: Instance, journal: Journal, decision: Decision) -> Step:
    """The next version is allocated before the last one was read in the journal."""
    return propose.but(without=[proposed(instance, journal) == loaded(instance, journal)])


@variant(replaces=load, breaks=[what_counts_as_sent_was_sent, what_is_recorded_is_done])
def does_not_send_again(instance: Instance, journal: Journal) -> Step:
    """An instance that takes over assumes that its predecessor has sent everything that it recorded."""
    return load.but(
        then=[for_each(Version, lambda version: sent.add(instance, journal, version).when(version <= newest(journal)))]
    )


@variant(replaces=load, breaks=[a_journal_only_grows])
def begins_a_new_journal(instance: Instance, journal: Journal) -> Step:
    """An instance that takes over clears the journal."""
    return load.but(
        without=[loaded, proposed],
        then=[
            for_each(Version, Decision, lambda version, decision: entry.remove(journal, version, decision)),
            newest.assign(journal, to=NOTHING),
            loaded.assign(instance, journal, to=NOTHING),
            proposed.assign(instance, journal, to=NOTHING),
        ],
    )


@variant(replaces=load, breaks=[a_journal_only_grows])
def forgets_what_was_answered(instance: Instance, journal: Journal) -> Step:
    """An instance that takes over waits again for every answer."""
    return load.but(then=[for_each(Version, lambda version: answered.remove(journal, version))])


@variant(replaces=crash, breaks=[a_journal_only_grows])
def begins_again_with_the_first_term(instance: Instance) -> Step:
    """The broker forgets the newest term when an instance restarts."""
    return crash.but(then=[for_each(Journal, lambda journal: fence.assign(journal, to=NO_TERM))])


@variant(replaces=apply, breaks=[nothing_is_sent_that_is_not_recorded])
def does_what_may_come_next(journal: Journal, version: Version, decision: Decision) -> Step:
    """The peer does the next version too, before it is told."""
    return apply.but(then=[applied.add(journal, version + 1, decision)])


@variant(replaces=hear, breaks=[an_answer_counts_for_who_can_record_it])
def counts_answers_to_what_comes_next(instance: Instance, journal: Journal, version: Version) -> Step:
    """An answer is recorded for the next version too, whether or not there is one."""
    return hear.but(then=[mark.send(instance, journal, in_term(instance, journal), version + 1)])


@variant(replaces=record, breaks=[an_answer_counts_for_who_can_record_it])
def the_deposed_record_answers(instance: Instance, journal: Journal, term: Term, version: Version) -> Step:
    """Entries are fenced, but records of answers are not."""
    return record.but(without=[term == fence(journal)])


@variant(replaces=take_over, breaks=[what_is_recorded_is_done, somebody_leads])
def waits_for_the_one_that_led(instance: Instance, journal: Journal, term: Term) -> Step:
    """No instance takes over: the former leader is expected to come back."""
    return take_over.but(when=[fence(journal) == NO_TERM])


@variant(replaces=take_over, breaks=[somebody_leads])
def asks_who_believes_that_it_leads(instance: Instance, journal: Journal, term: Term) -> Step:
    """No instance takes over while another believes that it leads, which it may do forever, without the broker's consent."""
    return take_over.but(when=[~exists(Instance, lambda other: decides(other, journal))])


@variant(replaces=load, breaks=[somebody_leads])
def reads_and_does_not_decide(instance: Instance, journal: Journal) -> Step:
    """An instance that has taken over reads the journal and remains a standby."""
    return load.but(without=[ready])


@variant(replaces=accept, breaks=[what_is_decided_is_recorded])
def loses_what_is_appended(
    instance: Instance, journal: Journal, term: Term, version: Version, decision: Decision
) -> Step:
    """The broker takes an entry and does not keep it, and its writer waits for it forever."""
    return accept.but(without=[entry, newest, written])


@variant(replaces=acknowledge, breaks=[redelivery_ends])
def acknowledges_no_answer(instance: Instance, journal: Journal, version: Version) -> Step:
    """An answer is recorded and is not acknowledged: the broker redelivers it forever."""
    return acknowledge.but(without=[consumed])
