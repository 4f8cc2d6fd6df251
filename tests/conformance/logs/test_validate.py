"""Validation accepts every behavior of the specification, in any order of the logs, and no other."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from conformance.logs.names import LIMITS, LOGGED
from conformance.logs.reading import Record
from conformance.logs.validate import Validation
from conformance.logs.verdict import Verdict
from conformance.replay.replays import Vector, read_vectors, vectors_of
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND
from tests.conformance.logs.written import Writer

VECTORS = read_vectors([vectors_of(ON_DEMAND)], ON_DEMAND)

UNSEEN = {"releases-to-nowhere", "releases-and-drops", "loses-a-held-packet"}
"""A log contains the name of a step, which is the protocol's here; what becomes of the packet is not logged."""

UNDECIDED = {"asks-for-another": "local(host, source) is false, and no inferred steps were found with which it fits"}
"""Nothing in the run writes DPM's log, and a place that is missing may stand there."""


def byzantine(vector: Vector) -> list[str]:
    """The hosts whose agents are Byzantine: they keep no log."""
    correct = vector.trace.configuration.constants["correct"]
    return [host for host in vector.trace.configuration.sorts["Host"] if (host,) not in correct]


@cache
def written(vector: Vector, ids: bool = True) -> list[Record]:
    """The log of a vector's run, in its order."""
    return Writer(vector.protocol, vector.trace, ids=ids).records()


def judged(
    records: Sequence[Record], *, strangers: Sequence[str] = (), window: int = 100_000, silent: Sequence[str] = ()
) -> Verdict:
    """The verdict on records, fed in this order."""
    validation = Validation(protocols=[ON_DEMAND], byzantine=strangers, window=window, without=silent)
    for record in records:
        if validation.feed(record) is not None:
            break
    return validation.finish()


CORRECT = [each_vector for each_vector in VECTORS if not byzantine(each_vector)]
GOOD = [item for item in CORRECT if item.diverges_at is None]
BAD = [item for item in CORRECT if item.diverges_at is not None and item.name not in {*UNSEEN, *UNDECIDED}]


def test_there_are_vectors_of_both_kinds() -> None:
    assert len(GOOD) > 50
    assert len(BAD) > 20


@pytest.mark.parametrize("vector", GOOD, ids=lambda item: item.name)
def test_the_log_of_a_run_conforms(vector: Vector) -> None:
    records = written(vector)
    found = judged(records)
    assert (found.verdict, found.events) == ("conforms", len(records)), found


@pytest.mark.parametrize("vector", GOOD[::4], ids=lambda item: item.name)
@pytest.mark.parametrize("ids", [True, False], ids=["with ids", "without ids"])
def test_the_order_of_the_logs_does_not_matter(vector: Vector, ids: bool) -> None:
    records = written(vector, ids)
    generator = random.Random(11)
    for _ in range(5):
        names = sorted({record.line.process for record in records})
        generator.shuffle(names)
        found = judged([record for name in names for record in records if record.line.process == name])
        assert (found.verdict, found.events) == ("conforms", len(records)), found


@pytest.mark.parametrize("vector", BAD, ids=lambda item: item.name)
def test_the_log_of_a_faulty_run_diverges_at_its_line(vector: Vector) -> None:
    records = written(vector)
    found = judged(records)
    assert found.verdict == "diverges"
    assert found.divergence is not None
    assert vector.diverges_at is not None
    wrong = vector.trace.steps[vector.diverges_at - 1]
    assert found.divergence.record.line.event == f"on-demand.{wrong.action}"
    assert found.events == len([record for record in records if record.number < found.divergence.record.number])


@pytest.mark.parametrize("name", UNDECIDED)
def test_a_log_that_the_log_of_another_may_explain_is_inconclusive(name: str) -> None:
    (vector,) = [item for item in CORRECT if item.name == name]
    found = judged(written(vector))
    assert (found.verdict, UNDECIDED[name] in found.why) == ("inconclusive", True)


def test_empty_logs_are_inconclusive() -> None:
    assert judged([]).verdict == "inconclusive"


def test_missing_and_repeated_lines_are_inconclusive() -> None:
    records = written(GOOD[0])
    of_ncm = [place for place, record in enumerate(records) if record.line.process == "ncm"]
    without = judged([*records[: of_ncm[1]], *records[of_ncm[1] + 1 :]])
    assert without.verdict == "inconclusive"
    assert "lines are missing" in without.why
    again = judged([*records[: of_ncm[1] + 1], *records[of_ncm[1] :]])
    assert again.verdict == "inconclusive"
    assert "is repeated" in again.why


def test_a_window_that_is_too_small_is_inconclusive() -> None:
    records = written(GOOD[0])
    last = [
        *(record for record in records if record.line.process != "dpm"),
        *(record for record in records if record.line.process == "dpm"),
    ]
    assert judged(last).verdict == "conforms"
    assert judged(last, window=1).verdict == "inconclusive"


# ------------------------------------------------------------------------------------------------ the message queue

SHARED = read_vectors([vectors_of(MESSAGE_QUEUE)], MESSAGE_QUEUE)

ORDER_AT_THE_BROKER = {"closes-the-topic-at-once", "ends-it-at-the-broker-later", "sends-nothing-to-the-subscribed"}
"""The fault is the order in which processes reach the broker, which no log contains."""


def judged_shared(vector: Vector) -> Verdict:
    """The verdict on the log of a run of the message queue."""
    constants: Any = vector.trace.configuration.constants
    thresholds = {name: max(constants[name].values()) for name in LIMITS}
    validation = Validation(protocols=LOGGED[1:], byzantine=byzantine(vector), thresholds=thresholds)
    for record in written(vector):
        if validation.feed(record) is not None:
            break
    return validation.finish()


def test_logs_of_the_message_queue_conform_though_the_broker_keeps_none() -> None:
    found = {item.name: judged_shared(item).verdict for item in SHARED if item.diverges_at is None}
    assert len(found) > 100
    assert set(found.values()) == {"conforms"}, found


def test_faulty_logs_of_the_message_queue_diverge() -> None:
    found = {item.name: judged_shared(item).verdict for item in SHARED if item.diverges_at is not None}
    assert len(found) > 20
    assert {name for name, verdict in found.items() if verdict != "diverges"} == ORDER_AT_THE_BROKER
