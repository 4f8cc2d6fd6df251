"""A statement of which one role's state is only heard of has all its behaviours, and its lines may come in any order."""

from __future__ import annotations

import pytest

from conformance.logs.names import LOGGED
from model.matching.order import readings
from model.matching.relaxed import Hearsay, relaxed
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.message_queue.vocabulary import BROKER
from spec.on_demand import PROTOCOL as ON_DEMAND
from spec.vocabulary import NCM

RELAXED = relaxed(MESSAGE_QUEUE, BROKER)


def test_what_is_logged_may_be_matched_in_any_order() -> None:
    assert [one.name for one in LOGGED] == ["on-demand", "message-queue"]
    assert readings(LOGGED[1]) == []


def test_a_backlog_is_heard_of_for_all_hosts_at_once() -> None:
    heard = {one.name: one for one in RELAXED.symbols if isinstance(one, Hearsay)}
    assert heard.keys() == {"attached", "permitted", "backlog"}
    assert [sort.__name__ for sort in heard["backlog"].arguments] == ["Vpc", "Revision"]


def test_only_what_is_shared_differs() -> None:
    receive = next(one for one in RELAXED.actions if one.name == "receive")
    before = next(one for one in MESSAGE_QUEUE.actions if one.name == "receive")
    assert [one.symbol.name for one in receive.takes] == ["backlog"]
    assert receive.changes == before.changes
    assert len(receive.guard) == len(before.guard)


def test_state_that_must_be_false_cannot_be_only_heard_of() -> None:
    with pytest.raises(ValueError, match="more than that something may be"):
        relaxed(ON_DEMAND, NCM)
