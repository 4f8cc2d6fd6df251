"""May the lines of several processes be matched in any order in which every message is taken after it was sent?

They may if a step reads nothing that another process changes, except messages, and those only for being present: a sent message
stays sent, so that concurrent steps elsewhere make no difference. `readings` lists what a statement reads beyond that. A *fact* is
an exception that the caller vouches for: state that is only ever added to, and of which a process reads only what was settled
before the message was sent from which the process knows it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from model.language import Action, Change, Message, Protocol, Symbol
from model.language.terms import Apply, Formula, Node, Truth, Variable
from model.language.walk import parts


@dataclass(frozen=True, slots=True)
class Reading:
    """A read, by a step of one process, of what another one changes."""

    action: str
    symbol: str
    changed_by: tuple[str, ...]
    """The actions of others that change it."""


def readings(protocol: Protocol, facts: Collection[str] = ()) -> list[Reading]:
    """What steps read of other processes' state, except the facts.

    Raises:
        ValueError: some action removes a fact.
    """
    for fact in facts:
        for action in protocol.actions:
            for change in action.changes:
                if change.symbol.name == fact and change.value != Truth(True):
                    raise ValueError(f"{fact} is not a fact: {action.name} may remove it")
    found = []
    for action in protocol.actions:
        for symbol, argument in _read(action):
            if symbol.kind in ("constant", "history", "event") or symbol.name in facts:
                continue
            others = tuple(
                other.name
                for other in protocol.actions
                for change in other.changes
                if change.symbol is symbol and not _is_own(action, symbol, argument, other, change)
            )
            if others:
                found.append(Reading(action.name, symbol.name, tuple(dict.fromkeys(others))))
    return list(dict.fromkeys(found))


def _is_own(action: Action, symbol: Symbol, argument: Node | None, other: Action, change: Change) -> bool:
    """Whether the two steps belong to the same process whenever they concern the same entry."""
    if action.role.each is None or other.role.each is None:
        return action.role is other.role
    mine = action.parameters[0]
    theirs = other.parameters[0]
    of_sort = symbol.arguments[:1] == (mine.sort,)
    written = change.arguments[0] if change.arguments else None
    # A correct and a Byzantine agent are never the same: each of their actions says which it is.
    return of_sort and argument == mine and isinstance(written, Variable) and written == theirs


def _read(action: Action) -> Iterator[tuple[Symbol, Node | None]]:
    """Every symbol that a step reads, with the first argument; taking a message is not a read, since the message stays."""
    nodes: list[Node] = [node for node in action.guard if node not in action.takes]
    for change in action.changes:
        if change.symbol.kind == "history":
            continue
        nodes += [change.value, change.condition, *change.arguments]
    seen: list[tuple[Symbol, Node | None]] = []
    for node in nodes:
        applied = (part for part in parts(node) if isinstance(part, Apply))
        seen += [(read.symbol, read.arguments[0] if read.arguments else None) for read in applied]
    # A bulk change of a function or formula reads the existing values to find the differences.
    for change in action.changes:
        if change.symbol.kind == "state" and change.symbol.result is Formula and change.binders:
            seen.append((change.symbol, change.arguments[0]))
    yield from dict.fromkeys(seen)
    for symbol, _ in seen:
        assert not isinstance(symbol, Message), f"{action.name} reads {symbol} other than by taking it"
