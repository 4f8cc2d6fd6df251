"""Checks of a protocol's text that do not depend on its meaning.

No guard reads history, and history decides nothing but history; constants never change; only two-state promises read events or the
state after a step; every promise and eventuality has a *sometimes*, and a variant that breaks it; every declaration has a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from model.language import Action, Change, DeadlockWhen, Declaration, Eventuality, Promise, Protocol, Symbol
from model.language.notation import notation
from model.language.protocol import nodes_of
from model.language.terms import FALSE, Constant, Node, Truth
from model.language.transient import is_transient
from model.language.transition import symbols
from model.language.walk import free, substitute, unfolded


def faults(protocol: Protocol) -> Iterator[str]:
    """One sentence for each fault, with the name of the declaration."""
    yield from _unexplained(protocol)
    yield from meaningless(protocol)
    for variant in protocol.variants:
        yield from faults_of(variant.action)
    broken = {promise for variant in protocol.variants for promise in variant.breaks}
    promised: list[Promise | Eventuality] = [
        each_promise for each_promise in protocol.promises if not each_promise.lemma
    ]
    for claimed in [*promised, *protocol.eventualities]:
        if not claimed.sometimes:
            yield f"{claimed.name}: has no sometimes, and may be vacuous"
        inherited = protocol.extends is not None and claimed in (
            *protocol.extends.promises,
            *protocol.extends.eventualities,
        )
        if claimed not in broken and not inherited:
            yield f"{claimed.name}: no variant breaks it"


def meaningless(protocol: Protocol) -> Iterator[str]:
    """One sentence for each fault that leaves actions and claims without a meaning."""
    for action in protocol.actions:
        yield from faults_of(action)
    for message in protocol.messages:
        if _of_kind(symbols(message.spent), "history"):
            yield f"{message.name}: whether it is spent depends on history"
        if is_transient(unfolded(message.spent)):
            yield f"{message.name}: whether it is spent depends on an event or the state after the step"
    for promise in protocol.promises:
        if promise.kind == "always" and is_transient(unfolded(promise.formula)):
            yield f"{promise.name}: a promise about states reads an event or the state after the step"
    for eventuality in protocol.eventualities:
        if any(is_transient(unfolded(side)) for side in (eventuality.premise, eventuality.conclusion)):
            yield f"{eventuality.name}: an eventuality reads an event or the state after the step"
    ends = protocol.deadlock_when
    if ends is not None and is_transient(unfolded(ends.formula)):
        yield f"{ends.name}: where standing still is a deadlock reads an event or the state after the step"


def idle_deviations(protocol: Protocol) -> Iterator[str]:
    """One sentence for each variant that leaves out a part that its action does not have. The variant's meaning is unaffected."""
    for variant in protocol.variants:
        for part in variant.action.absent:
            said = f"a change of {part.name}" if isinstance(part, Symbol) else notation(part)
            yield f"{variant.name}: leaves out {said}, which is not part of {variant.replaces.name}"


def unwritten(protocol: Protocol) -> Iterator[str]:
    """One sentence for each symbol that a claim reads and no action writes: what is promised of it may hold of nothing."""
    written = {emitted.symbol for action in protocol.actions for emitted in action.emits}
    written |= {change.symbol for action in protocol.actions for change in action.changes if not _initial(change)}
    claims: list[Promise | Eventuality | DeadlockWhen] = [
        *(promise for promise in protocol.promises if not promise.lemma),
        *protocol.eventualities,
        *([protocol.deadlock_when] if protocol.deadlock_when else []),
    ]
    for symbol in protocol.symbols:
        if symbol.kind == "constant" or symbol in written:
            continue
        readers = [claim.name for claim in claims if any(symbol in symbols(node) for node in nodes_of(claim))]
        if readers:
            how = {"event": "emits", "message": "sends"}.get(symbol.kind, "changes")
            yield f"{readers[0]} reads {symbol.name}, which no action {how}, so it may hold of nothing: correct one of them."


def _initial(change: Change) -> bool:
    """Whether a change only sets what a symbol has from the beginning."""
    return change.value in (FALSE.node, Constant(0, change.symbol.result))


def _unexplained(protocol: Protocol) -> Iterator[str]:
    declared: tuple[Declaration, ...] = (
        *protocol.symbols,
        *protocol.definitions,
        *protocol.actions,
        *protocol.alternatives,
        *protocol.promises,
        *protocol.eventualities,
        *protocol.sometimes,
        *protocol.variants,
        *([protocol.deadlock_when] if protocol.deadlock_when else []),
    )
    for item in declared:
        if not item.doc.strip():
            yield f"{item.name}: has no describing sentence"
    for sort in (*protocol.sorts, *protocol.numbers, *protocol.enumerations):
        if not (sort.__doc__ or "").strip():
            yield f"{sort.__name__}: has no describing sentence"


def faults_of(action: Action) -> Iterator[str]:
    """One sentence for each fault of an action."""
    read = set().union(*(symbols(node) for node in action.guard)) if action.guard else set()
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
        deciding = symbols(change.condition) | symbols(change.value)
        if change.symbol.kind != "history" and _of_kind(deciding, "history"):
            yield f"{action.name}: history decides the change of {change.symbol.name}"


def _of_kind(read: Iterable[object], kind: str) -> list[str]:
    return sorted(symbol.name for symbol in read if isinstance(symbol, Symbol) and symbol.kind == kind)
