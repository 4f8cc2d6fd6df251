"""What a journal is written to: a log with one writer at a time.

Two logs fulfil this contract: `impl.storage.memory_log` within a program, and `impl.storage.pulsar_log` on a broker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """A piece of a log. Compaction keeps only the last entry of each key, at its position."""

    key: str
    data: bytes


class Log(Protocol):
    """One instance's access to a log."""

    name: str
    """The name of the log in messages to people."""

    def lead(self) -> None:
        """Takes the lead, once: entries of other instances are refused until another one leads.

        Raises:
            StandsBy: another instance leads; some time was spent waiting for its end.
            Unreachable: the broker did not answer.
            NotAllowed: the log does not exist, or this identity has no access.
        """

    def append(self, entries: Sequence[Entry]) -> None:
        """Appends entries in this order; they are durable when it returns.

        Raises:
            Deposed: another instance leads. Some of the entries may be stored, if it took over in between.
            Unreachable: the broker did not answer for all. Append the same entries again before any other.
        """

    def append_soon(self, entry: Entry) -> None:
        """Appends an entry without waiting for it; it may get lost, and does not come later than the next append."""

    def read(self) -> Iterator[Entry]:
        """Everything from the beginning to this instance's last append; all, if it has not appended. Raises `Unreachable`."""

    def compact(self) -> None:
        """Begins to remove all but the last entry of each key from the present content. Raises `EnvironmentProblem`."""

    def close(self) -> None:
        """Releases all resources; another instance may lead at once."""
