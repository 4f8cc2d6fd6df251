"""Checks of a protocol's text that do not depend on its meaning.

Every declaration has a meaning and a sentence. Every promise and eventuality has a *sometimes*, and a variant that breaks it. What
a claim reads is written by an action.
"""

from __future__ import annotations

from collections.abc import Iterator

from model.language import Assumption, Change, DeadlockWhen, Declaration, Eventuality, Promise, Protocol, Symbol
from model.language.meaning import meaningless
from model.language.notation import notation
from model.language.protocol import nodes_of
from model.language.terms import FALSE, Constant, Number, Quantified
from model.language.transition import symbols
from model.language.walk import parts


def faults(protocol: Protocol) -> Iterator[str]:
    """One sentence for each fault, with the name of the declaration."""
    yield from _unexplained(protocol)
    yield from without_meaning(protocol)
    for variant in protocol.variants:
        yield from (f"{variant.name}: {wrong}" for wrong in meaningless(variant))
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


def without_meaning(protocol: Protocol) -> Iterator[str]:
    """One sentence for each fault that leaves actions and claims without a meaning."""
    declared: tuple[Declaration, ...] = (
        *protocol.symbols,
        *protocol.assumptions,
        *protocol.definitions,
        *protocol.actions,
        *protocol.alternatives,
        *protocol.promises,
        *protocol.eventualities,
        *protocol.sometimes,
        *([protocol.deadlock_when] if protocol.deadlock_when else []),
    )
    for declaration in declared:
        yield from (f"{declaration.name}: {wrong}" for wrong in meaningless(declaration))


def counts_numbers(declaration: Declaration) -> bool:
    """Whether it says something of all numbers, or of some number: in a configuration of those up to a bound, in proofs of all."""
    sorts = [variable.sort for variable in declaration.parameters] if isinstance(declaration, Assumption) else []
    read = (part for node in nodes_of(declaration) for part in parts(node) if isinstance(part, Quantified))
    sorts += [variable.sort for part in read for variable in part.variables]
    return any(issubclass(sort, Number) for sort in sorts)


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
