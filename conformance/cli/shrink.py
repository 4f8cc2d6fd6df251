"""`ondemand shrink`: shrinks a run that diverges."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from conformance.cli.replay import read_replayed
from conformance.mutation.faulty import cores_of, faulty_option
from conformance.protocols import DRIVEN
from conformance.replay.targets import STORES, TARGETS, open_with_broker
from conformance.report.divergence import print_divergence, said
from conformance.report.result import Case, Finding, Result, source_of, verdict_of
from conformance.report.shrunk import print_shrunk, saved
from conformance.report.writing import Outputs, outputs_options
from conformance.shrink.shrink import Shrunk
from conformance.shrink.shrink import shrink as make_small
from impl.cli.console import ERRORS, console_for, json_option, progress_bar, save_option, write_json, write_text
from impl.cli.exits import Exit, Problem


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--target", type=click.Choice(TARGETS), default="memory", show_default=True, help="Where to replay.")
@click.option(
    "--store",
    type=click.Choice(STORES),
    default="own",
    show_default=True,
    help="Where NCM and DPM keep their state, as for replay.",
)
@click.option(
    "--times",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    metavar="NUMBER",
    help="The number of runs of the original and of the smallest.",
)
@faulty_option
@save_option
@json_option
@outputs_options
def shrink(
    trace: Path,
    target: str,
    store: str,
    times: int,
    faulty: str | None,
    save: Path | None,
    json_file: str | None,
    outputs: Outputs,
) -> int:
    """Shrink a run that diverges, as long as the target still diverges in the same way.

    TRACE is replayed until it diverges. Then parts of it are left out, down to single steps, as far as the rest is a run of the
    specification and the target still diverges in the same way. The original run and the smallest are each run several times, and
    the report says how often they diverge.

    \b
    Examples:
      ondemand shrink long.scenario --save small.scenario          save the shortest run
      ondemand shrink trace.itf.json --target pulsar --times 20    on a real broker
      ondemand shrink long.scenario --faulty learns_the_older     a faulty implementation
    """
    (vector, *more) = read_replayed([trace], among=DRIVEN)
    if more:
        raise Problem(f"{trace}: is a folder; name one trace file in it", Exit.BAD_INPUT)
    cores = cores_of(faulty)
    with (
        open_with_broker(target, store=store, console=ERRORS) as opened,
        progress_bar("Shrinking") as progress,
    ):
        found = make_small(vector, opened, cores=cores, times=times, progress=progress)
    if save is not None and found.smallest is not None:
        write_text(save, saved(save, found, found.smallest))
    print_shrunk(found, console_for(json_file))
    write_json(found.as_json(), json_file)
    outputs.write(_result(found))
    return int(found.exit)


def _result(found: Shrunk) -> Result:
    result = Result(f"shrink on {found.target}", found.exit, 0.0)
    why = said(found.divergence) if found.divergence else found.because
    result.cases.append(Case(found.vector.name, verdict_of(found.exit), why))
    smallest = found.smallest
    if smallest is not None and smallest.divergence is not None:
        show = partial(print_divergence, smallest.trace, smallest.protocol, smallest.divergence)
        source = source_of(smallest.trace.steps[-1].action, found.vector.base) if smallest.trace.steps else None
        result.findings.append(Finding(result.command, said(smallest.divergence), source, show=show))
    return result
