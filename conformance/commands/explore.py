"""`ondemand explore`: every state of bounded configurations."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from conformance import worlds
from conformance.exits import Exit, worst
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
from model import itf
from model.explore import STATES_MAX, Exploration
from model.explore import explore as visit
from spec.language import Protocol
from spec.on_demand import PROTOCOL

EXITS = {"holds": Exit.HOLDS, "violated": Exit.VIOLATED, "undecided": Exit.UNDECIDED}


@click.command()
@click.option(
    "--config", "configs", multiple=True, metavar="NAME", help="A named configuration, or a TOML file; may be repeated."
)
@click.option("--states-max", type=click.IntRange(1), default=STATES_MAX, help="Stop, undecided, after so many states.")
@click.option("--save", type=click.Path(path_type=Path), help="Write the way to the violation as an ITF trace.")
@worlds.variant_option
@json_option
@junit_option
def explore(
    configs: tuple[str, ...],
    states_max: int,
    save: Path | None,
    variant: str | None,
    json_file: str | None,
    junit_file: str | None,
) -> int:
    """Visit every state of a bounded configuration, breadth first, and check every promise in each.

    Without --config, every named configuration is explored. What is found first is reached by a shortest way.

    \b
    Examples:
      ondemand explore                                      every named configuration
      ondemand explore --config two-hosts                   one of them
      ondemand explore --config my.toml --states-max 1e6    one of your own
      ondemand explore --variant serves_the_deleted         see a promise broken
    """
    protocol = worlds.with_variant(variant, PROTOCOL)
    console = console_for(json_file)
    found = []
    for name in configs or tuple(worlds.names()):
        result = explored(name, protocol, states_max=states_max, changed=variant is not None)
        found.append(result)
        if result.verdict == "violated":
            break
    print_explorations(found, console)
    for result in found:
        if result.trace is not None:
            print_violation(console, result.violated, protocol, result.trace)
            annotate(result.violated, f"violated in {result.configuration} after {len(result.trace.steps)} steps")
            if save is not None:
                itf.write(result.trace, save, protocol)
    results = [result.as_json() for result in found]
    write_json(results[0] if len(results) == 1 else results, json_file)
    cases = [
        (one.configuration, one.seconds, "" if one.verdict == "holds" else f"{one.verdict} {one.violated}")
        for one in found
    ]
    write_junit("explore", cases, junit_file)
    return int(worst(EXITS[result.verdict] for result in found))


def explored(name: str, protocol: Protocol, *, states_max: int = STATES_MAX, changed: bool = False) -> Exploration:
    """One exploration with its progress bar. `changed`: a protocol for which forgetting spent messages is not proved."""
    configuration = worlds.find(name, PROTOCOL)
    with progress_bar(f"Exploring {configuration.name}") as progress:

        def tell(distinct: int, depth: int, seconds: float) -> None:
            rate = distinct / max(seconds, 1e-9) / 1e6
            progress(distinct, f"depth {depth}, {rate:.2f} M states/s")

        return visit(protocol, configuration, states_max=states_max, progress=tell, forget_spent=not changed)


def print_explorations(found: list[Exploration], console: Console) -> None:
    """A table of what was visited."""
    table = Table(title="Explored exhaustively", title_justify="left")
    for column in (
        "configuration",
        "states",
        "transitions",
        "depth",
        "words",
        "compile s",
        "seconds",
        "M states/s",
        "",
    ):
        table.add_column(column, justify="left" if column in ("configuration", "") else "right")
    for one in found:
        table.add_row(
            one.configuration,
            f"{one.distinct:,}",
            f"{one.transitions:,}",
            str(one.depth),
            f"{one.words} ({one.bits} bits)",
            f"{one.compile_seconds:.2f}",
            f"{one.seconds:.2f}",
            f"{one.distinct / max(one.seconds, 1e-9) / 1e6:.2f}",
            MARKS[one.verdict],
        )
    console.print(table)
    for one in found:
        if one.verdict == "violated" and one.trace is None:
            console.print(f"[red]{one.configuration}: {one.violated}[/]", highlight=False)
        if one.verdict == "undecided":
            console.print(f"[yellow]{one.configuration}: stopped after {one.distinct:,} states[/]", highlight=False)
