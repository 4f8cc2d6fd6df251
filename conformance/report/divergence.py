"""A divergence, shown: the implementation and the specification side by side, and the way there."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.text import Text

from conformance.replay.lockstep import Divergence
from conformance.report.violation import print_diagram
from model.language import Protocol
from model.reference.runs import prefix
from model.reference.state import Trace


def said(divergence: Divergence) -> str:
    """A divergence in one line."""
    return (
        f"{divergence.trace}, step {divergence.step}, {divergence.action}: {divergence.field}: "
        f"expected {listed(divergence.expected)}, observed {listed(divergence.observed)}"
    )


def listed(value: object) -> str:
    """What was expected, or observed: tuples beside each other."""
    if not isinstance(value, list):
        return str(value)
    return ", ".join(f"({', '.join(map(str, item))})" for item in value) or "none"


def print_divergence(trace: Trace, protocol: Protocol, divergence: Divergence, console: Console) -> None:
    """What was expected, what was observed, and the way there. `protocol`: whose run the trace is."""
    says = Text(f"{divergence.action}\n\n{divergence.field}\n")
    says.append(f"  expected  {listed(divergence.expected)}\n", "green")
    says.append(f"  observed  {listed(divergence.observed)}\n", "red")
    says.append(f"\n{divergence.because}")
    title = f"[bold red]{escape(divergence.trace)}, step {divergence.step}: another result than the specification's[/]"
    console.print(Panel(says, title=title, border_style="red", title_align="left"))
    console.print("The way there:", highlight=False)
    print_diagram(console, prefix(trace, divergence.step), protocol)
