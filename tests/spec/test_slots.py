"""The topology with slots: proved without bounds, explored, its eventualities decided, and every variant noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.configuration import Configuration, load
from model.explore import Exploration, explore
from model.live import live
from model.prove import prove
from model.wellformed import wellformed
from spec.language import Deviation, Eventuality, Promise, Variant
from spec.slots.protocol import PROTOCOL

CONFIGURATIONS = Path(__file__).parent.parent.parent / "conformance" / "configurations" / "slots"
CLAIMS, CHECKS = 82, 1129
"""Pinned: a claim or an action that gets lost would be seen here."""

KILLS = {
    # variant: the configuration that shows a shortest way to a promise it names, the promise, and the steps
    "shares_a_slot": ("one-slot", "no_two_hosts_share_a_slot", 2),
    "publishes_before_it_is_confirmed": ("two-slots", "a_handover_holds_nobody_up", 6),
    "leaves_a_slot_unattended": ("two-slots", "no_slot_stays_unattended", 10),
    "asks_a_dead_agent_for_ever": ("lost-consumers", "asking_ends", 6),
    "counts_for_any_change": ("two-slots", "confirmed_means_applied", 6),
    "replays_the_older": ("lost-consumers", "newer_wins", 13),
    "publishes_to_another_slot": ("two-slots", "goes_where_it_was_told", 8),
    "gives_out_slot_0": ("lost-consumers", "a_key_reaches_every_slot", 1),
    "acknowledges_what_it_did_not_apply": ("lost-consumers", "nothing_is_lost", 10),
    "confirms_before_applying": ("lost-consumers", "confirmed_means_applied", 5),
    "reuses_a_slot_at_once": ("one-slot", "goes_where_it_was_told", 12),
    "reuses_a_slot_that_is_listened_to": ("one-slot", "only_the_addressee_receives", 18),
    "hands_over_what_is_not_drained": ("lost-consumers", "a_handover_holds_nobody_up", 13),
    "fills_and_forgets": ("lost-consumers", "nothing_is_lost", 11),
    "keeps_for_later": ("lost-consumers", "what_is_issued_arrives", 12),
    "acknowledges_news_only": ("lost-consumers", "what_is_published_leaves_the_topic", 13),
    "hands_back_to_anybody": ("two-slots", "knows_only_its_own", 14),
    "greets_without_sending": ("lost-consumers", "nothing_is_lost", 3),
    "counts_older_epochs": ("lost-consumers", "confirmed_means_applied", 8),
}


def configuration(name: str) -> Configuration:
    """A named configuration."""
    return load(CONFIGURATIONS / f"{name}.toml", PROTOCOL)


NAMES = sorted(path.stem for path in CONFIGURATIONS.glob("*.toml"))


def test_every_promise_is_inductive_without_bounds() -> None:
    proof = prove(PROTOCOL)
    assert [(claim.name, claim.because) for claim in proof.claims if claim.verdict != "holds"] == []
    assert (len(proof.claims), proof.checks) == (CLAIMS, CHECKS)


def test_the_statement_is_well_formed() -> None:
    proof = wellformed(PROTOCOL)
    assert [(claim.name, claim.because) for claim in proof.claims if claim.verdict != "holds"] == []
    assert {claim.kind for claim in proof.claims} == {"text", "alternatives", "lifecycle"}


def test_every_state_keeps_every_promise_and_nothing_is_vacuous() -> None:
    found: list[Exploration] = [explore(PROTOCOL, configuration(name)) for name in NAMES]
    assert [(one.configuration, one.verdict, one.violated) for one in found if one.verdict != "holds"] == []
    assert set().union(*(one.actions for one in found)) == {action.name for action in PROTOCOL.actions}
    assert set().union(*(one.reached for one in found)) == {claim.name for claim in PROTOCOL.sometimes}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_promised_eventually_happens(name: str) -> None:
    decided = live(PROTOCOL, configuration(name))
    assert decided.verdict == "holds"
    assert all(one.occurred == one.goals for one in decided.outcomes)
    # Where somebody is not honest, only what does not depend on honesty is promised.
    assert {one.eventuality.name for one in decided.outcomes if one.occurred} == (
        {"asking_ends", "no_slot_stays_unattended"}
        if name == "eavesdropper"
        else {one.name for one in PROTOCOL.eventualities}
    )


@pytest.mark.parametrize("weakness", ["a_stranger_reads", "a_stranger_swallows", "a_stranger_confirms"])
def test_a_slot_is_no_isolation(weakness: str) -> None:
    """The known weakness: one agent that is not honest can read, swallow and forge, and no rule for slots prevents it."""
    assert explore(PROTOCOL, configuration("eavesdropper")).reached[weakness] > 0
    assert weakness not in explore(PROTOCOL, configuration("two-slots")).reached


def test_the_table_of_kills_has_every_variant() -> None:
    assert list(KILLS) == [variant.name for variant in PROTOCOL.variants]
    assert {variant.kind for variant in PROTOCOL.variants} == set(Deviation)


@pytest.mark.parametrize("variant", PROTOCOL.variants, ids=lambda variant: variant.name)
def test_every_variant_breaks_a_promise_that_it_names(variant: Variant) -> None:
    name, claim, steps = KILLS[variant.name]
    changed = PROTOCOL.with_variant(variant)
    broken = next(one for one in variant.breaks if one.name == claim)
    if isinstance(broken, Eventuality):
        (outcome,) = live(changed, configuration(name), eventualities=[broken]).outcomes
        assert (outcome.verdict, outcome.eventuality) == ("violated", broken)
        assert outcome.lasso is not None
        assert len(outcome.lasso.steps) == steps
        return
    found = explore(
        changed,
        configuration(name),
        states_max=3_000_000,
        promises=[broken],
        sometimes=[],
        deadlocks=False,
        forget_spent=False,  # for a variant that is not justified
    )
    assert (found.verdict, found.violated) == ("violated", claim)
    assert found.trace is not None
    assert len(found.trace.steps) == steps


@pytest.mark.parametrize(
    "variant",
    [one for one in PROTOCOL.variants if any(isinstance(broken, Promise) for broken in one.breaks)],
    ids=lambda variant: variant.name,
)
def test_no_variant_that_breaks_a_state_or_a_step_is_proved(variant: Variant) -> None:
    proof = prove(PROTOCOL.with_variant(variant), actions=[variant.action], stop_at_violation=True)
    assert proof.verdict == "violated"
