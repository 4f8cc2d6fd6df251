"""Failover: proved without bounds, explored, and live; every variant breaks every promise that it names."""

from __future__ import annotations

from functools import cache

import pytest

from conformance import configurations
from model.explore.explore import explore
from model.explore.live import live
from model.language import Eventuality, Promise, Variant
from model.proof.bounded import bounded
from model.proof.prove import prove
from model.reference.configuration import Configuration
from spec.failover.protocol import PROTOCOL

SHORTEST = {
    ("several_decide_at_once", "versions_have_one_allocator"): 8,
    ("several_decide_at_once", "a_deposed_instance_changes_nothing"): 5,
    ("an_answer_goes_to_any_instance", "an_answer_is_recorded_or_comes_again"): 8,
    ("sends_before_it_records", "nothing_is_sent_that_is_not_recorded"): 3,
    ("loads_before_the_fence", "versions_have_one_allocator"): 7,
    ("gives_the_term_again", "a_term_belongs_to_one_instance"): 2,
    ("gives_the_term_again", "versions_have_one_allocator"): 8,
    ("allocates_twice", "versions_have_one_allocator"): 6,
    ("does_not_send_again", "what_counts_as_sent_was_sent"): 6,
    ("begins_a_new_journal", "a_journal_only_grows"): 6,
    ("forgets_what_was_answered", "a_journal_only_grows"): 11,
    ("begins_again_with_the_first_term", "a_journal_only_grows"): 2,
    ("does_what_may_come_next", "nothing_is_sent_that_is_not_recorded"): 7,
    ("counts_answers_to_what_comes_next", "an_answer_counts_for_who_can_record_it"): 9,
    ("the_deposed_record_answers", "an_answer_counts_for_who_can_record_it"): 10,
}
"""For each variant and promise about states or steps: the length of a shortest run."""

PAIRS = [(variant, promise) for variant in PROTOCOL.variants for promise in variant.breaks]


@cache
def world(name: str) -> Configuration:
    """A configuration of failover."""
    return configurations.find(name, PROTOCOL)


def named(variant: Variant, claim: Promise | Eventuality) -> tuple[str, str]:
    """What a variant breaks, as named in the table."""
    return variant.name, claim.name


@pytest.mark.parametrize("name", ["two-instances", "a-successor"])
def test_every_state_keeps_every_promise_and_everything_is_reached(name: str) -> None:
    found = explore(PROTOCOL, world(name))
    assert set(world(name).pinned) == {"distinct", "transitions", "depth"}
    assert (found.verdict, found.violated) == ("holds", "")
    assert set(found.reached) == {sometime.name for sometime in PROTOCOL.sometimes}
    assert found.actions == {action.name for action in PROTOCOL.actions}


def test_while_one_is_awake_what_is_recorded_is_done_and_what_is_answered_is_recorded() -> None:
    found = live(PROTOCOL, world("a-successor"))
    assert found.verdict == "holds"
    assert {outcome.eventuality.name for outcome in found.outcomes} == {
        eventuality.name for eventuality in PROTOCOL.eventualities
    }
    assert all(outcome.occurred == outcome.goals > 0 for outcome in found.outcomes)


def test_take_overs_without_end_can_hold_up_everything() -> None:
    """If dead instances have used up the terms of a configuration, no instance leads; the promise covers all other runs."""
    assert live(PROTOCOL, world("two-instances")).verdict == "violated"


@pytest.mark.parametrize(
    ("variant", "promise"), [pair for pair in PAIRS if isinstance(pair[1], Promise)], ids=lambda item: str(item.name)
)
def test_a_variant_breaks_what_it_names_as_soon_as_it_can(variant: Variant, promise: Promise) -> None:
    changed, two = PROTOCOL.with_variant(variant), world("two-instances")
    found = explore(changed, two, promises=[promise], sometimes=[], deadlocks=False, forget_spent=False)
    assert (found.verdict, found.violated) == ("violated", promise.name)
    assert found.trace is not None
    assert len(found.trace.steps) == SHORTEST[named(variant, promise)]
    again = bounded(changed, two, promises=[promise], sometimes=[], deadlocks=False, steps_max=len(found.trace.steps))
    assert (again.violated, again.depth) == (promise.name, len(found.trace.steps))


@pytest.mark.parametrize(
    ("variant", "hope"), [pair for pair in PAIRS if isinstance(pair[1], Eventuality)], ids=lambda item: str(item.name)
)
def test_a_variant_prevents_what_it_names_for_ever(variant: Variant, hope: Eventuality) -> None:
    changed = PROTOCOL.with_variant(variant)
    found = live(changed, world("a-successor"), eventualities=[hope], forget_spent=False)
    assert [each_outcome.verdict for each_outcome in found.outcomes] == ["violated"]
    (outcome,) = found.outcomes
    assert outcome.lasso is not None


@pytest.mark.parametrize(
    "variant",
    [
        each_variant
        for each_variant in PROTOCOL.variants
        if any(isinstance(broken, Promise) for broken in each_variant.breaks)
    ],
    ids=lambda item: str(item.name),
)
def test_a_variant_that_breaks_a_promise_is_not_proved(variant: Variant) -> None:
    proof = prove(PROTOCOL.with_variant(variant), actions=[variant.action])
    assert proof.verdict == "violated"


def test_the_table_has_every_variant_and_promise() -> None:
    about_runs = {named(*pair) for pair in PAIRS if isinstance(pair[1], Promise)}
    assert set(SHORTEST) == about_runs
    broken = {claim for _, claim in PAIRS}
    assert {promise for promise in PROTOCOL.promises if not promise.lemma} | set(PROTOCOL.eventualities) == broken
