"""Causal order: one possible order of the lines of several processes, found without clocks.

The lines of one process are ordered, and a message is taken after it was sent. Nothing else orders lines of different processes.
So a line, and every later line of its process, waits until the line that sent its message has been taken; where the log does not
say which line that was, it waits until such a message is available. All orders that respect this are equivalent for the protocols
for which `model.matching.order` says so.

A *window* bounds the number of waiting lines. If it overflows, or the logs end, the caller examines a blocked process: the line
that it waits for is missing, and the caller decides what that means.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count
from typing import Final

from conformance.logs.reading import Record
from impl.events.line import Line, Sent

WINDOW: Final = 100_000
"""Lines that may wait in total. Processes that write at different speeds are seconds apart: some ten thousand lines."""

_NOBODY: Final = sys.maxsize
"""The line number if no process waits for a line."""

RUNS_MAX: Final = 256
"""Earlier runs of a process that are kept. A line that waits for an older run waits forever, and the verdict says so."""


@dataclass(slots=True, eq=False)
class Process:
    """One process of the deployment, and its progress."""

    name: str
    role: str
    """`dpm`, `ncm` or `aca`."""
    host: str
    """Of an agent; empty for DPM and NCM."""
    run: str = ""
    sequence: int = 0
    """Of the last line taken in this run."""
    ended: dict[str, int] = field(default_factory=dict)
    """Earlier runs by id, each with its last sequence number; the newest `RUNS_MAX`."""
    runs_forgotten: int = 0
    """Number of older runs that were dropped."""
    waiting: deque[Record] = field(default_factory=deque)
    """Lines read and not yet taken. What the first one waits for is known; the others wait behind it."""
    awaited: int = _NOBODY
    """The first line of this run that others wait for; may be out of date if they no longer wait."""
    for_line: tuple[str, str, int] | None = None
    """Process, run and number of the line that the first waiting line needs."""
    for_message: Sent | None = None
    """The message that the first waiting line needs, where the sending line is unknown."""
    late: bool = False
    """Its log begins in the middle of a run."""
    begun: set[str] = field(default_factory=set)
    """The protocols whose state at this process is known: from the start, or since a line with the full state."""
    free: bool = False
    """Its first line is taken without what it waits for."""

    def has_taken(self, run: str, sequence: int) -> bool:
        """Whether this line has been taken, or belongs to an earlier run whose end was lost."""
        if run == self.run:
            return sequence <= self.sequence
        return run in self.ended

    @property
    def started(self) -> bool:
        """Whether any line of the process has been taken."""
        return self.run != ""


class OutOfOrder(Exception):
    """A line whose number is not the next one of its process: `expected` is."""

    def __init__(self, record: Record, process: Process, expected: int) -> None:
        super().__init__(record.place)
        self.record = record
        self.process = process
        self.expected = expected


Take = Callable[[Process, Record], Sent | None]
"""Takes the next line of a process. Returns None if that worked, else the message that the line takes and that is not there."""


class CausalOrder:
    """Takes records in the order of each file and passes them on in causal order."""

    def __init__(
        self,
        take: Take,
        is_there: Callable[[str, Sent], bool],
        *,
        window: int = WINDOW,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self.processes: dict[str, Process] = {}
        self.window = window
        self.waiting = 0
        """Lines read and not yet taken."""
        self.lines = 0
        """Lines taken."""
        self.without = without
        """Processes that keep no log, by name; a role stands for all its processes."""
        self._take = take
        self._is_there = is_there
        self._running: dict[str, Process] = {}
        """The processes by `name:run` of their current run, which is the prefix of a message id."""
        self._for_line: dict[str, list[tuple[int, int, Process]]] = {}
        """Blocked processes by the `name:run` that they wait for: heaps ordered by line number."""
        self._waited = count()
        self._for_message: list[Process] = []

    def fork(self, take: Take, is_there: Callable[[str, Sent], bool]) -> CausalOrder:
        """A copy with the same progress and no waiting lines."""
        made = CausalOrder(take, is_there, window=self.window, without=self.without)
        made.lines = self.lines
        made.processes = {
            name: replace(
                process,
                ended=dict(process.ended),
                begun=set(process.begun),
                waiting=deque(),
                awaited=_NOBODY,
                for_line=None,
                for_message=None,
            )
            for name, process in self.processes.items()
        }
        made._running = {f"{process.name}:{process.run}": process for process in made.processes.values() if process.run}
        return made

    def resume(self, process: Process) -> None:
        """Restores the progress of a process; none of its lines wait."""
        self.processes[process.name] = process
        if process.run:
            self._running[f"{process.name}:{process.run}"] = process

    def feed(self, record: Record) -> None:
        """Adds one record, and takes every line that it unblocks.

        Raises:
            OutOfOrder: sequence numbers are missing, repeated or decreasing.
        """
        name = record.line.process
        process = self.processes.get(name) or self._met(record.line)
        if process.waiting:
            process.waiting.append(record)
            self.waiting += 1
        elif self._goes_on(process, record):
            if process.awaited <= process.sequence or self._for_message:
                self._wake(process)
        else:
            process.waiting.append(record)
            self.waiting += 1

    def is_silent(self, name: str) -> bool:
        """Whether a process was declared to keep no log and indeed no line of it was read."""
        if name not in self.without and name.partition("/")[0] not in self.without:
            return False
        process = self.processes.get(name)
        return process is None or not process.started

    def blocked(self) -> list[Process]:
        """The processes whose first line waits, in the order in which they were first seen."""
        return [process for process in self.processes.values() if process.waiting]

    def give_up_waiting(self, process: Process) -> None:
        """Takes the first waiting line of a process without what it waits for. The caller decides that this is allowed."""
        self._remove_from_queues(process)
        process.for_line, process.for_message = None, None
        process.free = True
        self._drain(process)
        self._wake(process)

    # --------------------------------------------------------------------------------------------------- inside

    def _met(self, line: Line) -> Process:
        role, _, host = line.process.partition("/")
        made = self.processes[line.process] = Process(line.process, role, host)
        return made

    def _goes_on(self, process: Process, record: Record) -> bool:
        """Takes a line unless it has to wait; returns whether it was taken."""
        line = record.line
        run, sequence = line.run, line.sequence
        begins = run != process.run
        if begins or sequence != process.sequence + 1:
            self._check_order(process, record)
        taken = line.taken
        if taken is not None:
            head, _, place = taken.rpartition(":")
            by = self._running.get(head)
            if (by is None or by.sequence < int(place[: place.index(".")])) and self._waits(process, taken):
                return False
        missing = self._take(process, record)
        if missing is not None:
            process.for_message = missing
            self._for_message.append(process)
            return False
        if begins:
            self._begins(process, run)
        process.sequence = sequence
        process.free = False
        self.lines += 1
        return True

    def _begins(self, process: Process, run: str) -> None:
        """Starts a run. Processes that wait for a line of the previous run are unblocked: the end of that run was lost."""
        head = f"{process.name}:{run}"
        if process.run:
            process.ended[process.run] = process.sequence
            if len(process.ended) > RUNS_MAX:
                del process.ended[next(iter(process.ended))]
                process.runs_forgotten += 1
            before = f"{process.name}:{process.run}"
            del self._running[before]
            left = [(0, next(self._waited), blocked) for _, _, blocked in self._for_line.pop(before, ())]
            if left:
                self._for_line[head] = sorted([*left, *self._for_line.get(head, ())])
        process.run = run
        process.awaited = _first_of(self._for_line.get(head))
        self._running[head] = process

    def _waits(self, process: Process, taken: str) -> bool:
        """Whether the line that sent this message has not been taken yet; then the process is queued behind it."""
        sender, run, place = taken.split(":")
        number = int(place.partition(".")[0])
        by = self.processes.get(sender)
        if process.free or (by is not None and by.has_taken(run, number)) or self.is_silent(sender):
            return False
        process.for_line = (sender, run, number)
        heap = self._for_line.setdefault(f"{sender}:{run}", [])
        heappush(heap, (number, next(self._waited), process))
        if by is not None and by.run == run:
            by.awaited = _first_of(heap)
        return True

    def _check_order(self, process: Process, record: Record) -> None:
        """Checks that numbers are consecutive within a run and that a new run begins at 1, unless the log begins in its middle."""
        line = record.line
        if line.run == process.run:
            raise OutOfOrder(record, process, process.sequence + 1)
        if line.run in process.ended:
            raise OutOfOrder(record, process, process.ended[line.run] + 1)
        if process.started and line.sequence != 1:
            raise OutOfOrder(record, process, 1)

    def _wake(self, process: Process) -> None:
        """Unblocks the processes that wait for this one, or for messages that are available now."""
        awake = deque([process])
        while awake:
            by = awake.popleft()
            heap = self._for_line.get(f"{by.name}:{by.run}")
            while heap and heap[0][0] <= by.sequence:
                item = heappop(heap)[2]
                item.for_line = None
                if self._drain(item) and (item.awaited <= item.sequence or self._for_message):
                    awake.append(item)
            by.awaited = _first_of(heap)
            if heap is not None and not heap:
                self._for_line.pop(f"{by.name}:{by.run}", None)
            if self._for_message:
                for item in list(self._for_message):
                    message = item.for_message
                    if message is not None and self._is_there(item.waiting[0].line.event, message):
                        self._for_message.remove(item)
                        item.for_message = None
                        if self._drain(item):
                            awake.append(item)

    def _drain(self, process: Process) -> bool:
        """Takes waiting lines as far as possible; returns whether any was taken."""
        count = 0
        while process.waiting and self._goes_on(process, process.waiting[0]):
            process.waiting.popleft()
            self.waiting -= 1
            count += 1
        return count > 0

    def _remove_from_queues(self, process: Process) -> None:
        if process.for_line is not None:
            sender, run, _ = process.for_line
            rest = [item for item in self._for_line[f"{sender}:{run}"] if item[2] is not process]
            self._for_line[f"{sender}:{run}"] = sorted(rest)
        if process in self._for_message:
            self._for_message.remove(process)


def _first_of(heap: list[tuple[int, int, Process]] | None) -> int:
    """The smallest line number in the heap."""
    return heap[0][0] if heap else _NOBODY
