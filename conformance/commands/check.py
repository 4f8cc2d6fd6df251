"""`ondemand check`: the main job."""

from __future__ import annotations

import time

import click
from rich.console import Console
from rich.table import Table

from conformance import worlds
from conformance.commands.explore import print_explorations
from conformance.commands.prove import print_claim
from conformance.commands.replay import print_replays
from conformance.evidence import Evidence, gather
from conformance.exits import Exit
from conformance.report import (
    MARKS,
    annotate,
    console_for,
    json_option,
    junit_option,
    progress_bar,
    write_json,
    write_junit,
)
from conformance.show.violation import print_violation
from spec.on_demand import PROTOCOL

MARK = {**MARKS, "?": "[yellow]?[/]"}
WIDE = 140
"""Columns from which on the table has the promises in English beside their names."""

CLAIMS_SHOWN = 3
"""Counterexamples to induction that are printed; the rest are named."""


@click.command()
@worlds.variant_option
@json_option
@junit_option
def check(variant: str | None, json_file: str | None, junit_file: str | None) -> int:
    """All of it: every promise with its evidence, in one table.

    Proved without bounds; explored exhaustively in every named configuration; exercised at random; replayed step by step on the
    implementation, in memory and over a real Pulsar broker ($PULSAR_URL, or one that is started). What is red ends the check, and
    shows the promise, the shortest way there, and a sequence diagram.

    \b
    Examples:
      ondemand check
      ondemand check --variant forgets_whom_it_told    see it turn red
      ondemand check --json evidence.json
    """
    protocol = worlds.with_variant(variant, PROTOCOL)
    console = console_for(json_file)
    started = time.perf_counter()
    with progress_bar("Checking") as progress:

        def tell(what: str, done: int, total: int | None, word: str) -> None:
            progress(done, f"{what} {f'of {total} ' if total else ''}{word}")

        found = gather(protocol, configurations=worlds.names(), told=tell)
    seconds = time.perf_counter() - started
    print_evidence(found, seconds, console)
    write_json({**found.as_json(), "seconds": round(seconds, 3)}, json_file)
    write_junit(
        "check", [(one.name, 0.0, _wrong(found.row(one))) for one in protocol.promises if not one.lemma], junit_file
    )
    return int(found.exit)


def _wrong(row: tuple[str, ...]) -> str:
    return "" if set(row) == {"holds"} else f"proved, explored, simulated, replayed: {', '.join(row)}"


def print_evidence(found: Evidence, seconds: float, console: Console) -> None:
    """The table of promise and evidence, what is behind it, and what is red in full."""
    _print_red(found, console)
    if len(found.explorations) > 0:
        print_explorations(found.explorations, console)
    table = Table(title="Every promise with its evidence", title_justify="left")
    table.add_column("promise", no_wrap=True)
    for column in ("proved", "explored", "simulated", "replayed"):
        table.add_column(column, justify="center", min_width=len(column))
    if wide := console.width >= WIDE:
        table.add_column("in words")
    for promise in found.protocol.promises:
        if not promise.lemma:
            words = [promise.doc.splitlines()[0]] if wide else []
            table.add_row(promise.name, *(MARK[mark] for mark in found.row(promise)), *words)
    console.print(table)
    for line in _summary(found):
        console.print(line, highlight=False)
    colour, word = {
        Exit.HOLDS: ("green", "All promises hold."),
        Exit.VIOLATED: ("red", "A promise is broken, or the implementation leaves the specification."),
        Exit.ENVIRONMENT: ("yellow", "Something could not be run."),
    }.get(found.exit, ("yellow", "Something is undecided."))
    console.print(f"[{colour}]{word}[/] ({seconds:.0f} s)", highlight=False)


def _summary(found: Evidence) -> list[str]:
    lines = []
    if found.proof is not None:
        lines.append(
            f"proved: {len(found.proof.claims)} claims, {found.proof.checks} checks, {found.proof.seconds:.1f} s"
        )
    if found.explorations:
        states = sum(one.distinct for one in found.explorations)
        lines.append(f"explored: {len(found.explorations)} configurations, {states:,} states")
    if found.simulation is not None:
        lines.append(f"simulated: {found.simulation.runs} runs, {found.simulation.steps:,} steps")
    for name, one in found.replays.items():
        steps = one.total(lambda each: each.steps)
        rate = steps / max(one.seconds, 1e-9)
        lines.append(f"replayed on {name}: {len(one.results)} vectors, {steps:,} steps, {rate:.0f} steps/s")
    lines += [f"[yellow]not run: {one}[/]" for one in found.missing]
    if found.unreached:
        lines.append(f"[red]never reached: {', '.join(found.unreached)}[/]")
    if found.unused:
        lines.append(f"[red]never taken: {', '.join(found.unused)}[/]")
    return lines


def _print_red(found: Evidence, console: Console) -> None:
    reachable = False
    for one in found.explorations:
        if one.trace is not None:
            reachable = True
            print_violation(console, one.violated, found.protocol, one.trace)
            annotate(one.violated, f"violated in {one.configuration} after {len(one.trace.steps)} steps")
    if found.proof is not None and found.proof.verdict != "holds":
        wrong = [claim for claim in found.proof.claims if claim.verdict == "violated"]
        shown = wrong[:1] if reachable else wrong[:CLAIMS_SHOWN]
        for claim in shown:
            print_claim(claim, found.protocol, console)
        rest = [claim.name for claim in found.proof.claims if claim.verdict != "holds" and claim not in shown]
        if rest:
            console.print(f"Not proved either: {', '.join(rest)}", highlight=False)
    if found.simulation is not None and found.simulation.trace is not None:
        print_violation(console, found.simulation.violated, found.protocol, found.simulation.trace)
    for replays in found.replays.values():
        if replays.verdict != "conforms":
            print_replays(replays, console)
