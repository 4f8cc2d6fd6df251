"""A check of the tables that turns red says which rows are others, and what was and is said of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli.matrix import matrix
from conformance.mutation import table
from conformance.mutation.differences import ROWS_SHOWN, differences
from conformance.mutation.show import page, page_of
from conformance.mutation.table import Matrix, Row
from spec.on_demand.protocol import PROTOCOL
from tests.conformance.mutation.test_table import KILLED, MATRIX, SURVIVOR

OTHER = replace(KILLED, answers={**KILLED.answers, "replayed": SURVIVOR.answers["proved"], "proved": "survives"})


def with_first(row: Row) -> Matrix:
    """The table with another first row."""
    return replace(MATRIX, rows=(row, *MATRIX.rows[1:]))


def test_the_same_table_has_no_differences() -> None:
    assert list(differences(MATRIX, MATRIX)) == []
    assert list(differences(None, MATRIX)) == []


def test_a_row_says_what_was_and_what_is() -> None:
    (said,) = differences(MATRIX, with_first(OTHER))
    assert said.startswith(f"{KILLED.name}: proved was {{")
    assert '"check": "newer_wins"' in said
    assert said.endswith('and is "survives"')


def test_rows_that_come_and_go_and_fingerprints_are_named() -> None:
    made = replace(with_first(replace(KILLED, name="act: anew")), digests={**MATRIX.digests, "engines": "3"})
    assert list(differences(MATRIX, made)) == [
        "engines: the table is of 2, and today's is 3",
        f"{KILLED.name}: in the table, and not made",
        "act: anew: made, and not in the table",
    ]


def test_an_order_and_checks_are_named() -> None:
    made = replace(MATRIX, rows=MATRIX.rows[::-1], checks=MATRIX.checks[:-1])
    assert list(differences(MATRIX, made)) == [
        "the rows are the same, and stand in another order",
        "checks: vector 02-another",
    ]


def test_only_the_first_rows_are_named() -> None:
    rows = tuple(replace(SURVIVOR, name=f"act: {number}") for number in range(ROWS_SHOWN + 3))
    said = list(differences(replace(MATRIX, rows=()), replace(MATRIX, rows=rows)))
    assert len(said) == ROWS_SHOWN + 1
    assert said[-1] == "and 3 more rows are different"


def checked(made: Matrix, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """What `--check` ends with and says, if this is what is made."""
    without_reasons = replace(made, rows=tuple(replace(row, reason="") for row in made.rows))
    monkeypatch.setattr("conformance.cli.matrix.made", lambda *_: [without_reasons])
    given = ["--check", "--protocol", PROTOCOL.name, "--half", "statement"]
    ended = CliRunner().invoke(matrix, given, standalone_mode=False)
    assert ended.exception is None, ended.output
    return ended.return_value, ended.output


def test_a_table_that_is_not_made_again_is_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = table.read(PROTOCOL.name, "statement")
    assert kept is not None
    folder = tmp_path / "conformance" / "matrix"
    (folder / "reasons").mkdir(parents=True)
    reasons = table.reasons_path(PROTOCOL.name, "statement").read_text(encoding="utf-8")
    (folder / "reasons" / f"{PROTOCOL.name}-statement.toml").write_text(reasons, encoding="utf-8")
    monkeypatch.setattr(table, "FOLDER", folder)
    monkeypatch.setattr("conformance.cli.matrix.HALVES", {"statement": _Fresh(kept)})
    table.write(kept)
    page_of(kept).write_text(page(kept), encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert checked(kept, monkeypatch)[0] == 0
    row = next(
        each_row for each_row in kept.rows if each_row.answers.get("logged") == "survives" and len(each_row.kills) > 1
    )
    other = replace(row, answers={**row.answers, "logged": next(iter(row.kills.values()))})
    made = replace(kept, rows=tuple(other if each_row is row else each_row for each_row in kept.rows))
    code, said = checked(made, monkeypatch)
    assert code == 1
    assert f"{PROTOCOL.name}-statement.json is stale. Run `make matrix`." in said
    assert f'{row.name}: logged was "survives" and is {{' in said
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before, "nothing is written"


class _Fresh:
    """A half of which the table is today's, whatever its fingerprints are."""

    def __init__(self, kept: Matrix) -> None:
        self.protocols = (kept.protocol,)
        self.digests = lambda _: kept.digests
