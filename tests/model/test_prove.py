"""Proofs: what holds is proved, what does not is violated with a counterexample, and what is open is never green."""

from __future__ import annotations

import pytest

from conformance.kills import kill_by_proof, read_kills
from model.prove import Claim, Proof, prove
from model.small import find_small
from model.wellformed import wellformed
from spec.language import Variant
from spec.on_demand import PROTOCOL
from spec.terms import Truth
from tests.toys.worlds import LOCK

CLAIMS, CHECKS = 101, 1569
"""Pinned: a claim or an action that gets lost would be seen here."""


def test_everything_is_proved_without_bounds() -> None:
    proof = prove(PROTOCOL)
    assert [(claim.name, claim.because) for claim in proof.claims if claim.verdict != "holds"] == []
    assert proof.verdict == "holds"
    assert (len(proof.claims), proof.checks) == (CLAIMS, CHECKS)


def test_every_promise_and_action_is_asked_about() -> None:
    proof = prove(PROTOCOL)
    claimed = {claim.name: claim for claim in proof.claims}
    for promise in PROTOCOL.promises:
        asked = claimed[promise.name].checks + claimed[promise.name].trivial
        assert asked == len(PROTOCOL.actions) + (promise.kind == "always")
    for action in PROTOCOL.actions:
        assert f"{action.name}: its guard can be satisfied" in claimed


def test_the_statement_is_well_formed() -> None:
    proof = wellformed(PROTOCOL)
    assert [(claim.name, claim.because) for claim in proof.claims if claim.verdict != "holds"] == []


def test_the_toy_is_proved_and_its_variant_is_not() -> None:
    assert prove(LOCK).verdict == "holds"
    variant, _ = LOCK.variants
    broken = prove(LOCK.with_variant(variant))
    assert broken.verdict == "violated"
    violated = [claim for claim in broken.claims if claim.verdict == "violated"]
    assert violated[0].counterexample is not None
    assert violated[0].counterexample.occurrence is not None
    assert violated[0].counterexample.occurrence.action == "promise"


@pytest.mark.parametrize("kill", read_kills(), ids=lambda kill: kill.variant)
def test_every_variant_is_killed_by_proof(kill: object) -> None:
    row = next(one for one in read_kills() if one == kill)
    variant = next(one for one in PROTOCOL.variants if one.name == row.variant)
    first = [name for name in kill_by_proof(variant, PROTOCOL) if name in row.proved]
    assert first


def test_the_table_of_kills_has_every_variant() -> None:
    assert [kill.variant for kill in read_kills()] == [variant.name for variant in PROTOCOL.variants]


def test_a_small_state_can_be_found_for_every_guard() -> None:
    (take,) = (action for action in LOCK.actions if action.name == "take")
    small = find_small(LOCK, take, Truth(True), ())
    assert small is not None
    assert small.occurrence is not None
    assert find_small(LOCK, take, Truth(False), ()) is None


def test_undecided_is_never_green() -> None:
    claims = [Claim("one", "always"), Claim("other", "always", verdict="undecided")]
    assert Proof(claims).verdict == "undecided"
    assert Proof([]).verdict == "undecided"
    claims.append(Claim("third", "always", verdict="violated"))
    assert Proof(claims).verdict == "violated"


def test_a_promise_without_a_variant_is_not_well_formed() -> None:
    from dataclasses import replace

    kept: tuple[Variant, ...] = tuple(one for one in PROTOCOL.variants if one.name != "releases_again")
    proof = wellformed(replace(PROTOCOL, variants=kept))
    assert "acts_once: no variant breaks it" in proof.claims[0].because
