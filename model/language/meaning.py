"""What has no meaning in a declaration: it reads what is not there when it is read.

Guards read no history, no event and not the state after the step. History decides nothing but history, constants never change, and
claims about states read states only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from model.language.actions import Action
from model.language.claims import DeadlockWhen, Eventuality, Promise
from model.language.declaration import Declaration
from model.language.symbols import Message
from model.language.terms import Apply, Node, Symbol, Truth
from model.language.transient import is_transient
from model.language.walk import free, parts, substitute, unfolded


def faults_of(declared: Declaration) -> Iterator[str]:
    """One sentence for each fault that leaves an action, message or claim without a meaning."""
    match declared:
        case Action():
            yield from _of_action(declared)
        case Message():
            if _of_kind(_symbols(declared.spent), "history"):
                yield f"{declared.name}: whether it is spent depends on history"
            if is_transient(unfolded(declared.spent)):
                yield f"{declared.name}: whether it is spent depends on an event or the state after the step"
        case Promise() if declared.kind == "always" and is_transient(unfolded(declared.formula)):
            yield f"{declared.name}: a promise about states reads an event or the state after the step"
        case Eventuality() if any(is_transient(unfolded(side)) for side in (declared.premise, declared.conclusion)):
            yield f"{declared.name}: an eventuality reads an event or the state after the step"
        case DeadlockWhen() if is_transient(unfolded(declared.formula)):
            yield f"{declared.name}: where standing still is a deadlock reads an event or the state after the step"


def _of_action(action: Action) -> Iterator[str]:
    read = set().union(*(_symbols(node) for node in action.guard)) if action.guard else set()
    for name in _of_kind(read, "history"):
        yield f"{action.name}: its guard reads history ({name})"
    terms: list[Node] = [*action.guard, *action.emits]
    for change in action.changes:
        inner = (*change.arguments, change.value, change.condition)
        terms += [substitute(term, dict.fromkeys(change.binders, Truth(True))) for term in inner]
    for variable in set().union(*map(free, terms)) - set(action.parameters):
        yield f"{action.name}: reads {variable.name}, a {variable.sort.title} that is not one of its parameters"
    if any(is_transient(unfolded(node)) for node in action.guard):
        yield f"{action.name}: its guard reads an event or the state after the step"
    for change in action.changes:
        if change.symbol.kind in ("constant", "event"):
            yield f"{action.name}: changes the {change.symbol.kind} {change.symbol.name}"
        deciding = _symbols(change.condition) | _symbols(change.value)
        if change.symbol.kind != "history" and _of_kind(deciding, "history"):
            yield f"{action.name}: history decides the change of {change.symbol.name}"


def _symbols(node: Node) -> set[Symbol]:
    return {part.symbol for part in parts(node) if isinstance(part, Apply)}


def _of_kind(read: Iterable[object], kind: str) -> list[str]:
    return sorted(symbol.name for symbol in read if isinstance(symbol, Symbol) and symbol.kind == kind)
