"""Prints replays on an NCM of Alcor."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from conformance.replay.alcor.live_replays import LiveReplays
from conformance.replay.replays import Replays
from impl.cli.console import listed, plain_table

COLORS = {"conforms": "green", "diverges": "red", "undecided": "yellow"}


def print_figures(found: Replays, figures: Mapping[str, str], console: Console) -> None:
    """Prints a table with these figures and the verdict."""
    table = plain_table(f"Replayed on {found.target}", right=figures)
    table.add_column("verdict")
    table.add_row(*figures.values(), f"[{COLORS[found.verdict]}]{found.verdict}[/]")
    console.print(table)
    console.print()


def print_live(found: LiveReplays, console: Console) -> None:
    """Prints what was driven, why the rest was not, and every kind of divergence with an example."""
    figures = {
        "traces": f"{len(found.results):,}",
        "driven": f"{found.driven:,}",
        "not to the end": f"{len(found.not_driven):,}",
        "steps": f"{found.total(lambda item: item.steps):,}",
        "calls": f"{found.total(lambda item: item.deliveries):,}",
        "seconds": f"{found.seconds:.2f}",
    }
    print_figures(found, figures, console)
    if not found.driven:
        console.print("[yellow]No trace was driven to its end, so nothing is decided.[/]")
    _print_reasons(found, console)
    for kind, divergences in found.kinds.items():
        first, traces = divergences[0], {divergence.trace for divergence in divergences}
        more = f", and in {len(traces) - 1} more traces" if len(traces) > 1 else ""
        often = "once" if len(divergences) == 1 else f"{len(divergences)} times"
        console.print(f"[red]{often}: {escape(kind)}[/]", highlight=False)
        for line in (
            f"{first.trace}, step {first.step}, {first.action}{more}",
            first.field,
            f"expected  {first.expected}",
            f"observed  {first.observed}",
        ):
            console.print(Padding(escape(line), (0, 0, 0, 2)), highlight=False)
    if found.kinds:
        console.print()


def _print_reasons(found: LiveReplays, console: Console) -> None:
    """Traces that were driven in part, by reason."""
    reasons: dict[str, list[str]] = {}
    for name, because in found.not_driven:
        step, _, reason = because.partition(": ")
        reasons.setdefault(reason, []).append(f"{name} ({step.partition(',')[0]})")
    for reason, names in sorted(reasons.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        title = f"[yellow]{len(names)} not driven to the end:[/] {escape(reason)}"
        console.print(title, highlight=False)
        console.print(Padding(escape(listed(names)), (0, 0, 0, 2)), highlight=False)
    if reasons:
        console.print()
