"""What formulas may read beside what is kept of a state: the events of a step, the state after it, messages that are spent."""

from __future__ import annotations

from collections.abc import Iterator

from model.language.symbols import Message, Unspent
from model.language.terms import Apply, Named, Node, Symbol
from model.language.walk import children, parts


def is_transient(node: Node) -> bool:
    """Whether a claim reads events or the state after a step."""
    return any(read.after or read.symbol.kind == "event" for read in _applied(node))


def events_in(node: Node) -> frozenset[Symbol]:
    """The events that a claim reads."""
    return frozenset(read.symbol for read in _applied(node) if read.symbol.kind == "event")


def reads_sent(node: Node) -> bool:
    """Whether a node reads messages otherwise than as unspent."""
    if isinstance(node, Named) and isinstance(node.definition, Unspent):
        return False
    return (isinstance(node, Apply) and isinstance(node.symbol, Message)) or any(map(reads_sent, children(node)))


def _applied(node: Node) -> Iterator[Apply]:
    return (part for part in parts(node) if isinstance(part, Apply))
