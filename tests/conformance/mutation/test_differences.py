"""A check of the tables that turns red says which rows are different, and what they were and are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli.matrix import matrix
from conformance.mutation import figures, table
from conformance.mutation.differences import ROWS_SHOWN, differences
from conformance.mutation.figures import summary_of
from conformance.mutation.table import Matrix, Row
from conformance.report.mutation_table import foot
from spec.on_demand.protocol import PROTOCOL
from tests.conformance.mutation.test_table import KILLED, MATRIX, SURVIVOR

OTHER = replace(KILLED, answers={**KILLED.answers, "replayed": SURVIVOR.answers["proved"], "proved": "survives"})


def with_first(row: Row) -> Matrix:
    """The table with another first row."""
    return replace(MATRIX, rows=(row, *MATRIX.rows[1:]))


def test_the_same_table_has_no_differences() -> None:
    assert list(differences(MATRIX, MATRIX)) == []


def test_a_row_says_what_was_and_what_is() -> None:
    (sentence,) = differences(MATRIX, with_first(OTHER))
    assert sentence.startswith(f"{KILLED.name}: proved was {{")
    assert '"check": "newer_wins"' in sentence
    assert sentence.endswith('and is "survives"')


def test_rows_that_come_and_go_and_inputs_are_named() -> None:
    made = replace(with_first(replace(KILLED, name="act: new")), inputs={**MATRIX.inputs, "engines": {"a.py": "3"}})
    assert list(differences(MATRIX, made)) == [
        "engines changed (model/prove.py and 1 more)",
        f"{KILLED.name}: in the table, and not made",
        "act: new: made, and not in the table",
    ]


def test_an_order_and_checks_are_named() -> None:
    made = replace(MATRIX, rows=MATRIX.rows[::-1], checks=MATRIX.checks[:-1])
    assert list(differences(MATRIX, made)) == [
        "the rows are the same, and stand in another order",
        "checks: vector 02-another",
    ]


def test_only_the_first_rows_are_named() -> None:
    rows = tuple(replace(SURVIVOR, name=f"act: {number}") for number in range(ROWS_SHOWN + 3))
    sentences = list(differences(replace(MATRIX, rows=()), replace(MATRIX, rows=rows)))
    assert len(sentences) == ROWS_SHOWN + 1
    assert sentences[-1] == "and 3 more rows are different"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Matrix:
    """A table whose summary is checked in, with a reason for its survivor, and which was made on this machine."""
    folder = tmp_path / "conformance" / "data" / "mutation"
    monkeypatch.setattr(table, "FOLDER", folder)
    monkeypatch.setattr(figures, "FOLDER", folder)
    monkeypatch.setattr(table, "BUILD", tmp_path / "build" / "mutation")
    made = replace(MATRIX, protocol=PROTOCOL.name)
    monkeypatch.setattr("conformance.cli.matrix.HALVES", {"statement": _Current(made)})
    path = table.reasons_path(PROTOCOL.name, "statement")
    path.parent.mkdir(parents=True)
    path.write_text(f'"{SURVIVOR.name}" = "nobody reads d"\n', encoding="utf-8")
    table.write(made)
    figures.write(summary_of(made, foot(made), "2026-11-01"))
    return made


def checked(made: Matrix, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """What `--check` ends with and prints, if this is what is made."""
    monkeypatch.setattr("conformance.cli.matrix.made", lambda *_: [made])
    given = ["--check", "--protocol", PROTOCOL.name, "--half", "statement"]
    ended = CliRunner().invoke(matrix, given, standalone_mode=False)
    assert ended.exception is None, ended.output
    return ended.return_value, ended.output


def test_a_table_that_is_not_as_its_summary_is_red(
    kept: Matrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert checked(kept, monkeypatch)[0] == 0
    code, printed = checked(replace(kept, rows=(OTHER, *kept.rows[1:])), monkeypatch)
    assert code == 1
    assert f"conformance/data/mutation/{PROTOCOL.name}-statement.json is stale. Run `make matrix`." in printed
    assert f"{KILLED.name}: survives now" in printed
    assert f"{KILLED.name}: proved was {{" in printed
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before, "nothing is written"


def test_a_row_that_is_killed_by_another_check_is_red_too(kept: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    """No figure of the summary shows it, and its digest of the rows does."""
    (seen,) = (row for row in kept.rows if row.name == "act: without b")
    deeper = replace(
        seen,
        answers={name: replace(kill, depth=8) for name, kill in seen.kills.items()}
        | {name: answer for name, answer in seen.answers.items() if name not in seen.kills},
    )
    code, printed = checked(replace(kept, rows=tuple(deeper if row is seen else row for row in kept.rows)), monkeypatch)
    assert code == 1
    assert "is stale. Run `make matrix`." in printed


def test_status_says_what_is_current_and_what_is_not_and_why(kept: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["--status", "--protocol", PROTOCOL.name, "--half", "statement"]
    ended = CliRunner().invoke(matrix, given, standalone_mode=False)
    assert (ended.return_value, "current" in ended.output) == (0, True)
    changed = replace(kept, inputs={**kept.inputs, "engines": {"model/prove.py": "3"}})
    monkeypatch.setattr("conformance.cli.matrix.HALVES", {"statement": _Current(changed)})
    ended = CliRunner().invoke(matrix, given, standalone_mode=False)
    assert ended.return_value == 3
    assert "stale: engines changed (model/prove.py)" in " ".join(ended.output.split())
    assert "Run `make matrix`." in ended.output


class _Current:
    """A half that depends on what this table depends on."""

    def __init__(self, kept: Matrix) -> None:
        self.protocols = (kept.protocol,)
        self.inputs = lambda _: kept.inputs
