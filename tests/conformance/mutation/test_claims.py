"""A claim that says less is noticed by a run that it no longer notices, and evidence is not replaced because of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conformance.evidence import gathering, lassos, variants, witnesses
from conformance.evidence.gathering import Evidence, notice_witnesses
from conformance.evidence.mistakes import Mistake
from conformance.evidence.variants import promises_of, read_variants, write_variants
from conformance.mutation.claims import claim_rows
from conformance.mutation.claims.claim_rows import ENGINES, KINDS, checks_of, of_promises
from conformance.mutation.claims.kept_runs import WrongLassos, WrongRuns
from conformance.protocols import PROTOCOLS
from impl.cli.exits import Exit
from model.language import Eventuality, Promise, Protocol
from model.language.notation import notation
from model.language.terms import Truth
from model.mutation.claims import weaker_promises
from model.mutation.definitions import defined_as, definition_mutants, spent_mutants
from model.mutation.fairness import fairness_mutants, with_fairness
from spec.failover.protocol import PROTOCOL as FAILOVER
from spec.failover.variants import does_what_may_come_next, waits_for_the_one_that_led
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_a_variant_is_refuted_by_each_promise_that_it_names(protocol: Protocol) -> None:
    named = [(variant.name, promise.name) for variant in protocol.variants for promise in promises_of(variant)]
    assert [(row.variant, row.promise) for row in read_variants(protocol)] == named


def test_what_only_one_run_shows_is_noticed_by_that_run() -> None:
    runs = WrongRuns(FAILOVER)
    found = {mutant.name: runs.noticed(mutant.original, mutant.claim) for mutant in weaker_promises(FAILOVER)}
    kill = found["nothing_is_sent_that_is_not_recorded: without applied(journal, version, decision)"]
    assert kill is not None
    assert kill.check.name == "does-what-may-come-next"
    assert kill.also == ()
    assert found["a_term_belongs_to_one_instance: unless instance = other"] is None


def test_a_mutant_of_a_definition_is_asked_about_by_itself() -> None:
    """Two protocols whose promise has one name and different formulas, asked of the same runs one after the other."""
    runs, found = WrongRuns(MESSAGE_QUEUE), []
    for mutant in definition_mutants(MESSAGE_QUEUE):
        if mutant.original.name == "under_way" and mutant.rule == "drop":
            with defined_as(MESSAGE_QUEUE, mutant) as changed:
                pairs = zip(MESSAGE_QUEUE.promises, changed.promises, strict=True)
                (kill,) = (runs.noticed(old, new) for old, new in pairs if old is not new)
            found.append(kill.check.name if kill is not None else "")
    assert found[:2] == ["leaves-without-a-snapshot", "sends-nothing-to-the-subscribed"]


@pytest.mark.parametrize(
    ("name", "engine", "run"),
    [
        (
            "in_session: epoch(host) ≤ met(host) for met(host) = epoch(host)",
            "reached",
            "a-pretender-is-subscribed-and-keeps-nothing",
        ),
        ("agent_session: with starting for greeted", "replayed", "01-a-network"),
        (
            "agent_session: with epoch(host) ≤ met(host) for met(host) = epoch(host)",
            "replayed",
            "a-pretender-is-subscribed-and-keeps-nothing",
        ),
    ],
)
def test_a_wrong_definition_shows_in_what_runs_reach_and_what_is_expected_of_them(
    name: str, engine: str, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [mutant for mutant in definition_mutants(MESSAGE_QUEUE) if mutant.name == name]
    monkeypatch.setattr(claim_rows, "definition_mutants", lambda _: wanted)
    (row,) = KINDS["definitions"](MESSAGE_QUEUE)
    assert {found: kill.check.name for found, kill in row.kills.items()} == {engine: run}


def test_rows_have_answers_of_known_engines_and_checks() -> None:
    rows = list(of_promises(FAILOVER))
    assert {engine for row in rows for engine in row.answers} <= set(ENGINES)
    assert {check for row in rows for kill in row.kills.values() for check in (kill.check, *kill.also)} <= set(
        checks_of(FAILOVER, rows)
    )
    assert {row.fate for row in rows} == {"killed", "equivalent", "survives"}
    assert all(row.equivalent or row.kills or set(row.answers) == {"shown", "proved"} for row in rows)


def test_a_run_that_stops_where_an_action_could_be_taken_shows_that_nobody_has_to() -> None:
    (crash,) = (mutant for mutant in fairness_mutants(FAILOVER) if mutant.original.name == "crash")
    kill = WrongLassos(FAILOVER).unfair_in(with_fairness(FAILOVER, crash))
    assert kill is not None
    assert kill.check.kind == "lasso"
    assert list(KINDS)


def weakened(claim: Promise | Eventuality) -> Protocol:
    """The protocol with a claim that says nothing, under the same name, as its variants name it."""
    if isinstance(claim, Promise):
        promise = replace(claim, formula=Truth(True))
        changed = replace(FAILOVER, promises=tuple(promise if old is claim else old for old in FAILOVER.promises))
        weak: Promise | Eventuality = promise
    else:
        hope = replace(claim, conclusion=Truth(True))
        changed = replace(
            FAILOVER, eventualities=tuple(hope if old is claim else old for old in FAILOVER.eventualities)
        )
        weak = hope
    object.__setattr__(weak, "name", claim.name)
    variants = []
    for old in FAILOVER.variants:
        new = replace(old, breaks=tuple(weak if broken is claim else broken for broken in old.breaks))
        object.__setattr__(new, "name", old.name)
        variants.append(new)
    return replace(changed, variants=tuple(variants))


def test_counterexamples_are_not_replaced_because_a_promise_says_less(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = weakened(does_what_may_come_next.breaks[0])
    monkeypatch.setattr(variants, "refuted", lambda *_: pytest.fail("nothing is looked for"))
    with pytest.raises(Mistake, match="breaks nothing_is_sent_that_is_not_recorded no longer, which says less"):
        write_variants(changed, lambda _: None)


def test_lassos_are_not_replaced_because_an_eventuality_says_less(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = weakened(waits_for_the_one_that_led.breaks[0])
    monkeypatch.setattr(lassos, "lassos_of", lambda *_: pytest.fail("nothing is looked for"))
    with pytest.raises(Mistake, match="breaks what_is_recorded_is_done no longer, which promises less"):
        lassos.write_lassos(changed, lambda _: None)


def test_a_counterexample_that_is_no_run_any_more_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "of-another-statement.scenario"
    path.write_text("claim x\nprotocol failover\nconfiguration two-instances\n\nload i1 j1\n", encoding="utf-8")
    monkeypatch.setattr(variants, "counterexample_of", lambda *_: path)
    monkeypatch.setattr(variants, "refuted", lambda *_: (_ for _ in ()).throw(KeyError("it is looked for")))
    with pytest.raises(KeyError, match="it is looked for"):
        write_variants(FAILOVER, lambda _: None)


def test_a_run_whose_witnesses_are_not_kept_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {run: reached for run, reached in witnesses.read_witnesses(FAILOVER).items() if run != "all-is-sent-again"}
    monkeypatch.setattr(gathering, "read_witnesses", lambda _: kept)
    found = Evidence(FAILOVER, ("two-instances",))
    notice_witnesses(found, witnesses.runs_of(FAILOVER), FAILOVER)
    assert found.stale == (
        "The witnesses of failover are stale: they say nothing of all-is-sent-again. Run `ondemand golden witnesses failover`."
    )
    assert found.exit is Exit.UNDECIDED


def test_a_witness_that_is_reached_earlier_is_red_and_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    (witness,) = (each for each in FAILOVER.sometimes if each.name == "an_answer_waits")
    weak = replace(witness, formula=Truth(True))
    object.__setattr__(weak, "name", witness.name)
    changed = replace(FAILOVER, sometimes=tuple(weak if each is witness else each for each in FAILOVER.sometimes))
    vectors = witnesses.runs_of(FAILOVER)
    found = Evidence(FAILOVER, ())
    notice_witnesses(found, vectors, FAILOVER)
    assert (found.unmet, found.stale) == ([], "")
    notice_witnesses(found, [replace(vector, protocol=changed) for vector in vectors], changed)
    said = "all-is-sent-again: an_answer_waits is reached at step 0 and the run reached it at step"
    assert any(said in sentence for sentence in found.unmet)
    assert found.unmet[-1] == "an_answer_waits: holds before any step in every run that reaches it, so it shows nothing"
    assert found.exit is Exit.VIOLATED
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: pytest.fail("nothing is written"))
    with pytest.raises(Mistake, match="so the witness says less than it did"):
        witnesses.write_witnesses(changed)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_what_is_kept_of_witnesses_is_of_today(protocol: Protocol) -> None:
    assert witnesses.read_witnesses(protocol) == witnesses.firsts(protocol, witnesses.runs_of(protocol))


def test_a_wrong_definition_and_a_wrong_spent_condition_are_noticed() -> None:
    rows = {row.name: row for row in [*KINDS["definitions"](FAILOVER), *KINDS["spent"](FAILOVER)]}
    assert rows["append: spent term ≤ fence(journal) for term < fence(journal)"].fate == "killed"
    assert "replayed" in rows["leads: without ¬lapsed(instance, journal)"].kills
    assert {row.fate for row in rows.values()} >= {"killed", "equivalent"}
    (message,) = (each for each in FAILOVER.messages if each.name == "append")
    (stated,) = (
        mutant.original
        for mutant in spent_mutants(FAILOVER)
        if mutant.name.endswith("entry(journal, version, decision)")
    )
    assert stated is message, "and the statement is as it was"
    assert "term < fence(journal)" in notation(message.spent)
