"""`ondemand check`: the main job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import click
from rich.console import Console
from rich.markup import escape

from conformance import configurations
from conformance.cli import explore, live, prove, replay, validate
from conformance.cli.explore import print_explorations
from conformance.cli.live import print_broken, print_graphs
from conformance.cli.prove import print_claim
from conformance.cli.replay import print_replays
from conformance.evidence.gathering import BrokerInBackground, Evidence, gather
from conformance.logs.explanation import explain
from conformance.protocols import again, base, protocol_option, variant_option, wanted
from conformance.report.mutation_table import print_summary, summary_lines
from conformance.report.result import VERDICT_OF, Case, Finding, Result, Section, source_of
from conformance.report.violation import broken, print_violation
from conformance.report.writing import Outputs, outputs_options
from impl.broker.deployment import from_environment
from impl.cli.console import MARKS, PLAIN_MARKS, console_for, json_option, plain_table, progress_bar, write_json
from impl.cli.exits import Exit, worst

MARK = {**MARKS, "?": "[yellow]?[/]", "-": "-"}

Progress = Callable[[int, str], None]

WIDE = 140
"""Columns from which on the table has the promises in English beside their names."""

CLAIMS_SHOWN = 3
"""Counterexamples to induction that are printed; the rest are named."""

ENGINES = ("proved", "explored", "simulated", "replayed")
"""What gives evidence. What happens eventually is decided over all states that are explored, and by nothing else."""


@click.command()
@protocol_option
@variant_option
@json_option
@outputs_options
def check(protocol_name: str | None, variant: str | None, json_file: str | None, outputs: Outputs) -> int:
    """All of it: every promise with its evidence, in one table.

    Proved without bounds; explored exhaustively in every named configuration; exercised at random; replayed step by step on the
    implementation, in memory and over a real Pulsar broker ($PULSAR_URL, or one that is started); there, a deployment is recorded
    as well, and its logs are validated. What happens eventually is
    decided over every state. What is red ends the check, and shows the promise, the shortest way there, and a sequence diagram.

    \b
    Examples:
      ondemand check
      ondemand check --protocol message-queue
      ondemand check --variant forgets_whom_it_told    see it turn red
      ondemand check --json evidence.json
    """
    protocols = wanted(protocol_name, variant)
    from_environment()  # half a setting is bad usage, and known before the work begins
    console = console_for(json_file)
    started = time.perf_counter()
    gathered: list[Evidence] = []
    with BrokerInBackground() as broker:
        for protocol in protocols:
            with progress_bar(f"Checking {protocol.name}") as progress:

                def tell(what: str, done: int, total: int | None, word: str, progress: Progress = progress) -> None:
                    progress(done, f"{what} {f'of {total} ' if total else ''}{word}")

                gathered.append(
                    gather(
                        protocol,
                        base(protocol),
                        configurations=configurations.names(protocol),
                        live_configurations=configurations.live_names(protocol),
                        broker=broker,
                        told=tell,
                    )
                )
            print_evidence(gathered[-1], console)
            if gathered[-1].is_red:
                break
        seconds = time.perf_counter() - started
        # Said before the broker stops, which takes a moment.
        ended = worst([found.exit for found in gathered] + [Exit.UNDECIDED] * (len(gathered) < len(protocols)))
        print_conclusion(gathered, ended, seconds, variant, console)
        result = {"protocols": {found.protocol.name: found.as_json() for found in gathered}}
        write_json({**result, "verdict": VERDICT_OF.get(ended, "undecided"), "seconds": round(seconds, 3)}, json_file)
        outputs.write(
            Result(
                "check",
                ended,
                seconds,
                [case for found in gathered for case in _cases(found)],
                [finding for found in gathered for finding in _findings(found, variant)],
                [_section(found) for found in gathered],
                [f"{found.protocol.name}: {line}" for found in gathered for line in _summary(found)],
            )
        )
    return int(ended)


def _cases(found: Evidence) -> Iterator[Case]:
    """One for each promise, and one for the protocol as a whole: it may be red where no promise is."""
    for promise in found.protocol.promises:
        if not promise.lemma:
            row = found.row(promise)
            marks = ", ".join(f"{engine} {mark}" for engine, mark in zip(ENGINES, row, strict=True))
            yield Case(promise.name, _verdict(row), marks, source=promise.source)
    for eventuality in found.protocol.eventualities:
        mark = found.lasting(eventuality)
        yield Case(eventuality.name, _verdict([mark]), f"explored {mark}", source=eventuality.source)
    verdict = VERDICT_OF.get(found.exit, "undecided")
    yield Case(f"all evidence for {found.protocol.name}", verdict, " ".join(_conclusion(found, None)))


def _verdict(marks: Sequence[str]) -> str:
    """Of several marks of one promise."""
    if set(marks) <= {"holds", "-"}:
        return "holds"
    return "violated" if "violated" in marks else "undecided"


def _section(found: Evidence) -> Section:
    """The table of promise and evidence."""
    mark = {**PLAIN_MARKS, "?": "?", "-": "-"}
    rows = [
        (promise.name, *(mark[item] for item in found.row(promise)))
        for promise in found.protocol.promises
        if not promise.lemma
    ]
    rows += [
        (eventuality.name, "", mark[found.lasting(eventuality)], "", "") for eventuality in found.protocol.eventualities
    ]
    return Section(f"Every promise of {found.protocol.name} with its evidence", ("promise", *ENGINES), rows)


def _findings(found: Evidence, variant: str | None) -> Iterator[Finding]:
    """What is red, each with the way there; then what else keeps the check from being green."""
    for exploration in found.explorations:
        if exploration.trace is not None:
            yield from explore.findings_of(exploration, found.protocol, variant)
    for decision in found.decisions:
        if decision.verdict == "violated":
            yield from live.findings_of(decision, found.protocol, variant)
    if found.proof is not None:
        yield from prove.findings_of(found.proof, found.protocol, variant)
    simulated = found.simulation
    if simulated is not None and simulated.trace is not None:
        name, protocol = simulated.violated, found.protocol
        show = partial(print_violation, name=name, protocol=protocol, trace=simulated.trace, shortest=False)
        yield Finding(name, "broken in simulation", source_of(name, protocol), show=show)
    for replays in found.replays.values():
        yield from replay.findings_of(replays)
    for logged in found.logs.values():
        explanation = explain(logged.divergence) if logged.divergence is not None else None
        yield from validate.findings_of(logged, explanation)
    yield from (Finding("check", line) for line in _weak(found))
    yield from (Finding("check", line, undecided=True) for line in _open(found))


def print_evidence(found: Evidence, console: Console) -> None:
    """The table of promise and evidence of a protocol, what is behind it, and what is red in full."""
    if found.explorations:
        print_explorations(found.explorations, console)
        console.print()
    if len(found.decisions) > 0:
        print_graphs(found.decisions, console)
        console.print()
    wide = console.width >= WIDE
    table = plain_table(f"Every promise of {found.protocol.name} with its evidence", left=["promise"])
    for engine in ENGINES:
        table.add_column(engine, justify="center", no_wrap=True)
    if wide:
        table.add_column("in words")
    for promise in found.protocol.promises:
        if not promise.lemma:
            words = [promise.doc.splitlines()[0]] if wide else []
            table.add_row(promise.name, *(MARK[mark] for mark in found.row(promise)), *words)
    table.add_section()
    for eventuality in found.protocol.eventualities:
        words = [eventuality.doc.splitlines()[0]] if wide else []
        table.add_row(eventuality.name, "", MARK[found.lasting(eventuality)], "", "", *words)
    console.print(table)
    if found.exit is not Exit.HOLDS:
        why = ": what is red ends the check" if found.is_red else ""
        console.print(f"[green]✓[/] holds   [red]✗[/] broken   [yellow]?[/] not known{why}")
    console.print()
    for summary in found.mutants.summaries if found.mutants else ():
        print_summary(summary, console)
        console.print()
    for line in _summary(found):
        console.print(line, highlight=False)
    console.print()
    _print_red(found, console)


def print_conclusion(
    gathered: Sequence[Evidence], ended: Exit, seconds: float, variant: str | None, console: Console
) -> None:
    """At the end, where one looks first: whether everything holds, and if not, what to do."""
    conclusion = [line for found in gathered for line in _conclusion(found, variant)]
    colour, word = {
        Exit.HOLDS: ("green", "All promises hold."),
        Exit.VIOLATED: ("red", "FAILED."),
        Exit.ENVIRONMENT: ("yellow", "Something could not be run."),
    }.get(ended, ("yellow", "Undecided."))
    console.print(f"[bold {colour}]{word}[/] ({seconds:.0f} s)", highlight=False)
    for line in conclusion:
        console.print(f"  [{colour}]{escape(line)}[/]", highlight=False, soft_wrap=True)


def _summary(found: Evidence) -> list[str]:
    lines = []
    if found.proof is not None:
        lines.append(
            f"proved: {len(found.proof.claims)} claims, {found.proof.checks:,} checks, {found.proof.seconds:.1f} s"
        )
    if found.explorations:
        states = sum(exploration.distinct for exploration in found.explorations)
        lines.append(f"explored: {len(found.explorations)} configurations, {states:,} states")
    if found.decisions:
        states = sum(decision.distinct for decision in found.decisions)
        lines.append(f"live: {len(found.decisions)} configurations, {states:,} states, each fair run of them")
    if found.simulation is not None:
        lines.append(f"simulated: {found.simulation.runs} runs, {found.simulation.steps:,} steps")
    if found.noticed:
        lines.append(f"variants: {len(found.noticed)} that break a promise on purpose, each noticed")
    for name, one in found.replays.items():
        steps = one.total(lambda each: each.steps)
        rate = steps / max(one.seconds, 1e-9)
        lines.append(f"replayed on {name}: {len(one.results)} vectors, {steps:,} steps, {rate:,.0f} steps/s")
    for name, verdict in found.logs.items():
        lines.append(f"logs on {name}: {verdict.events:,} events of a deployment, {verdict.verdict}")
    for summary in found.mutants.summaries if found.mutants else ():
        lines.append(f"mutants of the {summary.half}, {summary.age()} days old: {summary_lines(summary)[0]}")
    return lines


def _conclusion(found: Evidence, variant: str | None) -> list[str]:
    """In sentences: what is red, then what is missing, each with what to do about it."""
    lines = []
    for exploration in found.explorations:
        if exploration.trace is not None:
            command = again(f"explore --config {exploration.configuration}", variant)
            lines.append(
                f"{exploration.violated} {broken(exploration.violated)} in {exploration.configuration}; again: {command}."
            )
    for decision in found.decisions:
        for outcome in decision.outcomes:
            if outcome.verdict == "violated":
                command = again(f"live --config {decision.configuration}", variant)
                lines.append(f"{outcome.eventuality.name} is broken in {decision.configuration}; again: {command}.")
    unproved = [claim.name for claim in found.proof.claims if claim.verdict != "holds"] if found.proof else []
    if unproved:
        more = "" if lines else " No way there was found from the start: perhaps the proof lacks a lemma."
        lines.append(f"Not proved: {', '.join(unproved)}; in full: {again('prove', variant)}.{more}")
    if found.simulation is not None and found.simulation.verdict == "violated":
        lines.append(f"{found.simulation.violated} is broken in simulation.")
    for name, replays in found.replays.items():
        if replays.verdict != "conforms":
            how = "could not be driven through every vector"
            if first := replays.divergence:
                how = f"leaves the specification in {first.trace} at step {first.step}: {first.field}"
            lines.append(f"The implementation {how}; again: {again(f'replay --target {name}')}.")
    for name, verdict in found.logs.items():
        if verdict.divergence is not None and verdict.verdict == "diverges":
            record, because = verdict.divergence.record, verdict.divergence.because
            lines.append(f"The log of a deployment on {name} leaves the specification: {record.line.event}: {because}.")
        elif verdict.broken:
            lines.append(f"The logs of a deployment on {name}: {verdict.why}.")
        elif verdict.verdict != "conforms":
            lines.append(f"The logs of a deployment on {name} say too little: {verdict.why}.")
    return [*lines, *_weak(found), *_open(found)]


def _weak(found: Evidence) -> list[str]:
    """What is red, and has no way there: counts, and what the statement says too little for."""
    lines = []
    for exploration in found.explorations:
        if exploration.verdict == "violated" and exploration.trace is None:
            pins = f"conformance/data/configurations/{base(found.protocol).name}/{exploration.configuration}.toml"
            lines.append(
                f"{exploration.configuration}: {exploration.violated}; if the change is meant, pin the new count in {pins}."
            )
    if found.unnoticed:
        lines.append(
            f"A promise was weakened: nothing notices {'; '.join(found.unnoticed)} any more. "
            f"The ways: ondemand show conformance/data/vectors/{base(found.protocol).name}/negative/NAME.itf.json, "
            f"or one in conformance/data/lassos/{base(found.protocol).name}."
        )
    if found.unreached:
        lines.append(f"Never reached in any configuration: {', '.join(found.unreached)}.")
    if found.unused:
        lines.append(f"Never taken in any configuration: {', '.join(found.unused)}.")
    return [*lines, *_of_matrices(found, Exit.VIOLATED)]


def _open(found: Evidence) -> list[str]:
    """What was not run, or not to its end."""
    lines = []
    if not found.is_red:
        explored = {exploration.configuration for exploration in found.explorations if exploration.complete}
        explored |= {decision.configuration for decision in found.decisions if decision.complete}
        open_ones = [name for name in (*found.configurations, *found.live_configurations) if name not in explored]
        lines += [f"Not explored to the end: {', '.join(open_ones)}."] * bool(open_ones)
        lines += ["Nothing was proved."] * (found.proof is None)
        undecided = found.simulation is None or found.simulation.verdict == "undecided"
        lines += ["Nothing was simulated."] * undecided
    lines += [f"Not run: {item}." for item in found.missing]
    lines += [f"Not replayed in full: {found.stale}."] if found.stale else []
    return [*lines, *_of_matrices(found, Exit.UNDECIDED)]


def _of_matrices(found: Evidence, code: Exit) -> list[str]:
    """What is wrong with the kill matrices, and makes the check end with this."""
    return [sentence for of, sentence in found.mutants.faults if of is code] if found.mutants else []


def _print_red(found: Evidence, console: Console) -> None:
    reachable = False
    for exploration in found.explorations:
        if exploration.trace is not None:
            reachable = True
            print_violation(console, exploration.violated, found.protocol, exploration.trace, shortest=True)
    reachable = print_broken(found.decisions, found.protocol, console) is not None or reachable
    if found.proof is not None:
        # A way from the start says more than a counterexample to induction.
        wrong = [claim for claim in found.proof.claims if claim.verdict == "violated"]
        for claim in wrong[: 0 if reachable else CLAIMS_SHOWN]:
            print_claim(claim, found.protocol, console)
    if found.simulation is not None and found.simulation.trace is not None:
        print_violation(console, found.simulation.violated, found.protocol, found.simulation.trace, shortest=False)
    for replays in found.replays.values():
        if replays.verdict != "conforms":
            print_replays(replays, console)
            console.print()
