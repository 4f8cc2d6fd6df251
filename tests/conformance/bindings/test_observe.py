"""Tables that are seen are compared with those that are expected, wherever entries that were never set are left out."""

from __future__ import annotations

from typing import Any

from conformance import configurations
from conformance.bindings.observe import differing
from model.reference.state import Element, State, Tuple, initial_state
from spec.on_demand.protocol import PROTOCOL

SYMBOL = "epoch"

Entries = dict[Tuple, Element]


def expected(entries: Entries) -> State:
    name = configurations.names(PROTOCOL)[0]
    state = initial_state(PROTOCOL, configurations.find(name, PROTOCOL))
    return State(state.relations, {**state.functions, SYMBOL: entries})


def difference(entries: Entries, seen: Entries) -> tuple[Any, ...] | None:
    found = differing(PROTOCOL, expected(entries), {SYMBOL: seen})
    return None if found is None else (found.field, found.expected, found.observed)


def test_what_was_never_set_may_be_left_out() -> None:
    entries: Entries = {("h1",): 2, ("h2",): 0}
    assert difference(entries, {("h1",): 2, ("h2",): 0}) is None
    assert difference(entries, {("h1",): 2}) is None
    assert difference(entries, {("h1",): 2, ("elsewhere",): 0}) is None


def test_the_first_entry_that_differs_is_named() -> None:
    entries: Entries = {("h1",): 2, ("h2",): 0, ("h3",): 1}
    assert difference(entries, {("h1",): 2}) == ("epoch(h3)", 1, 0)
    assert difference(entries, {("h1",): 2, ("h2",): 1, ("h3",): 1}) == ("epoch(h2)", 0, 1)
    assert difference(entries, {("h1",): 2, ("h3",): 1, ("elsewhere",): 3}) == ("epoch(elsewhere)", 0, 3)
    assert difference(entries, {}) == ("epoch(h1)", 2, 0)
