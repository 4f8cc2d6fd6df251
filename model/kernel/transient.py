"""What claims are about, beside a state: what happens in a step, and the state after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spec.language import Symbol
from spec.terms import Apply, Variable


def is_transient(node: Any) -> bool:
    """Whether a claim reads events or the state after a step."""
    return any(one.after or one.symbol.kind == "event" for one in _applied(node))


def events_in(node: Any) -> frozenset[Symbol]:
    """The events that a claim reads."""
    return frozenset(one.symbol for one in _applied(node) if one.symbol.kind == "event")


def _applied(node: Any) -> Iterator[Apply]:
    """All that is read, from the outside inwards."""
    if isinstance(node, tuple):
        for one in node:
            yield from _applied(one)
        return
    if isinstance(node, Apply):
        yield node
        yield from _applied(node.arguments)
    elif not isinstance(node, Variable):
        for name in getattr(node, "__dataclass_fields__", ()):
            yield from _applied(getattr(node, name))
