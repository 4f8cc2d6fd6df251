"""`ondemand replay`: replays traces on the implementation in lock-step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from conformance.evidence.gathering import shipped_vectors
from conformance.mutation.faulty import cores_of, faulty_option
from conformance.protocols import DRIVEN, PROTOCOLS, REPLAYED, again, chosen
from conformance.replay.alcor.options import OPTIONS, TargetName, check_options, is_live, replay_asked
from conformance.replay.lockstep import Replay
from conformance.replay.replays import Replays, Vector, read_vectors, replay_all
from conformance.replay.targets import STORES, open_with_broker
from conformance.report.alcor_replays import print_figures, print_live
from conformance.report.divergence import print_divergence, said
from conformance.report.result import Case, Finding, Result, Section, source_of
from conformance.report.shrunk import print_shrunk
from conformance.report.writing import Outputs, outputs_options
from conformance.shrink.shrink import Shrunk, shrink
from impl.cli.console import (
    ERRORS,
    console_for,
    json_option,
    listed,
    options,
    progress_bar,
    write_json,
)
from impl.cli.exits import Exit, Problem
from model.language import Source
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND

PROTOCOL_HELP: Final = "{}. [default: all of them, or the protocols of TRACES]"


@click.command()
@click.argument("traces", nargs=-1, type=click.Path(path_type=Path))
@click.option("--target", type=TargetName(), default="memory", show_default=True, help="Where to replay.")
@click.option("--protocol", "protocol_name", metavar="NAME", help=PROTOCOL_HELP.format(listed(sorted(REPLAYED))))
@click.option(
    "--store",
    type=click.Choice(STORES),
    default="own",
    show_default=True,
    help="Where NCM and DPM keep their state: each in its own store, or in a journal that another instance could take over.",
)
@options(*OPTIONS)
@click.option(
    "--shrink",
    "shrinks",
    is_flag=True,
    help="Shrink the first divergence, as `ondemand shrink` does. Not with alcor://HOST:PORT.",
)
@faulty_option
@click.option("--received", is_flag=True, help="Print the messages that each agent received, in order.")
@json_option
@outputs_options
def replay(
    traces: tuple[Path, ...],
    target: str,
    protocol_name: str | None,
    store: str,
    shrinks: bool,
    faulty: str | None,
    received: bool,
    json_file: str | None,
    outputs: Outputs,
    **wire: Any,
) -> int:
    """Replay traces on the implementation, step by step, and compare states and messages after each step.

    TRACES are scenarios or ITF files, or folders of them; by default all shipped vectors are replayed. The target `memory` runs
    inside this program; `pulsar` uses the broker of $PULSAR_URL, or starts one, with authentication. `alcor://HOST:PORT` is a
    running NCM of Alcor: it is compared with the vectors, and with further runs, over its gRPC interface. DPM and the hosts are
    simulated at addresses of this machine, which that NCM must reach. What its interface cannot express is listed with the
    reason.

    \b
    Examples:
      ondemand replay                                       every vector, in memory
      ondemand replay --protocol message-queue              every vector of one protocol
      ondemand replay --target pulsar                       every vector, on a real broker
      ondemand replay --target pulsar --store journal       the same, with the state at the broker
      ondemand replay run.scenario --json -                 one trace, the result as JSON
      ondemand replay trace.itf.json --received             one trace, and what each agent received
      ondemand replay --faulty learns_the_older --shrink    a faulty implementation, with a small counterexample
      ondemand replay --target alcor://127.0.0.100:9016     an NCM of Alcor that runs
    """
    check_options(target, wire)
    cores = cores_of(faulty)
    if is_live(target):
        if shrinks or faulty is not None:
            raise Problem(f"--shrink and --faulty: not possible with --target {target}; leave them out", Exit.BAD_INPUT)
        vectors = _read(traces, [ON_DEMAND.name], protocol_name, "which does not involve Alcor's NCM")
        against = replay_asked(target, vectors, wire, alone=bool(traces))
        print_live(against, console_for(json_file))
        _print_first(against, console_for(json_file))
        return _written(against, target, received, json_file, outputs)
    vectors = read_replayed(traces, protocol_name, among=DRIVEN if shrinks else REPLAYED)
    with (
        open_with_broker(target, store=store, console=ERRORS) as opened,
        progress_bar("Replaying", len(vectors)) as progress,
    ):
        found = replay_all(vectors, opened, cores=cores, progress=progress)
        wrong = next((vector for vector, one in found.results if one.divergence is not None), None)
        shrunk = shrink(wrong, opened, cores=cores, progress=progress) if shrinks and wrong is not None else None
    print_replays(found, console_for(json_file))
    return _written(found, target, received, json_file, outputs, shrunk)


def read_replayed(
    traces: Sequence[Path],
    protocol_name: str | None = None,
    *,
    among: Iterable[str] = REPLAYED,
    empty: bool = False,
) -> list[Vector]:
    """The named traces, or all shipped vectors, of the protocol of this name, or of all protocols that are replayed.

    `among`: the protocols that the command takes; `empty`: traces without a step are taken too.

    Raises:
        Problem: a name does not exist, a trace is of another protocol or has no step, or the shipped vectors are stale.
        BadInput: a file is no trace.
    """
    return _read(traces, sorted(among), protocol_name, "which is not replayed in this way", empty=empty)


def _read(
    traces: Sequence[Path], replayed: Sequence[str], protocol_name: str | None, otherwise: str, *, empty: bool = False
) -> list[Vector]:
    wanted = replayed
    if protocol_name is not None:
        wanted = [chosen(protocol_name, replayed, "is not replayed in this way").name]
    if not traces:
        vectors, warnings = shipped_vectors([protocol for protocol in PROTOCOLS if protocol.name in wanted])
        for sentence in warnings:
            ERRORS.print(sentence, highlight=False, markup=False, soft_wrap=True)
        return vectors
    vectors = read_vectors(traces, *PROTOCOLS)
    for vector in vectors:
        name = vector.base.name
        if name not in replayed:
            raise Problem(
                f"{vector.name}: a trace of {name}, {otherwise}; name a trace of {listed(replayed, separator=' or ')}",
                Exit.BAD_INPUT,
            )
        if name not in wanted:
            raise Problem(f"{vector.name}: a trace of {name}; leave --protocol {wanted[0]} out", Exit.BAD_INPUT)
        if not vector.trace.steps and not empty:
            raise Problem(f"{vector.name}: states: expected a step after the start, found none", Exit.BAD_INPUT)
    return vectors


def _written(
    found: Replays,
    target: str,
    received: bool,
    json_file: str | None,
    outputs: Outputs,
    shrunk: Shrunk | None = None,
) -> int:
    """Prints the shrunk divergence and the received messages, if they are wanted, and writes the files; returns the exit code."""
    result = found.as_json()
    if shrunk is not None:
        print_shrunk(shrunk, console_for(json_file))
        result["shrunk"] = shrunk.as_json()
    if received:
        print_received(found, console_for(json_file))
        result["received"] = {vector.name: dict(one.received) for vector, one in found.results}
    write_json(result, json_file)
    outputs.write(
        Result(
            f"replay on {target}",
            found.exit,
            found.seconds,
            list(_cases(found)),
            list(findings_of(found)),
            [section_of(found)],
        )
    )
    return int(found.exit)


def _cases(found: Replays) -> Iterator[Case]:
    for vector, one in found.results:
        why = said(one.divergence) if one.divergence is not None else f"{one.verdict} {one.because}".strip()
        yield Case(vector.name, found.mark(one), why, one.seconds, _source(vector, one))


def _source(vector: Vector, result: Replay) -> Source | None:
    """The action of the specification from which the implementation diverges, if it is a step of the trace."""
    if result.divergence is None or not 0 < result.divergence.step <= len(vector.trace.steps):
        return None
    return source_of(vector.trace.steps[result.divergence.step - 1].action, vector.base)


def findings_of(found: Replays) -> Iterator[Finding]:
    """What was not driven to its end, and each divergence with the run to it."""
    title, command = f"replay on {found.target}", again(f"replay --target {found.target}")
    for name, because in found.unsettled:
        yield Finding(title, f"{name} was not driven to its end: {because}", again=command, undecided=True)
    for vector, one in found.results:
        if one.divergence is not None:
            show = partial(print_divergence, vector.trace, vector.protocol, one.divergence)
            yield Finding(title, said(one.divergence), _source(vector, one), command, show)


def section_of(*found: Replays) -> Section:
    """The table of replays by protocol for a summary."""
    rows = []
    for item in found:
        for name in dict.fromkeys(vector.base.name for vector, _ in item.results):
            mine = [result for vector, result in item.results if vector.base.name == name]
            marks = set(map(item.mark, mine))
            verdict = "violated" if "violated" in marks else "holds" if marks == {"holds"} else "undecided"
            steps = sum(result.steps for result in mine)
            rows.append((name, item.target, f"{len(mine):,}", f"{steps:,}", verdict))
    return Section("Replayed", ("protocol", "on", "vectors", "steps", ""), rows)


def print_replays(found: Replays, console: Console) -> None:
    """A table of what was replayed, and the first divergence in full."""
    steps = found.total(lambda item: item.steps)
    figures = {
        "vectors": f"{len(found.results):,}",
        "steps": f"{steps:,}",
        "deliveries": f"{found.total(lambda item: item.deliveries):,}",
        "crashes": f"{found.total(lambda item: item.crashes):,}",
        "seconds": f"{found.seconds:.2f}",
        "steps/s": f"{steps / max(found.seconds, 1e-9):,.0f}",
    }
    print_figures(found, figures, console)
    for name, because in found.not_driven:
        console.print(f"[yellow]{escape(name)} was not driven to its end:[/] {escape(because)}", highlight=False)
    _print_first(found, console)


def _print_first(found: Replays, console: Console) -> None:
    """The first divergence in full."""
    for vector, result in found.results:
        if result.divergence is not None:
            print_divergence(vector.trace, vector.protocol, result.divergence, console)
            break


def print_received(found: Replays, console: Console) -> None:
    """The messages that each agent received in each trace. Every replay checks that each is for the host or for a VPC of it."""
    for vector, result in found.results:
        console.print(f"[bold]{escape(vector.name)}[/]", highlight=False)
        for host, messages in result.received.items():
            received = ", ".join(messages) or "nothing"
            console.print(Padding(f"{host}: {escape(received)}", (0, 0, 0, 2)), highlight=False)
