"""A trace as a table: one row for each step, with its changes."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.report.diagram import call_of, printable
from model.language import Protocol
from model.language.terms import Formula
from model.reference.interpreter import Interpreter
from model.reference.state import Element, State, Trace, Tuple

_SHOWN = ("state", "message", "history")


def changes_between(before: State | None, after: State, protocol: Protocol) -> list[str]:
    """The changes of a step, as lines in the markup of `rich`; without a state before, everything that is set."""
    lines = []
    for symbol in protocol.symbols:
        if symbol.kind not in _SHOWN:
            continue
        name, dim = symbol.name, symbol.kind == "history"
        if symbol.result is Formula:
            old = before.relations[name] if before else frozenset[Tuple]()
            new = after.relations[name]
            sign = "→ " if symbol.kind == "message" else "+ "
            lines += [
                _line(f"{sign}{call_of(name, item)}", "dim green" if dim else "green") for item in sorted(new - old)
            ]
            lines += [_line(f"- {call_of(name, item)}", "red") for item in sorted(old - new)]
            continue
        table = after.functions[name]
        for key, value in table.items():
            was: Element = before.functions[name][key] if before else 0 if isinstance(value, int) else "none"
            if was != value:
                lines.append(_line(f"{call_of(name, key)}: {was} ⇒ {value}", "yellow"))
    return lines


def _line(text: str, style: str) -> str:
    return f"[{style}]{escape(text)}[/]"


def print_trace(trace: Trace, protocol: Protocol, console: Console, *, full: bool = False) -> None:
    """Prints a trace. `full`: the whole state after each step, not only the changes."""
    interpreter = Interpreter(protocol, trace.configuration)
    if description := printable(trace.description):
        console.print(description, markup=False, highlight=False)
    table = Table(show_lines=True)
    table.add_column("step", justify="right")
    table.add_column("action")
    changed = "changes: [green]+ new, → sent[/], [red]- gone[/], [yellow]old ⇒ new[/]"
    table.add_column("the whole state" if full else changed)
    if full or not trace.steps:
        table.add_row("0", "start", "\n".join(changes_between(None, trace.states[0], protocol)) or "nothing is set")
    for number, step in enumerate(trace.steps, start=1):
        before, after = trace.states[number - 1], trace.states[number]
        lines = changes_between(None if full else before, after, protocol)
        _, events = interpreter.apply(before, step)
        lines += [f"[bold]{escape(call_of(name, arguments))}[/]" for name, arguments in sorted(events)]
        choices = "\n".join(f"  {escape(name)} = {escape(str(value))}" for name, value in step.choices)
        table.add_row(
            str(number), f"[bold]{escape(step.action)}[/]\n{choices}".rstrip(), "\n".join(lines) or "[dim]nothing[/]"
        )
    console.print(table)
    if trace.loop is not None:
        console.print(f"{forever(trace)}.", highlight=False)


def forever(trace: Trace) -> str:
    """How a lasso ends."""
    first, last = (trace.loop or 0) + 1, len(trace.steps)
    if first > last:
        return "Then nothing more happens"
    return f"Step {last} repeats for ever" if first == last else f"Steps {first} to {last} repeat for ever"
