"""Prints replays on an NCM of Alcor."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from conformance.replay.alcor.live_replays import LiveReplays
from impl.cli.console import listed, plain_table

COLORS = {"conforms": "green", "diverges": "red", "undecided": "yellow"}


def print_live(found: LiveReplays, console: Console) -> None:
    """Prints what was driven, why the rest was not, and every kind of divergence with an example."""
    figures = ("traces", "driven", "not to the end", "steps", "calls", "seconds")
    table = plain_table(f"Replayed on {found.target}", right=figures)
    table.add_column("verdict")
    table.add_row(
        f"{len(found.results):,}",
        f"{found.driven:,}",
        f"{len(found.not_driven):,}",
        f"{found.total(lambda item: item.steps):,}",
        f"{found.total(lambda item: item.deliveries):,}",
        f"{found.seconds:.2f}",
        f"[{COLORS[found.verdict]}]{found.verdict}[/]",
    )
    console.print(table)
    console.print()
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
