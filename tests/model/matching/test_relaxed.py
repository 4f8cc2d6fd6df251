"""A statement with one role's state reduced to what may be true has all behaviors of the original, in any order of lines."""

from __future__ import annotations

import pytest

from conformance.logs.names import LOGGED
from model.matching.order import readings
from model.matching.relaxed import Hearsay, relaxed
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.message_queue.vocabulary import BROKER
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND
from spec.on_demand.vocabulary import NCM

RELAXED = relaxed(MESSAGE_QUEUE, BROKER)


def test_what_is_logged_may_be_matched_in_any_order() -> None:
    assert [item.name for item in LOGGED] == ["on-demand", "message-queue"]
    assert readings(LOGGED[1]) == []


def test_a_backlog_is_heard_of_for_all_hosts_at_once() -> None:
    heard = {symbol.name: symbol for symbol in RELAXED.symbols if isinstance(symbol, Hearsay)}
    assert heard.keys() == {"attached", "permitted", "backlog"}
    assert [sort.__name__ for sort in heard["backlog"].arguments] == ["Vpc", "Revision"]


def test_only_what_is_shared_differs() -> None:
    receive = next(action for action in RELAXED.actions if action.name == "receive")
    before = next(action for action in MESSAGE_QUEUE.actions if action.name == "receive")
    assert [take.symbol.name for take in receive.takes] == ["backlog"]
    assert receive.changes == before.changes
    assert len(receive.guard) == len(before.guard)


def test_state_that_must_be_false_cannot_be_only_heard_of() -> None:
    with pytest.raises(ValueError, match="is used as more than possibly true"):
        relaxed(ON_DEMAND, NCM)
