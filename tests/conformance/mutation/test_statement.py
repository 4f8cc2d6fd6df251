"""Batches have every mutant once; what the engines say of a few mutants is as it must be; the command says what it does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from conformance.cli.check import faults_of, print_conclusion
from conformance.cli.matrix import matrix
from conformance.evidence.gathering import Evidence
from conformance.mutation import figures, table
from conformance.mutation.figures import read
from conformance.mutation.statement import BATCH, batches, checks_of, engines_of, own_actions, rows_of
from conformance.mutation.status import HALVES, Held, held
from conformance.mutation.table import STATEMENT
from conformance.protocols import PROTOCOLS, named
from conformance.report.markdown import part_of
from conformance.report.mutation_table import DOCUMENT, for_document
from impl.cli.exits import Exit, Problem
from model.mutation.rules import mutants_of
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.on_demand.protocol import PROTOCOL
from spec.small_networks.protocol import PROTOCOL as SMALL_NETWORKS


def test_batches_have_every_mutant_once() -> None:
    for protocol in (PROTOCOL, MESSAGE_QUEUE):
        found = batches(protocol)
        assert [item.name for batch in found for item in batch] == [mutant.name for mutant in mutants_of(protocol)]
        assert max(map(len, found)) <= BATCH


def test_inherited_actions_are_mutated_where_they_are_stated() -> None:
    assert {own_action.name for own_action in own_actions(SMALL_NETWORKS)}.isdisjoint(
        action.name for action in PROTOCOL.actions
    )


@pytest.fixture(scope="module")
def rows() -> dict[str, table.Row]:
    """What the engines say of the mutants of one action of the message queue, by what is wrong."""
    (action,) = (each_action for each_action in MESSAGE_QUEUE.actions if each_action.name == "hear_refusal")
    told: list[str] = []
    mutants = mutants_of(MESSAGE_QUEUE, (action,))
    found = rows_of(MESSAGE_QUEUE, mutants, told.append)
    assert len(told) == 2 * len(mutants)
    return {row.name: row for row in found}


def test_every_mutant_has_answers_by_known_engines_and_checks(rows: dict[str, table.Row]) -> None:
    checks = set(checks_of(MESSAGE_QUEUE))
    for row in rows.values():
        assert set(row.answers) <= set(engines_of(MESSAGE_QUEUE))
        assert row.equivalent or {"proved", "explored", "replayed", "logged"} <= set(row.answers), row
        assert {item for kill in row.kills.values() for item in (kill.check, *kill.also)} <= checks
        explored = row.kills.get("explored")
        assert explored is None or (explored.depth or 0) > 0
        assert explored is None or "pinned" not in row.answers


def test_rows_that_are_made_again_are_as_the_summary_says(rows: dict[str, table.Row]) -> None:
    """Of one action; `make matrix` makes all of them."""
    kept = read(MESSAGE_QUEUE.name, STATEMENT)
    assert kept is not None
    assert {name for name, row in rows.items() if row.fate == "equivalent"} == rows.keys() & set(kept.equivalent)
    survivors = {survivor.name for survivor in kept.survivors}
    assert {name for name, row in rows.items() if row.fate == "survives"} == rows.keys() & survivors


def test_most_mutants_are_killed_by_several_engines(rows: dict[str, table.Row]) -> None:
    killed = [row for row in rows.values() if row.fate == "killed"]
    assert len(killed) > len(rows) // 2
    assert {engine for row in killed for engine in row.kills} >= {"proved", "explored", "replayed"}


def test_a_protocol_without_its_table_is_undecided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "FOLDER", tmp_path / "mutation")
    found = held(PROTOCOL)
    assert found.summaries == ()
    assert [code for code, _ in found.faults] == [Exit.UNDECIDED] * len(
        [halve for halve in HALVES.values() if PROTOCOL.name in halve.protocols]
    )
    assert "make matrix" in found.faults[0][1]


@pytest.mark.parametrize("name", HALVES[STATEMENT].protocols)
def test_what_is_checked_in_is_of_today_and_green(name: str) -> None:
    found = held(named(name))
    assert found.faults == ()
    assert found.summaries


def test_the_command_shows_what_is_checked_in() -> None:
    ended = CliRunner().invoke(matrix, ["--shown", "--json", "-"], standalone_mode=False)
    assert ended.return_value == 0
    shown = json.loads(ended.stdout)["matrices"]
    assert [(item["half"], item["protocol"]) for item in shown] == [
        (half, name) for half, covered in HALVES.items() for name in covered.protocols
    ]
    assert all(item["survives"] == 0 and item["mutants"] > 0 for item in shown)


def test_the_documented_figures_are_those_of_the_summaries() -> None:
    summaries = [kept for protocol in PROTOCOLS for kept in held(protocol).summaries]
    assert part_of(DOCUMENT, "matrix") == for_document(summaries), "run `make matrix`"


def test_the_command_refuses_a_protocol_without_a_matrix() -> None:
    ended = CliRunner().invoke(matrix, ["--protocol", "slots", "--half", "implementation"], standalone_mode=False)
    assert isinstance(ended.exception, Problem)
    assert ended.exception.code is Exit.BAD_INPUT
    assert "on-demand" in str(ended.exception)


@pytest.mark.parametrize("code", [Exit.UNDECIDED, Exit.VIOLATED])
def test_what_is_wrong_with_a_matrix_is_wrong_with_the_check(code: Exit) -> None:
    found = Evidence(PROTOCOL, ("two-hosts",), mutants=Held((), ((code, "The kill matrix is of another statement."),)))
    assert found.exit is code
    assert found.as_json()["mutants"]["faults"] == ["The kill matrix is of another statement."]
    console = Console(width=80)
    with console.capture() as said:
        print_conclusion([list(faults_of(found, None))], found.exit, 1.0, console)
    assert "The kill matrix is of another statement." in said.get()
