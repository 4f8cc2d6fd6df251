"""`ondemand replay`: traces on the implementation, in lock-step."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from conformance.replaying import VECTORS, Replays, read_vectors, replay_all
from conformance.report import (
    ERRORS,
    annotate,
    console_for,
    json_option,
    junit_option,
    progress_bar,
    write_json,
    write_junit,
)
from conformance.targets import TARGETS, open_target
from impl.broker.deployment import open_deployment
from spec.on_demand import PROTOCOL


@click.command()
@click.argument("traces", nargs=-1, type=click.Path(path_type=Path))
@click.option("--target", type=click.Choice(TARGETS), default="memory", show_default=True, help="Where to replay.")
@json_option
@junit_option
def replay(traces: tuple[Path, ...], target: str, json_file: str | None, junit_file: str | None) -> int:
    """Replay traces on the implementation, step by step, and compare everything after each step.

    TRACES are ITF files or folders of them; without any, all shipped vectors are replayed. Target `memory` runs within this
    program; `pulsar` uses the broker of $PULSAR_URL, or starts one, with authentication on.

    \b
    Examples:
      ondemand replay                                  every vector, in memory
      ondemand replay --target pulsar                  every vector, on a real broker
      ondemand replay trace.itf.json --json -          one trace, the result as JSON
    """
    vectors = read_vectors(traces or (VECTORS,), PROTOCOL)
    if target == "memory":
        with open_target(target) as surroundings, progress_bar("Replaying", len(vectors)) as progress:
            found = replay_all(vectors, surroundings, progress=progress)
    else:
        with (
            open_deployment(console=ERRORS) as deployment,
            open_target(target, deployment) as surroundings,
            progress_bar("Replaying", len(vectors)) as progress,
        ):
            found = replay_all(vectors, surroundings, progress=progress)
    print_replays(found, console_for(json_file))
    write_json(found.as_json(), json_file)
    cases = [
        (vector.name, result.seconds, "" if found.verdict_of(vector, result) == "conforms" else result.verdict)
        for vector, result in found.results
    ]
    write_junit(f"replay on {target}", cases, junit_file)
    return int(found.exit)


def print_replays(found: Replays, console: Console) -> None:
    """A table of what was replayed, and the first divergence in full."""
    table = Table(title=f"Replay on {found.target}", title_justify="left")
    for column in ("vectors", "steps", "deliveries", "crashes", "seconds", "steps/s", "verdict"):
        table.add_column(column, justify="left" if column == "verdict" else "right")
    steps = found.total(lambda one: one.steps)
    colour = {"conforms": "green", "diverges": "red", "undecided": "yellow"}[found.verdict]
    table.add_row(
        str(len(found.results)),
        str(steps),
        str(found.total(lambda one: one.deliveries)),
        str(found.total(lambda one: one.crashes)),
        f"{found.seconds:.2f}",
        f"{steps / max(found.seconds, 1e-9):.0f}",
        f"[{colour}]{found.verdict}[/]",
    )
    console.print(table)
    for name, because in found.not_driven:
        console.print(f"[yellow]{name} was not driven to its end:[/] {because}")
    divergence = found.divergence
    if divergence is not None:
        text = (
            f"{divergence.trace}, step {divergence.step}, {divergence.action}: {divergence.field}: "
            f"expected {divergence.expected}, observed {divergence.observed}"
        )
        console.print(f"[red]{text}[/]\n  because {divergence.because}", highlight=False)
        annotate("replay", text)
