"""The form of a mutation table and of its summary: what is read is what was written, and nothing is green that is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from conformance.mutation import figures, table
from conformance.mutation.figures import Summary, summary_of
from conformance.mutation.table import Check, Kill, Matrix, Row, Undecided
from conformance.report.mutation_table import foot, page, print_summary, summary_lines
from impl.cli.exits import Exit, Problem

PROMISED, LEMMA, VECTOR, IDLE = (
    Check("promise", "newer_wins"),
    Check("lemma", "carries"),
    Check("vector", "01-a-run"),
    Check("vector", "02-another"),
)
KILLED = Row("act: without a", "act", "drop", {"proved": Kill(PROMISED, also=(LEMMA,)), "replayed": "survives"})
SEEN = Row(
    "act: without b", "act", "drop", {"replayed": Kill(VECTOR, "known(h1, p1)", 7), "proved": Undecided("no limit")}
)
SAME = Row("act: not c", "act", "negate", {"proved": "survives"}, "c is always true")
SURVIVOR = Row("act: without d", "act", "drop", {"proved": "survives", "replayed": "survives"})
MATRIX = Matrix(
    "toy",
    "statement",
    {"proved": "claims by z3", "replayed": "vectors"},
    {"statement": {"": "1"}, "engines": {"model/prove.py": "2"}},
    (PROMISED, LEMMA, VECTOR, IDLE),
    (KILLED, SEEN, SAME, SURVIVOR),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where tables are written instead."""
    kept = tmp_path / "conformance" / "data" / "mutation"
    monkeypatch.setattr(table, "FOLDER", kept)
    monkeypatch.setattr(figures, "FOLDER", kept)
    monkeypatch.setattr(table, "BUILD", tmp_path / "build" / "mutation")
    return kept


def summed(matrix: Matrix = MATRIX) -> Summary:
    """The summary of a table, made on a fixed day."""
    return summary_of(matrix, foot(matrix), "2026-11-30")


def reasons(folder: Path, text: str) -> None:
    """Writes the file of reasons."""
    (folder / "reasons").mkdir(parents=True, exist_ok=True)
    (folder / "reasons" / "toy-statement.toml").write_text(text, encoding="utf-8")


def test_what_is_read_is_what_was_written(folder: Path) -> None:
    table.write(MATRIX)
    assert table.read("toy", "statement") == MATRIX
    assert table.read("toy", "implementation") is None
    lines = table.rows_path("toy", "statement").read_text(encoding="utf-8").splitlines()
    assert sum("act: " in line for line in lines) == len(MATRIX.rows)
    figures.write(summed())
    assert [path.name for path in folder.iterdir()] == ["toy-statement.json"]
    assert figures.read("toy", "statement") == summed()
    assert figures.read("toy", "implementation") is None


def test_a_summary_has_the_figures_the_survivors_and_the_digest_of_every_row(folder: Path) -> None:
    found = summed()
    assert (found.mutants, found.killed, found.equivalent) == (4, 2, (SAME.name,))
    assert [survivor.name for survivor in found.survivors] == [SURVIVOR.name]
    assert found.engines["replayed"].killed == 1
    assert found.engines["proved"].undecided == 1
    for number, row in enumerate(MATRIX.rows):
        rows = (*MATRIX.rows[:number], replace(row, of="another"), *MATRIX.rows[number + 1 :])
        assert summed(replace(MATRIX, rows=rows)).rows != found.rows


def test_the_age_of_a_table_is_counted_in_days(folder: Path) -> None:
    assert summed().age(date(2026, 12, 3)) == 3


def test_each_mutant_has_one_fate() -> None:
    assert [row.fate for row in MATRIX.rows] == ["killed", "killed", "equivalent", "survives"]
    assert replace(KILLED, equivalent="it is not").fate == "killed"


def test_what_is_only_undecided_survives() -> None:
    assert replace(SURVIVOR, answers={"proved": Undecided("time")}).fate == "survives"


def test_survivors_without_a_reason_are_red(folder: Path) -> None:
    ((code, sentence),) = summed().faults(MATRIX.inputs)
    assert code is Exit.VIOLATED
    assert "act: without d" in sentence
    assert "conformance/data/mutation/reasons/toy-statement.toml" in sentence
    reasons(folder, '"act: without d" = "nobody reads d"\n')
    assert summed().faults(MATRIX.inputs) == []


def test_a_reason_for_what_is_killed_is_red(folder: Path) -> None:
    reasons(folder, '"act: without d" = "nobody reads d"\n"act: without a" = "old"\n"act: gone" = "old"\n')
    faults = summed().faults(MATRIX.inputs)
    assert [code for code, _ in faults] == [Exit.VIOLATED] * 2
    assert ["'act: without a' does not survive" in faults[0][1], "'act: gone' does not survive" in faults[1][1]] == [
        True
    ] * 2


