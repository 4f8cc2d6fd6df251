"""Which statements may be matched in any order that messages permit, and what the others read of each other."""

from __future__ import annotations

import pytest

from conformance.logs.names import FACTS
from model.matching.order import readings
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND


def test_on_demand_reads_nothing_of_others_but_facts_and_messages() -> None:
    assert readings(ON_DEMAND, FACTS) == []


def test_facts_are_promised() -> None:
    promises = {promise.name for promise in ON_DEMAND.promises}
    assert set(FACTS.values()) <= promises


def test_without_the_fact_its_readers_are_named() -> None:
    assert {(reading.action, reading.symbol) for reading in readings(ON_DEMAND)} >= {
        ("store", "at"),
        ("grant", "at"),
        ("deliver", "at"),
    }


def test_what_is_taken_back_is_no_fact() -> None:
    with pytest.raises(ValueError, match="told is not a fact: greet may remove it"):
        readings(ON_DEMAND, {"told"})


def test_the_message_queue_reads_the_broker_and_nothing_else() -> None:
    assert {reading.symbol for reading in readings(MESSAGE_QUEUE)} == {"attached", "permitted", "backlog"}
