"""Mutation tables for readers: a summary in the terminal, and a whole table as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from conformance.mutation.figures import Summary
from conformance.mutation.table import CLAIMS, IMPLEMENTATION, Answer, Kill, Matrix, Undecided, reasons_path, rows_path
from conformance.report.markdown import put_part, table
from conformance.report.result import Section

SURVIVORS_SHOWN = 12
"""Survivors with their reasons that a summary lists; the file of reasons has all of them."""


def page_path(matrix: Matrix) -> Path:
    """The file of the page: beside the whole table."""
    return rows_path(matrix.protocol, matrix.half).with_suffix(".md")


def print_summary(summary: Summary, console: Console) -> None:
    """Engines by mutants killed, what remains with its reasons, and the two lines at the foot."""
    console.print(section_of(summary).table())
    for line in summary_lines(summary):
        console.print(line, highlight=False, markup=False)
    shown = [*summary.unexplained, *summary.excused]
    for survivor in shown[:SURVIVORS_SHOWN]:
        reason = summary.reasons.get(survivor.name)
        console.print(
            f"  [{'green' if reason else 'red'}]survives[/] {escape(survivor.name)}: {escape(reason or 'no reason is given')}",
            soft_wrap=True,
        )
    if len(shown) > SURVIVORS_SHOWN:
        path = reasons_path(summary.protocol, summary.half)
        console.print(f"  ... and {len(shown) - SURVIVORS_SHOWN} more with a reason: {path.name}")


COUNTS: Final = ("killed", "by it alone", "survive", "undecided")
"""What is counted for each engine."""


def section_of(summary: Summary) -> Section:
    """The table of engines."""
    rows = [(engine, *counts) for engine, *counts in figures(summary)]
    return Section(f"Mutants of {summary.protocol} ({summary.half}): {summary.mutants:,}", ("engine", *COUNTS), rows)


def figures(summary: Summary) -> list[tuple[str, str, str, str, str]]:
    """For each engine: mutants that it kills, that it alone kills, that survive it, and that it left undecided.

    Mutants of claims are asked of one engine after the other, up to the first that kills: there, "alone" says nothing.
    """
    return [
        (
            name,
            f"{engine.killed:,}",
            "-" if summary.half == CLAIMS else f"{engine.alone:,}",
            f"{engine.survive:,}",
            f"{engine.undecided:,}",
        )
        for name, engine in summary.engines.items()
    ]


def summary_lines(summary: Summary) -> list[str]:
    """What became of the mutants, and the foot of the table."""
    unexplained = len(summary.unexplained)
    return [
        f"{summary.killed} of {summary.mutants} mutants are killed, {len(summary.equivalent)} are shown to be equivalent, "
        f"{len(summary.excused)} survive with a reason"
        + (f", {unexplained} without." if unexplained else ", none without."),
        *summary.foot,
    ]


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


def page(matrix: Matrix, summary: Summary) -> str:
    """A whole table in Markdown."""
    engines = [(engine, matrix.engines[engine], *counts) for engine, *counts in figures(summary)]
    parts = [
        f"# Mutation table: {matrix.protocol}, {matrix.half}\n",
        "Made by `make matrix`. Each mutant, and the first check of each engine that notices it.\n",
        table(("engine", "asks", *COUNTS), engines, ["---", "---", *["--:"] * len(COUNTS)]),
        *(f"{line}\n" for line in summary_lines(summary)),
    ]
    survivors = [
        (survivor.name, summary.reasons.get(survivor.name, "**no reason is given**")) for survivor in summary.survivors
    ]
    equivalent = [(row.name, row.equivalent) for row in matrix.of_fate("equivalent")]
    if survivors:
        parts += ["## Survivors\n", _table(("mutant", "why nothing has to notice it"), survivors)]
    if equivalent:
        parts += ["## Equivalent\n", _table(("mutant", "shown by"), equivalent)]
    parts.append("## Killed\n")
    killed = matrix.of_fate("killed")
    for of in dict.fromkeys(row.of for row in killed):
        rows = [
            (row.name.removeprefix(f"{of}: "), *(_answer(row.answers.get(engine)) for engine in matrix.engines))
            for row in killed
            if row.of == of
        ]
        parts += [f"### {of}\n", _table(("mutant", *matrix.engines), rows)]
    return "\n".join(parts)


def _answer(answer: Answer | None) -> str:
    if isinstance(answer, Kill):
        place = ", ".join(
            part for part in (answer.where, "" if answer.depth is None else f"{answer.depth} steps") if part
        )
        more = f" and {len(answer.also)} more" if answer.also else ""
        return f"{answer.check.name}{more}{f' ({place})' if place else ''}"
    return f"? {answer.because}" if isinstance(answer, Undecided) else "" if answer is None else "-"


def as_json(summary: Summary) -> dict[str, Any]:
    """The form that the command line writes: figures, and what survives without a reason."""
    return {
        "protocol": summary.protocol,
        "half": summary.half,
        "mutants": summary.mutants,
        "killed": summary.killed,
        "equivalent": len(summary.equivalent),
        "excused": len(summary.excused),
        "survives": len(summary.unexplained),
        "engines": {name: engine.killed for name, engine in summary.engines.items()},
        "survivors": [survivor.name for survivor in summary.unexplained],
        "summary": summary_lines(summary),
    }


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of any texts."""
    return table(heads, [[text.replace("|", "\\|").replace("\n", " ") for text in row] for row in rows])


DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "mutation.md"


def write_document(summaries: Sequence[Summary]) -> None:
    """Writes the figures of all matrices to the document."""
    put_part(DOCUMENT, "matrix", for_document(summaries))


def for_document(summaries: Sequence[Summary]) -> str:
    """The figures of all matrices: what became of the mutants, and how many each engine kills (and it alone)."""
    rows = []
    for summary in summaries:
        by = ", ".join(
            f"{engine} {killed}" + (f" ({alone})" if alone != "-" else "")
            for engine, killed, alone, *_ in figures(summary)
        )
        counts = summary.mutants, summary.killed, len(summary.equivalent), len(summary.excused)
        rows.append([f"{summary.protocol}, {summary.half}", *map(str, counts), by])
    heads = ("mutants of", "made", "killed", "equivalent", "survive for a reason", "by engine (by it alone)")
    return table(heads, rows, ["---", *["--:"] * 4, "---"])
