"""`ondemand simulate`: random runs of the role machines."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import click

from conformance import configurations
from conformance.cli.asked import Asked, asked_options
from conformance.evidence.shown import leaves_out, promises_nothing
from conformance.protocols import again
from conformance.report.result import Case, Result, source_of
from conformance.report.violation import finding_of, print_violation
from impl.cli.console import MARKS, listed, progress_bar
from impl.cli.exits import EXIT_OF
from model.machines.simulate import Simulation
from model.machines.simulate import simulate as run
from model.reference.cut import cut_sentence

NO_STEP: Final = "No run took a step, so nothing was checked but the initial state: allow what is left out."


@click.command()
@click.option(
    "--runs",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    metavar="NUMBER",
    help="The number of random runs.",
)
@click.option(
    "--steps", type=click.IntRange(1), default=60, show_default=True, metavar="NUMBER", help="The most steps of a run."
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    metavar="NUMBER",
    help="The seed; the same seed gives the same runs.",
)
@asked_options(f"{configurations.CONFIG_HELP}. [default: the one that leaves out the fewest actions]", several=False)
def simulate(runs: int, steps: int, seed: int, asked: Asked) -> int:
    """Run the role machines at random, and check every promise at every step.

    Simulation covers configurations that are too large to explore. A counterexample is shrunk before it is shown.

    \b
    Examples:
      ondemand simulate                            100 runs of the default configuration
      ondemand simulate --runs 1000 --seed 7       more runs, from another seed
      ondemand simulate --variant pushes_to_all    a variant that breaks a promise
    """
    protocol = asked.protocol
    config = asked.configs[0] if asked.configs else configurations.first(protocol)
    configuration = configurations.find(config, protocol)
    with progress_bar("Simulating", runs) as progress:
        found = run(
            protocol,
            configuration,
            runs=runs,
            steps=steps,
            from_seed=seed,
            progress=lambda done, taken: progress(done, f"{taken} steps"),
        )
    console = asked.console
    empty = (
        [NO_STEP] if found.verdict == "undecided" else promises_nothing(protocol) if found.verdict == "holds" else []
    )
    found = replace(found, verdict="undecided") if empty else found
    console.print(
        f"{MARKS[found.verdict]} {found.configuration}: {found.runs:,} runs{_idle(found)}, {found.steps:,} steps; "
        f"{len(found.actions)} of {len(protocol.actions)} actions were taken, "
        f"{len(found.reached)} of {len(protocol.sometimes)} states that must be reachable were reached; "
        f"{found.seconds:.1f} s (seed {seed})",
        highlight=False,
    )
    if found.cut:
        console.print(f"In these runs {cut_sentence(found.cut, found.bounds)}", highlight=False, soft_wrap=True)
    taken = [action.name for action in protocol.actions if not leaves_out(configuration, action.name)]
    missing = [name for name in taken if name not in found.actions]
    unseen = [claim.name for claim in protocol.sometimes if claim.name not in found.reached]
    for names, said in ((missing, "taken"), (unseen, "reached")):
        if names and found.trace is None:
            console.print(f"Never {said} in these runs: {listed(names)}.", highlight=False, soft_wrap=True)
    result = Result("simulate", EXIT_OF[found.verdict], found.seconds)
    result.findings += asked.undecided("simulate", empty)
    result.figures.append(f"{found.runs:,} runs, {found.steps:,} steps in {found.configuration}")
    wrong = ""
    if found.trace is not None:
        print_violation(console, found.violated, protocol, found.trace, shortest=False)
        command = again(f"simulate --config {config} --runs {runs} --steps {steps} --seed {seed}", asked.variant)
        console.print(f"To run it again: {command}", highlight=False, soft_wrap=True)
        wrong = f"broken in {found.configuration} after {len(found.trace.steps)} steps; to run it again: {command}"
        result.findings.append(finding_of(found.violated, protocol, found.trace, command, shortest=False))
        asked.keep(found.violated, protocol, found.trace)
    elif empty:
        wrong = f"{found.verdict}: {' '.join(empty)}"
    why = f"{found.violated} {wrong}".strip()
    source = source_of(found.violated, protocol)
    result.cases.append(Case(found.configuration, found.verdict, why, found.seconds, source))
    return asked.finish(result, found.as_json())


def _idle(found: Simulation) -> str:
    return f" ({found.idle:,} without a step)" if found.idle else ""
