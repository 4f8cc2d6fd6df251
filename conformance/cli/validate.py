"""`ondemand validate`: decides whether the logs of a deployment are a behavior of the specification."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.markup import escape

from conformance.logs.causal_order import WINDOW
from conformance.logs.explanation import Explanation, explain
from conformance.logs.names import LOGGED
from conformance.logs.one_pass import validate as run
from conformance.logs.reading import LogFile
from conformance.logs.verdict import Verdict
from conformance.protocols import chosen
from conformance.report.explanation_page import as_page
from conformance.report.explanation_screen import print_explanation
from conformance.report.result import Case, Finding, Result, source_of, verdict_of
from conformance.report.writing import Outputs, outputs_options
from impl.cli.console import (
    bytes_bar,
    console_for,
    json_option,
    options,
    progress_bar,
    writable,
    write_json,
    write_text,
)
from impl.cli.exits import Exit, Problem
from model.language import Protocol, Source

PROTOCOL_HELP: Final = f"{' or '.join(sorted(protocol.name for protocol in LOGGED))}. [default: both]"


matching_options: Final = options(
    click.option("--protocol", "protocol_name", metavar="NAME", help=PROTOCOL_HELP),
    click.option(
        "--window",
        type=click.IntRange(1),
        default=WINDOW,
        show_default=True,
        metavar="LINES",
        help="The most lines that may wait for lines of other processes.",
    ),
    click.option(
        "--byzantine",
        multiple=True,
        metavar="HOST",
        help="A host whose agent may deviate from the protocol; can be repeated. [default: none]",
    ),
    click.option(
        "--without",
        multiple=True,
        metavar="PROCESS",
        help="A process without a log: dpm, ncm, aca/HOST, or aca for all agents; can be repeated. Its steps are inferred. "
        "[default: none]",
    ),
    click.option(
        "--html",
        "html_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        callback=writable,
        help="Write the explanation of the first line that does not fit as an HTML page.",
    ),
)
"""Adds the options for matching lines and for the explanation, which `validate` and `watch` share."""


@click.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=str))
@matching_options
@json_option
@outputs_options
def validate(
    logs: tuple[str, ...],
    protocol_name: str | None,
    window: int,
    byzantine: tuple[str, ...],
    without: tuple[str, ...],
    html_file: Path | None,
    json_file: str | None,
    outputs: Outputs,
) -> int:
    """Decide whether the logs of a deployment are a behavior of the specification.

    LOGS are the event logs that services write with --events: a file for each process, or files with several processes, in any
    order; compressed if the name ends in .gz; - is standard input. Lines of different processes are ordered by the messages that
    they sent and received, never by clocks. The first line that does not fit is explained: what is false about it, which step would
    have fitted, the smallest change of the log that fits, and which promise it breaks.

    \b
    Examples:
      ondemand validate dpm.ndjson ncm.ndjson h1.ndjson h2.ndjson
      ondemand validate all.ndjson.gz --json -                    the verdict as JSON
      ondemand validate *.ndjson --byzantine h3                   h3 does not run our agent
      ondemand validate ncm.ndjson --without dpm --without aca    with the log of NCM alone
      ondemand validate *.ndjson --html why.html                  the explanation as a page
    """
    protocols = logged(protocol_name)
    if len(set(logs)) < len(logs):
        twice = next(log for log in logs if logs.count(log) > 1)
        raise Problem(f"{twice} is named twice; name each log once", Exit.BAD_INPUT)
    sizes = [Path(log).stat().st_size for log in logs if Path(log).is_file() and not log.endswith(".gz")]
    with bytes_bar("Validating", sum(sizes) if len(sizes) == len(logs) else None) as progress:
        files = [LogFile(log) for log in logs]
        found = run(files, protocols=protocols, window=window, byzantine=byzantine, without=without, progress=progress)
    notes = [
        f"The clock of {process} goes back at {place}; lines are not ordered by clocks."
        for file in files
        for process, place in file.clocks_back.items()
    ]
    return report_verdict("validate", ", ".join(logs), found, notes, html_file, json_file, outputs)


def report_verdict(
    command: str,
    what: str,
    found: Verdict,
    notes: Sequence[str],
    html_file: Path | None,
    json_file: str | None,
    outputs: Outputs,
) -> int:
    """Prints a verdict with its explanation, writes the outputs, and returns the exit code. `what`: names the logs."""
    with progress_bar("Explaining"):
        explanation = explain(found.divergence) if found.divergence is not None else None
    print_verdict(found, explanation, notes, console_for(json_file))
    if html_file is not None and explanation is not None:
        write_text(html_file, as_page(explanation))
    result = found.as_json()
    result["explanation"] = explanation.as_json() if explanation is not None else None
    result["notes"] = list(notes)
    write_json(result, json_file)
    case = Case(
        what, verdict_of(found.exit), f"{found.verdict}: {_why(found)}", found.seconds, _source(found, explanation)
    )
    figures = [f"{found.events:,} events", *(f"{count:,} {name}" for name, count in sorted(found.counts.items()))]
    findings = list(findings_of(found, explanation))
    outputs.write(Result(command, found.exit, found.seconds, [case], findings, figures=figures))
    return int(found.exit)


def logged(name: str | None) -> list[Protocol]:
    """The protocols with logs, or the one of this name.

    Raises:
        Problem: there is none.
    """
    return list(LOGGED) if name is None else [chosen(name, [item.name for item in LOGGED], "has no event logs")]


def findings_of(found: Verdict, explanation: Explanation | None) -> Iterator[Finding]:
    """That the logs diverge, at the line of the promise that they break, or that they are inconclusive."""
    if found.verdict != "conforms":
        show = partial(print_explanation, explanation) if explanation is not None else None
        title, undecided = "the log diverges from the specification", False
        if found.verdict == "inconclusive":
            title, undecided = "the log is inconclusive", True
        yield Finding(title, _why(found), _source(found, explanation), show=show, undecided=undecided)


def _source(found: Verdict, explanation: Explanation | None) -> Source | None:
    """The promise that is broken, or else the action that the line claims."""
    if found.broken:
        return found.broken[0].promise.source
    if explanation is None or found.divergence is None:
        return None
    names = [item.promise.name for item in explanation.broken] + [
        candidate.action for candidate in explanation.candidates
    ]
    return source_of(names[0], found.divergence.protocol) if names else None


def print_verdict(found: Verdict, explanation: Explanation | None, notes: Sequence[str], console: Console) -> None:
    """Prints the verdict, after the explanation of a line that does not fit."""
    if explanation is not None:
        print_explanation(explanation, console)
        console.print()
    rate = found.events / found.seconds if found.seconds else 0.0
    said = f"{found.events:,} events in {found.seconds:.1f} s, {rate:,.0f} events/s"
    match found.verdict:
        case "conforms":
            console.print(f"[green]Conforms[/]: {said}.")
        case "diverges" if found.divergence is None:
            console.print(f"[red]Diverges[/]: {escape(found.why)}. ({said})")
        case "diverges":
            assert found.divergence is not None
            console.print(f"[red]Diverges[/] at {escape(found.divergence.record.place)}, after {said}.")
        case "inconclusive":
            console.print(f"[yellow]Inconclusive[/]: {escape(found.why)}. ({said})")
    for name, count in sorted(found.counts.items()):
        console.print(f"  {count:,} {escape(name)}")
    for note in notes:
        console.print(f"  {escape(note)}", highlight=False)


def _why(found: Verdict) -> str:
    if found.divergence is None:
        return found.why
    record = found.divergence.record
    return f"{record.place}: {record.line.process}: {found.divergence.because}"
