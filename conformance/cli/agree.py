"""`ondemand agree`: the engines on protocols that are drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from conformance.report.result import Case, Finding, Result, Section
from conformance.report.writing import Outputs, outputs_options
from impl.cli.console import MARKS, console_for, json_option, options, progress_bar, write_json, write_text
from impl.cli.exits import EXIT_OF, Exit, Problem
from model.agreement.agree import Agreement, Engine, differs
from model.agreement.agree import agree as compare_all
from model.agreement.compare import ENGINES, Subject
from model.agreement.compare import tlc as ask_tlc
from model.agreement.drawn import Drawn
from model.tla.judge import missing

SECONDS: Final = 60.0
"""Unless a number of protocols or a time is given."""


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE.py]...")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="NUMBER",
    help="The seed; protocol k of a seed is always the same.",
)
@click.option(
    "--first",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="NUMBER",
    help="The first protocol's number.",
)
@click.option("--protocols", type=click.IntRange(1), metavar="NUMBER", help="How many protocols are compared.")
@click.option(
    "--time",
    "seconds",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help=f"How long protocols are compared. [default: {SECONDS:g}, unless --protocols is given]",
)
@click.option("--tlc", is_flag=True, help="Ask TLC too, about one protocol in ten and each file. It is a Java program.")
@click.option(
    "--save",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    metavar="FOLDER",
    help="Where a protocol on which they disagree is written. [default: the current folder]",
)
@options(json_option, outputs_options)
def agree(
    files: tuple[Path, ...],
    seed: int,
    first: int,
    protocols: int | None,
    seconds: float | None,
    tlc: bool,
    folder: Path,
    json_file: str | None,
    outputs: Outputs,
) -> int:
    """Draw small protocols at random, and compare all engines on each.

    The plain interpreter visits every state. Kernel, role machines, proofs, bounded model checking and TLC are each asked the same.
    The first protocol on which one of them says something else is made smaller, and written to a file that can be compared again.

    \b
    Examples:
      ondemand agree                                   one minute
      ondemand agree --seed 7 --time 3600 --tlc        an hour, from another seed, with TLC
      ondemand agree --seed 7 --first 412 --protocols 1    one protocol again
      ondemand agree seed7protocol412.py                   one that was written, with seed7protocol412.toml
    """
    console = console_for(json_file)
    asked = None
    if tlc:
        absent = missing()
        if absent:
            raise Problem(f"--tlc: {absent}", Exit.ENVIRONMENT)
        asked = ask_tlc
    if files:
        found = _again(files, {**ENGINES, "tlc": asked} if asked else ENGINES)
    else:
        limit = seconds if seconds is not None or protocols is not None else SECONDS
        total = protocols if limit is None else round(limit)
        with progress_bar("Comparing", total) as tell:
            found = compare_all(
                seed,
                first=first,
                protocols=protocols,
                seconds=limit,
                tlc=asked,
                progress=lambda done, passed: tell(done if limit is None else round(passed), f"{done:,} protocols"),
            )
    _print(found, console)
    result = Result("agree", EXIT_OF[found.verdict], found.seconds)
    result.figures.append(f"{found.protocols:,} protocols, {found.states:,} states (seed {seed})")
    why = ""
    if found.disagreement is not None and found.drawn is not None:
        why = f"{found.disagreement.engine}: {found.disagreement.sentence}"
        again = ""
        if not files:
            file = _written(found, found.drawn, folder)
            again = f"ondemand agree {file}{' --tlc' * tlc}"
            console.print(f"To compare it again: {again}", highlight=False, soft_wrap=True)
            other = f"ondemand --spec {file} explore --config {file.with_suffix('.toml')}"
            console.print(f"To use it as any other protocol: {other}", highlight=False, soft_wrap=True)
        result.findings.append(Finding(f"engines disagree: {found.disagreement.engine}", why, again=again))
    elif found.verdict != "holds":
        why = "no protocol was compared: give it more time"
        console.print(f"[yellow]Undecided: {why}.[/]", highlight=False)
        result.findings.append(Finding("agree", why, undecided=True))
    result.cases.append(Case(f"seed {seed}", found.verdict, why, found.seconds))
    write_json(found.as_json(), json_file)
    outputs.write(result)
    return int(result.exit)


def _again(files: tuple[Path, ...], engines: Mapping[str, Engine]) -> Agreement:
    """The same for protocols that were written, each by all of the engines."""
    found = Agreement(-1)
    for file in files:
        try:
            source, toml = (file.with_suffix(end).read_text(encoding="utf-8") for end in (".py", ".toml"))
            found.drawn = Drawn.read(file.stem, source, toml)
            Subject(found.drawn)
        except Exception as problem:  # a file of the user can fail in any way that a program can
            sentence = f"{file}: cannot be read, or not with {file.with_suffix('.toml')} beside it ({problem})"
            raise Problem(f"{sentence}; name a file that ondemand agree has written", Exit.BAD_INPUT) from problem
        found.disagreement = differs(found.drawn, engines, found)
        found.protocols += 1
        if found.disagreement is not None:
            break
    return found


def _print(found: Agreement, console: Console) -> None:
    rows = [(name, f"{seconds:.1f}") for name, seconds in found.by_engine.items()]
    console.print(Section("Compared", ("engine", "seconds"), rows).table())
    speed = f", {found.protocols / found.seconds:.1f} a second" if found.seconds else ""
    console.print(
        f"{MARKS[found.verdict]} {found.protocols:,} protocols with {found.states:,} states{speed} (seed {found.seed})",
        highlight=False,
    )
    if found.disagreement is not None:
        number = f" on protocol {found.number}" if found.number >= 0 else ""
        sentence = f"{found.disagreement.engine} and interpreter disagree{number}: {found.disagreement.sentence}."
        console.print(f"[red]{sentence}[/]", highlight=False, soft_wrap=True)


def _written(found: Agreement, drawn: Drawn, folder: Path) -> Path:
    """Writes the protocol and its configuration; the file to name."""
    assert found.disagreement is not None
    file = folder / f"seed{found.seed}protocol{found.number}.py"
    about = (
        f'"""Protocol {found.number} of seed {found.seed}: {found.disagreement.engine} and interpreter disagree."""\n\n'
    )
    write_text(file, about + drawn.source)
    write_text(file.with_suffix(".toml"), drawn.toml())
    return file
