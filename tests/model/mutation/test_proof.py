"""The proof engine on mutants: the claims that they break, and which ones are equivalent to the original."""

from __future__ import annotations

import pytest

from model.mutation.proof import MutantProver
from model.mutation.rules import mutants_of
from spec.on_demand.protocol import PROTOCOL

MUTANTS = {mutant.name: mutant for mutant in mutants_of(PROTOCOL)}


@pytest.fixture(scope="module")
def prover() -> MutantProver:
    return MutantProver(PROTOCOL)


@pytest.mark.parametrize(
    ("name", "kind", "claim"),
    [
        ("grant: without same_vpc(source, destination)", "promise", "stays_in_its_vpc"),
        ("store: without recorded(pod) < version", "promise", "newer_wins"),
        ("grant: without add told(host, destination)", "lemma", "grants_are_of_met_epochs"),
        ("learn: without known(host, pod) := version", "spent", "route: taking it spends it"),
        ("grant: without home(host, source)", "promise", "answers_the_asker"),
        ("report_done: without change(pod, version) := done", "lemma", "reports_are_true"),
        ("remind: only if not told(host, pod)", "guard", "remind: its guard can be satisfied"),
        ("evict: without correct(host)", "lifecycle", "route_state: moves only as declared"),
        ("drop: without paused(host, source, destination)", "alternatives", "takes_a_packet: exactly one applies"),
    ],
)
def test_a_wrong_rule_breaks_a_claim(prover: MutantProver, name: str, kind: str, claim: str) -> None:
    found = prover.ask(MUTANTS[name])
    assert (kind, claim) in found.broken, found
    assert not found.equivalent
    assert set(found.broken) <= set(prover.checks)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (
            "supersede: version < recorded(pod), with version ≤ recorded(pod) for version < recorded(pod)",
            "the guard says the same",
        ),
        ("learn: without correct(host)", "the guard says the same"),
        (
            "release: remove waiting(host, asked_by, source, destination), for all values of destination",
            "the step leads to the same",
        ),
    ],
)
def test_what_says_the_same_is_shown_to(prover: MutantProver, name: str, shown: str) -> None:
    found = prover.ask(MUTANTS[name])
    assert (found.broken, found.undecided, found.equivalent) == ((), (), shown)


@pytest.mark.parametrize(
    "name",
    [
        "evict: without remove installed(host, pod)",
        "remind: without send route(host, greeted(host), pod, recorded(pod))",
        "deliver: delivered(host, source, destination), with destination and source swapped",
        "place: without ¬at(pod, latest(pod), host)",
    ],
)
def test_what_does_less_or_more_is_not_said_to_be_the_same(prover: MutantProver, name: str) -> None:
    assert prover.ask(MUTANTS[name]).equivalent == ""


def test_what_is_said_of_a_mutant_does_not_depend_on_those_before(prover: MutantProver) -> None:
    name = "evict: without correct(host)"
    prover.ask(MUTANTS["remind: only if not told(host, pod)"])
    assert prover.ask(MUTANTS[name]) == MutantProver(PROTOCOL).ask(MUTANTS[name])
