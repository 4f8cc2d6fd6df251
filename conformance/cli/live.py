"""`ondemand live`: what happens eventually."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from conformance import configurations
from conformance.evidence.lassos import may_forget
from conformance.protocols import PROTOCOLS, again, protocol_option, variant_of, variant_option, wanted
from conformance.report.result import Case, Finding, Result, Section
from conformance.report.violation import print_lasso, told
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
from impl.cli.exits import EXIT_OF, Exit, worst
from model.explore.live import STATES_MAX, Liveness, Outcome, never_asked
from model.explore.live import live as decide
from model.language import Protocol
from model.reference import itf

LIVE_NAMES: Final = [name for protocol in PROTOCOLS for name in configurations.live_names(protocol)]

NOT_ASKED: Final = "·"
"""What is shown where a premise never holds."""


@click.command()
@click.option(
    "--config",
    "configs",
    multiple=True,
    metavar="NAME",
    help=f"{', '.join(LIVE_NAMES)}, or {configurations.CONFIG_HELP}; may be repeated. [default: the first {len(LIVE_NAMES)}]",
)
@click.option(
    "--states-max",
    type=click.IntRange(1),
    default=STATES_MAX,
    show_default=True,
    metavar="NUMBER",
    help="Stop, undecided, after so many states.",
)
@save_option
@protocol_option
@variant_option
@json_option
@outputs_options
def live(
    configs: tuple[str, ...],
    states_max: int,
    save: Path | None,
    protocol_name: str | None,
    variant: str | None,
    json_file: str | None,
    outputs: Outputs,
) -> int:
    """Decide what happens eventually, over every state of a bounded configuration.

    Whoever is bound to do something does not put it off for ever (weak fairness, for each choice of an action's parameters); all
    others may stop at any time. What is found broken comes with a run that breaks it: a way, and what then repeats for ever.

    \b
    Examples:
      ondemand live                                          what is promised, where it can be kept
      ondemand live --config answers                         without time-outs
      ondemand live --config two-hosts --json -              any configuration will do
      ondemand live --variant hears_of_success_only          see it broken
    """
    console = console_for(json_file)
    forget = variant is None or may_forget(*variant_of(variant))
    if configs:
        asked = [(name, configurations.meant(name, protocol_name, variant)) for name in configs]
    else:
        asked = [(name, item) for item in wanted(protocol_name, variant) for name in configurations.live_names(item)]
    found: list[Liveness] = []
    for name, protocol in asked:
        found.append(decided(name, protocol, states_max=states_max, forget=forget))
        if found[-1].verdict == "violated":
            break
    print_graphs(found, console)
    shown, idle = None, []
    for protocol in dict.fromkeys(protocol for _, protocol in asked[: len(found)]):
        own = [one for (_, of), one in zip(asked, found, strict=False) if of is protocol]
        console.print()
        print_outcomes(own, protocol, console)
        shown = print_broken(own, protocol, console)
        if shown is not None and save is not None:
            assert shown.lasso is not None
            write_text(save, itf.dumps(told(shown.eventuality.name, protocol, shown.lasso), protocol))
        occurred = any(outcome.occurred for item in own for outcome in item.outcomes)
        # Of what was stopped it is not known; a configuration of the user's own may ask for a part only, but not for nothing.
        if shown is None and all(item.complete for item in own) and not (configs and occurred):
            idle += never_asked(own, protocol.eventualities)
    for item in found:
        if item.verdict == "undecided":
            console.print(
                f"[yellow]{item.configuration}: stopped after {item.distinct:,} states and {item.transitions:,} steps; "
                "a larger --states-max goes further.[/]",
                highlight=False,
            )
    if idle:
        console.print(f"[yellow]Never asked for in any of these configurations: {', '.join(idle)}.[/]", highlight=False)
    results = [item.as_json() for item in found]
    # One object for one configuration, a list for several: what was asked for decides, not where it ended.
    write_json(results[0] if len(asked) == 1 else results, json_file)
    ended = worst([*(EXIT_OF[item.verdict] for item in found), *([Exit.UNDECIDED] if idle else [])])
    result = Result("live", ended, sum(item.seconds for item in found))
    for (_, protocol), item in zip(asked, found, strict=False):
        result.cases += _cases(item)
        result.findings += findings_of(item, protocol, variant)
        result.sections.append(_section(item))
    result.findings += [Finding("live", f"never asked for: {name}", undecided=True) for name in idle]
    outputs.write(result)
    return int(ended)


def _cases(liveness: Liveness) -> Iterator[Case]:
    for outcome in liveness.outcomes:
        name = f"{liveness.configuration}: {outcome.eventuality.name}"
        seconds = liveness.seconds / len(liveness.outcomes)
        yield Case(name, outcome.verdict, outcome.verdict, seconds, outcome.eventuality.source)


def _section(liveness: Liveness) -> Section:
    rows = [(outcome.eventuality.name, PLAIN_MARKS[outcome.verdict]) for outcome in liveness.outcomes]
    title = f"What happens eventually in {liveness.configuration}, over {liveness.distinct:,} states"
    return Section(title, ("eventuality", ""), rows)


def findings_of(liveness: Liveness, protocol: Protocol, variant: str | None) -> Iterator[Finding]:
    """What is broken in a configuration, each with a run that breaks it."""
    command = again(f"live --config {liveness.configuration}", variant)
    for outcome in liveness.outcomes:
        if outcome.lasso is not None:
            sentence = " ".join(outcome.eventuality.doc.split())
            show = partial(
                print_lasso,
                eventuality=outcome.eventuality,
                values=dict(outcome.values),
                protocol=protocol,
                trace=outcome.lasso,
            )
            said = f"broken in {liveness.configuration}: {sentence}"
            yield Finding(outcome.eventuality.name, said, outcome.eventuality.source, command, show)
    if liveness.verdict == "undecided":
        said = f"undecided: stopped after {liveness.distinct:,} states"
        yield Finding(f"live {liveness.configuration}", said, again=command, undecided=True)


def decided(name: str, protocol: Protocol, *, states_max: int = STATES_MAX, forget: bool = True) -> Liveness:
    """What is decided in one configuration, with its progress bar."""
    configuration = configurations.find(name, protocol)
    with progress_bar(f"Deciding in {configuration.name}") as progress:
        return decide(
            protocol,
            configuration,
            states_max=states_max,
            forget_spent=forget,
            progress=lambda what, done, total: progress(done, f"{f'of {total} ' if total else ''}{what}"),
        )


def print_graphs(found: Sequence[Liveness], console: Console) -> None:
    """A table of the configurations."""
    figures = ("states", "steps", "depth", "bits", "seconds", "compile", "MB")
    table = plain_table("Decided over", left=["configuration"], right=figures, mark=True)
    for item in found:
        table.add_row(
            item.configuration,
            f"{item.distinct:,}",
            f"{item.transitions:,}",
            str(item.depth),
            str(item.bits),
            f"{item.seconds:.2f}",
            f"{item.compile_seconds:.2f}",
            f"{item.bytes / 1e6:.0f}",
            MARKS[item.verdict],
        )
    console.print(table)


def print_outcomes(found: Sequence[Liveness], protocol: Protocol, console: Console) -> None:
    """A table of what was decided in each configuration."""
    table = plain_table(f"What happens eventually in {protocol.name}", left=["eventuality"])
    for item in found:
        table.add_column(item.configuration, justify="center", no_wrap=True)
    outcomes = [{outcome.eventuality.name: outcome for outcome in item.outcomes} for item in found]
    for eventuality in protocol.eventualities:
        table.add_row(eventuality.name, *(_mark(each_outcome.get(eventuality.name)) for each_outcome in outcomes))
    console.print(table)
    if any(outcome.verdict == "holds" and not outcome.occurred for item in found for outcome in item.outcomes):
        console.print(f"{NOT_ASKED} holds, since its premise never does", highlight=False)


def _mark(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    return NOT_ASKED if outcome.verdict == "holds" and not outcome.occurred else MARKS[outcome.verdict]


def print_broken(found: Sequence[Liveness], protocol: Protocol, console: Console) -> Outcome | None:
    """Shows the run that breaks the first eventuality that is broken, names the others, and returns what is shown."""
    broken = [(item, outcome) for item in found for outcome in item.outcomes if outcome.lasso is not None]
    if not broken:
        return None
    first = broken[0][1]
    assert first.lasso is not None
    console.print()
    print_lasso(console, first.eventuality, dict(first.values), protocol, first.lasso)
    where = broken[0][0]
    if where.left_out:
        console.print(
            f"{where.configuration} leaves out what somebody is bound to do ({', '.join(where.left_out)}): "
            "what counts on that may be broken for no other reason.",
            highlight=False,
        )
    if others := [outcome.eventuality.name for _, outcome in broken[1:]]:
        console.print(f"Broken too: {', '.join(others)}.", highlight=False)
    return first
