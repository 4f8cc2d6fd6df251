"""Prints a violation: the promise in English, a counterexample, and a sequence diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from conformance.report.diagram import as_text, diagram_of
from conformance.report.result import Finding, source_of
from conformance.report.trace_table import print_trace
from model.language import Promise, Protocol
from model.language.notation import notation
from model.language.protocol import DEADLOCK
from model.reference.interpreter import Interpreter
from model.reference.state import Element, Trace

if TYPE_CHECKING:  # the explorer and its compiler take long to load, and printing a trace needs neither
    from model.explore.liveness import Outcome

STUCK: Final = "No role can change the state any more"


def doc_of(name: str, protocol: Protocol) -> str:
    """What is violated, in English."""
    promised, declared = (*protocol.promises, *protocol.eventualities), protocol.deadlock_when
    stuck = f"{STUCK}. {declared.doc}" if declared else f"{STUCK}, and no @deadlock_when says that a run may end so."
    return next((promise.doc for promise in promised if promise.name == name), stuck)


def broken(name: str) -> str:
    """The predicate for a violation: a promise is broken, a deadlock is possible."""
    return "is possible" if name == DEADLOCK else "is broken"


def print_violation(console: Console, name: str, protocol: Protocol, trace: Trace, *, shortest: bool) -> None:
    """Prints a violation in full. `shortest`: there is no shorter counterexample."""
    formulas = [notation(promise.formula) for promise in protocol.promises if promise.name == name]
    formulas += [notation(protocol.deadlock_when.closed)] if name == DEADLOCK and protocol.deadlock_when else []
    steps = f"{len(trace.steps)} {'step' if len(trace.steps) == 1 else 'steps'}"
    run = f"{'A shortest' if shortest else 'A'} counterexample, {steps}:"
    about = _about(name, protocol, trace)
    _print_broken(console, name, [doc_of(name, protocol), *formulas], about, run, protocol, trace)


def print_lasso(console: Console, outcome: Outcome, protocol: Protocol) -> None:
    """Prints the fair run that breaks an eventuality."""
    eventuality = outcome.eventuality
    assert outcome.lasso is not None, "the eventuality is broken"
    formula = f"{notation(eventuality.premise)}\nleads to {notation(eventuality.conclusion)}"
    texts, run = [eventuality.doc, formula], "A fair run that breaks it:"
    _print_broken(console, eventuality.name, texts, dict(outcome.values), run, protocol, outcome.lasso)


def _print_broken(
    console: Console,
    name: str,
    texts: Sequence[str],
    about: Mapping[str, Element],
    run: str,
    protocol: Protocol,
    trace: Trace,
) -> None:
    """`texts`: what is promised, in English and as a formula. `about`: for which values it is broken. `run`: introduces the run."""
    text = Text(texts[0])
    text.append("".join(f"\n\n{formula}" for formula in texts[1:]), "dim")
    if about:
        text.append(f"\n\nBroken for {', '.join(f'{key} = {value}' for key, value in about.items())}.", "bold")
    console.print(Panel(text, title=f"[bold red]{name} {broken(name)}[/]", border_style="red", title_align="left"))
    console.print(run, highlight=False)
    print_trace(replace(trace, description=""), protocol, console)
    print_diagram(console, trace, protocol)


def print_diagram(console: Console, trace: Trace, protocol: Protocol) -> None:
    """Prints a trace as a sequence diagram."""
    console.print()
    console.print(Text(as_text(diagram_of(trace, protocol), console.width)), soft_wrap=True)


def finding_of(name: str, protocol: Protocol, trace: Trace, again: str, *, shortest: bool) -> Finding:
    """The violation as a finding; `again`: the command that reproduces it."""
    sentence = " ".join(doc_of(name, protocol).split())
    text = f"broken in {trace.configuration.name} after {len(trace.steps)} steps: {sentence}"
    show = partial(print_violation, name=name, protocol=protocol, trace=trace, shortest=shortest)
    return Finding(name, text, source_of(name, protocol), again, show)


def told(name: str, protocol: Protocol, trace: Trace) -> Trace:
    """The counterexample with a description, for a file."""
    return replace(trace, description=f"A counterexample to {name}: {' '.join(doc_of(name, protocol).split())}")


def _about(name: str, protocol: Protocol, trace: Trace) -> dict[str, Element]:
    """The values for which the promise is broken at the end of the trace."""
    promise = next((promise for promise in protocol.promises if promise.name == name), None)
    return broken_for(promise, protocol, trace) if promise and trace.steps else {}


def broken_for(promise: Promise, protocol: Protocol, trace: Trace) -> dict[str, Element]:
    """The parameters for which the promise is broken at the end of a trace of at least one step; empty if it is not broken."""
    interpreter = Interpreter(protocol, trace.configuration)
    before, after = trace.states[-2:]
    if promise.kind == "always":
        return interpreter.counterexample(promise, after) or {}
    _, events = interpreter.apply(before, trace.steps[-1])
    return interpreter.counterexample(promise, before, after=after, events=events) or {}
