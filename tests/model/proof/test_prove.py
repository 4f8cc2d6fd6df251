"""Proofs: what holds is proved, what does not hold is violated with a counterexample, and what is open is never green."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.evidence.variants import VariantCounterexample, breaking, read_variants, violated_by
from conformance.protocols import PROTOCOLS
from model.language import Assumption, Protocol, Variant
from model.language.terms import Truth
from model.proof.finite_models import find_small
from model.proof.prove import Claim, Proof, prove
from model.proof.wellformed import wellformed
from spec.on_demand.protocol import PROTOCOL
from tests.toys.configurations import LOCK, PATIENT

COUNTS = {
    "on-demand": (117, 2055),
    "small-networks": (127, 2515),
    "message-queue": (94, 1551),
    "slots": (85, 1234),
    "failover": (48, 366),
}
"""Pinned claims and checks: a lost claim or action would change them."""

KILLS = [(protocol, kill) for protocol in PROTOCOLS for kill in read_variants(protocol)]

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)


@every_protocol
def test_everything_is_proved_without_bounds(protocol: Protocol) -> None:
    proof = prove(protocol)
    assert [(claim.name, claim.because) for claim in proof.claims if claim.verdict != "holds"] == []
    assert proof.verdict == "holds"
    assert (len(proof.claims), proof.checks) == COUNTS[protocol.name]


@every_protocol
def test_every_promise_and_action_is_asked_about(protocol: Protocol) -> None:
    proof = prove(protocol)
    claimed = {claim.name: claim for claim in proof.claims}
    for promise in protocol.promises:
        asked = claimed[promise.name].checks + claimed[promise.name].trivial
        assert asked == len(protocol.actions) + (promise.kind == "always")
    for action in protocol.actions:
        assert f"{action.name}: its guard can be satisfied" in claimed


@every_protocol
def test_the_statement_is_well_formed(protocol: Protocol) -> None:
    proof = wellformed(protocol)
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


@pytest.mark.parametrize(("protocol", "kill"), KILLS, ids=[kill.variant for _, kill in KILLS])
def test_every_variant_is_killed_by_proof(protocol: Protocol, kill: VariantCounterexample) -> None:
    variant = next(each_variant for each_variant in protocol.variants if each_variant.name == kill.variant)
    assert {claim.name for claim in violated_by(variant, protocol)} & set(kill.proved)


@every_protocol
def test_the_table_of_kills_has_every_variant(protocol: Protocol) -> None:
    named = dict.fromkeys(kill.variant for kill in read_variants(protocol))
    assert list(named) == [variant.name for variant in breaking(protocol)]


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

    kept: tuple[Variant, ...] = tuple(
        variant for variant in PROTOCOL.variants if "acts_once" not in [broken.name for broken in variant.breaks]
    )
    proof = wellformed(replace(PROTOCOL, variants=kept))
    assert "acts_once: no variant breaks it" in proof.claims[0].because


@pytest.mark.parametrize("assumptions", [PATIENT.assumptions, ()])
def test_a_guard_that_no_state_satisfies_among_all_numbers_is_no_success(assumptions: tuple[Assumption, ...]) -> None:
    """Everything follows from a contradiction; only a small state, whose numbers end at a bound, satisfies the guard."""
    proof = prove(replace(PATIENT, assumptions=assumptions))
    found = {claim.name: claim for claim in proof.claims}
    assert found["answers_what_counts"].verdict == "holds"
    guard = found["answer: its guard can be satisfied"]
    assert (proof.verdict, guard.verdict) == ("violated", "violated")
    assert guard.because == "it can be satisfied only where numbers end at a bound"
