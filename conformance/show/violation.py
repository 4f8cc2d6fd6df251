"""What a red exploration or simulation shows: the promise in English, the shortest way there, and a sequence diagram."""

from __future__ import annotations

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from conformance.show.diagram import as_text, diagram_of
from conformance.show.table import print_trace
from model.interpreter import Interpreter
from model.state import Trace
from spec.language import Protocol

DEADLOCK = "Somebody waits, and no action of any role is possible any more."


def print_violation(console: Console, name: str, protocol: Protocol, trace: Trace) -> None:
    """Prints all of it."""
    doc = next((promise.doc for promise in protocol.promises if promise.name == name), DEADLOCK)
    about = _about(name, protocol, trace)
    text = Text(doc + (f"\n\nBroken for {about}." if about else ""))
    console.print(Panel(text, title=f"[bold red]violated: {name}[/]", border_style="red", title_align="left"))
    console.print(f"A way there, in {len(trace.steps)} steps:", highlight=False)
    print_trace(trace, protocol, console)
    console.print(Text(as_text(diagram_of(trace, protocol), console.width)), soft_wrap=True)


def _about(name: str, protocol: Protocol, trace: Trace) -> str:
    """For which values the promise is broken at the end of the trace."""
    interpreter = Interpreter(protocol, trace.configuration)
    for promise in protocol.promises:
        if promise.name == name and trace.steps:
            before, after = trace.states[-2], trace.states[-1]
            _, events = interpreter.apply(before, trace.steps[-1])
            if promise.kind == "always":
                found = interpreter.counterexample(promise, after)
            else:
                found = interpreter.counterexample(promise, before, after=after, events=events)
            return ", ".join(f"{key} = {value}" for key, value in (found or {}).items())
    return ""
