"""`ondemand matrix`: mutants of the statement and of the implementation's cores, and what notices them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import click
from rich.console import Console

from conformance.mutation.claims import claim_tables
from conformance.mutation.claims.claim_rows import KINDS
from conformance.mutation.cores.loading import line_of
from conformance.mutation.cores.rows import count_of
from conformance.mutation.cores.rows import made as made_of_cores
from conformance.mutation.differences import differences
from conformance.mutation.digests import changes
from conformance.mutation.figures import REMEDY, Summary, path_of, summary_of
from conformance.mutation.figures import read as read_summary
from conformance.mutation.figures import write as write_summary
from conformance.mutation.kept import Keeping
from conformance.mutation.making import made
from conformance.mutation.status import HALVES, held
from conformance.mutation.table import (
    CLAIMS,
    IMPLEMENTATION,
    STATEMENT,
    Half,
    Matrix,
    read,
    rows_path,
    shown_path,
    write,
)
from conformance.protocols import PROTOCOLS, chosen, named
from conformance.report.mutation_table import (
    as_json,
    foot,
    page,
    page_path,
    print_summary,
    section_of,
    summary_lines,
    write_document,
)
from conformance.report.result import Case, Finding, Result, source_of
from conformance.report.writing import Outputs, outputs_options
from impl.cli.console import console_for, json_option, progress_bar, write_json
from impl.cli.exits import Exit, Problem, worst
from model.language import Protocol, Source


@click.command()
@click.option("--protocol", "protocol_name", metavar="NAME", help="The tables of one protocol. [default: all]")
@click.option(
    "--half", type=click.Choice(list(HALVES)), help="Mutate the actions, the claims, or the cores. [default: all]"
)
@click.option(
    "--status",
    "only_status",
    is_flag=True,
    help="Mutate nothing; report which tables are current, and why others are not.",
)
@click.option(
    "--check",
    "only_check",
    is_flag=True,
    help="Ask everything again, and write no checked-in file; exit with 1 if a summary is stale.",
)
@click.option("--shown", "only_shown", is_flag=True, help="Mutate nothing; print the checked-in summaries.")
@json_option
@outputs_options
def matrix(
    protocol_name: str | None,
    half: Half | None,
    only_status: bool,
    only_check: bool,
    only_shown: bool,
    json_file: str | None,
    outputs: Outputs,
) -> int:
    """Mutate the statement, its claims and the cores by rule, and ask what notices each mutant.

    A mutant of the statement is an action with one fault: a conjunct of its guard dropped or negated, two parameters swapped, older
    for newer, a change skipped or widened, a message not sent. It is killed if a claim is no longer inductive, a promise breaks in
    some run, counts of states change, or a vector or the logs of a correct fleet do not fit. A mutant of a claim says less; it is
    killed if a kept run of a variant goes unnoticed, or if the proof of another claim is lost. A mutant of a core has one fault in
    its source. It is killed if it diverges in lock-step from a vector, a run of a variant or a free run, or if the logs of a fleet
    of it do not fit the statement. A survivor fails the build unless it has a written reason.

    The full tables are written to build/mutation; a summary of each is checked in. All of them take about ten minutes the first
    time. Answers are kept in the user's cache folder by what they depend on, so only what changed is asked again; --check asks
    everything again.

    \b
    Examples:
      ondemand matrix                           all tables
      ondemand matrix --status                  which tables are current; exits with 3 if one is not
      ondemand matrix --protocol on-demand      the tables of one protocol
      ondemand matrix --half claims             mutants of promises, eventualities and fairness only
      ondemand matrix --check                   compute the tables, and compare them with the summaries
      ondemand matrix --shown --json -          the checked-in summaries as JSON
    """
    asked = _asked(protocol_name, half)
    console = console_for(json_file)
    if only_status:
        return int(_status(asked, console, json_file))
    started = time.perf_counter()
    tables = [] if only_shown else _made(asked, Keeping(anew=only_check))
    summaries = _checked_in(asked) if only_shown else [summary_of(table, foot(table)) for table in tables]
    seconds = time.perf_counter() - started
    result, codes = Result("matrix", seconds=seconds), []
    for summary in summaries:
        print_summary(summary, console)
        findings = list(_findings(summary))
        for finding in findings:
            console.print(f"  {finding.text}", highlight=False, markup=False, soft_wrap=True)
        console.print()
        codes += [Exit.UNDECIDED if finding.undecided else Exit.VIOLATED for finding in findings]
        result.cases += _cases(summary)
        result.findings += findings
        result.sections.append(section_of(summary))
        result.figures += [f"{summary.protocol}, {summary.half}: {line}" for line in summary_lines(summary)]
    for table, summary in zip(tables, summaries, strict=False):
        if only_check:
            sentences = _not_as_made(table, summary)
            for sentence in sentences:
                console.print(sentence, highlight=False, markup=False, soft_wrap=True)
            result.findings += [Finding("matrix", sentence) for sentence in sentences]
            codes.append(Exit.VIOLATED if sentences else Exit.HOLDS)
        else:
            _write(table, summary, console)
    if tables and not only_check:
        write_document([kept for protocol in PROTOCOLS for kept in held(protocol).summaries])
    if tables:
        count = sum(len(table.rows) for table in tables)
        console.print(f"{count:,} mutants in {seconds:.0f} s.", highlight=False)
    write_json({"matrices": [as_json(summary) for summary in summaries], "seconds": round(seconds, 3)}, json_file)
    result.exit = worst(codes)
    outputs.write(result)
    return int(result.exit)


Asked = Mapping[Half, Sequence[Protocol]]
"""The tables that a command is about: protocols by half."""


def _asked(name: str | None, half: Half | None) -> Asked:
    """The tables of one protocol or of all, and of one half or of all.

    Raises:
        Problem: there is no such protocol, or it has no such table.
    """
    halves = {every: HALVES[every].protocols for every in HALVES if half in (None, every)}
    known = [protocol.name for protocol in PROTOCOLS if any(protocol.name in names for names in halves.values())]
    wanted = known if name is None else [chosen(name, known, "has no such mutation table").name]
    return {every: [named(each_name) for each_name in names if each_name in wanted] for every, names in halves.items()}


def _status(asked: Asked, console: Console, json_file: str | None) -> Exit:
    """Prints which tables are current, and why the others are not."""
    rows = []
    for half, protocols in asked.items():
        for protocol in protocols:
            kept = read_summary(protocol.name, half)
            why = [] if kept is None else list(changes(kept.inputs, HALVES[half].inputs(protocol)))
            made_on = kept.made if kept is not None else ""
            status = "missing" if kept is None else f"stale: {', '.join(why)}" if why else "current"
            current = status == "current"
            rows.append({"protocol": protocol.name, "half": half, "made": made_on, "current": current, "why": why})
            age = f" (made {made_on}, {kept.age()} days ago)" if kept is not None else ""
            console.print(f"{protocol.name}, {half}: {status}{age}", highlight=False, markup=False, soft_wrap=True)
    stale = any(not row["current"] for row in rows)
    if stale:
        console.print(REMEDY, highlight=False)
    write_json({"tables": rows}, json_file)
    return Exit.UNDECIDED if stale else Exit.HOLDS


def _cases(summary: Summary) -> Iterator[Case]:
    """A test case for the table, and one for each mutant that survives without a reason, at the line of what is mutated."""
    yield Case(f"{summary.protocol}, {summary.half}", "holds", f"{summary.mutants} mutants")
    for survivor in summary.unexplained:
        yield Case(survivor.name, "violated", "no check notices it", source=_source(survivor.of, summary))


def _findings(summary: Summary) -> Iterator[Finding]:
    """What is wrong with the table."""
    for code, sentence in summary.faults(HALVES[summary.half].inputs(named(summary.protocol))):
        survivor = next((each for each in summary.unexplained if each.name in sentence), None)
        source = _source(survivor.of, summary) if survivor is not None else None
        yield Finding("matrix", sentence, source, undecided=code is Exit.UNDECIDED)


def _source(of: str, summary: Summary) -> Source | None:
    """The line of an action or a claim, or of a function of a core."""
    if summary.half == IMPLEMENTATION:
        return line_of(of, summary.protocol)
    return source_of(of, named(summary.protocol))


def _checked_in(asked: Asked) -> list[Summary]:
    found = []
    for half, protocols in asked.items():
        for protocol in protocols:
            summary = read_summary(protocol.name, half)
            if summary is None:
                raise Problem(f"{shown_path(path_of(protocol.name, half))} is missing. {REMEDY}", Exit.BAD_INPUT)
            found.append(summary)
    return found


def _made(asked: Asked, keeping: Keeping) -> list[Matrix]:
    found = []
    if asked.get(STATEMENT):
        with progress_bar("Mutants of the statement") as progress:
            found += made(asked[STATEMENT], lambda done, total: progress(done, "questions", total), keeping)
    if asked.get(CLAIMS):
        with progress_bar("Mutants of the claims", len(KINDS) * len(asked[CLAIMS])) as progress:
            found += claim_tables.made(asked[CLAIMS], progress, keeping)
    for protocol in asked.get(IMPLEMENTATION, ()):
        with progress_bar(f"Mutants of the cores of {protocol.name}", count_of(protocol)) as progress:
            found.append(made_of_cores(protocol, keeping, progress))
    return found


def _write(table: Matrix, summary: Summary, console: Console) -> None:
    """Writes the whole table and its page, and the summary. A table that did not change keeps the day when it was made."""
    kept = read_summary(table.protocol, table.half)
    if kept is not None and replace(kept, made=summary.made) == summary:
        summary = kept
    write(table)
    page_path(table).write_text(page(table, summary), encoding="utf-8")
    write_summary(summary)
    for path in (path_of(table.protocol, table.half), page_path(table)):
        console.print(f"Wrote {shown_path(path)}.", highlight=False)


def _not_as_made(table: Matrix, summary: Summary) -> list[str]:
    """Sentences about the differences between the checked-in summary and the computed table; empty if there are none."""
    path = shown_path(path_of(table.protocol, table.half))
    kept = read_summary(table.protocol, table.half)
    if kept is None:
        return [f"{path} is missing. {REMEDY}"]
    if replace(kept, made=summary.made, inputs=summary.inputs) == summary:
        return []
    was, is_now = {survivor.name for survivor in kept.survivors}, {survivor.name for survivor in summary.survivors}
    found = [f"{path} is stale. {REMEDY}"]
    found += [f"{name}: survives now" for name in sorted(is_now - was)]
    found += [f"{name}: is killed now" for name in sorted(was - is_now)]
    whole = read(table.protocol, table.half)
    if whole is not None and whole.rows != table.rows:
        found += [f"Against {shown_path(rows_path(table.protocol, table.half))}:", *differences(whole, table)]
    return found
