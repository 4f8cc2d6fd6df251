"""A log within one program, for replays and for tests of the journal."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Final

from impl.errors import Deposed, StandsBy
from impl.storage.log import Entry

WAIT_SECONDS_MAX: Final = 0.2
"""The wait for the leader's end, each time that a standby tries."""


class MemoryJournal:
    """The entries, and the instance that may append. `open` gives an instance its access. Safe to use from several threads."""

    def __init__(self, name: str, wait_seconds: float = WAIT_SECONDS_MAX) -> None:
        self.name = name
        self.wait_seconds = wait_seconds
        self.entries: list[Entry] = []
        self.leader: MemoryLog | None = None
        self.changed = threading.Condition()

    def open(self, *, take_over: bool = False) -> MemoryLog:
        """Access for one more instance; `take_over`: it does not wait for another instance to end."""
        return MemoryLog(self, take_over)

    def compact(self, until: int | None = None) -> None:
        """Keeps the last entry of each key among the first `until` ones, or all."""
        with self.changed:
            old = self.entries[:until]
            last = {entry.key: number for number, entry in enumerate(old)}
            kept = [entry for number, entry in enumerate(old) if last[entry.key] == number]
            self.entries[: len(old)] = kept


class MemoryLog:
    """See `impl.storage.log.Log`."""

    def __init__(self, journal: MemoryJournal, take_over: bool) -> None:
        self.name = journal.name
        self._journal = journal
        self._take_over = take_over
        self._has_led = False

    def lead(self) -> None:
        with self._journal.changed:
            if self._has_led:
                return  # if it was deposed since, appending reports it
            if not self._take_over:
                self._journal.changed.wait_for(self._may_lead, self._journal.wait_seconds)
            if not self._may_lead():
                raise StandsBy(f"Another instance leads {self.name}")
            self._journal.leader, self._has_led = self, True

    def _may_lead(self) -> bool:
        return self._take_over or self._journal.leader is None

    def append(self, entries: Sequence[Entry]) -> None:
        with self._journal.changed:
            if self._journal.leader is not self:
                raise Deposed(f"{self.name}: another instance has taken over")
            self._journal.entries += entries

    def append_soon(self, entry: Entry) -> None:
        with self._journal.changed:
            if self._journal.leader is self:
                self._journal.entries.append(entry)

    def read(self) -> Iterator[Entry]:
        with self._journal.changed:
            entries = list(self._journal.entries)
        yield from entries

    def compact(self) -> None:
        self._journal.compact()

    def close(self) -> None:
        with self._journal.changed:
            if self._journal.leader is self:
                self._journal.leader = None
                self._journal.changed.notify_all()
