"""Processes that tables are made in."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from conformance.mutation.kept import Keeping, keep


@contextmanager
def processes(
    keeping: Keeping,
    begin: Callable[..., None] | None = None,
    given: tuple[Any, ...] = (),
    *,
    tasks_max: int | None = None,
) -> Iterator[ProcessPoolExecutor]:
    """As many new processes as there are cores, in which answers are kept, and sets are iterated over in a fixed order.

    `begin`: what each does first, with what is given. `tasks_max`: after so many tasks a process ends, and another one is started.
    """
    context = multiprocessing.get_context("spawn")
    with (
        _same_hashes(),
        ProcessPoolExecutor(
            os.cpu_count(), context, initializer=_begin, initargs=(keeping, begin, given), max_tasks_per_child=tasks_max
        ) as pool,
    ):
        yield pool


def _begin(keeping: Keeping, begin: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    keep(keeping)
    if begin is not None:
        begin(*given)


@contextmanager
def _same_hashes() -> Iterator[None]:
    """Processes that are started in this context iterate over sets in a fixed order.

    Whatever a solver is told is told in the same order, and a core that is wrong goes wrong in the same way.
    """
    before = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = "0"
    try:
        yield
    finally:
        del os.environ["PYTHONHASHSEED"]
        if before is not None:
            os.environ["PYTHONHASHSEED"] = before
