"""What a red exploration or simulation shows: the promise in English, the way there, and a sequence diagram."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from conformance.report.diagram import as_text, diagram_of
from conformance.report.trace_table import print_trace
from model.language import Eventuality, Promise, Protocol
from model.language.notation import notation
from model.reference.interpreter import Interpreter
from model.reference.state import Element, Trace

DEADLOCK: Final = "Somebody waits, and no action of any role is possible any more."


def doc_of(name: str, protocol: Protocol) -> str:
    """A promise or lemma in English."""
    promised = (*protocol.promises, *protocol.eventualities)
    return next((promise.doc for promise in promised if promise.name == name), DEADLOCK)


def broken(name: str) -> str:
    """What has become of it: a promise is broken, a deadlock is there."""
    return "is possible" if name == "deadlock" else "is broken"


def print_violation(console: Console, name: str, protocol: Protocol, trace: Trace, *, shortest: bool) -> None:
    """Prints all of it. `shortest`: there is no shorter way."""
    says = Text()
    says.append(doc_of(name, protocol))
    for promise in protocol.promises:
        if promise.name == name:
            says.append(f"\n\n{notation(promise.formula)}", "dim")
    if about := _about(name, protocol, trace):
        says.append(f"\n\nBroken for {about}.", "bold")
    console.print(Panel(says, title=f"[bold red]{name} {broken(name)}[/]", border_style="red", title_align="left"))
    console.print(f"{'The shortest' if shortest else 'A'} way there, in {len(trace.steps)} steps:", highlight=False)
    print_trace(replace(trace, description=""), protocol, console)
    print_diagram(console, trace, protocol)


def print_lasso(
    console: Console, eventuality: Eventuality, values: Mapping[str, Element], protocol: Protocol, trace: Trace
) -> None:
    """Prints a fair run that breaks what is to happen eventually."""
    about = ", ".join(f"{key} = {value}" for key, value in values.items())
    says = Text()
    says.append(eventuality.doc)
    says.append(f"\n\n{notation(eventuality.premise)}\nleads to {notation(eventuality.conclusion)}", "dim")
    says.append(f"\n\nBroken for {about}.", "bold")
    title = f"[bold red]{eventuality.name} is broken[/]"
    console.print(Panel(says, title=title, border_style="red", title_align="left"))
    console.print("A run that breaks it, although nobody stops doing what he is bound to do:", highlight=False)
    print_trace(replace(trace, description=""), protocol, console)
    print_diagram(console, trace, protocol)


def print_diagram(console: Console, trace: Trace, protocol: Protocol) -> None:
    """Prints a trace as a sequence diagram."""
    console.print()
    console.print(Text(as_text(diagram_of(trace, protocol), console.width)), soft_wrap=True)


def told(name: str, protocol: Protocol, trace: Trace) -> Trace:
    """The way to a violation with a description, for a file."""
    return replace(trace, description=f"A way to a broken promise, {name}: {' '.join(doc_of(name, protocol).split())}")


def _about(name: str, protocol: Protocol, trace: Trace) -> str:
    """For which values the promise is broken at the end of the trace, as people write them."""
    promise = next((each_promise for each_promise in protocol.promises if each_promise.name == name), None)
    values = broken_for(promise, protocol, trace) if promise and trace.steps else {}
    return ", ".join(f"{key} = {value}" for key, value in values.items())


def broken_for(promise: Promise, protocol: Protocol, trace: Trace) -> dict[str, Element]:
    """For which values of its parameters the promise is broken at the end of a trace of at least one step; none if it is not."""
    interpreter = Interpreter(protocol, trace.configuration)
    before, after = trace.states[-2:]
    if promise.kind == "always":
        return interpreter.counterexample(promise, after) or {}
    _, events = interpreter.apply(before, trace.steps[-1])
    return interpreter.counterexample(promise, before, after=after, events=events) or {}
