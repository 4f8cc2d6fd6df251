"""A kill matrix for readers: a summary in the terminal, and the whole table as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from conformance.mutation.table import IMPLEMENTATION, Answer, Kill, Matrix, Undecided, path_of
from impl.cli.console import plain_table

SURVIVORS_SHOWN = 12
"""Survivors with their reasons that a summary lists; the page has all of them."""


def page_of(matrix: Matrix) -> Path:
    """The file of the page: beside the table."""
    return path_of(matrix.protocol, matrix.half).with_suffix(".md")


def print_summary(matrix: Matrix, console: Console) -> None:
    """Engines by mutants killed, what remains with its reasons, and the two lines at the foot."""
    table = plain_table(
        f"Mutants of {matrix.protocol} ({matrix.half}): {len(matrix.rows)}",
        left=["engine"],
        right=["killed", "by it alone", "survive", "undecided"],
    )
    for engine, *counts in figures(matrix):
        table.add_row(engine, *(f"{count:,}" for count in counts))
    console.print(table)
    for line in summary_lines(matrix):
        console.print(line, highlight=False, markup=False)
    shown = [*matrix.of_fate("survives"), *matrix.of_fate("excused")]
    for row in shown[:SURVIVORS_SHOWN]:
        colour = "green" if row.reason else "red"
        console.print(
            f"  [{colour}]survives[/] {escape(row.name)}: {escape(row.reason or 'no reason is given')}", soft_wrap=True
        )
    if len(shown) > SURVIVORS_SHOWN:
        console.print(f"  ... and {len(shown) - SURVIVORS_SHOWN} more with a reason: {page_of(matrix).name}")


def figures(matrix: Matrix) -> Iterator[tuple[str, int, int, int, int]]:
    """For each engine: mutants that it kills, that it alone kills, that survive it, and that it left undecided."""
    for engine in matrix.engines:
        killed, undecided = len(matrix.killed_by(engine)), len(matrix.undecided_by(engine))
        left = len(matrix.asked(engine)) - killed - undecided
        yield engine, killed, len(matrix.killed_only_by(engine)), left, undecided


def summary_lines(matrix: Matrix) -> list[str]:
    """What became of the mutants, and the foot of the table."""
    excused, surviving = len(matrix.of_fate("excused")), len(matrix.of_fate("survives"))
    lines = [
        f"{len(matrix.of_fate('killed'))} of {len(matrix.rows)} mutants are killed, {len(matrix.of_fate('equivalent'))} are shown "
        f"to be equivalent, {excused} survive for a reason"
        + (f", {surviving} survive." if surviving else ", none without one.")
    ]
    return [*lines, *foot(matrix)]


def foot(matrix: Matrix) -> list[str]:
    """The two lines: checks that kill nothing, and promises, or mutants of cores, that only one check guards."""
    first = f"Checks that kill nothing: {_listed(matrix) or 'none'}."
    if matrix.half == IMPLEMENTATION:
        return [first, _noticed_once(matrix)]
    once = ", ".join(f"{promise.name} ({engine})" for promise, engine in matrix.guarded_once)
    return [first, f"Promises that only one check guards: {once or 'none'}."]


def _noticed_once(matrix: Matrix) -> str:
    """Cores are asked for no promises, but for what the statement says; so what one check guards are mutants."""
    found = Counter(
        f"{kill.check.name} ({engine})"
        for row in matrix.rows
        if len(row.kills) == 1
        for engine, kill in row.kills.items()
    )
    listed = ", ".join(
        f"{check} {count}" for check, count in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    )
    return f"Mutants that only one check notices: {found.total()}{f', by {listed}' if listed else ''}."


IDLE_SHOWN = 6
"""Checks of one kind that are named; of more there is only their number."""


def _listed(matrix: Matrix) -> str:
    parts = []
    for kind in dict.fromkeys(item.kind for item in matrix.idle):
        names = [item.name for item in matrix.idle if item.kind == kind]
        every = sum(check.kind == kind for check in matrix.checks)
        parts.append(f"{kind}: {', '.join(names) if len(names) <= IDLE_SHOWN else f'{len(names)} of {every}'}")
    return "; ".join(parts)


def page(matrix: Matrix) -> str:
    """The whole table in Markdown."""
    head = f"{matrix.protocol}, {matrix.half}"
    lines = [
        f"# Kill matrix: {head}",
        "",
        "Made by `make matrix`. Each mutant, and the first check of each engine that notices it.",
    ]
    lines += ["", "| engine | asks | killed | by it alone | survive | undecided |", "|---|---|--:|--:|--:|--:|"]
    for engine, *counts in figures(matrix):
        lines.append(f"| {engine} | {matrix.engines[engine]} | {' | '.join(map(str, counts))} |")
    for line in summary_lines(matrix):
        lines += ["", line]
    remaining = [*matrix.of_fate("survives"), *matrix.of_fate("excused")]
    if remaining:
        lines += ["", "## Survivors", "", "| mutant | why nothing has to notice it |", "|---|---|"]
        lines += [f"| {_cell(row.name)} | {_cell(row.reason) or '**no reason is given**'} |" for row in remaining]
    equivalent = matrix.of_fate("equivalent")
    if equivalent:
        lines += ["", "## Equivalent", "", "| mutant | shown by |", "|---|---|"]
        lines += [f"| {_cell(row.name)} | {_cell(row.equivalent)} |" for row in equivalent]
    lines += ["", "## Killed"]
    for of in dict.fromkeys(row.of for row in matrix.of_fate("killed")):
        lines += [
            "",
            f"### {of}",
            "",
            f"| mutant | {' | '.join(matrix.engines)} |",
            "|---|" + "---|" * len(matrix.engines),
        ]
        for row in matrix.of_fate("killed"):
            if row.of == of:
                cells = (_answer(row.answers.get(engine)) for engine in matrix.engines)
                lines.append(f"| {_cell(row.name.removeprefix(f'{of}: '))} | {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines) + "\n"


def _answer(answer: Answer | None) -> str:
    if isinstance(answer, Kill):
        place = ", ".join(
            part for part in (answer.where, "" if answer.depth is None else f"{answer.depth} steps") if part
        )
        more = f" and {len(answer.also)} more" if answer.also else ""
        return f"{answer.check.name}{more}{f' ({place})' if place else ''}"
    return f"? {answer.because}" if isinstance(answer, Undecided) else "" if answer is None else "-"


def as_json(matrix: Matrix) -> dict[str, Any]:
    """The form that the command line writes: figures, and what survives. The table itself is a JSON file."""
    fates = ("killed", "equivalent", "excused", "survives")
    return {
        "protocol": matrix.protocol,
        "half": matrix.half,
        "mutants": len(matrix.rows),
        **{fate: sum(row.fate == fate for row in matrix.rows) for fate in fates},
        "engines": {engine: len(matrix.killed_by(engine)) for engine in matrix.engines},
        "survivors": [row.name for row in matrix.rows if row.fate == "survives"],
        "summary": summary_lines(matrix),
    }


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


README: Final = Path(__file__).parent.parent.parent / "README.md"
BEGIN, END = "<!-- matrix -->\n", "<!-- /matrix -->"


def in_readme() -> str:
    """What stands in the README between the marks."""
    return README.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]


def write_readme(matrices: Sequence[Matrix]) -> None:
    """Puts the figures of all matrices into the README."""
    text = README.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    README.write_text(f"{before}{BEGIN}{for_readme(matrices)}{END}{after}", encoding="utf-8")


def for_readme(matrices: Sequence[Matrix]) -> str:
    """The figures of all matrices: what became of the mutants, and how many each engine kills (and it alone)."""
    lines = ["| mutants of | made | killed | equivalent | survive for a reason | by engine (by it alone) |"]
    lines += ["|---|--:|--:|--:|--:|---|"]
    for matrix in matrices:
        by = ", ".join(f"{engine} {killed} ({alone})" for engine, killed, alone, *_ in figures(matrix))
        fates = " | ".join(str(len(matrix.of_fate(fate))) for fate in ("killed", "equivalent", "excused"))
        link = f"[{matrix.protocol}, {matrix.half}]({page_of(matrix).relative_to(README.parent).as_posix()})"
        lines.append(f"| {link} | {len(matrix.rows)} | {fates} | {by} |")
    return "\n".join(lines) + "\n"
