"""`ondemand check`: all evidence for all promises."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.markup import escape

from conformance import configurations
from conformance.cli import explore, live, prove, replay, validate
from conformance.cli.asked import Asked, asked_options
from conformance.cli.explore import print_explorations
from conformance.cli.live import print_broken, print_graphs
from conformance.cli.prove import print_claim
from conformance.cli.replay import print_replays
from conformance.evidence.background_broker import BrokerInBackground
from conformance.evidence.gathering import SIMULATED_RUNS, SIMULATED_STEPS, Evidence, gather, simulated_in
from conformance.evidence.lassos import folder_of
from conformance.evidence.variants import counterexample_of
from conformance.logs.explanation import explain
from conformance.mutation.figures import Summary
from conformance.protocols import again, base, variant_of
from conformance.report.explanation_screen import print_explanation
from conformance.report.mutation_table import print_summary, summary_lines
from conformance.report.result import VERDICT_OF, Case, Finding, Result, Section, source_of
from conformance.report.violation import broken, print_violation
from impl.broker.deployment import from_environment
from impl.cli.console import MARKS, PLAIN_MARKS, Tell, listed, plain_table, progress_bar
from impl.cli.exits import Exit, worst
from model.explore.explore import Exploration

MARK = {**MARKS, "?": "[yellow]?[/]", "-": "-"}

WIDE: Final = 140
"""Columns from which on the table has the promises in English beside their names."""

CLAIMS_SHOWN: Final = 3
"""Counterexamples to induction that are printed; the other claims are named."""

ENGINES: Final = ("proved", "explored", "simulated", "replayed")
"""The kinds of evidence for a promise. Eventualities are decided over explored states only."""

REPRODUCE: Final = "To reproduce:"
"""What stands before a command that shows a violation again."""


@click.command()
@asked_options()
def check(asked: Asked) -> int:
    """Check everything, and print one table of promises and their evidence.

    Promises are proved without bounds, explored exhaustively in every named configuration, and simulated at random. The
    implementation is replayed against the vectors step by step, in memory and over a real Pulsar broker ($PULSAR_URL, or one that
    is started); a deployment on both is recorded, and its logs are validated. Eventualities are decided over every state. The first
    violation ends the check: it shows the promise, a shortest counterexample, a sequence diagram, and the command that reproduces
    it.

    \b
    Examples:
      ondemand check                                   all protocols, about two minutes
      ondemand check --protocol message-queue          one protocol
      ondemand check --variant forgets_whom_it_told    a variant that breaks a promise
      ondemand check --json evidence.json              the result as JSON
    """
    protocols, variant, console = asked.protocols, asked.variant, asked.console
    from_environment()  # fails here, and not after minutes, if only a part of the broker's settings is given
    started = time.perf_counter()
    gathered: list[Evidence] = []
    with BrokerInBackground() as broker:
        for protocol in protocols:
            with progress_bar(f"Checking {protocol.name}") as progress:

                def tell(what: str, done: int, total: int | None, word: str, progress: Tell = progress) -> None:
                    progress(done, f"{what} {word}", total)

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
        # Printed before the broker stops, which takes a moment.
        ended = worst([found.exit for found in gathered] + [Exit.UNDECIDED] * (len(gathered) < len(protocols)))
        print_conclusion(gathered, ended, seconds, variant, console)
        result = {"protocols": {found.protocol.name: found.as_json() for found in gathered}}
        report = Result(
            "check",
            ended,
            seconds,
            [case for found in gathered for case in _cases(found)],
            [finding for found in gathered for finding in _findings(found, variant)],
            [_section(found) for found in gathered],
            [f"{found.protocol.name}: {line}" for found in gathered for line in _summary(found)],
        )
        verdict = {"verdict": VERDICT_OF.get(ended, "undecided"), "seconds": round(seconds, 3)}
        return asked.finish(report, {**result, **verdict})


def _cases(found: Evidence) -> Iterator[Case]:
    """A test case for each promise, and one for the protocol as a whole, which can fail where no promise does."""
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
    """The verdict that several marks of a promise give."""
    if set(marks) <= {"holds", "-"}:
        return "holds"
    return "violated" if "violated" in marks else "undecided"


def _section(found: Evidence) -> Section:
    """The table of promises and evidence for a summary."""
    mark = {**PLAIN_MARKS, "?": "?", "-": "-"}
    rows = [
        (promise.name, *(mark[item] for item in found.row(promise)))
        for promise in found.protocol.promises
        if not promise.lemma
    ]
    rows += [
        (eventuality.name, "", mark[found.lasting(eventuality)], "", "") for eventuality in found.protocol.eventualities
    ]
    return Section(f"Promises of {found.protocol.name} and their evidence", ("promise", *ENGINES), rows)


def _findings(found: Evidence, variant: str | None) -> Iterator[Finding]:
    """The violations, each with its counterexample; then what else keeps the check from passing."""
    for exploration in found.explorations:
        if exploration.trace is not None:
            for finding in explore.findings_of(exploration, found.protocol, variant):
                yield replace(finding, again=_explore_again(found, exploration, variant))
    for decision in found.decisions:
        if decision.verdict == "violated":
            yield from live.findings_of(decision, found.protocol, variant)
    if found.proof is not None:
        yield from prove.findings_of(found.proof, found.protocol, variant)
    simulated = found.simulation
    if simulated is not None and simulated.trace is not None:
        name, protocol = simulated.violated, found.protocol
        show = partial(print_violation, name=name, protocol=protocol, trace=simulated.trace, shortest=False)
        command = _simulate_again(found, variant)
        yield Finding(name, "broken in simulation", source_of(name, protocol), command, show)
    for replays in found.replays.values():
        yield from replay.findings_of(replays)
    for logged in found.logs.values():
        explanation = explain(logged.divergence) if logged.divergence is not None else None
        yield from validate.findings_of(logged, explanation)
    yield from (Finding("check", line) for line in _weak(found))
    yield from (Finding("check", line, undecided=True) for line in _open(found))


def print_evidence(found: Evidence, console: Console) -> None:
    """The counterexample, if there is one; then the table of promises and evidence, and what it is based on."""
    if found.is_red:
        _print_red(found, console)
    if found.explorations:
        print_explorations(found.explorations, console)
        console.print()
    if len(found.decisions) > 0:
        print_graphs(found.decisions, console)
        console.print()
    wide = console.width >= WIDE
    table = plain_table(f"Promises of {found.protocol.name} and their evidence", left=["promise"])
    for engine in ENGINES:
        table.add_column(engine, justify="center", no_wrap=True)
    if wide:
        table.add_column("in English")
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
        why = ": the first violation ended the check" if found.is_red else ""
        console.print(f"[green]✓[/] holds   [red]✗[/] broken   [yellow]?[/] unknown{why}")
    console.print()
    for summary in _tables(found):
        print_summary(summary, console)
        console.print()
    for line in _summary(found):
        console.print(line, highlight=False)
    console.print()
    for replays in found.replays.values():
        if replays.verdict == "undecided":
            print_replays(replays, console)


def _tables(found: Evidence) -> Sequence[Summary]:
    """The summaries of the mutation tables; none after a violation, since they are about a statement without it."""
    return () if found.is_red or found.mutants is None else found.mutants.summaries


def print_conclusion(
    gathered: Sequence[Evidence], ended: Exit, seconds: float, variant: str | None, console: Console
) -> None:
    """What failed or is missing, each with what to do about it; the last line says whether everything holds."""
    conclusion = [line for found in gathered for line in _conclusion(found, variant)]
    color, word = {
        Exit.HOLDS: ("green", "All promises hold."),
        Exit.ENVIRONMENT: ("yellow", "Not everything could be run."),
    }.get(ended, ("yellow", "Undecided."))
    if failed := _failures(gathered):
        color, word = "red", f"FAILED: {failed}"
    for line in conclusion:
        console.print(f"[{color}]{escape(line)}[/]", highlight=False, soft_wrap=True)
    console.print(f"[bold {color}]{word}[/] ({seconds:.0f} s)", highlight=False, soft_wrap=True)


def _failures(gathered: Sequence[Evidence]) -> str:
    """How much failed, by kind; empty if nothing did."""
    counts: Counter[tuple[str, str]] = Counter()
    for found in gathered:
        broken_here = {item.violated for item in found.explorations if item.trace is not None}
        if found.simulation is not None and found.simulation.verdict == "violated":
            broken_here.add(found.simulation.violated)
        counts["broken promise", "broken promises"] += len(broken_here)
        lasting = {
            outcome.eventuality.name
            for decision in found.decisions
            for outcome in decision.outcomes
            if outcome.verdict == "violated"
        }
        counts["broken eventuality", "broken eventualities"] += len(lasting)
        counts["unproved claim", "unproved claims"] += len(_unproved(found, "violated"))
        counts["diverging vector", "diverging vectors"] += sum(
            result.divergence is not None for replays in found.replays.values() for _, result in replays.results
        )
        counts["diverging log", "diverging logs"] += sum(log.verdict == "diverges" for log in found.logs.values())
        other_counts = sum(item.verdict == "violated" and item.trace is None for item in found.explorations)
        counts["configuration with other counts", "configurations with other counts"] += other_counts
        counts["unnoticed variant", "unnoticed variants"] += len(found.unnoticed)
        counts["failing scenario", "failing scenarios"] += len(found.unmet)
        counts["state never reached", "states never reached"] += len(found.unreached)
        counts["action never taken", "actions never taken"] += len(found.unused)
        counts["mutant or reason to look at", "mutants or reasons to look at"] += len(
            _of_matrices(found, Exit.VIOLATED)
        )
    return ", ".join(f"{count:,} {names[count > 1]}" for names, count in counts.items() if count)


def _unproved(found: Evidence, verdict: str | None = None) -> list[str]:
    """The claims that do not hold, or that have this verdict."""
    claims = found.proof.claims if found.proof is not None else ()
    return [claim.name for claim in claims if (claim.verdict == verdict if verdict else claim.verdict != "holds")]


def _summary(found: Evidence) -> list[str]:
    lines = []
    if found.proof is not None:
        what = "proved" if found.proof.verdict == "holds" else "proof, to the first claim that fails"
        checks = f"{found.proof.checks:,} checks, {found.proof.seconds:.1f} s"
        lines.append(f"{what}: {len(found.proof.claims)} claims, {checks}")
    if found.explorations:
        states = sum(exploration.distinct for exploration in found.explorations)
        lines.append(f"explored: {_configurations(found.explorations)}, {states:,} states")
    if found.decisions:
        states = sum(decision.distinct for decision in found.decisions)
        lines.append(f"live: {_configurations(found.decisions)}, {states:,} states, every fair run over them")
    if found.simulation is not None:
        lines.append(f"simulated: {found.simulation.runs} runs, {found.simulation.steps:,} steps")
    if found.noticed:
        lines.append(f"variants: {len(found.noticed)}, each noticed by a promise or eventuality")
    for name, replays in found.replays.items():
        steps = replays.total(lambda each: each.steps)
        rate = steps / max(replays.seconds, 1e-9)
        lines.append(f"replayed on {name}: {len(replays.results)} vectors, {steps:,} steps, {rate:,.0f} steps/s")
        lines += [f"{vector} was not driven to its end on {name}: {because}" for vector, because in replays.not_driven]
    if found.not_replayed:
        lines.append(f"not replayed: {found.not_replayed}")
    for name, verdict in found.logs.items():
        lines.append(f"logs on {name}: {verdict.events:,} events of a deployment, {verdict.verdict}")
    for summary in _tables(found):
        lines.append(f"mutants of the {summary.half}, {summary.age()} days old: {summary_lines(summary)[0]}")
    return lines


def _configurations(explored: Sequence[object]) -> str:
    return f"{len(explored)} {'configuration' if len(explored) == 1 else 'configurations'}"


def _conclusion(found: Evidence, variant: str | None) -> list[str]:
    """What failed, then what is missing, in sentences; each with what to do about it."""
    lines = []
    for exploration in found.explorations:
        if exploration.trace is not None:
            command, name = _explore_again(found, exploration, variant), exploration.violated
            lines.append(f"{name} {broken(name)} in {exploration.configuration}. {REPRODUCE} {command}")
    for decision in found.decisions:
        names = [outcome.eventuality.name for outcome in decision.outcomes if outcome.verdict == "violated"]
        if names:
            command = again(f"live --config {decision.configuration}", variant)
            if not found.reproducible:
                command = again(f"check --protocol {base(found.protocol).name}", variant)
            are = "is" if len(names) == 1 else "are"
            lines.append(f"{listed(names)} {are} broken in {decision.configuration}. {REPRODUCE} {command}")
    if unproved := _unproved(found):
        more = "" if lines else " No counterexample from the initial state was found: perhaps the proof lacks a lemma."
        command = again("prove", variant) if variant else again(f"prove --protocol {found.protocol.name}")
        lines.append(f"Not proved: {listed(unproved)}.{more} {REPRODUCE} {command}")
    if found.simulation is not None and found.simulation.verdict == "violated":
        name = found.simulation.violated
        lines.append(f"{name} {broken(name)} in simulation. {REPRODUCE} {_simulate_again(found, variant)}")
    for name, replays in found.replays.items():
        if replays.verdict != "conforms":
            how = "could not be driven through every vector"
            if first := replays.divergence:
                how = f"diverges from the specification in {first.trace} at step {first.step}: {first.field}"
            command = again(f"replay --protocol {base(found.protocol).name} --target {name}")
            lines.append(f"The implementation {how}. {REPRODUCE} {command}")
    for name, verdict in found.logs.items():
        if verdict.divergence is not None and verdict.verdict == "diverges":
            record, because = verdict.divergence.record, verdict.divergence.because
            what = f"The log of a deployment on {name} diverges from the specification: {record.line.event}: {because}"
        elif verdict.broken:
            what = f"The logs of a deployment on {name}: {verdict.why}"
        elif verdict.verdict != "conforms":
            what = f"The logs of a deployment on {name} are inconclusive: {verdict.why}"
        else:
            continue
        lines.append(f"{what}. {REPRODUCE} {again(f'check --protocol {base(found.protocol).name}')}")
    return [*lines, *_weak(found), *_open(found)]


def _explore_again(found: Evidence, exploration: Exploration, variant: str | None) -> str:
    """The command that finds the violation of an exploration again."""
    if found.reproducible or exploration.trace is None:
        return again(f"explore --config {exploration.configuration}", variant)
    steps = len(exploration.trace.steps)
    return again(f"bounded --config {exploration.configuration} --steps {steps}", variant)


def _simulate_again(found: Evidence, variant: str | None) -> str:
    """The command that finds the violation of the simulation again."""
    stated = base(found.protocol)
    where = f"--protocol {stated.name} --config {simulated_in(stated)}"
    return again(f"simulate {where} --runs {SIMULATED_RUNS} --steps {SIMULATED_STEPS}", variant)


def _weak(found: Evidence) -> list[str]:
    """What failed without a counterexample: counts, and promises that are too weak."""
    lines = []
    for exploration in found.explorations:
        if exploration.verdict == "violated" and exploration.trace is None:
            pins = f"conformance/data/configurations/{base(found.protocol).name}/{exploration.configuration}.toml"
            lines.append(
                f"{exploration.configuration}: {exploration.violated}; if the change is intended, pin the new counts in {pins} "
                f"with `{again(f'golden counts {base(found.protocol).name}')}`."
            )
    if found.unnoticed:
        lines.append(
            f"A promise was weakened: nothing notices {listed(found.unnoticed, separator='; ')} any more. "
            f"To see the counterexample: {again(f'show {_run_of(found)}')}"
        )
    lines += [f"A scenario fails: {sentence}." for sentence in found.unmet]
    if found.unreached:
        lines.append(f"Never reached in any configuration: {listed(found.unreached)}.")
    if found.unused:
        lines.append(f"Never taken in any configuration: {listed(found.unused)}.")
    return [*lines, *_of_matrices(found, Exit.VIOLATED)]


def _run_of(found: Evidence) -> Path:
    """The file with the run of the first variant that is not noticed any more."""
    stated, name = base(found.protocol), found.unnoticed[0].split()[0]
    lassos = folder_of(stated).glob(f"{name.replace('_', '-')}.*.itf.json")
    return next(lassos, counterexample_of(variant_of(name)[1], stated))


def _open(found: Evidence) -> list[str]:
    """What was not run, or not to its end; after a violation, only what could not be run."""
    lines = []
    if not found.is_red:
        explored = {exploration.configuration for exploration in found.explorations if exploration.complete}
        explored |= {decision.configuration for decision in found.decisions if decision.complete}
        open_ones = [name for name in (*found.configurations, *found.live_configurations) if name not in explored]
        lines += [f"Not explored to the end: {listed(open_ones)}."] * bool(open_ones)
        lines += ["Nothing was proved."] * (found.proof is None)
        undecided = found.simulation is None or found.simulation.verdict == "undecided"
        lines += ["Nothing was simulated."] * undecided
    lines += [f"Not run: {item}." for item in found.missing]
    if not found.is_red:
        lines += [found.stale] if found.stale else []
    return [*lines, *_of_matrices(found, Exit.UNDECIDED)]


def _of_matrices(found: Evidence, code: Exit) -> list[str]:
    """What is wrong with the mutation tables and makes the check end with this code; nothing after a violation."""
    return [] if found.is_red or found.mutants is None else [text for of, text in found.mutants.faults if of is code]


def _print_red(found: Evidence, console: Console) -> None:
    """The counterexamples, each with its promise and a sequence diagram."""
    reachable = False
    for exploration in found.explorations:
        if exploration.trace is not None:
            reachable = True
            print_violation(console, exploration.violated, found.protocol, exploration.trace, shortest=True)
    reachable = print_broken(found.decisions, found.protocol, console) is not None or reachable
    if found.proof is not None:
        # A run from the initial state says more than a counterexample to induction.
        wrong = [claim for claim in found.proof.claims if claim.verdict == "violated"]
        for claim in wrong[: 0 if reachable else CLAIMS_SHOWN]:
            print_claim(claim, found.protocol, console)
    if found.simulation is not None and found.simulation.trace is not None:
        print_violation(console, found.simulation.violated, found.protocol, found.simulation.trace, shortest=False)
    for replays in found.replays.values():
        if replays.verdict == "diverges":
            print_replays(replays, console)
    for verdict in found.logs.values():
        if verdict.divergence is not None:
            print_explanation(explain(verdict.divergence), console)
    console.print()
