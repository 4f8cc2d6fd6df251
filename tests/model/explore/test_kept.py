"""What a search keeps in the cache: a second search of the same grounds nothing, compiles nothing, and finds the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from model.explore.explore import Exploration, explore
from model.explore.kernel.kernel import Kernel
from model.explore.kernel.outline import KIND
from tests.toys.configurations import LOCK, LOCK_WORLD

ROOT = Path(__file__).parents[3]

LOADED = """
import sys
from model.explore.explore import explore
from tests.toys.configurations import LOCK, LOCK_WORLD
found = explore(LOCK, LOCK_WORLD, deadlocks=False)
print(found.distinct, *sorted({"numba", "numpy", "z3"} & set(sys.modules)))
"""


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of its own; the folder of its kernels."""
    monkeypatch.setenv("ONDEMAND_CACHE", str(tmp_path))
    return tmp_path / KIND


def test_a_second_search_loads_no_compiler_and_no_solver() -> None:
    command = [sys.executable, "-c", LOADED]
    found = [
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    distinct = str(explore(LOCK, LOCK_WORLD, deadlocks=False).distinct)
    assert found == [[distinct, "numba", "numpy", "z3"], [distinct]]


def counts(found: Exploration) -> tuple[object, ...]:
    """Everything but times and memory."""
    return (
        *(found.distinct, found.transitions, found.depth, found.verdict, found.violated, found.reached, found.actions),
        *(found.cut, found.forgets, found.words, found.bits, found.constant, found.unread),
    )


def nobody_grounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes a kernel gets an exception."""

    def made(*_: object, **__: object) -> Kernel:
        raise LookupError

    monkeypatch.setattr(Kernel, "of", made)


def test_a_second_search_finds_the_same_without_grounding(monkeypatch: pytest.MonkeyPatch) -> None:
    first = explore(LOCK, LOCK_WORLD, deadlocks=False)
    nobody_grounds(monkeypatch)
    assert counts(explore(LOCK, LOCK_WORLD, deadlocks=False)) == counts(first)
    assert explore(LOCK, replace(LOCK_WORLD, pinned={"distinct": 1}), deadlocks=False).verdict == "violated"


CHANGES: dict[str, Callable[[], Exploration]] = {
    "bounds": lambda: explore(LOCK, replace(LOCK_WORLD, bounds={"Turn": 1}), deadlocks=False),
    "members": lambda: explore(LOCK, replace(LOCK_WORLD, sorts={"Client": ("c1", "c2")}), deadlocks=False),
    "without": lambda: explore(LOCK, replace(LOCK_WORLD, without=frozenset({"take"})), deadlocks=False),
    "only": lambda: explore(LOCK, replace(LOCK_WORLD, only={"take": (("c1", "*"),)}), deadlocks=False),
    "forgetting": lambda: explore(LOCK, LOCK_WORLD, forget_spent=False, deadlocks=False),
    "promises": lambda: explore(LOCK, LOCK_WORLD, promises=[], deadlocks=False),
    "witnesses": lambda: explore(LOCK, LOCK_WORLD, sometimes=[], deadlocks=False),
    "fields": lambda: explore(LOCK, LOCK_WORLD, everything=True, deadlocks=False),
    "words": lambda: explore(LOCK, LOCK_WORLD, words_min=2, deadlocks=False),
    "variant": lambda: explore(LOCK.with_variant(LOCK.variants[0]), LOCK_WORLD, promises=[], deadlocks=False),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_asked_otherwise_is_another_search(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    explore(LOCK, LOCK_WORLD, deadlocks=False)
    nobody_grounds(monkeypatch)
    with pytest.raises(LookupError):
        CHANGES[change]()


def test_a_violation_found_with_what_is_kept_has_its_run() -> None:
    wrong = LOCK.with_variant(LOCK.variants[0])
    first, again = (explore(wrong, LOCK_WORLD, deadlocks=False) for _ in range(2))
    assert again.trace is not None
    assert again.trace == first.trace


@pytest.mark.parametrize("damage", ["cut", "others write it", "code is gone"])
def test_what_is_damaged_is_made_again(damage: str, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = explore(LOCK, LOCK_WORLD, deadlocks=False)
    (outline,) = own.iterdir()
    match damage:
        case "cut":
            outline.write_bytes(outline.read_bytes()[:40])
        case "others write it":
            own.chmod(0o777)
        case "code is gone":
            for path in (own.parent / "code").iterdir():
                path.unlink()
    assert counts(explore(LOCK, LOCK_WORLD, deadlocks=False)) == counts(first)
    nobody_grounds(monkeypatch)
    if damage == "others write it":
        with pytest.raises(LookupError):
            explore(LOCK, LOCK_WORLD, deadlocks=False)
    else:
        explore(LOCK, LOCK_WORLD, deadlocks=False)
