"""Reads several logs in one pass, interleaved by their clocks, so that few lines have to wait.

If clocks agree, the line that sent a message is read before the one that took it. (Lines that take no message may come earlier, and
share a turn.) Wrong clocks only cost waiting: they order no lines, `causal_order` does. A file whose lines wait is paused while
others go on; if all are paused, one is read on that may contain the awaited line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from typing import Final

from conformance.logs.causal_order import CausalOrder, Process
from conformance.logs.reading import Record

READ_ON: Final = 256
"""Lines read from one file in a turn while the lines of all files wait."""

AHEAD: Final = 64
"""Lines read from one file in a turn, provided that all but the first take no message and so cannot wait."""


@dataclass(slots=True, eq=False)
class _Reading:
    """A file that is being read, and the processes seen in it."""

    records: Iterator[Record]
    next: Record
    """The next record to hand on."""
    names: set[str] = field(default_factory=set)
    last: str = ""
    """The process of the last line."""

    def met(self, name: str) -> None:
        """Notes that the next line is of another process than the last one."""
        self.last = name
        self.names.add(name)

    def waits(self, processes: Mapping[str, Process]) -> bool:
        """Whether all of its processes wait, so that reading on would only add waiting lines."""
        known = [processes[name] for name in self.names if name in processes]
        return bool(known) and all(item.waiting for item in known)

    def is_awaited(self, order: CausalOrder) -> bool:
        """Whether a process waits for a line of one of its processes."""
        return any(item.for_line[0] in self.names for item in order.blocked() if item.for_line)


def merged(files: Sequence[Iterator[Record]], order: CausalOrder) -> Iterator[Record]:
    """The records of several files. The caller feeds each to `order` before asking for the next one."""
    if len(files) == 1:
        yield from files[0]
        return
    turns = count()  # on equal times files take turns
    readings = [_Reading(records, first) for records in files if (first := next(records, None)) is not None]
    free = [(reading.next.line.time, next(turns), reading) for reading in readings]
    heapify(free)
    paused: list[_Reading] = []
    processes = order.processes
    while free or paused:
        if not free:
            yield from _read_on(paused, order)
            waited = True
        else:
            file = free[0][2]
            before = order.waiting
            for _ in range(AHEAD):
                record = file.next
                if record.line.process != file.last:
                    file.met(record.line.process)
                yield record
                following = next(file.records, None)
                if following is None:
                    break
                file.next = following
                if following.line.taken is not None or order.waiting > before:
                    break
            waited = order.waiting < before
            if following is None:
                heappop(free)
            elif order.waiting > before and file.waits(processes):
                heappop(free)
                paused.append(file)
            else:
                heapreplace(free, (following.line.time, next(turns), file))
        if waited and paused:
            for item in [item for item in paused if not item.waits(processes)]:
                paused.remove(item)
                heappush(free, (item.next.line.time, next(turns), item))


def _read_on(files: list[_Reading], order: CausalOrder) -> Iterator[Record]:
    """Some lines of a paused file: of an awaited one if there is any; of several, the one with the earliest clock."""
    file = min([each_file for each_file in files if each_file.is_awaited(order)] or files, key=_clock)
    before = order.waiting
    for _ in range(READ_ON):
        file.met(file.next.line.process)
        yield file.next
        following = next(file.records, None)
        if following is None:
            files.remove(file)
            return
        file.next = following
        if order.waiting < before:
            return
        before = order.waiting


def _clock(file: _Reading) -> int:
    return file.next.line.time