@pytest.mark.parametrize("text", ['"act: without d" = ""', '"act: without d" = 3', "[a", '[act]\nd = "nested"'])
def test_reasons_that_are_none_are_refused(folder: Path, text: str) -> None:
    reasons(folder, text)
    with pytest.raises(Problem, match=r"reasons/toy-statement\.toml") as problem:
        table.read_reasons("toy", "statement")
    assert problem.value.code is Exit.BAD_INPUT


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"mutants": 3}'])
def test_a_file_that_is_no_summary_is_refused(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "toy-statement.json").write_text(text, encoding="utf-8")
    with pytest.raises(Problem, match=r"mutation/toy-statement\.json") as problem:
        figures.read("toy", "statement")
    assert problem.value.code is Exit.BAD_INPUT


def test_a_whole_table_that_is_damaged_is_as_none(folder: Path) -> None:
    table.write(MATRIX)
    table.rows_path("toy", "statement").write_text("{", encoding="utf-8")
    assert table.read("toy", "statement") is None


def test_a_table_of_another_statement_is_undecided() -> None:
    killed = summed(replace(MATRIX, rows=(KILLED,)))
    assert killed.faults(MATRIX.inputs) == []
    for current, why in (
        ({**MATRIX.inputs, "statement": {"": "3"}}, "statement changed"),
        ({"statement": {"": "1"}}, "engines changed (model/prove.py)"),
        ({**MATRIX.inputs, "engines": {"model/prove.py": "2", "b": "1", "c": "1"}}, "engines changed (b and 1 more)"),
        ({**MATRIX.inputs, "vectors": {"": "4"}}, "vectors changed"),
    ):
        ((code, sentence),) = killed.faults(current)
        assert code is Exit.UNDECIDED
        assert sentence == f"The mutation table of toy, statement, is stale: {why}. Run `make matrix`."


def test_a_table_without_mutants_is_undecided() -> None:
    assert [code for code, _ in summed(replace(MATRIX, rows=())).faults(MATRIX.inputs)] == [Exit.UNDECIDED]


def test_checks_that_kill_nothing_are_named() -> None:
    assert MATRIX.idle == [IDLE]
    assert "vector: 02-another" in foot(MATRIX)[0]


def test_of_cores_the_foot_counts_mutants_that_only_one_check_notices() -> None:
    """They are asked for no promises, so to say that no promise is guarded by one check would be empty."""
    both = {"replayed": Kill(VECTOR), "proved": Kill(LEMMA)}
    cores = replace(MATRIX, half="implementation", rows=(SEEN, SURVIVOR, replace(KILLED, answers=both)))
    assert foot(cores)[1] == "Mutants that only one check notices: 1, by 01-a-run (replayed) 1."
    assert foot(replace(cores, rows=(SURVIVOR,)))[1] == "Mutants that only one check notices: 0."


def test_promises_that_one_check_guards_are_named() -> None:
    assert MATRIX.guarded_once == []  # a lemma notices what breaks it, too
    alone = replace(KILLED, answers={"proved": Kill(PROMISED)})
    assert replace(MATRIX, rows=(alone,)).guarded_once == [(PROMISED, "proved")]
    by_two = replace(KILLED, answers={"proved": Kill(PROMISED), "explored": Kill(PROMISED, "a-world", 4)})
    assert replace(MATRIX, rows=(alone, by_two)).guarded_once == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [((KILLED, replace(SEEN, name=KILLED.name)), "two mutants"), ((SEEN,), "is not among the checks")],
)
def test_a_table_that_contradicts_itself_is_not_written(folder: Path, rows: tuple[Row, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        table.write(replace(MATRIX, rows=rows, checks=(PROMISED, LEMMA)))
    assert not table.rows_path("toy", "statement").exists()


def test_a_summary_counts_by_engine_and_shows_survivors() -> None:
    assert summary_lines(summed())[0] == (
        "2 of 4 mutants are killed, 1 are shown to be equivalent, 0 survive with a reason, 1 without."
    )
    shown = Console(width=100)
    with shown.capture() as capture:
        print_summary(summed(), shown)
    assert "survives act: without d: no reason is given" in capture.get()


def test_the_page_has_every_mutant() -> None:
    text = page(MATRIX, summed())
    assert all(row.name.removeprefix("act: ") in text for row in MATRIX.rows)
    assert "newer_wins and 1 more" in text
    assert "01-a-run (known(h1, p1), 7 steps)" in text
    assert "? no limit" in text
