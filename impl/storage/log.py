"""What a journal is written to: one log, with one writer at a time.

Two logs keep this contract: `impl.storage.memory_log` within a program, and `impl.storage.pulsar_log` on a broker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """A piece of a log. Once it is compacted, only the last entry of each key is left, where it was."""

    key: str
    data: bytes


class Log(Protocol):
    """One instance's access to a log."""

    name: str
    """What it is called in what is said to people."""

    def lead(self) -> None:
        """From now on nobody else's entries are taken, until another instance leads.

        Raises:
            StandsBy: another instance leads; a while was spent waiting for its end.
            Unreachable: the broker did not answer.
            NotAllowed: the log is not there, or not for this identity.
        """

    def append(self, entries: Sequence[Entry]) -> None:
        """Adds entries in this order; when it returns they cannot be lost.

        Raises:
            Deposed: another instance leads. Some of the entries may be there, if it came in between.
            Unreachable: the broker did not answer for all. The same entries are to be appended again before any other.
        """

    def append_soon(self, entry: Entry) -> None:
        """Adds an entry without waiting for it; it may get lost, and is not later than what is appended next."""

    def read(self) -> Iterator[Entry]:
        """Everything from the beginning to what this instance appended last. Raises `Unreachable`."""

    def compact(self) -> None:
        """Begins to remove all but the last entry of each key from what there is now. Raises `EnvironmentProblem`."""

    def close(self) -> None:
        """Gives everything back; another instance may lead at once."""
