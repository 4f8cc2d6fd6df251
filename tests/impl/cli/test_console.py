"""Lists of names, sentences for unknown names, and progress bars."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from impl.cli import console
from impl.cli.console import NAMES_SHOWN, listed, no_such, progress_bar


def test_a_long_list_is_cut() -> None:
    names = [f"n{number}" for number in range(NAMES_SHOWN + 87)]
    assert listed(names) == f"{', '.join(names[:NAMES_SHOWN])} and 87 more"
    assert listed(names[:NAMES_SHOWN]) == ", ".join(names[:NAMES_SHOWN])
    assert listed(names, 2, "; ") == "n0; n1 and 97 more"
    assert listed([]) == ""


def test_an_unknown_name_is_answered_with_the_nearest_one() -> None:
    assert no_such("role", "nmc", ["dpm", "ncm"]) == "unknown role 'nmc' (did you mean ncm?); choose one of dpm, ncm"
    assert no_such("role", "x", ["dpm", "ncm"]) == "unknown role 'x'; choose one of dpm, ncm"


def bar(monkeypatch: pytest.MonkeyPatch, total: int | None, *told: tuple[int, str, int | None]) -> str:
    """What a terminal shows of a bar that was told this."""
    text = io.StringIO()
    monkeypatch.setattr(console, "ERRORS", Console(file=text, width=120, force_terminal=True, color_system=None))
    with progress_bar("Replaying", total) as tell:
        for done, word, of in told:
            tell(done, word, of)
    return text.getvalue()


def test_a_bar_that_knows_its_total_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "1,000 of 2,000" in bar(monkeypatch, 2_000, (1_000, "vector", None))
    assert "30 of 40" in bar(monkeypatch, None, (30, "", 40))


def test_a_bar_without_a_total_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = bar(monkeypatch, None, (1_234, "states", None))
    assert "1,234" in shown
    assert " of " not in shown
    assert "left" not in shown


def test_a_bar_shows_the_time_that_is_left() -> None:
    seconds = iter(range(1_000))
    progress = Progress(console._Left(), get_time=lambda: float(next(seconds)))
    number = progress.add_task("", total=100)
    for done in (10, 20, 30):
        progress.update(number, completed=done)
    (task,) = progress.tasks
    assert console._Left().render(task).plain.endswith(" left")
