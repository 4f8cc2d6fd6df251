"""Prints the result of shrinking: the candidates with their rates, and the smallest in full."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console
from rich.markup import escape

from conformance.report.divergence import print_divergence, said
from conformance.shrink.shrink import Shrunk, Tried
from impl.cli.console import plain_table
from model.reference import itf

TEXT_MAX = 46
"""Columns of a hypothesis in the table; the smallest is printed in full."""


def print_shrunk(shrunk: Shrunk, console: Console) -> None:
    """Prints the candidates, the smallest that diverges in the same way, and the trace."""
    if shrunk.divergence is None:
        console.print(f"{escape(shrunk.vector.name)}: {_nothing(shrunk)}", highlight=False)
        return
    observed = "" if shrunk.observed == 1 else f" first in run {shrunk.observed}"
    console.print(f"Diverged{observed}: {escape(said(shrunk.divergence))}", highlight=False)
    if not shrunk.divergence.step:
        console.print("It diverges at the start: there is nothing to shrink.", highlight=False)
        return
    console.print()
    table = plain_table(
        f"Candidates on {shrunk.target}, each {shrunk.times} times", right=("steps", "same way", "otherwise"), left=()
    )
    table.add_column("hypothesis", no_wrap=True)
    for item in shrunk.tried:
        text = item.candidate.because
        text = text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 3]}..."
        table.add_row(str(item.steps), str(item.likewise), str(item.otherwise), escape(text))
    console.print(table)
    console.print()
    smallest = shrunk.smallest
    if smallest is None or smallest.divergence is None:
        console.print(f"[yellow]It did not diverge again[/] in {shrunk.times} runs of each candidate.", highlight=False)
        return
    protocol = smallest.candidate.leaving.variant if smallest.candidate.leaving else shrunk.vector.base
    print_divergence(smallest.candidate.trace, protocol, smallest.divergence, console)
    console.print(concluded(shrunk, smallest), highlight=False)


def concluded(shrunk: Shrunk, smallest: Tried) -> str:
    """How much smaller the run is, how often it diverges, and the hypothesis, in two sentences."""
    assert shrunk.divergence is not None
    return escape(
        f"{shrunk.divergence.step} steps reduced to {smallest.steps}: diverges in the same way in {smallest.likewise} of "
        f"{smallest.times} runs. Hypothesis: {smallest.candidate.because}."
    )


def _nothing(shrunk: Shrunk) -> str:
    if shrunk.because:
        return f"[yellow]could not be replayed to its end:[/] {escape(shrunk.because)}"
    return f"conforms on {shrunk.target} in {shrunk.times} runs; there is nothing to shrink."


def saved(shrunk: Shrunk, smallest: Tried) -> str:
    """The smallest run as a trace file."""
    assert smallest.divergence is not None
    candidate = smallest.candidate
    description = f"Shrunk from {shrunk.vector.name}. Hypothesis: {candidate.because}."
    trace = replace(candidate.trace, description=description)
    if candidate.leaving is None:
        return itf.dumps(trace, shrunk.vector.base)
    return itf.dumps(trace, candidate.leaving.variant, meta={"diverges_at": candidate.leaving.step})
