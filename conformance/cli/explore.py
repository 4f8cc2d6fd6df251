"""`ondemand explore`: visits every state of bounded configurations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import click
from rich.console import Console
from rich.markup import escape

from conformance import configurations
from conformance.cli.asked import Asked, asked_options, by_protocol, prove_forgetting, states_max_option
from conformance.evidence.shown import shown, unasked, unreached, untaken, vacuous
from conformance.protocols import again
from conformance.report.result import Case, Finding, Result, Section, source_of
from conformance.report.violation import finding_of, print_violation
from impl.cli.console import listed, progress_bar
from impl.cli.exits import EXIT_OF, worst
from model.explore.explore import STATES_MAX, Exploration
from model.explore.explore import explore as visit
from model.language import Protocol
from model.reference.cut import cut_sentence

UNCOMPARED: Final = (
    "all messages were kept, since it is not proved of this statement that spent ones enable nothing, "
    "so nothing is known about the pinned counts, which are those without spent messages"
)


@click.command()
@states_max_option(STATES_MAX)
@asked_options(f"{configurations.CONFIG_HELP}; can be repeated. [default: all named configurations]")
def explore(states_max: int, asked: Asked) -> int:
    """Visit every state of a bounded configuration, breadth first, and check every promise in each state.

    Without --config, all named configurations are explored. The first violation ends the exploration; its counterexample is a
    shortest one in that configuration. What must be reachable and no configuration reaches, and an action that is taken in none,
    leave the result undecided: nothing was shown of them.

    \b
    Examples:
      ondemand explore                                   every named configuration
      ondemand explore --config two-hosts                one named configuration
      ondemand explore --config my.toml --json -         your own configuration, the result as JSON
      ondemand explore --variant serves_the_deleted      a variant that breaks a promise
    """
    console, over = asked.console, asked.over(configurations.names)
    found: list[Exploration] = []
    for name, protocol in over:
        found.append(explored(name, protocol, states_max=states_max, stated=asked.variant is None))
        if found[-1].trace is not None:
            break
    empty = _unshown(over, found)
    found = [
        replace(exploration, verdict="undecided") if of in empty and exploration.verdict == "holds" else exploration
        for (_, of), exploration in zip(over, found, strict=False)
    ]
    print_explorations(found, console)
    for (_, protocol), exploration in zip(over, found, strict=False):  # after a violation nothing is explored
        if exploration.trace is not None:
            print_violation(console, exploration.violated, protocol, exploration.trace, shortest=True)
            asked.keep(exploration.violated, protocol, exploration.trace)
        if exploration.trace is None and not exploration.complete:
            console.print(
                f"[yellow]{exploration.configuration}: undecided, stopped after {exploration.distinct:,} states "
                f"at depth {exploration.depth}; raise --states-max to go further.[/]",
                highlight=False,
            )
    _tell_the_rest(over, found, console)
    unshown = asked.undecided("explore", [sentence for sentences in empty.values() for sentence in sentences])
    ended = worst(EXIT_OF[exploration.verdict] for exploration in found)
    result = Result("explore", ended, sum(exploration.seconds for exploration in found), sections=[section_of(found)])
    result.findings += unshown
    for (_, protocol), exploration in zip(over, found, strict=False):
        why = f"{exploration.said} {exploration.violated or ' '.join(empty.get(protocol, []))}".strip()
        source = source_of(exploration.violated, protocol)
        result.cases.append(Case(exploration.configuration, exploration.verdict, why, exploration.seconds, source))
        if protocol not in empty:
            result.findings += findings_of(exploration, protocol, asked.variant)
    return asked.finish_each(result, found, len(over))


def _unshown(over: Sequence[tuple[str, Protocol]], found: Sequence[Exploration]) -> dict[Protocol, list[str]]:
    """What these explorations say nothing of, and no other named configuration can; protocols of which they say all are missing."""
    if len(found) < len(over) or any(exploration.verdict != "holds" for exploration in found):
        return {}
    said = {}
    for protocol, own in by_protocol(over, found):
        said[protocol] = vacuous(protocol, own) if _are_all(own, protocol) else unasked(protocol, own)
    return {protocol: sentences for protocol, sentences in said.items() if sentences}


def _tell_the_rest(over: Sequence[tuple[str, Protocol]], found: Sequence[Exploration], console: Console) -> None:
    """Prints what these explorations did not show, and others of the named configurations may."""
    if len(found) < len(over) or not all(exploration.complete for exploration in found):
        return
    for protocol, own in by_protocol(over, found):
        if any(exploration.verdict == "violated" for exploration in own) or _are_all(own, protocol):
            continue
        for names, said in ((unreached(protocol, own), "reached"), (untaken(protocol, own), "taken")):
            if names:
                console.print(f"Not {said} here: {listed(names)}.", highlight=False, soft_wrap=True)


def _are_all(own: Sequence[Exploration], protocol: Protocol) -> bool:
    """Whether these are all configurations that there are, so that nothing else can show what they do not."""
    return set(configurations.names(protocol)) <= {exploration.configuration for exploration in own}


def explored(name: str, protocol: Protocol, *, states_max: int = STATES_MAX, stated: bool = True) -> Exploration:
    """One exploration with a progress bar. `stated`: without a variant, so it shows what the configuration is for."""
    configuration = configurations.find(name, protocol)
    expected = configuration.pinned.get("distinct") if prove_forgetting(protocol) else None
    with progress_bar(f"Exploring {configuration.name}") as progress:

        def tell(distinct: int, depth: int, seconds: float) -> None:
            rate = distinct / max(seconds, 1e-9) / 1e6
            progress(distinct, f"depth {depth}, {rate:.2f} M states/s", expected)

        found = visit(protocol, configuration, states_max=states_max, progress=tell)
    return shown(found, protocol, configuration) if stated else found


def print_explorations(found: Sequence[Exploration], console: Console) -> None:
    """A table of what was visited, the pinned counts that were not found, and the steps that left the bounds."""
    console.print(section_of(found).table())
    for exploration in found:
        if exploration.verdict == "violated" and exploration.trace is None:
            console.print(f"[red]{exploration.configuration}: {escape(exploration.violated)}[/]", highlight=False)
        elif exploration.cut and exploration.trace is None:
            said = (
                f"{exploration.configuration} {exploration.said}; {cut_sentence(exploration.cut, exploration.bounds)}"
            )
            console.print(escape(said), highlight=False, soft_wrap=True)
    if kept := [exploration.configuration for exploration in found if exploration.uncompared]:
        console.print(f"[yellow]{listed(kept)}: {UNCOMPARED}.[/]", highlight=False, soft_wrap=True)


def findings_of(exploration: Exploration, protocol: Protocol, variant: str | None) -> Iterator[Finding]:
    """What is wrong with an exploration, with its counterexample."""
    command = again(f"explore --config {configurations.given(exploration.configuration)}", variant)
    if exploration.trace is not None:
        yield finding_of(exploration.violated, protocol, exploration.trace, command, shortest=True)
    elif exploration.verdict != "holds":
        title, undecided = f"explore {exploration.configuration}", exploration.verdict == "undecided"
        why = f"{exploration.verdict} {UNCOMPARED if exploration.uncompared else exploration.violated}".strip()
        yield Finding(title, why, again=command, undecided=undecided)


def section_of(found: Sequence[Exploration]) -> Section:
    """The table of explorations."""
    columns = ("configuration", "states", "transitions", "depth", "bits", "seconds", "compile", "M/s", "")
    rows = [
        (
            exploration.configuration,
            f"{exploration.distinct:,}",
            f"{exploration.transitions:,}",
            str(exploration.depth),
            str(exploration.bits),
            f"{exploration.seconds:.2f}",
            f"{exploration.compile_seconds:.2f}",
            f"{exploration.distinct / max(exploration.seconds, 1e-9) / 1e6:.2f}",
            exploration.verdict,
        )
        for exploration in found
    ]
    return Section("Explored", columns, rows, details=("bits", "seconds", "compile", "M/s"))
