"""The durable storage of a process: its state, and the messages that it still has to publish.

A store has two operations: append one record (a change of state together with its messages), and load. SQLite is set to
`synchronous=FULL` with a write-ahead log, so that an appended record survives a power failure. From time to time a snapshot
replaces the records, so that a store grows with the state and not with time.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from impl.core import Effects, Plain, Send
from impl.errors import BadDeployment, EnvironmentProblem
from impl.wire.codec import MalformedMessage, decode, encode

SCHEMA_VERSION: Final = 2
RECORDS_MAX: Final = 1_000
"""Records after the last snapshot; more would make a start slow."""

LOCKED_SECONDS_MAX: Final = 5.0
"""The time for an earlier process to release the file."""


class Durable(Protocol):
    """A core whose state can be stored."""

    def apply(self, record: Mapping[str, Any]) -> None: ...
    def snapshot(self) -> dict[str, Plain]: ...
    def restore(self, snapshot: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that is stored and may not have been published."""

    number: int
    send: Send


class Store(Protocol):
    """The contract of all stores. `impl.storage.journal` has the one for several machines."""

    def append(self, effects: Effects, core: Durable) -> list[Outgoing]:
        """Makes the effects durable; when it returns, none of them can be lost. The caller publishes them next.

        Raises `Unreachable` if it can be called again with the same effects.
        """

    def load(self, core: Durable) -> list[Outgoing]:
        """Brings a fresh core to the stored state; returns the messages not marked as sent, in order. Must be called first.

        Raises `Unreachable` if it can be called again, and `StandsBy` if it has to be called again until another user is gone.
        """

    def mark_sent(self, outgoing: Sequence[Outgoing]) -> None:
        """Marks messages as published."""

    def confirm(self) -> None:
        """Returns if no other instance had taken over the store when it was called: decisions made before then without a change
        of state were based on the newest state. Raises `Deposed` otherwise, and `Unreachable` if it cannot tell now."""

    def close(self) -> None:
        """Releases the file."""


