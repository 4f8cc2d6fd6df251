"""Prints a divergence: the implementation and the specification side by side, and the run to it."""

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
    """An expected or observed value; a list of tuples in one line."""
    if not isinstance(value, list):
        return str(value)
    return ", ".join(f"({', '.join(map(str, arguments))})" for arguments in value) or "none"


def print_divergence(trace: Trace, protocol: Protocol, divergence: Divergence, console: Console) -> None:
    """Prints what was expected, what was observed, and the run to it. `protocol`: whose run the trace is."""
    text = Text(f"{divergence.action}\n\n{divergence.field}\n")
    text.append(f"  expected  {listed(divergence.expected)}\n", "green")
    text.append(f"  observed  {listed(divergence.observed)}\n", "red")
    text.append(f"\n{divergence.because}")
    title = f"[bold red]{escape(divergence.trace)}, step {divergence.step}: diverges from the specification[/]"
    console.print(Panel(text, title=title, border_style="red", title_align="left"))
    console.print("The run up to this step:", highlight=False)
    print_diagram(console, prefix(trace, divergence.step), protocol)
