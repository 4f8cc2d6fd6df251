"""Making the mutation tables: batches of mutants in processes, as many at a time as there are cores."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Final

from conformance.mutation.digests import inputs_of_statement
from conformance.mutation.kept import Keeping
from conformance.mutation.processes import processes
from conformance.mutation.statement import STAGES, batches, checks_of, engines_of, rows_of
from conformance.mutation.table import STATEMENT, Matrix, Row
from conformance.protocols import named
from model.language import Protocol

SECONDS_BETWEEN: Final = 0.5
"""The time between two checks of the progress."""

Progress = Callable[[int, int], None]
"""Called from time to time with how much is done, and of how much."""

_counted: Any = None
"""In a process of a batch: what is done, counted over all processes."""


def made(protocols: Sequence[Protocol], progress: Progress, keeping: Keeping) -> list[Matrix]:
    """The mutation tables of statements."""
    tasks = [(protocol.name, number) for protocol in protocols for number in range(len(batches(protocol)))]
    total = STAGES * sum(len(batch) for protocol in protocols for batch in batches(protocol))
    rows: dict[tuple[str, int], list[Row]] = {}
    counted = multiprocessing.get_context("spawn").Value("l", 0)
    with processes(keeping, _begin, (counted,), tasks_max=1) as pool:
        # The largest first, so that at the end no process waits long for another one.
        by_size = sorted(tasks, key=lambda task: -len(batches(named(task[0]))[task[1]]))
        running: dict[Future[list[Row]], tuple[str, int]] = {pool.submit(_batch, *task): task for task in by_size}
        waiting = set(running)
        while waiting:
            done, waiting = wait(waiting, SECONDS_BETWEEN, FIRST_COMPLETED)
            progress(counted.value, total)
            for item in done:
                rows[running[item]] = item.result()
    return [
        _matrix(protocol, [row for task in tasks if task[0] == protocol.name for row in rows[task]])
        for protocol in protocols
    ]


def _matrix(protocol: Protocol, rows: Sequence[Row]) -> Matrix:
    engines, checks = engines_of(protocol), tuple(checks_of(protocol))
    return Matrix(protocol.name, STATEMENT, engines, inputs_of_statement(protocol), checks, tuple(rows))


def _begin(counted: Any) -> None:
    global _counted
    _counted = counted


def _batch(name: str, number: int) -> list[Row]:
    protocol = named(name)
    return rows_of(protocol, batches(protocol)[number], _tell)


def _tell(_: str) -> None:
    with _counted.get_lock():
        _counted.value += 1
