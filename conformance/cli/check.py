"""`ondemand check`: all evidence for all promises."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
from conformance.logs.verdict import Verdict
from conformance.mutation.figures import Summary
from conformance.protocols import again, base, variant_of
from conformance.replay.replays import Replays
from conformance.report.mutation_table import print_summary, summary_lines
from conformance.report.result import Case, Finding, Result, Section, verdict_of
from conformance.report.violation import broken, finding_of
from impl.broker.deployment import from_environment
from impl.cli.console import MARKS, Tell, listed, plain_table, progress_bar
from impl.cli.exits import Exit, worst
from model.language import Eventuality, Promise, Protocol
from model.proof.prove import Proof

MARK: Final = {**MARKS, "?": "[yellow]?[/]"}

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
    gathered: list[tuple[Evidence, list[Fault]]] = []
    with BrokerInBackground() as broker:
        for protocol in protocols:
            with progress_bar(f"Checking {protocol.name}") as progress:

                def tell(what: str, done: int, total: int | None, word: str, progress: Tell = progress) -> None:
                    progress(done, f"{what} {word}", total)

                found = gather(
                    protocol,
                    base(protocol),
                    configurations=configurations.names(protocol),
                    live_configurations=configurations.live_names(protocol),
                    broker=broker,
                    told=tell,
                )
            gathered.append((found, list(faults_of(found, variant))))
            print_evidence(*gathered[-1], console)
            if found.is_red:
                break
        seconds = time.perf_counter() - started
        # Printed before the broker stops, which takes a moment.
        ended = worst([found.exit for found, _ in gathered] + [Exit.UNDECIDED] * (len(gathered) < len(protocols)))
        print_conclusion([faults for _, faults in gathered], ended, seconds, console)
        report = Result(
            "check",
            ended,
            seconds,
            [case for found, faults in gathered for case in _cases(found, faults)],
            [finding for _, faults in gathered for fault in faults for finding in fault.findings],
            [_section(found) for found, _ in gathered],
            [f"{found.protocol.name}: {line}" for found, _ in gathered for line in _summary(found)],
        )
        result = {"protocols": {found.protocol.name: found.as_json() for found, _ in gathered}}
        verdict = {"verdict": verdict_of(ended), "seconds": round(seconds, 3)}
        return asked.finish(report, {**result, **verdict})


@dataclass(frozen=True)
class Fault:
    """Something that keeps the check from passing. Screen, summary and test cases are made from it."""

    sentence: str
    """What failed or is missing, and what to do about it."""
    findings: Sequence[Finding]
    kind: tuple[str, str] = ("", "")
    """What kind of thing failed: one, and several of them."""
    failed: Sequence[str] = ()
    """The names of those that failed; empty if nothing did, but something is missing."""
    show: Callable[[Console], object] | None = None
    """Prints the counterexample, with its promise and a sequence diagram."""


def _cases(found: Evidence, faults: Sequence[Fault]) -> Iterator[Case]:
    """A test case for each promise, and one for the protocol as a whole, which can fail where no promise does."""
    for promised, marks in _rows(found):
        said = ", ".join(f"{engine} {mark}" for engine, mark in zip(ENGINES, marks, strict=True) if mark)
        yield Case(promised.name, _verdict(marks), said, source=promised.source)
    yield Case(
        f"all evidence for {found.protocol.name}", verdict_of(found.exit), " ".join(fault.sentence for fault in faults)
    )


def _verdict(marks: Sequence[str]) -> str:
    """The verdict that several marks of a promise give."""
    if set(marks) <= {"holds", "-", ""}:
        return "holds"
    return "violated" if "violated" in marks else "undecided"


def _section(found: Evidence) -> Section:
    """The table of promises and evidence for a summary."""
    title = f"Promises of {found.protocol.name} and their evidence"
    return Section(title, ("promise", *ENGINES), [(named.name, *marks) for named, marks in _rows(found)])


def _rows(found: Evidence) -> Iterator[tuple[Promise | Eventuality, Sequence[str]]]:
    """What is promised, each with a mark for each kind of evidence; it is empty for a kind that does not apply."""
    yield from ((promise, found.row(promise)) for promise in found.protocol.promises if not promise.lemma)
    for eventuality in found.protocol.eventualities:
        yield eventuality, ("", found.lasting(eventuality), "", "")


def print_evidence(found: Evidence, faults: Sequence[Fault], console: Console) -> None:
    """The counterexample, if there is one; then the table of promises and evidence, and what it is based on."""
    for fault in faults:
        if fault.show is not None:
            fault.show(console)
    if found.is_red:
        console.print()
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
    for kind, rows in itertools.groupby(_rows(found), lambda row: type(row[0])):
        if kind is Eventuality:
            table.add_section()
        for promised, marks in rows:
            words = [promised.doc.splitlines()[0]] if wide else []
            table.add_row(promised.name, *(MARK.get(mark, mark) for mark in marks), *words)
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


def print_conclusion(faults: Sequence[Sequence[Fault]], ended: Exit, seconds: float, console: Console) -> None:
    """What failed or is missing, by protocol, each with what to do about it; the last line says whether everything holds."""
    color, word = {
        Exit.HOLDS: ("green", "All promises hold."),
        Exit.ENVIRONMENT: ("yellow", "Not everything could be run."),
    }.get(ended, ("yellow", "Undecided."))
    counts = Counter(
        kind for own in faults for kind, _ in {(fault.kind, name) for fault in own for name in fault.failed}
    )
    kinds = dict.fromkeys(fault.kind for own in faults for fault in own if fault.failed)
    if kinds:
        failed = ", ".join(f"{counts[kind]:,} {kind[counts[kind] > 1]}" for kind in kinds)
        color, word = "red", f"FAILED: {failed}"
    for fault in itertools.chain(*faults):
        console.print(f"[{color}]{escape(fault.sentence)}[/]", highlight=False, soft_wrap=True)
    console.print(f"[bold {color}]{word}[/] ({seconds:.0f} s)", highlight=False, soft_wrap=True)


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


def faults_of(found: Evidence, variant: str | None) -> Iterator[Fault]:
    """What failed, each with its counterexample; then what failed without one, and what is missing."""
    reachable = [*_broken_promises(found, variant), *_broken_eventualities(found, variant)]
    yield from reachable
    if found.proof is not None and found.proof.verdict != "holds":
        yield _unproved(found.proof, found.protocol, variant, reachable=bool(reachable))
    if found.simulation is not None and found.simulation.trace is not None:
        name, command = found.simulation.violated, _simulate_again(found, variant)
        finding = finding_of(name, found.protocol, found.simulation.trace, command, shortest=False)
        yield _broken(finding, "simulation")
    for replays in found.replays.values():
        if replays.verdict != "conforms":
            yield _unlike(replays, found.protocol)
    for name, log in found.logs.items():
        if log.verdict != "conforms":
            yield _unfit(name, log, found.protocol)
    yield from _weak(found)
    yield from _open(found)


def _broken(finding: Finding, where: str) -> Fault:
    """A promise that is broken in a run."""
    name, kind = finding.title, ("broken promise", "broken promises")
    sentence = f"{name} {broken(name)} in {where}. {REPRODUCE} {finding.again}"
    return Fault(sentence, [finding], kind, [name], finding.show)


def _broken_promises(found: Evidence, variant: str | None) -> Iterator[Fault]:
    for exploration in found.explorations:
        for finding in explore.findings_of(exploration, found.protocol, variant):
            if exploration.trace is not None:
                yield _broken(finding, exploration.configuration)


def _broken_eventualities(found: Evidence, variant: str | None) -> Iterator[Fault]:
    show: Callable[[Console], object] | None = partial(print_broken, found.decisions, found.protocol)
    for decision in found.decisions:
        names = [outcome.eventuality.name for outcome in decision.outcomes if outcome.verdict == "violated"]
        if names:
            command = again(f"live --config {decision.configuration}", variant)
            are = "is" if len(names) == 1 else "are"
            sentence = f"{listed(names)} {are} broken in {decision.configuration}. {REPRODUCE} {command}"
            findings = [*live.findings_of(decision, found.protocol, variant)]
            yield Fault(sentence, findings, ("broken eventuality", "broken eventualities"), names, show)
            show = None  # the first one shows one, and names the others


def _unproved(proof: Proof, protocol: Protocol, variant: str | None, *, reachable: bool) -> Fault:
    """The claims that do not hold. `reachable`: there is a run to a violation, which says more than one to induction."""
    wrong = [claim for claim in proof.claims if claim.verdict == "violated"]

    def show(console: Console) -> None:
        for claim in wrong[:CLAIMS_SHOWN]:
            print_claim(claim, protocol, console)

    names = listed(claim.name for claim in proof.claims if claim.verdict != "holds")
    more = "" if reachable else " No counterexample from the initial state was found: perhaps the proof lacks a lemma."
    findings = [*prove.findings_of(proof, protocol, variant)]
    return Fault(
        f"Not proved: {names}.{more} {REPRODUCE} {findings[0].again}",
        findings,
        ("unproved claim", "unproved claims"),
        [claim.name for claim in wrong],
        None if reachable else show,
    )


def _unlike(replays: Replays, protocol: Protocol) -> Fault:
    """Vectors that the implementation does not follow."""
    how = "could not be driven through every vector"
    if first := replays.divergence:
        how = f"diverges from the specification in {first.trace} at step {first.step}: {first.field}"
    command = again(f"replay --protocol {base(protocol).name} --target {replays.target}")
    return Fault(
        f"The implementation {how}. {REPRODUCE} {command}",
        [*replay.findings_of(replays)],
        ("diverging vector", "diverging vectors"),
        [vector.name for vector, one in replays.results if one.divergence is not None],
        partial(print_replays, replays) if first else None,
    )


def _unfit(name: str, log: Verdict, protocol: Protocol) -> Fault:
    """The logs of a deployment on the target of this name, which do not fit."""
    explanation = explain(log.divergence) if log.divergence is not None else None
    what = f"The logs of a deployment on {name} are inconclusive: {log.why}"
    if log.broken:
        what = f"The logs of a deployment on {name}: {log.why}"
    elif log.divergence is not None and log.verdict == "diverges":
        event, because = log.divergence.record.line.event, log.divergence.because
        what = f"The log of a deployment on {name} diverges from the specification: {event}: {because}"
    (finding,) = validate.findings_of(log, explanation)
    return Fault(
        f"{what}. {REPRODUCE} {again(f'check --protocol {base(protocol).name}')}",
        [finding],
        ("diverging log", "diverging logs"),
        [name] if log.verdict == "diverges" else [],
        finding.show if log.verdict == "diverges" else None,
    )


def _simulate_again(found: Evidence, variant: str | None) -> str:
    """The command that finds the violation of the simulation again."""
    stated = base(found.protocol)
    where = f"--protocol {stated.name} --config {simulated_in(stated)}"
    return again(f"simulate {where} --runs {SIMULATED_RUNS} --steps {SIMULATED_STEPS}", variant)


def _said(sentence: str, kind: tuple[str, str] = ("", ""), failed: Sequence[str] = ()) -> Fault:
    """A fault without a counterexample; it is undecided unless something failed."""
    return Fault(sentence, [Finding("check", sentence, undecided=not failed)], kind, failed)


def _weak(found: Evidence) -> Iterator[Fault]:
    """What failed without a counterexample: counts, and promises that are too weak."""
    for exploration in found.explorations:
        if exploration.verdict == "violated" and exploration.trace is None:
            name, protocol = exploration.configuration, base(found.protocol).name
            file = f"conformance/data/configurations/{protocol}/{name}.toml"
            intended = f"say in {file} what it shows instead"
            if exploration.violated.startswith("pinned"):
                intended = f"pin the new counts in {file} with `{again(f'golden counts {protocol}')}`"
            yield _said(
                f"{name}: {exploration.violated}; if the change is intended, {intended}.",
                ("configuration with another result", "configurations with another result"),
                [name],
            )
    if found.unnoticed:
        yield _said(
            f"A promise was weakened: nothing notices {listed(found.unnoticed, separator='; ')} any more. "
            f"To see the counterexample: {again(f'show {_run_of(found)}')}",
            ("unnoticed variant", "unnoticed variants"),
            found.unnoticed,
        )
    for item in found.unmet:
        yield _said(f"A scenario fails: {item}.", ("failing scenario", "failing scenarios"), [item])
    for sentence in found.unshown:
        yield _said(sentence, ("configuration with another result", "configurations with another result"), [sentence])
    for sentence in found.empty:
        yield _said(sentence, ("promise of what cannot occur", "promises of what cannot occur"), [sentence])
    for sentence in found.unreviewed:
        yield _said(sentence, ("difference from what was reviewed", "differences from what was reviewed"), [sentence])
    for names, never, kind in (
        (found.unreached, "reached", ("state never reached", "states never reached")),
        (found.unused, "taken", ("action never taken", "actions never taken")),
    ):
        if names:
            yield _said(f"Never {never} in any configuration: {listed(names)}.", kind, names)
    for sentence in _of_matrices(found, Exit.VIOLATED):
        yield _said(sentence, ("mutant or reason to look at", "mutants or reasons to look at"), [sentence])


def _run_of(found: Evidence) -> Path:
    """The file with the run of the first variant that is not noticed any more."""
    stated, name = base(found.protocol), found.unnoticed[0].split()[0]
    lassos = folder_of(stated).glob(f"{name.replace('_', '-')}.*.itf.json")
    return next(lassos, counterexample_of(variant_of(name)[1], stated))


def _open(found: Evidence) -> Iterator[Fault]:
    """What was not run, or not to its end; after a violation, only what could not be run."""
    lines = []
    if not found.is_red:
        explored = {exploration.configuration for exploration in found.explorations if exploration.complete}
        explored |= {decision.configuration for decision in found.decisions if decision.complete}
        open_ones = [name for name in (*found.configurations, *found.live_configurations) if name not in explored]
        lines += [f"Not explored to the end: {listed(open_ones)}."] * bool(open_ones)
        lines += [
            f"{outcome.eventuality.name}: {live.at_a_bound(decision)}."
            for decision in found.decisions
            for outcome in decision.outcomes
            if outcome.ends_at_a_bound
        ]
        lines += ["Nothing was proved."] * (found.proof is None)
        undecided = found.simulation is None or found.simulation.verdict == "undecided"
        lines += ["Nothing was simulated."] * undecided
    lines += [f"Not run: {item}." for item in found.missing]
    lines += [found.stale] * bool(found.stale and not found.is_red)
    return map(_said, [*lines, *_of_matrices(found, Exit.UNDECIDED)])


def _of_matrices(found: Evidence, code: Exit) -> list[str]:
    """What is wrong with the mutation tables and makes the check end with this code; nothing after a violation."""
    return [] if found.is_red or found.mutants is None else [text for of, text in found.mutants.faults if of is code]
