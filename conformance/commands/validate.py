"""`ondemand validate`: are the logs of a deployment a behaviour of the specification?"""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from conformance.exits import Exit, Problem
from conformance.logs.joining import WINDOW
from conformance.logs.names import LOGGED
from conformance.logs.reading import LogFile
from conformance.logs.validate import Verdict
from conformance.logs.validate import validate as run
from conformance.report import (
    annotate,
    bytes_bar,
    console_for,
    json_option,
    junit_option,
    no_such,
    write_json,
    write_junit,
)


@click.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=str))
@click.option("--protocol", "protocol_name", metavar="NAME", help="Only what this protocol says. [default: all]")
@click.option(
    "--window",
    type=click.IntRange(1),
    default=WINDOW,
    show_default=True,
    metavar="LINES",
    help="Lines that may wait for lines of other processes.",
)
@click.option(
    "--dishonest", multiple=True, metavar="HOST", help="This host's agent may do what it likes. [default: none]"
)
@json_option
@junit_option
def validate(
    logs: tuple[str, ...],
    protocol_name: str | None,
    window: int,
    dishonest: tuple[str, ...],
    json_file: str | None,
    junit_file: str | None,
) -> int:
    """Decide whether the logs of a deployment are a behaviour of the specification.

    LOGS are event logs as services write them with --events: one file for each process, or several processes in one file, in
    any order, compressed if the name ends in .gz; - is standard input. Lines of different processes are joined by the messages
    that they sent and took, never by clock.

    \b
    Examples:
      ondemand validate dpm.ndjson ncm.ndjson h1.ndjson h2.ndjson
      ondemand validate all.ndjson.gz --json -       the verdict as JSON
      ondemand validate *.ndjson --dishonest h3      h3 is no agent of ours
    """
    if protocol_name is not None and protocol_name not in {one.name for one in LOGGED}:
        raise Problem(no_such("protocol with logs", protocol_name, [one.name for one in LOGGED]), Exit.BAD_INPUT)
    if len(set(logs)) < len(logs):
        twice = next(one for one in logs if logs.count(one) > 1)
        raise Problem(f"{twice}: is named twice; name each log once", Exit.BAD_INPUT)
    protocols = [one for one in LOGGED if protocol_name in (None, one.name)]
    sizes = [Path(one).stat().st_size for one in logs if Path(one).is_file() and not one.endswith(".gz")]
    with bytes_bar("Validating", sum(sizes) if len(sizes) == len(logs) else None) as progress:
        found = run(
            [LogFile(one) for one in logs], protocols=protocols, window=window, dishonest=dishonest, progress=progress
        )
    print_verdict(found, console_for(json_file))
    write_json(found.as_json(), json_file)
    wrong = "" if found.verdict == "conforms" else f"{found.verdict}: {_why(found)}"
    write_junit("validate", [(", ".join(logs), found.seconds, wrong)], junit_file)
    if found.divergence is not None and found.verdict == "diverges":
        annotate("the log diverges from the specification", _why(found))
    return int(found.exit)


def print_verdict(found: Verdict, console: Console) -> None:
    """The verdict for people."""
    rate = found.events / found.seconds if found.seconds else 0.0
    said = f"{found.events:,} events in {found.seconds:.1f} s, {rate:,.0f} events/s"
    match found.verdict:
        case "conforms":
            console.print(f"[green]Conforms[/]: {said}.")
        case "diverges":
            assert found.divergence is not None
            record = found.divergence.record
            title = f"[red]{record.line.event} does not fit[/]"
            console.print(Panel(escape(_why(found)), title=title, title_align="left"))
            console.print(f"[red]Diverges[/] at {escape(record.place)}, after {said}.")
        case "inconclusive":
            console.print(f"[yellow]Inconclusive[/]: {escape(found.why)}. ({said})")
    for name, count in sorted(found.counts.items()):
        console.print(f"  {count:,} {escape(name)}")


def _why(found: Verdict) -> str:
    if found.divergence is None:
        return found.why
    record = found.divergence.record
    return f"{record.place}: {record.line.process}: {found.divergence.because}"
