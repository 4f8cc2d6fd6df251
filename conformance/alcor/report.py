"""What the command line shows of replays against an NCM of Alcor."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from conformance.alcor.live import LiveReplays
from conformance.report import plain_table

COLOURS = {"conforms": "green", "diverges": "red", "undecided": "yellow"}


def print_live(found: LiveReplays, console: Console) -> None:
    """A table of what was driven, why the rest was not, and every divergence in a line."""
    figures = ("traces", "driven", "not to the end", "steps", "calls", "seconds")
    table = plain_table(f"Replayed on {found.target}", right=figures)
    table.add_column("verdict")
    table.add_row(
        f"{len(found.results):,}",
        f"{found.driven:,}",
        f"{len(found.not_driven):,}",
        f"{found.total(lambda one: one.steps):,}",
        f"{found.total(lambda one: one.deliveries):,}",
        f"{found.seconds:.2f}",
        f"[{COLOURS[found.verdict]}]{found.verdict}[/]",
    )
    console.print(table)
    console.print()
    if not found.driven:
        console.print("[yellow]No trace was driven to its end, so nothing is decided.[/]")
    _print_reasons(found, console)
    for divergence in found.divergences:
        said = f"{divergence.trace}, step {divergence.step}, {divergence.action}"
        console.print(f"[red]{escape(said)}[/]", highlight=False)
        for line in (
            divergence.field,
            f"expected  {divergence.expected}",
            f"observed  {divergence.observed}",
        ):
            console.print(Padding(escape(line), (0, 0, 0, 2)), highlight=False)
    if found.divergences:
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
        console.print(Padding(escape(", ".join(names)), (0, 0, 0, 2)), highlight=False)
    if reasons:
        console.print()
