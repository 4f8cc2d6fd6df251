"""`ondemand simulate`: random runs of the role machines."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from conformance import configurations
from conformance.protocols import again, protocol_option, variant_option
from conformance.report.result import Case, Finding, Result, source_of
from conformance.report.violation import print_violation, told
from conformance.report.writing import Outputs, outputs_options
from impl.cli.console import MARKS, console_for, json_option, progress_bar, save_option, write_json, write_text
from impl.cli.exits import EXIT_OF
from model.machines.simulate import simulate as run
from model.reference import itf


@click.command()
@click.option(
    "--config",
    metavar="NAME",
    help=f"{configurations.CONFIG_HELP}. [default: the one that leaves out the fewest actions]",
)
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
@save_option
@protocol_option
@variant_option
@json_option
@outputs_options
def simulate(
    config: str | None,
    runs: int,
    steps: int,
    seed: int,
    save: Path | None,
    protocol_name: str | None,
    variant: str | None,
    json_file: str | None,
    outputs: Outputs,
) -> int:
    """Run the role machines at random, and check every promise at every step.

    Simulation covers configurations that are too large to explore. A counterexample is shrunk before it is shown.

    \b
    Examples:
      ondemand simulate                            100 runs of the default configuration
      ondemand simulate --runs 1000 --seed 7       more runs, from another seed
      ondemand simulate --variant pushes_to_all    a variant that breaks a promise
    """
    protocol = configurations.meant(config, protocol_name, variant)
    config = config or configurations.first(protocol)
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
    console = console_for(json_file)
    console.print(
        f"{MARKS[found.verdict]} {found.configuration}: {found.runs:,} runs, {found.steps:,} steps; "
        f"{len(found.actions)} of {len(protocol.actions)} actions were taken, "
        f"{len(found.reached)} of {len(protocol.sometimes)} states that must be reachable were reached; "
        f"{found.seconds:.1f} s (seed {seed})",
        highlight=False,
    )
    result = Result("simulate", EXIT_OF[found.verdict], found.seconds)
    result.figures.append(f"{found.runs:,} runs, {found.steps:,} steps in {found.configuration}")
    wrong, source = "", source_of(found.violated, protocol)
    if found.trace is not None:
        print_violation(console, found.violated, protocol, found.trace, shortest=False)
        command = again(f"simulate --config {config} --runs {runs} --steps {steps} --seed {seed}", variant)
        console.print(f"To run it again: {command}", highlight=False, soft_wrap=True)
        wrong = f"broken in {found.configuration} after {len(found.trace.steps)} steps; to run it again: {command}"
        show = partial(print_violation, name=found.violated, protocol=protocol, trace=found.trace, shortest=False)
        result.findings.append(Finding(found.violated, wrong, source, command, show))
        if save is not None:
            write_text(save, itf.dumps(told(found.violated, protocol, found.trace), protocol))
    elif found.verdict != "holds":
        wrong = f"{found.verdict}: no step was taken"
        result.findings.append(Finding("simulate", wrong, undecided=True))
    write_json(found.as_json(), json_file)
    why = f"{found.violated} {wrong}".strip()
    result.cases.append(Case(found.configuration, found.verdict, why, found.seconds, source))
    outputs.write(result)
    return int(result.exit)
