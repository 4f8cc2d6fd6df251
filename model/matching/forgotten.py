"""What a state may forget without any step being the wiser, told from the statement.

- A relation that only grows, and of which steps ask only whether something is not in it, is kept as runs of numbers: `counted`.
- Of a function to an enumeration, entries with a value that no step asks for are forgotten, but for their having such a value:
  `settled`. Steps compare with other members only.

Which of the values it was is not known any more; where an observation says one, `FORGOTTEN` is what it is compared with.
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
"""The value of an entry of which is only known that no step asks for its value; no enumeration has a member of this name."""


class Settled(dict[Tuple, Any]):
    """A function's table, of which some entries are only known to be settled."""

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
    """Relations that only grow, one entry at a time, of which steps ask only whether an entry is not there."""
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
    """Functions of something that counts, and their values for which no step asks."""
    found = {}
    for symbol in protocol.symbols:
        if symbol.kind != "state" or not issubclass(symbol.result, Enumeration):
            continue
        if not symbol.arguments or not issubclass(symbol.arguments[-1], Number):
            continue
        read = [part for node in _read(protocol) for part in parts(node)]
        asked = sum(_is(item, symbol) for item in read)
        values = [value for item in read if (value := _compared(item, symbol)) is not None]
        if asked == len(values):
            rest = frozenset(symbol.result.names()) - {symbol.result.names()[value] for value in values}
            found[symbol.name] = rest - {symbol.result.names()[0]}
    return {name: values for name, values in found.items() if values}


def _compared(node: Node, symbol: Symbol) -> int | None:
    """The member that a comparison compares the symbol with."""
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
    """All that steps read, and what says when a message is spent; but not what history notes."""
    yield from _guards(protocol)
    for action in protocol.actions:
        for change in action.changes:
            if change.symbol.kind != "history":
                yield from (change.value, change.condition, *change.arguments)
    for message in protocol.messages:
        yield message.spent
