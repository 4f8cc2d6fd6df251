"""The fast path accepts what the slow path accepts, in any form, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from model.matching.fast import FITS, MISFIT
from model.matching.layout import Tables
from model.matching.observed import Observer
from spec.on_demand.protocol import PROTOCOL

OBSERVER = Observer(PROTOCOL, {"correct": lambda _: True, "vpc_of": lambda pod: pod.partition("/")[0]})
POD = "v/p"
ROUTES = (("route", "h1", 1, POD, 2), ("route", "h2", 3, POD, 2))
WAITED_FOR = ((POD, 2, "h1", True), (POD, 2, "h2", True))


def about_to_store() -> Tables:
    """Two hosts were told of a pod, and a newer version of it arrives."""
    tables = OBSERVER.tables()
    tables.put("recorded", (POD,), 1)
    tables.put("config", (POD, 2), True)
    for host, epoch in (("h1", 1), ("h2", 3), ("h3", 1)):
        tables.put("greeted", (host,), epoch)
    for host in ("h1", "h2"):
        tables.put("told", (host, POD), True)
    return tables


def both_ways(sent: Any, after: Any) -> tuple[bool, bool]:
    """Whether storing the version fits, by the fast path and by the slow one."""
    given = {"pod": POD, "version": 2}
    quick, slow = about_to_store(), about_to_store()
    fits = OBSERVER.fast["store"](quick, given, sent, after)
    agreed = OBSERVER.observe(slow, "store", given, sent, after) is None
    for name in quick.layout.kept:
        assert dict(quick.entries(name)).keys() == dict(slow.entries(name)).keys(), name
    return fits != MISFIT, agreed


@pytest.mark.parametrize("sent", [ROUTES, ROUTES[::-1]])
@pytest.mark.parametrize("waited_for", [WAITED_FOR, WAITED_FOR[::-1], WAITED_FOR[:1], ()])
def test_the_order_in_which_a_bulk_change_is_told_is_free(sent: Any, waited_for: Any) -> None:
    assert both_ways(sent, {"pending": waited_for, "recorded": ((POD, 2),)}) == (True, True)


@pytest.mark.parametrize("sent", [ROUTES[:1], (*ROUTES, ("route", "h3", 1, POD, 2)), (), ROUTES[:1] * 2])
def test_a_message_too_few_or_too_many_does_not_fit(sent: Any) -> None:
    assert both_ways(sent, {"pending": WAITED_FOR}) == (False, False)


@pytest.mark.parametrize(
    "after",
    [
        {"pending": ((POD, 2, "h1", False),)},
        {"pending": (*WAITED_FOR, (POD, 2, "h3", True))},
        {"recorded": ((POD, 1),)},
        {"told": (("h1", POD, False),)},
        {"latest": ((POD, 7),)},
        {"greeted": (("h2", 1),)},
    ],
)
def test_an_entry_of_another_value_does_not_fit(after: Any) -> None:
    assert both_ways(ROUTES, after) == (False, False)


def test_what_a_step_leaves_alone_may_be_told_as_it_is() -> None:
    assert both_ways(
        ROUTES, {"latest": ((POD, 0),), "greeted": (("h2", 3), ("h9", 0)), "removed": (("h1", False),)}
    ) == (
        True,
        True,
    )


def test_what_is_said_of_one_argument_is_found_with_and_without_an_index() -> None:
    tables = about_to_store()
    assert ("told", (0,)) in tables.layout.indexes
    assert ("greeted", (0,)) not in tables.layout.indexes
    assert list(tables.entries_with("told", 0, "h2")) == [(("h2", POD), True)]
    assert list(tables.entries_with("greeted", 0, "h2")) == [(("h2",), 3)]
    assert list(tables.entries_with("told", 0, "h3")) == []


def test_a_guard_and_a_reason_that_read_the_same_entries_agree() -> None:
    """For a refusal, the version that NCM has recorded of the source is both in its guard and in the reason."""
    tables = OBSERVER.tables()
    tables.put("recorded", ("v/q",), 4)
    tables.put("greeted", ("h1",), 1)
    tables.put("request", ("h1", 1, "1.1", "v/q", POD), True)
    given = {"host": "h1", "epoch": 1, "asked_by": "1.1", "source": "v/q", "destination": POD}
    for why, fits in (("unknown", False), ("not_your_source", True)):
        assert OBSERVER.fast["refuse"](tables, {**given, "why": why}, None, None) == (FITS if fits else MISFIT)
