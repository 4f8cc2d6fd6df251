"""Interval sets agree with plain sets except for the distant past, and do not grow with their content."""

from __future__ import annotations

import json
import random

import pytest

from model.matching.interval_set import RUNS_MAX, SERIES_MAX, IntervalSet
from model.reference.state import Tuple


def made(generator: random.Random, kind: str) -> Tuple:
    number = generator.randrange(40)
    if kind == "number":
        return "a", number
    return {"text": ("a", f"1.{number}"), "plain": ("b", str(number))}.get(kind, ("c", "x"))


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_set_of_what_was_put_in_and_not_taken_out(seed: int) -> None:
    generator, found = random.Random(seed), IntervalSet()
    wanted: set[Tuple] = set()
    kinds = ["number", "text", "plain", "name"]
    for _ in range(300):
        one = made(generator, generator.choice(kinds))
        if generator.random() < 0.4 and len(wanted) < RUNS_MAX - 1:
            wanted.add(one)
            found.add(one)
        elif one in wanted:
            wanted.discard(one)
            found.discard(one)
        assert (one in found) == (one in wanted)
        assert found.is_sure(one)
    assert set(found) == wanted
    again = IntervalSet.of(json.loads(json.dumps(found.as_json())))
    assert set(again) == wanted
    assert again.as_json() == found.as_json()


def test_numbers_that_follow_each_other_take_no_more_room_than_one() -> None:
    found = IntervalSet()
    for number in range(10_000):
        found.add(("h", f"1.{number}"))
    assert len(found) == 1
    assert ("h", "1.9999") in found
    assert ("h", "1.10000") not in found


@pytest.mark.parametrize("seed", range(5))
def test_with_many_holes_it_says_too_much_but_only_where_it_is_not_sure(seed: int) -> None:
    generator, found = random.Random(seed), IntervalSet()
    wanted: set[Tuple] = set()
    for number in generator.sample(range(2_000), 700):
        wanted.add(("h", number))
        found.add(("h", number))
    assert RUNS_MAX <= len(found) <= 2 * RUNS_MAX
    asked = [("h", number) for number in range(2_000)]
    assert all(item in found for item in wanted)
    wrong = [item for item in asked if (item in found) != (item in wanted)]
    assert wrong, "nothing was given up"
    assert not any(found.is_sure(item) for item in wrong)
    assert any(found.is_sure(item) for item in asked)


def test_old_series_count_as_in_the_set_and_that_is_not_sure() -> None:
    found = IntervalSet()
    for series in range(1, SERIES_MAX + 3):
        found.add(("h", f"{series}.1"))
    again = found.copy()
    for item in (found, again):
        assert len(item) == SERIES_MAX
        assert ("h", "1.77") in item
        assert not item.is_sure(("h", "1.77"))
        assert ("h", f"{SERIES_MAX + 2}.77") not in item
        assert item.is_sure(("h", f"{SERIES_MAX + 2}.77"))
        assert ("other", "1.77") not in item
