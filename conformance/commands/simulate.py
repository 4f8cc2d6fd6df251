"""`ondemand simulate`: long random runs of the role machines."""

from __future__ import annotations

from pathlib import Path

import click

from conformance import worlds
from conformance.exits import Exit
from conformance.report import MARKS, annotate, console_for, json_option, progress_bar, write_json
from conformance.show.violation import print_violation
from model import itf
from model.simulate import simulate as run
from spec.on_demand import PROTOCOL

EXITS = {"holds": Exit.HOLDS, "violated": Exit.VIOLATED, "undecided": Exit.UNDECIDED}


@click.command()
@click.option(
    "--config", default="two-hosts", show_default=True, metavar="NAME", help="A configuration, or a TOML file."
)
@click.option("--runs", type=click.IntRange(1), default=100, show_default=True, help="Random runs.")
@click.option("--steps", type=click.IntRange(1), default=60, show_default=True, help="Steps of a run at most.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed, the same runs.")
@click.option("--save", type=click.Path(path_type=Path), help="Write the way to the violation as an ITF trace.")
@worlds.variant_option
@json_option
def simulate(
    config: str, runs: int, steps: int, seed: int, save: Path | None, variant: str | None, json_file: str | None
) -> int:
    """Run the role machines at random, with every promise checked at every step.

    Larger worlds than can be explored may be simulated. What breaks a promise is made as short as possible.

    \b
    Examples:
      ondemand simulate
      ondemand simulate --runs 1000 --seed 7
      ondemand simulate --variant pushes_to_all
    """
    protocol = worlds.with_variant(variant, PROTOCOL)
    configuration = worlds.find(config, PROTOCOL)
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
        f"{MARKS[found.verdict]} {found.configuration}: {found.runs} runs, {found.steps} steps, {len(found.actions)} actions, "
        f"{len(found.reached)} of {len(protocol.sometimes)} sometimes, {found.seconds:.1f} s (seed {seed})",
        highlight=False,
    )
    if found.trace is not None:
        print_violation(console, found.violated, protocol, found.trace)
        changed = f" --variant {variant}" if variant else ""
        again = f"ondemand simulate --config {config} --runs {runs} --steps {steps} --seed {seed}{changed}"
        console.print(f"Again: {again}", highlight=False)
        annotate(found.violated, f"violated in {found.configuration} after {len(found.trace.steps)} steps: {again}")
        if save is not None:
            itf.write(found.trace, save, protocol)
    write_json(found.as_json(), json_file)
    return int(EXITS[found.verdict])
