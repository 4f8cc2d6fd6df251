"""CausalOrder: the lines of several processes in one order that can have been, found without any clock.

A process's own lines have an order, and a message is taken after it was sent. Nothing else orders two lines of different
processes. So a line waits, and all of its process behind it, until the line that sent its message has been taken; or, where the log
does not say which line that was, until such a message is there. Any order that keeps to this is as good as any other for the
protocols of which `model.matching.order` says so.

What waits is bounded by a *window* of lines. Beyond it, or at the end of the logs, whoever waits longest is looked at: the line
that it waits for is not there, and what that means is for the caller to say.
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
"""Lines that may wait in all. A deployment whose processes write at different speeds is off by seconds: some ten thousand lines."""

_NOBODY: Final = sys.maxsize
"""Instead of the number of a line, where nobody waits for one."""

RUNS_MAX: Final = 256
"""Earlier runs of a process that are kept. What waits for a line of an older one waits for ever, and that is said."""


@dataclass(slots=True, eq=False)
class Process:
    """One process of the deployment, and how far its lines have been taken."""

    name: str
    role: str
    """`dpm`, `ncm` or `aca`."""
    host: str
    """Of an agent."""
    run: str = ""
    sequence: int = 0
    """Of the last line that was taken, in this run."""
    ended: dict[str, int] = field(default_factory=dict)
    """Earlier runs, with their last line; the newest of them."""
    runs_forgotten: int = 0
    """Runs before these."""
    waiting: deque[Record] = field(default_factory=deque)
    """Lines that were read and not taken; only the first of them knows what it waits for."""
    awaited: int = _NOBODY
    """The number of the first line of this run that others wait for; perhaps nobody does any more."""
    for_line: tuple[str, str, int] | None = None
    """Process, run and number of the line that the first one waits for."""
    for_message: Sent | None = None
    """What the first one waits for, where it is not known who sent it."""
    late: bool = False
    """Its log begins in its middle."""
    begun: set[str] = field(default_factory=set)
    """The protocols of which its state is known: from the start, or since a line that tells all of it."""
    free: bool = False
    """What its first line waits for is not waited for any more."""

    def has_taken(self, run: str, sequence: int) -> bool:
        """Whether that line of this process has been taken, or belongs to a run whose end was lost."""
        if run == self.run:
            return sequence <= self.sequence
        return run in self.ended

    @property
    def started(self) -> bool:
        """Whether any line has been taken."""
        return self.run != ""


class OutOfOrder(Exception):
    """A line whose number is not the next one of its process."""

    def __init__(self, record: Record, process: Process, expected: int) -> None:
        super().__init__(record.place)
        self.record = record
        self.process = process
        self.expected = expected


Take = Callable[[Process, Record], Sent | None]
"""Takes a line that is next; none: it is done. Else the message that it would take, which is not there."""


class CausalOrder:
    """Feed it records in the order of each file; it hands them on in an order that can have been."""

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
        """Lines that were read and not taken."""
        self.lines = 0
        """Lines that were taken."""
        self.without = without
        """Processes that keep no log, by name; a role stands for all processes of it."""
        self._take = take
        self._is_there = is_there
        self._running: dict[str, Process] = {}
        """The processes by name and present run, as ids of messages begin."""
        self._for_line: dict[str, list[tuple[int, int, Process]]] = {}
        """Who waits, by the process and run waited for: heaps by the number of the line."""
        self._waited = count()
        self._for_message: list[Process] = []

    def fork(self, take: Take, is_there: Callable[[str, Sent], bool]) -> CausalOrder:
        """Another one, as far as this one has come; nothing waits there."""
        made = CausalOrder(take, is_there, window=self.window, without=self.without)
        made.lines = self.lines
        made.processes = {
            name: replace(
                one,
                ended=dict(one.ended),
                begun=set(one.begun),
                waiting=deque(),
                awaited=_NOBODY,
                for_line=None,
                for_message=None,
            )
            for name, one in self.processes.items()
        }
        made._running = {f"{process.name}:{process.run}": process for process in made.processes.values() if process.run}
        return made

    def resume(self, process: Process) -> None:
        """Goes on with a process from where it was; nothing of it waits."""
        self.processes[process.name] = process
        if process.run:
            self._running[f"{process.name}:{process.run}"] = process

    def feed(self, record: Record) -> None:
        """One more record. What becomes possible by it is taken at once.

        Raises:
            OutOfOrder: numbers are missing, come twice, or go back.
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
        """Whether a process keeps no log, by what was said beforehand, and by what was read."""
        if name not in self.without and name.partition("/")[0] not in self.without:
            return False
        process = self.processes.get(name)
        return process is None or not process.started

    def blocked(self) -> list[Process]:
        """The processes whose first line waits, in the order in which they were met."""
        return [process for process in self.processes.values() if process.waiting]

    def give_up_waiting(self, process: Process) -> None:
        """Takes the first line that waits, without what it waits for: the caller answers for that."""
        self._forget(process)
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
        """Takes a line if it has nothing to wait for."""
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
        """A run begins. Whoever waits for a line of the one before waits no more: its end was lost."""
        head = f"{process.name}:{run}"
        if process.run:
            process.ended[process.run] = process.sequence
            if len(process.ended) > RUNS_MAX:
                del process.ended[next(iter(process.ended))]
                process.runs_forgotten += 1
            before = f"{process.name}:{process.run}"
            del self._running[before]
            left = [(0, next(self._waited), one) for _, _, one in self._for_line.pop(before, ())]
            if left:
                self._for_line[head] = sorted([*left, *self._for_line.get(head, ())])
        process.run = run
        process.awaited = _first_of(self._for_line.get(head))
        self._running[head] = process

    def _waits(self, process: Process, taken: str) -> bool:
        """Whether the line that sent this message is still to come."""
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
        """A new run begins at 1, unless the log begins in its middle; within a run, numbers follow each other."""
        line = record.line
        if line.run == process.run:
            raise OutOfOrder(record, process, process.sequence + 1)
        if line.run in process.ended:
            raise OutOfOrder(record, process, process.ended[line.run] + 1)
        if process.started and line.sequence != 1:
            raise OutOfOrder(record, process, 1)

    def _wake(self, process: Process) -> None:
        """Goes on with whoever waited for this process, and for messages that are there now."""
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
        """Takes what waited, as far as it goes; whether that was anything."""
        count = 0
        while process.waiting and self._goes_on(process, process.waiting[0]):
            process.waiting.popleft()
            self.waiting -= 1
            count += 1
        return count > 0

    def _forget(self, process: Process) -> None:
        if process.for_line is not None:
            sender, run, _ = process.for_line
            rest = [item for item in self._for_line[f"{sender}:{run}"] if item[2] is not process]
            self._for_line[f"{sender}:{run}"] = sorted(rest)
        if process in self._for_message:
            self._for_message.remove(process)


def _first_of(heap: list[tuple[int, int, Process]] | None) -> int:
    """The number of the line that is waited for first."""
    return heap[0][0] if heap else _NOBODY
