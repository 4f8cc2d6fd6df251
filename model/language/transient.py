"""What claims may read beside a state: the events of a step, and the state after it."""

from __future__ import annotations

from collections.abc import Iterator

from model.language import Symbol
from model.language.terms import Apply, Node
from model.language.walk import parts


def is_transient(node: Node) -> bool:
    """Whether a claim reads events or the state after a step."""
    return any(read.after or read.symbol.kind == "event" for read in _applied(node))


def events_in(node: Node) -> frozenset[Symbol]:
    """The events that a claim reads."""
    return frozenset(read.symbol for read in _applied(node) if read.symbol.kind == "event")


def _applied(node: Node) -> Iterator[Apply]:
    return (part for part in parts(node) if isinstance(part, Apply))
