"""Validation of complete log files in one pass, with the lines that follow the first misfit."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import chain, islice
from typing import Any, Final

from conformance.logs.lines import recorded
from conformance.logs.merging import merged
from conformance.logs.reading import LogFile, Record, check_schema
from conformance.logs.validate import Validation
from conformance.logs.verdict import Verdict
from impl.cli.exits import Problem

FOLLOWING: Final = 20_000
"""Records after a divergence that are kept for trying edits: some hundred of each of many files."""

PROGRESS_EVERY: Final = 10_000
"""Records between two progress reports."""


def _with_what_follows(verdict: Verdict, records: Iterator[Record]) -> Verdict:
    """The verdict with the next lines of the logs, up to an invalid one: the divergence comes first."""
    if verdict.divergence is None:
        return verdict
    following: list[Record] = []
    with suppress(Problem):
        for record in islice(records, FOLLOWING):
            check_schema(record, recorded())
            following.append(record)
    return replace(verdict, divergence=replace(verdict.divergence, following=tuple(following)))


@contextmanager
def no_collector() -> Iterator[None]:
    """Disables the cyclic garbage collector inside the block: lines create no reference cycles, so reference counting frees
    everything, and scanning millions of entries for cycles took a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def validate(
    files: Sequence[LogFile],
    *,
    progress: Callable[[int], None] | None = None,
    **options: Any,
) -> Verdict:
    """Validates complete logs, in any order of the files.

    Raises:
        Problem: a line is invalid.
    """
    validation = Validation(**options)
    with no_collector():
        return _validate(validation, files, progress)


def _validate(validation: Validation, files: Sequence[LogFile], progress: Callable[[int], None] | None) -> Verdict:
    records = merged([file.records_checked(heads_only=True) for file in files], validation.causal_order)
    for first in records:
        stopped = validation.feed_all(chain((first,), islice(records, PROGRESS_EVERY - 1)))
        if stopped is not None:
            return _with_what_follows(stopped, records)
        if progress is not None:
            progress(sum(file.bytes for file in files))
    verdict = validation.finish()
    cut = next((file.cut for file in files if file.cut is not None), None)
    if verdict.verdict == "conforms" and cut is not None:
        return replace(verdict, verdict="inconclusive", why=f"{cut}; all lines before it fit")
    return verdict
