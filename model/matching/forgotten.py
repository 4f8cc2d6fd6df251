"""What a state may discard without affecting any step, derived from the statement.

- A relation that only grows, and of which steps read only whether a tuple is absent, is kept as intervals of numbers: `counted`.
- For a function to an enumeration, entries with a value that no step distinguishes are reduced to the fact that they have such a
  value: `settled`. Steps compare with other members only.

The exact value is then unknown; if an observation states one, it is compared with `FORGOTTEN`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from model.language import Protocol, Symbol
from model.language.terms import Apply, Compare, Constant, Enumeration, Formula, Node, Not, Number, Truth
from model.language.walk import parts
from model.matching.interval_set import IntervalSet
from model.reference.state import Tuple

FORGOTTEN: Final = "forgotten"
"""The value of an entry known only to be one that no step distinguishes; no enumeration has a member of this name."""


class Settled(dict[Tuple, Any]):
    """A function's table, some entries of which are known only to be settled."""

    def __init__(self, gone: IntervalSet) -> None:
        super().__init__()
        self.gone = gone

    def get(self, arguments: Tuple, default: Any = None) -> Any:
        """The value of an entry."""
        if arguments in self:
            return self[arguments]
        return FORGOTTEN if arguments in self.gone else default

    def copy(self) -> Settled:
        """An independent table with the same content."""
        made = Settled(self.gone.copy())
        made.update(self)
        return made


def counted(protocol: Protocol) -> frozenset[str]:
    """Relations that only grow, one entry at a time, of which steps read only whether an entry is absent."""
    found = set()
    for symbol in protocol.symbols:
        if symbol.kind == "state" and symbol.result is Formula and symbol.arguments:
            negated = sum(isinstance(guard, Not) and _is(guard.operand, symbol) for guard in _guards(protocol))
            asked = sum(_is(part, symbol) for node in _read(protocol) for part in parts(node))
            grows = all(
                change.value == Truth(True) and not change.binders
                for action in protocol.actions
                for change in action.changes
                if change.symbol is symbol
            )
            individual = not issubclass(symbol.arguments[-1], (Number, Enumeration))
            if individual and grows and 0 < negated == asked:
                found.add(symbol.name)
    return frozenset(found)


def settled(protocol: Protocol) -> Mapping[str, frozenset[str]]:
    """Functions of a counting argument, with the values that no step distinguishes."""
    found = {}
    for symbol in protocol.symbols:
        if symbol.kind != "state" or not issubclass(symbol.result, Enumeration):
            continue
        if not symbol.arguments or not issubclass(symbol.arguments[-1], Number):
            continue
        read = [part for node in _read(protocol) for part in parts(node)]
        asked = sum(_is(node, symbol) for node in read)
        values = [value for node in read if (value := _compared(node, symbol)) is not None]
        if asked == len(values):
            rest = frozenset(symbol.result.names()) - {symbol.result.names()[value] for value in values}
            found[symbol.name] = rest - {symbol.result.names()[0]}
    return {name: values for name, values in found.items() if values}


def _compared(node: Node, symbol: Symbol) -> int | None:
    """The member with which a comparison compares the symbol."""
    if isinstance(node, Compare) and node.operator == "=":
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if _is(one, symbol) and isinstance(other, Constant):
                return int(other.value)
    return None


def _is(node: Node, symbol: Symbol) -> bool:
    return isinstance(node, Apply) and node.symbol is symbol


def _guards(protocol: Protocol) -> Iterator[Node]:
    for action in protocol.actions:
        yield from action.guard


def _read(protocol: Protocol) -> Iterator[Node]:
    """Everything that steps read, and that decides when a message is spent; without the updates of history."""
    yield from _guards(protocol)
    for action in protocol.actions:
        for change in action.changes:
            if change.symbol.kind != "history":
                yield from (change.value, change.condition, *change.arguments)
    for message in protocol.messages:
        yield message.spent
