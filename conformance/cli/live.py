"""`ondemand live`: decides eventualities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import click
from rich.console import Console
from rich.markup import escape

from conformance import configurations
from conformance.cli.asked import Asked, asked_options, by_protocol, prove_forgetting, states_max_option
from conformance.evidence.shown import not_asked
from conformance.protocols import PROTOCOLS, again
from conformance.report.result import Case, Finding, Result, Section
from conformance.report.violation import print_lasso
from impl.cli.console import MARKS, listed, plain_table, progress_bar
from impl.cli.exits import EXIT_OF, Exit, Problem, worst
from model.explore.live import STATES_MAX
from model.explore.live import live as decide
from model.explore.liveness import Liveness, Outcome, never_asked
from model.language import Protocol
from model.reference.cut import cut_sentence

LIVE_NAMES: Final = [name for protocol in PROTOCOLS for name in configurations.live_names(protocol)]

NOT_ASKED: Final = "·"
"""The mark of an eventuality whose premise never holds."""


@click.command()
@states_max_option(STATES_MAX)
@asked_options(
    f"One of {', '.join(LIVE_NAMES)}; any other configuration; or a TOML file; can be repeated. [default: the named ones]"
)
def live(states_max: int, asked: Asked) -> int:
    """Decide every eventuality over all states of a bounded configuration.

    Fair actions are weakly fair for each choice of their parameters: one that stays enabled is taken eventually. All other actions
    may never be taken. A violation comes with a lasso: a run to a state, and the steps that repeat forever from there.

    \b
    Examples:
      ondemand live                                          the configurations in which all eventualities can hold
      ondemand live --config answers                         a configuration without time-outs
      ondemand live --config two-hosts --json -              any other configuration, the result as JSON
      ondemand live --variant hears_of_success_only          a variant that breaks an eventuality
    """
    console, over = asked.console, asked.over(configurations.live_names)
    for _, protocol in over:
        if not protocol.eventualities:
            raise Problem(f"{protocol.name} states no eventuality, so nothing is decided", Exit.UNDECIDED)
    found: list[Liveness] = []
    for name, protocol in over:
        found.append(decided(name, protocol, states_max=states_max))
        if found[-1].verdict == "violated":
            break
    idle = _never_asked(over, found, asked)
    unshown: list[str] = []
    for place, ((name, protocol), liveness) in enumerate(zip(over, found, strict=False)):
        missing = not_asked(liveness, configurations.find(name, protocol)) if asked.variant is None else {}
        unshown += missing.values()
        found[place] = liveness.judged({**dict.fromkeys(idle, "undecided"), **dict.fromkeys(missing, "violated")})
    print_graphs(found, console)
    for protocol, own in by_protocol(over, found):
        console.print()
        print_outcomes(own, protocol, console)
        shown = print_broken(own, protocol, console)
        if shown is not None and shown.lasso is not None:
            asked.keep(shown.eventuality.name, protocol, shown.lasso)
    for liveness in found:
        for outcome in liveness.outcomes:
            if outcome.ends_at_a_bound:
                said = f"{outcome.eventuality.name}: {at_a_bound(liveness)}"
                console.print(f"[yellow]{escape(said)}.[/]", highlight=False, soft_wrap=True)
        if not liveness.complete:
            console.print(
                f"[yellow]{liveness.configuration}: undecided, stopped after {liveness.distinct:,} states and "
                f"{liveness.transitions:,} steps; raise --states-max to go further.[/]",
                highlight=False,
            )
    if idle:
        console.print(
            f"[yellow]Premise never true in any of these configurations: {listed(idle)}. Enlarge one, or correct the premise.[/]",
            highlight=False,
            soft_wrap=True,
        )
    for sentence in unshown:
        console.print(f"[red]{escape(sentence)}[/]", highlight=False, soft_wrap=True)
    ended = worst([*(EXIT_OF[liveness.verdict] for liveness in found), *([Exit.UNDECIDED] if idle else [])])
    result = Result("live", ended, sum(liveness.seconds for liveness in found))
    for (_, protocol), liveness in zip(over, found, strict=False):
        result.cases += _cases(liveness)
        result.findings += findings_of(liveness, protocol, asked.variant)
        result.sections.append(_section(liveness))
    result.findings += [Finding("live", f"its premise is never true: {name}", undecided=True) for name in idle]
    result.findings += [Finding("live", sentence) for sentence in unshown]
    return asked.finish_each(result, found, len(over))


def _never_asked(over: Sequence[tuple[str, Protocol]], found: Sequence[Liveness], asked: Asked) -> list[str]:
    """The eventualities that no configuration asks for; unknown of a protocol if one was stopped, or if one is broken.

    What a configuration does not ask, another one may; but one that asks nothing says nothing.
    """
    idle: list[str] = []
    for protocol, own in by_protocol(over, found):
        occurred = any(outcome.occurred for liveness in own for outcome in liveness.outcomes)
        whole = set(configurations.live_names(protocol)) <= {liveness.configuration for liveness in own}
        known = all(liveness.complete and liveness.verdict != "violated" for liveness in own)
        if known and (whole or not occurred):
            decided_here = [outcome.eventuality for liveness in own for outcome in liveness.outcomes]
            idle += never_asked(own, list(dict.fromkeys(decided_here)) if asked.configs else protocol.eventualities)
    return idle


def _cases(liveness: Liveness) -> Iterator[Case]:
    for outcome in liveness.outcomes:
        name = f"{liveness.configuration}: {outcome.eventuality.name}"
        seconds = liveness.seconds / len(liveness.outcomes)
        yield Case(name, outcome.verdict, outcome.verdict, seconds, outcome.eventuality.source)


def _section(liveness: Liveness) -> Section:
    rows = [(outcome.eventuality.name, outcome.verdict) for outcome in liveness.outcomes]
    title = f"Eventualities in {liveness.configuration}, over {liveness.distinct:,} states"
    return Section(title, ("eventuality", ""), rows)


def findings_of(liveness: Liveness, protocol: Protocol, variant: str | None) -> Iterator[Finding]:
    """What is broken in a configuration, each with its lasso."""
    command = again(f"live --config {configurations.given(liveness.configuration)}", variant)
    for outcome in liveness.outcomes:
        if outcome.lasso is not None:
            sentence = " ".join(outcome.eventuality.doc.split())
            show = partial(print_lasso, outcome=outcome, protocol=protocol)
            said = f"broken in {liveness.configuration}: {sentence}"
            yield Finding(outcome.eventuality.name, said, outcome.eventuality.source, command, show)
        if outcome.ends_at_a_bound:
            yield Finding(outcome.eventuality.name, at_a_bound(liveness), again=command, undecided=True)
    if not liveness.complete:
        said = f"undecided, stopped after {liveness.distinct:,} states"
        yield Finding(f"live {liveness.configuration}", said, again=command, undecided=True)


def at_a_bound(liveness: Liveness) -> str:
    """Why an eventuality is undecided that holds in every run but those that end at a bound."""
    remedy = "raise the bounds" if any(why.above for why in liveness.cut) else "guard what falls below 0"
    return (
        f"undecided in {liveness.configuration}: every fair run that breaks it stays where a fair step is cut; {remedy} "
        f"({cut_sentence(liveness.cut, liveness.bounds)})"
    )


def decided(name: str, protocol: Protocol, *, states_max: int = STATES_MAX) -> Liveness:
    """Decides the eventualities in one configuration, with a progress bar."""
    configuration = configurations.find(name, protocol)
    prove_forgetting(protocol)
    with progress_bar(f"Deciding in {configuration.name}") as progress:
        return decide(
            protocol,
            configuration,
            states_max=states_max,
            progress=lambda what, done, total: progress(done, what, total),
        )


def print_graphs(found: Sequence[Liveness], console: Console) -> None:
    """A table of the explored configurations."""
    figures = ("states", "steps", "depth", "bits", "seconds", "compile", "MB")
    table = plain_table("Decided over", left=["configuration"], right=figures, mark=True)
    for liveness in found:
        table.add_row(
            liveness.configuration,
            f"{liveness.distinct:,}",
            f"{liveness.transitions:,}",
            str(liveness.depth),
            str(liveness.bits),
            f"{liveness.seconds:.2f}",
            f"{liveness.compile_seconds:.2f}",
            f"{liveness.bytes / 1e6:.0f}",
            MARKS[liveness.verdict],
        )
    console.print(table)
    for liveness in found:
        if liveness.cut and liveness.verdict == "holds":
            said = f"{liveness.configuration} holds within the bounds; {cut_sentence(liveness.cut, liveness.bounds)}"
            console.print(escape(said), highlight=False, soft_wrap=True)


def print_outcomes(found: Sequence[Liveness], protocol: Protocol, console: Console) -> None:
    """A table of eventualities by configurations."""
    table = plain_table(f"Eventualities of {protocol.name}", left=["eventuality"])
    for liveness in found:
        table.add_column(liveness.configuration, justify="center", no_wrap=True)
    columns = [{outcome.eventuality.name: outcome for outcome in liveness.outcomes} for liveness in found]
    for eventuality in protocol.eventualities:
        table.add_row(eventuality.name, *(_mark(outcomes.get(eventuality.name)) for outcomes in columns))
    console.print(table)
    if any(outcome.verdict == "holds" and not outcome.occurred for liveness in found for outcome in liveness.outcomes):
        console.print(f"{NOT_ASKED} holds, since its premise is never true", highlight=False)


def _mark(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    return NOT_ASKED if outcome.verdict == "holds" and not outcome.occurred else MARKS[outcome.verdict]


def print_broken(found: Sequence[Liveness], protocol: Protocol, console: Console) -> Outcome | None:
    """Prints the lasso of the first broken eventuality, names the others, and returns what is printed."""
    broken = [(liveness, outcome) for liveness in found for outcome in liveness.outcomes if outcome.lasso is not None]
    if not broken:
        return None
    first = broken[0][1]
    console.print()
    print_lasso(console, first, protocol)
    where = broken[0][0]
    if where.left_out:
        console.print(
            f"{where.configuration} leaves out fair actions ({listed(where.left_out)}): an eventuality that depends on them may be "
            "broken for this reason alone.",
            highlight=False,
            soft_wrap=True,
        )
    if others := [outcome.eventuality.name for _, outcome in broken[1:]]:
        console.print(f"Also broken: {listed(others)}.", highlight=False, soft_wrap=True)
    return first
