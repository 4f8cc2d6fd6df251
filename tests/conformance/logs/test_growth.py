"""How validation grows is told of logs that conform, that have room, and after an eighth, a quarter, a half and all of them."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from conformance.exits import Exit, Problem
from conformance.logs import growth
from conformance.logs.fleet import record_in_memory

LINES = 4_000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few agents, looked at often."""
    monkeypatch.setattr(growth, "VALIDATED_AGENTS", 20)
    monkeypatch.setattr(growth, "PROGRESS_EVERY", 500)
    monkeypatch.setattr("conformance.logs.whole.PROGRESS_EVERY", 500)


def test_there_is_a_row_for_each_part_of_the_lines() -> None:
    found = [figure.data for figure in growth.growth(lambda *_: None, LINES)]
    assert [one["lines"] for one in found[:-1]] == [500, 1_000, 2_000]
    assert len(found) == 4
    assert found[-1]["lines"] >= LINES
    assert [one["seconds"] for one in found] == sorted(one["seconds"] for one in found)
    assert all(one["seconds"] > 0 and one["resident_bytes"] > 1_000_000 for one in found)


def test_logs_that_do_not_conform_have_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = record_in_memory

    def without_ncm(*some: object, **more: object) -> SimpleNamespace:
        made = whole(*some, **more)  # type: ignore[arg-type] # as it was called
        return SimpleNamespace(files=[path for path in made.files if path.stem != "ncm"])

    monkeypatch.setattr(growth, "record_in_memory", without_ncm)
    with pytest.raises(Problem, match="follows the protocol: inconclusive"):
        growth.growth(lambda *_: None, LINES)


def test_nothing_is_recorded_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    monkeypatch.setattr(growth, "record_in_memory", lambda *_, **__: pytest.fail("it was recorded"))
    with pytest.raises(Problem, match=r"0\.0 GB are needed.*--lines") as found:
        growth.growth(lambda *_: None, LINES)
    assert found.value.code == Exit.ENVIRONMENT
