"""Growth of validation is measured after an eighth, a quarter, a half and all lines, for logs that conform and fit on the disk."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from conformance.bench import log_growth
from conformance.logs.fleet import record_in_memory
from impl.cli.exits import Exit, Problem

LINES = 4_000


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few agents and frequent progress reports."""
    monkeypatch.setattr(log_growth, "VALIDATED_AGENTS", 20)
    monkeypatch.setattr(log_growth, "PROGRESS_EVERY", 500)
    monkeypatch.setattr("conformance.logs.one_pass.PROGRESS_EVERY", 500)


def test_there_is_a_row_for_each_part_of_the_lines() -> None:
    found = [figure.data for figure in log_growth.growth(lambda *_: None, LINES)]
    assert [item["lines"] for item in found[:-1]] == [500, 1_000, 2_000]
    assert len(found) == 4
    assert found[-1]["lines"] >= LINES
    assert [item["seconds"] for item in found] == sorted(item["seconds"] for item in found)
    assert all(item["seconds"] > 0 and item["resident_bytes"] > 1_000_000 for item in found)


def test_logs_that_do_not_conform_have_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    record = record_in_memory

    def without_ncm(*some: object, **more: object) -> SimpleNamespace:
        made = record(*some, **more)  # type: ignore[arg-type] # as it was called
        return SimpleNamespace(files=[path for path in made.files if path.stem != "ncm"])

    monkeypatch.setattr(log_growth, "record_in_memory", without_ncm)
    with pytest.raises(Problem, match="expected the recorded logs to conform, found inconclusive"):
        log_growth.growth(lambda *_: None, LINES)


def test_nothing_is_recorded_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    monkeypatch.setattr(log_growth, "record_in_memory", lambda *_, **__: pytest.fail("it was recorded"))
    with pytest.raises(Problem, match=r"0\.0 GB are needed.*--lines") as found:
        log_growth.growth(lambda *_: None, LINES)
    assert found.value.code == Exit.ENVIRONMENT
