"""`ondemand explore`: visits every state of bounded configurations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from conformance import configurations
from conformance.protocols import again, protocol_option, variant_option, wanted
from conformance.report.result import Case, Finding, Result, Section, source_of
from conformance.report.violation import doc_of, print_violation, told
from conformance.report.writing import Outputs, outputs_options
from impl.cli.console import (
    MARKS,
    PLAIN_MARKS,
    console_for,
    json_option,
    plain_table,
    progress_bar,
    save_option,
    write_json,
    write_text,
)
from impl.cli.exits import EXIT_OF, worst
from model.explore.explore import STATES_MAX, Exploration
from model.explore.explore import explore as visit
from model.language import Protocol
from model.reference import itf


@click.command()
@click.option(
    "--config",
    "configs",
    multiple=True,
    metavar="NAME",
    help=f"{configurations.CONFIG_HELP}; can be repeated. [default: all named configurations]",
)
@click.option(
    "--states-max",
    type=click.IntRange(1),
    default=STATES_MAX,
    show_default=True,
    metavar="NUMBER",
    help="The most states to visit in a configuration; beyond them the result is undecided.",
)
@save_option
@protocol_option
@variant_option
@json_option
@outputs_options
def explore(
    configs: tuple[str, ...],
    states_max: int,
    save: Path | None,
    protocol_name: str | None,
    variant: str | None,
    json_file: str | None,
    outputs: Outputs,
) -> int:
    """Visit every state of a bounded configuration, breadth first, and check every promise in each state.

    Without --config, all named configurations are explored. The first violation ends the exploration; its counterexample is a
    shortest one in that configuration.

    \b
    Examples:
      ondemand explore                                   every named configuration
      ondemand explore --config two-hosts                one named configuration
      ondemand explore --config my.toml --json -         your own configuration, the result as JSON
      ondemand explore --variant serves_the_deleted      a variant that breaks a promise
    """
    console = console_for(json_file)
    if configs:
        asked = [(name, configurations.meant(name, protocol_name, variant)) for name in configs]
    else:
        asked = [
            (name, protocol) for protocol in wanted(protocol_name, variant) for name in configurations.names(protocol)
        ]
    found: list[Exploration] = []
    for name, protocol in asked:
        found.append(explored(name, protocol, states_max=states_max, changed=variant is not None))
        if found[-1].trace is not None:
            break
    print_explorations(found, console)
    for (_, protocol), exploration in zip(asked, found, strict=False):  # after a violation nothing is explored
        if exploration.trace is not None:
            print_violation(console, exploration.violated, protocol, exploration.trace, shortest=True)
            if save is not None:
                write_text(save, itf.dumps(told(exploration.violated, protocol, exploration.trace), protocol))
        if exploration.verdict == "undecided":
            console.print(
                f"[yellow]{exploration.configuration}: undecided, stopped after {exploration.distinct:,} states "
                f"at depth {exploration.depth}; raise --states-max to go further.[/]",
                highlight=False,
            )
    results = [exploration.as_json() for exploration in found]
    # One object for one configuration, a list for several: what was asked decides, not how many were explored.
    write_json(results[0] if len(asked) == 1 else results, json_file)
    ended = worst(EXIT_OF[exploration.verdict] for exploration in found)
    result = Result("explore", ended, sum(exploration.seconds for exploration in found), sections=[section_of(found)])
    for (_, protocol), exploration in zip(asked, found, strict=False):
        why = f"{exploration.verdict} {exploration.violated}".strip()
        source = source_of(exploration.violated, protocol)
        result.cases.append(Case(exploration.configuration, exploration.verdict, why, exploration.seconds, source))
        result.findings += findings_of(exploration, protocol, variant)
    outputs.write(result)
    return int(ended)


def explored(name: str, protocol: Protocol, *, states_max: int = STATES_MAX, changed: bool = False) -> Exploration:
    """One exploration with a progress bar. `changed`: forgetting spent messages is not proved for the protocol."""
    configuration = configurations.find(name, protocol)
    expected = configuration.pinned.get("distinct")
    with progress_bar(f"Exploring {configuration.name}") as progress:

        def tell(distinct: int, depth: int, seconds: float) -> None:
            rate = distinct / max(seconds, 1e-9) / 1e6
            progress(distinct, f"depth {depth}, {rate:.2f} M states/s", None if changed else expected)

        return visit(protocol, configuration, states_max=states_max, progress=tell, forget_spent=not changed)


def print_explorations(found: list[Exploration], console: Console) -> None:
    """A table of what was visited, and the pinned counts that were not found."""
    figures = ("states", "transitions", "depth", "bits", "seconds", "compile", "M/s")
    table = plain_table("Explored", left=["configuration"], right=figures, mark=True)
    for exploration in found:
        table.add_row(
            exploration.configuration,
            f"{exploration.distinct:,}",
            f"{exploration.transitions:,}",
            str(exploration.depth),
            str(exploration.bits),
            f"{exploration.seconds:.2f}",
            f"{exploration.compile_seconds:.2f}",
            f"{exploration.distinct / max(exploration.seconds, 1e-9) / 1e6:.2f}",
            MARKS[exploration.verdict],
        )
    console.print(table)
    for exploration in found:
        if exploration.verdict == "violated" and exploration.trace is None:
            console.print(f"[red]{exploration.configuration}: {escape(exploration.violated)}[/]", highlight=False)


def findings_of(exploration: Exploration, protocol: Protocol, variant: str | None) -> Iterator[Finding]:
    """What is wrong with an exploration, with its counterexample."""
    command = again(f"explore --config {exploration.configuration}", variant)
    if exploration.trace is not None:
        sentence = " ".join(doc_of(exploration.violated, protocol).split())
        said = f"broken in {exploration.configuration} after {len(exploration.trace.steps)} steps: {sentence}"
        show = partial(
            print_violation, name=exploration.violated, protocol=protocol, trace=exploration.trace, shortest=True
        )
        yield Finding(exploration.violated, said, source_of(exploration.violated, protocol), command, show)
    elif exploration.verdict != "holds":
        title, undecided = f"explore {exploration.configuration}", exploration.verdict == "undecided"
        yield Finding(
            title, f"{exploration.verdict} {exploration.violated}".strip(), again=command, undecided=undecided
        )


def section_of(found: Sequence[Exploration]) -> Section:
    """The table of explorations for a summary."""
    rows = [
        (
            exploration.configuration,
            f"{exploration.distinct:,}",
            f"{exploration.transitions:,}",
            str(exploration.depth),
            PLAIN_MARKS[exploration.verdict],
        )
        for exploration in found
    ]
    return Section("Explored", ("configuration", "states", "transitions", "depth", ""), rows)
