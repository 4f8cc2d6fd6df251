"""`ondemand bounded`: short violations in configurations that are too large to explore."""

from __future__ import annotations

import re

import click
from rich.console import Console
from rich.markup import escape

from conformance import configurations
from conformance.cli.asked import Asked, asked_options
from conformance.report.result import Case, Finding, Result, source_of
from conformance.report.violation import finding_of, print_violation
from impl.cli.console import MARKS, plain_table, progress_bar
from impl.cli.exits import EXIT_OF, Exit, Problem, worst
from model.language import Protocol
from model.proof.bounded import SECONDS_MAX, STEPS_MAX, Bounded
from model.proof.bounded import bounded as look
from model.reference.configuration import SIZE, of_sizes


@click.command()
@click.option(
    "--sizes",
    metavar="SORT=NUMBER,...",
    help=f"The number of members of each sort, and the bound of each number. What is not given is {SIZE}; the solver chooses the "
    "constants. [default: a configuration of these sizes]",
)
@click.option(
    "--steps",
    type=click.IntRange(0),
    default=STEPS_MAX,
    show_default=True,
    metavar="NUMBER",
    help="The most steps of a run.",
)
@click.option(
    "--seconds-max",
    type=click.FloatRange(0, min_open=True),
    default=SECONDS_MAX,
    show_default=True,
    metavar="NUMBER",
    help="The most seconds for one configuration; beyond them the result is undecided.",
)
@asked_options(f"{configurations.CONFIG_HELP}; can be repeated.")
def bounded(sizes: str | None, steps: int, seconds_max: float, asked: Asked) -> int:
    """Have a solver look for a short run that breaks a promise.

    Shorter runs are tried first, so a counterexample is a shortest one. With --sizes the solver also chooses the constants (which
    hosts are correct, which pods share a VPC). If it finds nothing, the result is undecided: longer runs may break a promise.

    \b
    Examples:
      ondemand bounded                                     two members of every sort
      ondemand bounded --sizes Host=3,Pod=3 --steps 5      more hosts and pods
      ondemand bounded --config migration --steps 15       a named configuration
      ondemand bounded --variant serves_the_deleted        a variant that breaks a promise
    """
    if asked.configs and sizes is not None:
        raise Problem("--config and --sizes: each of them gives a configuration; leave one of them out", Exit.BAD_INPUT)
    protocol, console = asked.protocol, asked.console
    wanted = [configurations.find(name, protocol) for name in asked.configs] or [
        of_sizes("sizes", protocol, _read_sizes(sizes))
    ]
    found: list[Bounded] = []
    for world in wanted:
        with progress_bar(f"Unrolling {world.name}", steps) as progress:
            found.append(
                look(
                    protocol,
                    world,
                    steps_max=steps,
                    seconds_max=seconds_max,
                    any_constants=not asked.configs,
                    progress=lambda depth, seconds, tell=progress: tell(depth, f"{seconds:.1f} s"),  # type: ignore[misc] # bound early
                )
            )
        if found[-1].trace is not None:
            break
    print_bounded(found, protocol, console)
    for unrolled in found:
        for cut, depth in unrolled.cut.items():
            after = f"{unrolled.configuration}: after {depth} {'step' if depth == 1 else 'steps'}"
            said = f"{after}, {cut.action} may leave the bounds: {cut.shown(unrolled.bounds)}"
            console.print(escape(said), highlight=False, soft_wrap=True)
        if unrolled.trace is None:
            console.print(f"[yellow]{_undecided(unrolled)}.[/]", highlight=False)
        else:
            print_violation(console, unrolled.violated, protocol, unrolled.trace, shortest=True)
            asked.keep(unrolled.violated, protocol, unrolled.trace)
    ended = worst(EXIT_OF[unrolled.verdict] for unrolled in found)
    result = Result("bounded", ended, sum(unrolled.seconds for unrolled in found))
    for unrolled in found:
        why = f"{unrolled.verdict} {unrolled.violated or unrolled.because}"
        source = source_of(unrolled.violated, protocol)
        result.cases.append(Case(unrolled.configuration, unrolled.verdict, why, unrolled.seconds, source))
        result.findings.append(_finding(unrolled, protocol))
    return asked.finish_each(result, found, len(wanted))


def _read_sizes(given: str | None) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for part in given.split(",") if given else []:
        name, _, number = part.partition("=")
        if not re.fullmatch(r"\s*[0-9]{1,9}\s*", number) or name.strip() in sizes:
            raise Problem(
                f"--sizes: expected each sort or number once, with its size, as in Host=3,Version=2; found {part!r}",
                Exit.BAD_INPUT,
            )
        sizes[name.strip()] = int(number)
    return sizes


def print_bounded(found: list[Bounded], protocol: Protocol, console: Console) -> None:
    """A table of the configurations that were unrolled."""
    figures = ("steps", "facts", "choices", "reached", "seconds")
    table = plain_table("Unrolled", left=["configuration"], right=figures, mark=True)
    for unrolled in found:
        table.add_row(
            unrolled.configuration,
            str(unrolled.depth),
            f"{unrolled.facts:,}",
            f"{unrolled.instances:,}",
            f"{len(unrolled.reached)}/{len(protocol.sometimes)}",
            f"{unrolled.seconds:.2f}",
            MARKS[unrolled.verdict],
        )
    console.print(table)


def _finding(result: Bounded, protocol: Protocol) -> Finding:
    """The finding of one configuration: what is broken, or why it is undecided."""
    if result.trace is None:
        return Finding(f"bounded {result.configuration}", _undecided(result), undecided=True)
    return finding_of(result.violated, protocol, result.trace, "", shortest=True)


def _undecided(result: Bounded) -> str:
    stopped = {
        "bound": "longer runs were not tried; raise --steps to go further",
        "time": "the time limit ended the search; raise --seconds-max to go further",
        "unknown": "the solver gave up; try a smaller configuration",
    }[result.because]
    if result.depth < 0:
        return f"Undecided: not even the initial state of {result.configuration} was checked; {stopped}"
    return f"Undecided: no run of at most {result.depth} steps in {result.configuration} breaks a promise; {stopped}"
