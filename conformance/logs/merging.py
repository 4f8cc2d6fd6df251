"""Several logs read in one pass, by the clocks of those who wrote them, so that little has to wait or to be remembered.

Where clocks agree, the line that sent a message comes before the one that took it. (Lines that take none may come earlier, and
share a turn.) Clocks that are wrong cost waiting, and nothing else: they order no lines, `joining` does. A file whose lines wait is
left alone while others go on; where all wait, it is read on where the line may be that is waited for.
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
"""Lines of a file that are read on, where the lines of all files wait, before another one has its turn."""

AHEAD: Final = 64
"""Lines of a file that have their turn together, as far as all but the first take no message: these wait for nobody."""


@dataclass(slots=True, eq=False)
class _Reading:
    """A file that is read, and whose lines it has told so far."""

    records: Iterator[Record]
    next: Record
    """The first one that was not handed on."""
    names: set[str] = field(default_factory=set)
    last: str = ""
    """The process of the last line."""

    def met(self, name: str) -> None:
        """A line of another process than the one before is handed on."""
        self.last = name
        self.names.add(name)

    def waits(self, processes: Mapping[str, Process]) -> bool:
        """Whether all of its processes wait, so that reading on would only make them wait with more lines."""
        known = [processes[name] for name in self.names if name in processes]
        return bool(known) and all(item.waiting for item in known)

    def is_awaited(self, order: CausalOrder) -> bool:
        """Whether somebody waits for a line of one of its processes."""
        return any(item.for_line[0] in self.names for item in order.blocked() if item.for_line)


def merged(files: Sequence[Iterator[Record]], order: CausalOrder) -> Iterator[Record]:
    """The records of several files, each of which is fed to `joining` before the next one is asked for, up to a verdict."""
    if len(files) == 1:
        yield from files[0]
        return
    turns = count()  # where clocks say the same, files take turns
    readings = [_Reading(records, first) for records in files if (first := next(records, None)) is not None]
    free = [(reading.next.line.time, next(turns), reading) for reading in readings]
    heapify(free)
    left_alone: list[_Reading] = []
    processes = order.processes
    while free or left_alone:
        if not free:
            yield from _read_on(left_alone, order)
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
                left_alone.append(file)
            else:
                heapreplace(free, (following.line.time, next(turns), file))
        if waited and left_alone:
            for item in [item for item in left_alone if not item.waits(processes)]:
                left_alone.remove(item)
                heappush(free, (item.next.line.time, next(turns), item))


def _read_on(files: list[_Reading], order: CausalOrder) -> Iterator[Record]:
    """Some lines of one file, though its lines wait: of one that is waited for, if there is any, which has come the least far."""
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
