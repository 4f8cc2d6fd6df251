"""Prints the result of shrinking: the smallest run in full, with the rates of the original and the smallest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from conformance.report.divergence import print_divergence, said
from conformance.shrink.shrink import Shrunk, Tried
from conformance.vectors.scenario import written


def print_shrunk(shrunk: Shrunk, console: Console) -> None:
    """Prints the divergence, the smallest run that diverges in the same way, and how often it does."""
    if shrunk.divergence is None:
        console.print(f"{escape(shrunk.vector.name)}: {_nothing(shrunk)}", highlight=False)
        return
    observed = "" if shrunk.observed == 1 else f" first in run {shrunk.observed}"
    console.print(f"Diverged{observed}: {escape(said(shrunk.divergence))}", highlight=False)
    if not shrunk.divergence.step:
        console.print("It diverges at the start: there is nothing to shrink.", highlight=False)
        return
    console.print()
    smallest = shrunk.smallest
    if smallest is None or smallest.divergence is None:
        console.print(
            f"[yellow]It did not diverge again[/] in {shrunk.times} runs on {shrunk.target}.", highlight=False
        )
        return
    print_divergence(smallest.trace, smallest.protocol, smallest.divergence, console)
    original = shrunk.tried[0]
    console.print(
        f"{original.steps} steps reduced to {smallest.steps} on {shrunk.target}. {_rate(smallest)}; the original run: "
        f"{original.likewise} of {original.times}.",
        highlight=False,
    )


def _rate(tried: Tried) -> str:
    otherwise = f", differently or not to its end in {tried.otherwise}" if tried.otherwise else ""
    return f"Diverges in the same way in {tried.likewise} of {tried.times} runs{otherwise}"


def _nothing(shrunk: Shrunk) -> str:
    if shrunk.because:
        return f"[yellow]could not be replayed to its end:[/] {escape(shrunk.because)}"
    return f"conforms on {shrunk.target} in {shrunk.times} runs; there is nothing to shrink."


def saved(file: Path, shrunk: Shrunk, smallest: Tried) -> str:
    """The smallest run as the text of this file."""
    trace = replace(smallest.trace, description=f"Shrunk from {shrunk.vector.name}.")
    leaves = smallest.protocol is not shrunk.vector.base
    return written(file, trace, smallest.protocol, smallest.steps if leaves else None)
