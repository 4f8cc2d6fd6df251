"""Declarations without a meaning: engines would disagree about them, so no protocol has one.

Guards read no history, and history decides nothing but history; constants and events are not changed; assumptions are about
constants; only two-state promises and *sometimes* read events or the state after a step; every variable is a parameter, or bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from model.language.actions import Action, Alternatives
from model.language.claims import Assumption, DeadlockWhen, Eventuality, Promise, Sometimes, Variant
from model.language.definitions import Definition, Lifecycle
from model.language.symbols import Message
from model.language.terms import Node, Symbol, Truth, Variable
from model.language.transient import is_transient
from model.language.transition import symbols
from model.language.walk import free, substitute, unfolded

TRANSIENT = "an event or the state after the step"


def meaningless(declaration: object) -> Iterator[str]:
    """What has no meaning in a declaration, each as a sentence about it."""
    match declaration:
        case Variant():
            yield from meaningless(declaration.action)
        case Action():
            yield from _in_action(declaration)
        case Message():
            yield from _unbound([declaration.spent], declaration.parameters)
            if _of_kind(symbols(declaration.spent), "history"):
                yield "whether it is spent depends on history"
            yield from _transient([declaration.spent], "whether it is spent depends on")
        case Promise() | Sometimes() | Assumption() | DeadlockWhen():
            yield from _unbound([declaration.formula], declaration.parameters)
            if isinstance(declaration, Assumption):
                read = sorted(symbol.name for symbol in symbols(declaration.formula) if symbol.kind != "constant")
                if read:
                    yield f"an assumption is about constants, and it reads {', '.join(read)}"
            if isinstance(declaration, Promise) and declaration.kind == "always":
                yield from _transient([declaration.formula], "a promise about states reads")
            if isinstance(declaration, DeadlockWhen):
                yield from _transient([declaration.formula], "where standing still is a deadlock reads")
        case Eventuality():
            sides = [declaration.premise, declaration.conclusion]
            yield from _unbound(sides, declaration.parameters)
            yield from _transient(sides, "an eventuality reads")
        case Alternatives():
            yield from _unbound([declaration.given], declaration.parameters)
            yield from _transient([declaration.given], "when exactly one applies depends on")
        case Definition():
            yield from _unbound([declaration.value.node], declaration.parameters)
            if isinstance(declaration, Lifecycle):
                yield from _transient([declaration.value.node], "the state of a lifecycle depends on")


def _in_action(action: Action) -> Iterator[str]:
    for name in _of_kind(set().union(*map(symbols, action.guard)), "history"):
        yield f"its guard reads history ({name})"
    terms: list[Node] = [*action.guard, *action.emits]
    for part in (*action.changes, *action.moves):
        terms += [substitute(term, dict.fromkeys(part.binders, Truth(True))) for term in part.nodes()]
    yield from _unbound(terms, action.parameters)
    yield from _transient(action.guard, "its guard reads")
    changed = [node for change in action.changes for node in change.nodes()]
    said = [argument for event in action.emits for argument in event.arguments]
    yield from _transient([*changed, *said], "its update reads")
    for change in action.changes:
        if change.symbol.kind in ("constant", "event"):
            yield f"changes the {change.symbol.kind} {change.symbol.name}"
        deciding = set[Symbol]().union(*map(symbols, change.nodes()))
        if change.symbol.kind != "history" and _of_kind(deciding, "history"):
            yield f"history decides the change of {change.symbol.name}"


def _unbound(nodes: Iterable[Node], parameters: Sequence[Variable]) -> Iterator[str]:
    unknown = set[Variable]().union(*map(free, nodes)) - set(parameters)
    for variable in sorted(unknown, key=lambda variable: variable.name):
        yield f"reads {variable.name}, a {variable.sort.title} that is not one of its parameters"


def _transient(nodes: Iterable[Node], reading: str) -> Iterator[str]:
    if any(is_transient(unfolded(node)) for node in nodes):
        yield f"{reading} {TRANSIENT}"


def _of_kind(read: Iterable[Symbol], kind: str) -> list[str]:
    return sorted(symbol.name for symbol in read if symbol.kind == kind)
