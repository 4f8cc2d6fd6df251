"""Mutants of claims say less and never more; what other claims say, and what they need, is told from what only evidence shows."""

from __future__ import annotations

import pytest

from conformance.evidence.variants import negative_of
from conformance.protocols import PROTOCOLS
from conformance.replay.replays import read_vectors, vectors_of
from model.language import Eventuality, Promise, Protocol, Sometimes
from model.language.terms import And, Implies, Or, Truth
from model.mutation.claims import (
    RULES,
    ClaimMutant,
    weaker,
    weaker_eventualities,
    weaker_promises,
    weaker_witnesses,
)
from model.mutation.definitions import defined_as, definition_mutants
from model.mutation.entailment import Entailment
from model.mutation.fairness import fairness_mutants, with_fairness
from model.mutation.needed import Needed
from model.reference.interpreter import interpreter_of
from spec.failover.protocol import PROTOCOL as FAILOVER
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND
from spec.slots.protocol import PROTOCOL as SLOTS


def named(protocol: Protocol, start: str) -> ClaimMutant[Promise]:
    """The only mutant of a promise whose name begins so."""
    (found,) = (mutant for mutant in weaker_promises(protocol) if mutant.name.startswith(start))
    return found


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_mutants_have_unique_names_and_known_rules(protocol: Protocol) -> None:
    found: list[ClaimMutant[Promise] | ClaimMutant[Sometimes] | ClaimMutant[Eventuality]]
    found = [*weaker_promises(protocol), *weaker_witnesses(protocol), *weaker_eventualities(protocol)]
    assert len({mutant.name for mutant in found}) == len(found)
    assert {mutant.rule for mutant in found} <= set(RULES)
    assert {mutant.original for mutant in found} >= {
        promise for promise in protocol.promises if not promise.lemma and promise not in _inherited(protocol)
    }


def _inherited(protocol: Protocol) -> tuple[object, ...]:
    return protocol.extends.promises if protocol.extends else ()


@pytest.mark.parametrize("protocol", [FAILOVER, SLOTS], ids=lambda protocol: protocol.name)
def test_a_mutant_is_broken_only_where_the_promise_is(protocol: Protocol) -> None:
    mutants = weaker_promises(protocol)
    broken = set()
    for vector in read_vectors([vectors_of(protocol)], protocol):
        interpreter = interpreter_of(vector.protocol, vector.trace.configuration)
        before, after = vector.trace.states[-2:]
        events = interpreter.apply(before, vector.trace.steps[-1])[1]
        for mutant in mutants:
            if interpreter.violated(before, after, events, [mutant.claim]) is not None:
                broken.add(mutant.name)
                assert interpreter.violated(before, after, events, [mutant.original]) is not None, mutant.name
    assert len(broken) > 5
    assert negative_of(protocol).is_dir()


def test_a_part_of_a_premise_is_strengthened_and_one_of_a_conclusion_is_weakened() -> None:
    grows = named(FAILOVER, "a_journal_only_grows: without fence")
    assert grows.rule == "drop"
    assert isinstance(grows.original.formula, And)
    assert isinstance(grows.claim.formula, And)
    assert len(grows.claim.formula.operands) == len(grows.original.formula.operands) - 1
    heard = named(FAILOVER, "nothing_is_sent_that_is_not_recorded: without applied")
    assert isinstance(heard.claim.formula, Implies)
    assert isinstance(heard.claim.formula.premise, Or)
    assert len(heard.claim.formula.premise.operands) == 1
    assert next(weaker(Truth(False), of="it"))[1:] == ("without it", Truth(True))


def test_what_other_claims_say_is_equivalent() -> None:
    entailment = Entailment(FAILOVER)
    assert entailment.promise_follows(named(FAILOVER, "a_term_belongs_to_one_instance: unless"))
    assert not entailment.promise_follows(named(FAILOVER, "a_term_belongs_to_one_instance: without the promise"))
    assert not entailment.promise_follows(named(FAILOVER, "a_journal_only_grows: without fence")), "of two states"


@pytest.mark.parametrize(
    ("protocol", "change", "says_the_same"),
    [
        (
            ON_DEMAND,
            "coming: with latest(pod) for recorded(pod) (2)",
            True,
        ),  # it says the same, and means something else
        (ON_DEMAND, "coming: with latest(pod) for recorded(pod)", False),  # it says less
        (ON_DEMAND, "coming: without unspent route(host, greeted(host), pod, recorded(pod))", False),  # it is wrong
        (ON_DEMAND, "home: with latest(pod) for recorded(pod)", False),  # actions read it too
        (ON_DEMAND, "record_state: with placed for unknown", False),  # no promise reads it
    ],
)
def test_a_definition_that_only_promises_read_may_be_another_one(
    protocol: Protocol, change: str, says_the_same: bool
) -> None:
    (mutant,) = (mutant for mutant in definition_mutants(protocol) if mutant.name == change)
    entailment = Entailment(protocol)
    assert not entailment.shared_follows(mutant)
    with defined_as(protocol, mutant) as changed:
        assert entailment.claims_follow(mutant, changed) is says_the_same


def test_a_claim_that_another_proof_needs_is_noticed() -> None:
    needed = Needed(SLOTS)
    question = needed.by(named(SLOTS, "no_two_hosts_share_a_slot: without ¬(attends"))
    assert question is not None
    assert question.claim.name == "what_is_held_is_pending"
    assert needed.by(named(SLOTS, "no_two_hosts_share_a_slot: unless host = other")) is None


def test_a_fairness_mutant_changes_one_action_and_nothing_else() -> None:
    for mutant in fairness_mutants(FAILOVER):
        changed = with_fairness(FAILOVER, mutant)
        differing = [
            (mine.name, its.fair)
            for mine, its in zip(FAILOVER.actions, changed.actions, strict=True)
            if mine.fair != its.fair
        ]
        assert differing == [(mutant.original.name, not mutant.original.fair)]
