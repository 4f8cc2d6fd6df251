"""What claims are about, beside a state: what happens in a step, and the state after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model.language import Symbol
from model.language.terms import Apply, Variable


def is_transient(node: Any) -> bool:
    """Whether a claim reads events or the state after a step."""
    return any(item.after or item.symbol.kind == "event" for item in _applied(node))


def events_in(node: Any) -> frozenset[Symbol]:
    """The events that a claim reads."""
    return frozenset(item.symbol for item in _applied(node) if item.symbol.kind == "event")


def _applied(node: Any) -> Iterator[Apply]:
    """All that is read, from the outside inwards."""
    if isinstance(node, tuple):
        for item in node:
            yield from _applied(item)
        return
    if isinstance(node, Apply):
        yield node
        yield from _applied(node.arguments)
    elif not isinstance(node, Variable):
        for name in getattr(node, "__dataclass_fields__", ()):
            yield from _applied(getattr(node, name))
