"""`ondemand matrix`: mutates the statement and the implementation's cores, and reports which check notices each mutant."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from conformance.mutation.cores.loading import line_of
from conformance.mutation.cores.rows import count_of, made_anew
from conformance.mutation.differences import differences
from conformance.mutation.making import made
from conformance.mutation.show import as_json, figures, page, page_of, print_summary, summary_lines, write_readme
from conformance.mutation.status import HALVES, held
from conformance.mutation.table import (
    IMPLEMENTATION,
    STATEMENT,
    Half,
    Matrix,
    path_of,
    read,
    read_reasons,
    text_of,
    with_reasons,
    write,
)
from conformance.protocols import chosen, named
from conformance.report.result import Case, Finding, Result, Section, source_of
from conformance.report.writing import Outputs, outputs_options
from impl.cli.console import console_for, json_option, progress_bar, write_json
from impl.cli.exits import Exit, Problem, worst
from model.language import Protocol, Source

COVERED: Final = HALVES[STATEMENT].protocols


@click.command()
@click.option("--protocol", "protocol_name", metavar="NAME", help=f"{' or '.join(COVERED)}. [default: both]")
@click.option(
    "--half",
    type=click.Choice(list(HALVES)),
    help="Mutate the statement, or the implementation's cores. [default: both]",
)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit with 1 if a table is stale.")
@click.option("--shown", "only_shown", is_flag=True, help="Mutate nothing; print the tables that are checked in.")
@json_option
@outputs_options
def matrix(
    protocol_name: str | None,
    half: Half | None,
    only_check: bool,
    only_shown: bool,
    json_file: str | None,
    outputs: Outputs,
) -> int:
    """Mutate the statement and the cores by rule, run every engine on every mutant, and write the tables.

    A mutant of the statement is an action with one fault: a conjunct of its guard dropped or negated, two parameters swapped, older
    for newer, a change skipped or widened, a message not sent. It is killed if a claim is no longer inductive, a promise breaks in
    some run, the counts of states change, or a vector runs differently. A mutant of a core has one fault in its source. It is
    killed if it diverges in lock-step from a vector, a run of a variant or a free run, or if the logs of a fleet of it are no
    behavior of the statement. A survivor fails the build, unless someone wrote down a reason for it.

    \b
    Examples:
      ondemand matrix                           all tables
      ondemand matrix --protocol on-demand      the tables of one protocol
      ondemand matrix --half implementation     mutants of the cores only
      ondemand matrix --check                   check that the tables are current, byte for byte
      ondemand matrix --shown --json -          the tables that are checked in, as JSON
    """
    protocols = [named(name) for name in COVERED]
    if protocol_name is not None:
        protocols = [chosen(protocol_name, COVERED, "has no mutation tables")]
    halves = [every for every in HALVES if half in (None, every)]
    console = console_for(json_file)
    started = time.perf_counter()
    tables = _checked_in(protocols, halves) if only_shown else _made(protocols, halves)
    seconds = time.perf_counter() - started
    result, codes = Result("matrix", seconds=seconds), []
    for table in tables:
        protocol = named(table.protocol)
        codes.append(_ended(protocol, table, console))
        result.cases += _cases(table)
        result.findings += _findings(protocol, table)
        result.sections.append(_section(table))
        result.figures += [f"{protocol.name}, {table.half}: {line}" for line in summary_lines(table)]
        if only_shown:
            continue
        if only_check:
            stale = _not_as_made(table)
            for sentence in stale:
                console.print(sentence, highlight=False, markup=False, soft_wrap=True)
            result.findings += [Finding("matrix", sentence) for sentence in stale]
            codes.append(Exit.VIOLATED if stale else Exit.HOLDS)
        else:
            codes.append(_written(table, console))
    if not (only_shown or only_check):
        write_readme([table for name in COVERED for table in held(named(name)).matrices])
    if not only_shown:
        count = sum(len(table.rows) for table in tables)
        console.print(f"{count:,} mutants in {seconds:.0f} s.", highlight=False)
    write_json({"matrices": [as_json(table) for table in tables], "seconds": round(seconds, 3)}, json_file)
    result.exit = worst(codes)
    outputs.write(result)
    return int(result.exit)


def _cases(table: Matrix) -> Iterator[Case]:
    """A test case for each mutant, at the line of what is mutated."""
    for row in table.rows:
        verdict = "violated" if row.fate == "survives" else "holds"
        yield Case(row.name, verdict, "no check notices it", source=_source(row.of, table))


def _findings(protocol: Protocol, table: Matrix) -> Iterator[Finding]:
    survivors = table.of_fate("survives")
    for code, sentence in table.faults(HALVES[table.half].digests(protocol)):
        row = next((survivor for survivor in survivors if survivor.name in sentence), None)
        source = _source(row.of, table) if row is not None else None
        yield Finding("matrix", sentence, source, undecided=code is Exit.UNDECIDED)


def _source(of: str, table: Matrix) -> Source | None:
    """The line of the action, or of the function of a core."""
    return source_of(of, named(table.protocol)) if table.half == STATEMENT else line_of(of, table.protocol)


def _section(table: Matrix) -> Section:
    rows = [(engine, *(f"{count:,}" for count in counts)) for engine, *counts in figures(table)]
    columns = ("engine", "killed", "by it alone", "survive", "undecided")
    return Section(f"Mutants of {table.protocol} ({table.half}): {len(table.rows):,}", columns, rows)


def _checked_in(protocols: Sequence[Protocol], halves: Sequence[Half]) -> list[Matrix]:
    found = []
    for half in halves:
        for protocol in protocols:
            table = read(protocol.name, half)
            if table is None:
                raise Problem(
                    f"The mutation table {path_of(protocol.name, half)} is missing. Run `make matrix`.", Exit.BAD_INPUT
                )
            found.append(table)
    return found


def _made(protocols: Sequence[Protocol], halves: Sequence[Half]) -> list[Matrix]:
    found = []
    if STATEMENT in halves:
        with progress_bar("Mutants of the statement") as progress:
            found += made(protocols, lambda done, total: progress(done, "questions", total))
    if IMPLEMENTATION in halves:
        for protocol in protocols:
            with progress_bar(f"Mutants of the cores of {protocol.name}", count_of(protocol)) as progress:
                found.append(made_anew(protocol, progress))
    return [with_reasons(table, read_reasons(table.protocol, table.half)) for table in found]


def _ended(protocol: Protocol, table: Matrix, console: Console) -> Exit:
    print_summary(table, console)
    faults = table.faults(HALVES[table.half].digests(protocol))
    for _, sentence in faults:
        console.print(f"  {sentence}", highlight=False, markup=False, soft_wrap=True)
    console.print()
    return worst(code for code, _ in faults)


def _written(table: Matrix, console: Console) -> Exit:
    write(table)
    page_of(table).write_text(page(table), encoding="utf-8")
    console.print(f"Wrote {path_of(table.protocol, table.half).name} and {page_of(table).name}.", highlight=False)
    return Exit.HOLDS


def _not_as_made(table: Matrix) -> list[str]:
    """A sentence for each stale file; for a table, followed by the differences."""
    kept, shown = path_of(table.protocol, table.half), page_of(table)
    found = []
    if not _is_kept(kept, text_of(table)):
        found = [_stale(kept), *differences(read(table.protocol, table.half), table)]
    return found if _is_kept(shown, page(table)) else [*found, _stale(shown)]


def _is_kept(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def _stale(path: Path) -> str:
    return f"{path.name} is stale. Run `make matrix`."
