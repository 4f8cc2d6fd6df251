"""`ondemand bounded`: short violations in worlds that are too large to explore."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from conformance import configurations
from conformance.protocols import protocol_option, variant_option
from conformance.report.result import Case, Finding, Result, source_of
from conformance.report.violation import doc_of, print_violation, told
from conformance.report.writing import Outputs, outputs_options
from impl.cli.console import (
    MARKS,
    console_for,
    json_option,
    plain_table,
    progress_bar,
    save_option,
    write_json,
    write_text,
)
from impl.cli.exits import EXIT_OF, Exit, Problem, worst
from model.language import Protocol
from model.proof.bounded import SECONDS_MAX, STEPS_MAX, Bounded
from model.proof.bounded import bounded as look
from model.reference import itf
from model.reference.configuration import SIZE, of_sizes


@click.command()
@click.option(
    "--config", "configs", multiple=True, metavar="NAME", help=f"{configurations.CONFIG_HELP}; may be repeated."
)
@click.option(
    "--sizes",
    metavar="SORT=NUMBER,...",
    help=f"Members of sorts and bounds of numbers, {SIZE} where nothing is said; constants are anything. "
    "[default: a world of these]",
)
@click.option(
    "--steps",
    type=click.IntRange(0),
    default=STEPS_MAX,
    show_default=True,
    metavar="NUMBER",
    help="Steps of a run at most.",
)
@click.option(
    "--seconds-max",
    type=click.FloatRange(0, min_open=True),
    default=SECONDS_MAX,
    show_default=True,
    metavar="NUMBER",
    help="Stop, undecided, after so many seconds in one world.",
)
@save_option
@protocol_option
@variant_option
@json_option
@outputs_options
def bounded(
    configs: tuple[str, ...],
    sizes: str | None,
    steps: int,
    seconds_max: float,
    save: Path | None,
    protocol_name: str | None,
    variant: str | None,
    json_file: str | None,
    outputs: Outputs,
) -> int:
    """Ask a solver whether any run of a few steps breaks a promise.

    Shortest runs first, so there is no shorter way to the violation that is found. With --sizes the constants (who is correct,
    which pods share a VPC) are chosen by the solver too. Nothing found is undecided, since longer runs may break a promise.

    \b
    Examples:
      ondemand bounded                                     two of everything
      ondemand bounded --sizes Host=3,Pod=3 --steps 5      more hosts and pods
      ondemand bounded --config migration --steps 15       a named configuration
      ondemand bounded --variant serves_the_deleted        see a promise broken
    """
    if configs and sizes is not None:
        raise Problem("--config and --sizes: a world is given by one of them; leave out the other", Exit.BAD_INPUT)
    protocol = configurations.meant(configs[0] if configs else None, protocol_name, variant)
    console = console_for(json_file)
    wanted = [configurations.find(name, protocol) for name in configs] or [
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
                    any_constants=not configs,
                    progress=lambda depth, seconds, tell=progress: tell(depth, f"{seconds:.1f} s"),  # type: ignore[misc] # bound early
                )
            )
        if found[-1].trace is not None:
            break
    print_bounded(found, protocol, console)
    for item in found:
        _show(item, protocol, save, console)
    results = [item.as_json() for item in found]
    # One object for one configuration, a list for several: what was asked for decides, not where it ended.
    write_json(results[0] if len(wanted) == 1 else results, json_file)
    ended = worst(EXIT_OF[item.verdict] for item in found)
    result = Result("bounded", ended, sum(item.seconds for item in found))
    for item in found:
        why, source = f"{item.verdict} {item.violated or item.because}", source_of(item.violated, protocol)
        result.cases.append(Case(item.configuration, item.verdict, why, item.seconds, source))
        result.findings.append(_finding(item, protocol))
    outputs.write(result)
    return int(ended)


def _read_sizes(given: str | None) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for part in given.split(",") if given else []:
        name, _, number = part.partition("=")
        if not re.fullmatch(r"\s*[0-9]{1,9}\s*", number) or name.strip() in sizes:
            raise Problem(
                f"--sizes: expected a sort or number, once, with its size, as in Host=3,Version=2; found {part!r}",
                Exit.BAD_INPUT,
            )
        sizes[name.strip()] = int(number)
    return sizes


def print_bounded(found: list[Bounded], protocol: Protocol, console: Console) -> None:
    """A table of what was looked at."""
    figures = ("steps", "facts", "choices", "reached", "seconds")
    table = plain_table("Unrolled", left=["world"], right=figures, mark=True)
    for item in found:
        table.add_row(
            item.configuration,
            str(item.depth),
            f"{item.facts:,}",
            f"{item.instances:,}",
            f"{len(item.reached)}/{len(protocol.sometimes)}",
            f"{item.seconds:.2f}",
            MARKS[item.verdict],
        )
    console.print(table)


def _show(result: Bounded, protocol: Protocol, save: Path | None, console: Console) -> None:
    """What was found, or what stopped the looking."""
    if result.trace is not None:
        print_violation(console, result.violated, protocol, result.trace, shortest=True)
        if save is not None:
            write_text(save, itf.dumps(told(result.violated, protocol, result.trace), protocol))
        return
    console.print(f"[yellow]{_undecided(result)}.[/]", highlight=False)


def _finding(result: Bounded, protocol: Protocol) -> Finding:
    """Of each world there is one: what is broken in it, or that nothing is known."""
    if result.trace is None:
        return Finding(f"bounded {result.configuration}", _undecided(result), undecided=True)
    sentence = " ".join(doc_of(result.violated, protocol).split())
    said = f"broken in {result.configuration} after {result.depth} steps: {sentence}"
    show = partial(print_violation, name=result.violated, protocol=protocol, trace=result.trace, shortest=True)
    return Finding(result.violated, said, source_of(result.violated, protocol), show=show)


def _undecided(result: Bounded) -> str:
    stopped = {
        "bound": "longer ones were not looked at; a larger --steps goes further",
        "time": "then the time was over; a larger --seconds-max goes further",
        "unknown": "then the solver gave up; a smaller world may help",
    }[result.because]
    if result.depth < 0:
        return f"Undecided: of {result.configuration} not even the start was looked at; {stopped}"
    return f"Undecided: in {result.configuration} no run of at most {result.depth} steps breaks a promise; {stopped}"