class SqliteStore:
    """A store in one file; `owner` protects the file of another process from being used by mistake."""

    def __init__(self, path: Path, owner: str) -> None:
        self._path, self._owner = path, owner
        with self._translated():
            self._connection = sqlite3.connect(
                path, timeout=LOCKED_SECONDS_MAX, isolation_level=None, check_same_thread=False
            )
            try:
                # Two processes on one store would each continue from a state that the other has changed.
                self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute("PRAGMA synchronous=FULL")
                self._prepare(owner)
            except BaseException:
                self._connection.close()
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise EnvironmentProblem(f"{self._path}: another process uses this store; stop it first") from problem
            if problem.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN:
                raise BadDeployment(f"{self._path}: cannot be opened; name a file in an existing folder") from problem
            raise EnvironmentProblem(f"{self._path}: cannot be read or written ({problem})") from problem
        except (sqlite3.Error, MalformedMessage, ValueError, KeyError, TypeError) as problem:
            raise BadDeployment(
                f"{self._path}: is not a store of {self._owner}, or is damaged ({problem}); name another file"
            ) from problem

    def _prepare(self, owner: str) -> None:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        run("CREATE TABLE IF NOT EXISTS about (version INTEGER NOT NULL, owner TEXT NOT NULL)")
        run("CREATE TABLE IF NOT EXISTS snapshot (state TEXT NOT NULL)")
        run("CREATE TABLE IF NOT EXISTS record (number INTEGER PRIMARY KEY, change TEXT NOT NULL)")
        run(
            "CREATE TABLE IF NOT EXISTS outgoing (number INTEGER PRIMARY KEY AUTOINCREMENT,"
            " topic TEXT NOT NULL, key TEXT NOT NULL, message BLOB NOT NULL)"
        )
        about = run("SELECT version, owner FROM about").fetchone()
        if about is None:
            run("INSERT INTO about VALUES (?, ?)", (SCHEMA_VERSION, owner))
        run("COMMIT")
        if about not in (None, (SCHEMA_VERSION, owner)):
            raise BadDeployment(
                f"{self._path}: belongs to {about[1]} (version {about[0]}), not to {owner} (version {SCHEMA_VERSION}); "
                "name another file"
            )

    def append(self, effects: Effects, core: Durable) -> list[Outgoing]:
        if effects.record is None and not effects.sends:
            return []
        with self._translated():
            return self._append(effects, core)

    def _append(self, effects: Effects, core: Durable) -> list[Outgoing]:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        if effects.record is not None:
            number = run("INSERT INTO record (change) VALUES (?)", (json.dumps(effects.record),)).lastrowid
            assert number is not None
            if number > RECORDS_MAX:
                run("DELETE FROM record")
                run("DELETE FROM snapshot")
                run("INSERT INTO snapshot VALUES (?)", (json.dumps(core.snapshot()),))
        outgoing = []
        for send in effects.sends:
            row = (send.topic, send.key, encode(send.message))
            number = run("INSERT INTO outgoing (topic, key, message) VALUES (?, ?, ?)", row).lastrowid
            assert number is not None
            outgoing.append(Outgoing(number, send))
        run("COMMIT")
        return outgoing

    def load(self, core: Durable) -> list[Outgoing]:
        run = self._connection.execute
        with self._translated():
            snapshot = run("SELECT state FROM snapshot").fetchone()
            if snapshot is not None:
                core.restore(json.loads(snapshot[0]))
            for (change,) in run("SELECT change FROM record ORDER BY number"):
                core.apply(json.loads(change))
            rows = run("SELECT number, topic, key, message FROM outgoing ORDER BY number").fetchall()
            return [Outgoing(number, Send(topic, decode(message), key)) for number, topic, key, message in rows]

    def mark_sent(self, outgoing: Sequence[Outgoing]) -> None:
        if not outgoing:
            return
        # A lost mark only means that a message is published twice, so the marks need not wait for the disk. (With OFF
        # instead of NORMAL a power failure could damage the file.)
        run = self._connection.execute
        with self._translated():
            run("PRAGMA synchronous=NORMAL")
            run("BEGIN IMMEDIATE")
            self._connection.executemany("DELETE FROM outgoing WHERE number = ?", [(item.number,) for item in outgoing])
            run("COMMIT")
            run("PRAGMA synchronous=FULL")

    def confirm(self) -> None:
        """No other process can open the file."""

    def close(self) -> None:
        self._connection.close()


class MemoryStore:
    """A store that ends with its process; for tests, replays in memory, and state that need not last."""

    def __init__(self, records_max: int = RECORDS_MAX) -> None:
        self._records_max = records_max
        self._records: list[str] = []
        self._snapshot: str | None = None
        self._outgoing: dict[int, Send] = {}
        self._number = 0

    def append(self, effects: Effects, core: Durable) -> list[Outgoing]:
        if effects.record is not None:
            self._records.append(json.dumps(effects.record))
            if len(self._records) > self._records_max:
                self._snapshot, self._records = json.dumps(core.snapshot()), []
        outgoing = []
        for send in effects.sends:
            self._number += 1
            self._outgoing[self._number] = send
            outgoing.append(Outgoing(self._number, send))
        return outgoing

    def load(self, core: Durable) -> list[Outgoing]:
        if self._snapshot is not None:
            core.restore(json.loads(self._snapshot))
        for record in self._records:
            core.apply(json.loads(record))
        return [Outgoing(number, send) for number, send in self._outgoing.items()]

    def mark_sent(self, outgoing: Sequence[Outgoing]) -> None:
        for item in outgoing:
            self._outgoing.pop(item.number, None)

    def confirm(self) -> None:
        """No other instance has access."""

    def close(self) -> None:
        """Nothing to release."""
