"""`ondemand replay`: traces on the implementation, in lock-step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from conformance.exits import Exit, Problem
from conformance.lockstep import Divergence, Replay
from conformance.outputs.result import Case, Finding, Result, Section, source_of
from conformance.outputs.writing import Outputs, outputs_options
from conformance.protocols import PROTOCOLS, REPLAYED
from conformance.replaying import Replays, Vector, read_vectors, replay_all, vectors_of
from conformance.report import (
    ERRORS,
    PLAIN_MARKS,
    console_for,
    json_option,
    plain_table,
    progress_bar,
    write_json,
)
from conformance.show.violation import print_diagram
from conformance.targets import STORES, TARGETS, open_with_broker
from spec.language import Source


@click.command()
@click.argument("traces", nargs=-1, type=click.Path(path_type=Path))
@click.option("--target", type=click.Choice(TARGETS), default="memory", show_default=True, help="Where to replay.")
@click.option(
    "--store",
    type=click.Choice(STORES),
    default="own",
    show_default=True,
    help="Where NCM and DPM keep their state: each in a store of its own, or in a journal that another could take over.",
)
@click.option("--received", is_flag=True, help="Show what came to each agent, in the order in which it came.")
@json_option
@outputs_options
def replay(
    traces: tuple[Path, ...], target: str, store: str, received: bool, json_file: str | None, outputs: Outputs
) -> int:
    """Replay traces on the implementation, step by step, and compare everything after each step.

    TRACES are ITF files or folders of them; without any, all shipped vectors are replayed. Target `memory` runs within this
    program; `pulsar` uses the broker of $PULSAR_URL, or starts one, with authentication on.

    \b
    Examples:
      ondemand replay                            every vector, in memory
      ondemand replay --target pulsar            every vector, on a real broker
      ondemand replay --target pulsar --store journal
      ondemand replay trace.itf.json --json -    one trace, the result as JSON
      ondemand replay trace.itf.json --received  and what each agent received
    """
    shipped = [vectors_of(protocol) for protocol in PROTOCOLS if protocol.name in REPLAYED]
    vectors = read_vectors(traces or shipped, *PROTOCOLS)
    for vector in vectors:
        if vector.base.name not in REPLAYED:
            raise Problem(
                f"{vector.name}: is a trace of {vector.base.name}, which no implementation follows step by step; "
                f"replay traces of {' or '.join(sorted(REPLAYED))}",
                Exit.BAD_INPUT,
            )
        if not vector.trace.steps:
            raise Problem(f"{vector.name}: states: expected a step after the start, found none", Exit.BAD_INPUT)
    with (
        open_with_broker(target, store=store, console=ERRORS) as surroundings,
        progress_bar("Replaying", len(vectors)) as progress,
    ):
        found = replay_all(vectors, surroundings, progress=progress)
    print_replays(found, console_for(json_file))
    result = found.as_json()
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
    verdicts = {"conforms": "holds", "diverges": "violated", "not driven": "undecided"}
    for vector, one in found.results:
        why = _said(one.divergence) if one.divergence is not None else f"{one.verdict} {one.because}".strip()
        yield Case(vector.name, verdicts[one.verdict], why, one.seconds, _source(vector, one))


def _source(vector: Vector, result: Replay) -> Source | None:
    """The action of the specification that the implementation leaves, if it is a step of the trace."""
    if result.divergence is None or not 0 < result.divergence.step <= len(vector.trace.steps):
        return None
    return source_of(vector.trace.steps[result.divergence.step - 1].action, vector.base)


def findings_of(found: Replays) -> Iterator[Finding]:
    """What was not driven to its end, and each divergence with the way there."""
    title, again = f"replay on {found.target}", f"ondemand replay --target {found.target}"
    for name, because in found.not_driven:
        yield Finding(title, f"{name} was not driven to its end: {because}", again=again, undecided=True)
    for vector, one in found.results:
        if one.divergence is not None:
            show = partial(_print_divergence, vector, one.divergence)
            yield Finding(title, _said(one.divergence), _source(vector, one), again, show)


def section_of(*found: Replays) -> Section:
    """What was replayed of each protocol."""
    rows = []
    for one in found:
        for name in dict.fromkeys(vector.base.name for vector, _ in one.results):
            mine = [result for vector, result in one.results if vector.base.name == name]
            verdicts = {result.verdict for result in mine}
            verdict = "violated" if "diverges" in verdicts else "holds" if verdicts == {"conforms"} else "undecided"
            steps = sum(result.steps for result in mine)
            rows.append((name, one.target, f"{len(mine):,}", f"{steps:,}", PLAIN_MARKS[verdict]))
    return Section("Replayed", ("protocol", "on", "vectors", "steps", ""), rows)


def _said(divergence: Divergence) -> str:
    return (
        f"{divergence.trace}, step {divergence.step}, {divergence.action}: {divergence.field}: "
        f"expected {_listed(divergence.expected)}, observed {_listed(divergence.observed)}"
    )


def _listed(value: object) -> str:
    if not isinstance(value, list):
        return str(value)
    return ", ".join(f"({', '.join(map(str, one))})" for one in value) or "none"


def print_replays(found: Replays, console: Console) -> None:
    """A table of what was replayed, and the first divergence in full."""
    figures = ("vectors", "steps", "deliveries", "crashes", "seconds", "steps/s")
    table = plain_table(f"Replayed on {found.target}", right=figures, left=[])
    table.add_column("verdict")
    steps = found.total(lambda one: one.steps)
    colour = {"conforms": "green", "diverges": "red", "undecided": "yellow"}[found.verdict]
    table.add_row(
        f"{len(found.results):,}",
        f"{steps:,}",
        f"{found.total(lambda one: one.deliveries):,}",
        f"{found.total(lambda one: one.crashes):,}",
        f"{found.seconds:.2f}",
        f"{steps / max(found.seconds, 1e-9):,.0f}",
        f"[{colour}]{found.verdict}[/]",
    )
    console.print(table)
    console.print()
    for name, because in found.not_driven:
        console.print(f"[yellow]{escape(name)} was not driven to its end:[/] {escape(because)}", highlight=False)
    for vector, result in found.results:
        if result.divergence is not None:
            _print_divergence(vector, result.divergence, console)
            break


def print_received(found: Replays, console: Console) -> None:
    """What came to each agent in each trace. That each message is for its host, or for a VPC of it, is part of every replay."""
    for vector, result in found.results:
        console.print(f"[bold]{escape(vector.name)}[/]", highlight=False)
        for host, messages in result.received.items():
            came = ", ".join(messages) or "nothing"
            console.print(Padding(f"{host}: {escape(came)}", (0, 0, 0, 2)), highlight=False)


def _print_divergence(vector: Vector, divergence: Divergence, console: Console) -> None:
    """The implementation and the specification side by side, and the way there."""
    says = Text(f"{divergence.action}\n\n{divergence.field}\n")
    says.append(f"  expected  {_listed(divergence.expected)}\n", "green")
    says.append(f"  observed  {_listed(divergence.observed)}\n", "red")
    says.append(f"\n{divergence.because}")
    title = f"[bold red]{escape(divergence.trace)}, step {divergence.step}: another result than the specification's[/]"
    console.print(Panel(says, title=title, border_style="red", title_align="left"))
    trace, step = vector.trace, divergence.step
    console.print("The way there:", highlight=False)
    way = replace(trace, states=trace.states[: step + 1], steps=trace.steps[:step])
    print_diagram(console, way, vector.protocol)
