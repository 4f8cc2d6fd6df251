"""Sources of lines for a watch: the event topics of a deployment, or growing files.

A *stream* is the log of one process, or one file; it returns the available lines and keeps its position. A resumed watch continues
after the last line that it took, and misses none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pulsar

from conformance.logs.collecting import READ_MILLISECONDS, Collector
from conformance.logs.lines import Vocabulary, recorded
from conformance.logs.reading import Record, record_of
from impl.broker.deployment import Deployment
from impl.cli.exits import Exit, Problem
from impl.events.line import LINE_BYTES_MAX
from impl.transport.pulsar import translated


class Position(msgspec.Struct, frozen=True):
    """A position in a stream."""

    number: int = 0
    """Lines read."""
    place: str = ""
    """Where the next line begins, in a form that only the stream interprets."""


class Stream(Protocol):
    """The lines of one log as they arrive."""

    name: str

    @property
    def position(self) -> Position:
        """After the last line that was returned."""

    def some(self, most: int) -> Sequence[Record]:
        """At most `most` new lines; empty if there are none at the moment.

        Raises:
            Problem: a line is invalid.
            EnvironmentProblem: the log cannot be reached; a later call continues at the same position.
        """


class Source(Protocol):
    """All the logs of a deployment."""

    def look(self) -> Mapping[str, Stream]:
        """The current streams by name."""

    def close(self) -> None:
        """Releases all resources."""


class TopicStream:
    """The event topic of one process."""

    def __init__(self, name: str, reader: Any, position: Position, vocabulary: Vocabulary) -> None:
        self.name = name
        self._reader = reader
        self._number = position.number
        self._place = position.place
        self._vocabulary = vocabulary

    @property
    def position(self) -> Position:
        return Position(self._number, self._place)

    def some(self, most: int) -> list[Record]:
        found: list[Record] = []
        identity = None
        with translated(f"read {self.name}"):
            while len(found) < most and self._reader.has_message_available():
                message = self._reader.read_next(READ_MILLISECONDS)
                identity = message.message_id()
                self._number += 1
                found.append(record_of(self.name, self._number, message.data(), self._vocabulary))
        if identity is not None:
            self._place = identity.serialize().hex()
        return found


class TopicSource:
    """The event topics of a deployment, including new ones."""

    def __init__(
        self, deployment: Deployment, positions: Mapping[str, Position] | None = None, since: float | None = None
    ) -> None:
        self._positions = dict(positions or {})
        starts = {
            name: pulsar.MessageId.deserialize(bytes.fromhex(position.place))
            for name, position in self._positions.items()
            if position.place
        }
        self._collector = Collector(deployment, since, starts)
        self._vocabulary = recorded()
        self._streams: dict[str, Stream] = {}

    def look(self) -> Mapping[str, Stream]:
        for name in self._collector.look():
            if name not in self._streams:
                reader, position = self._collector.reader(name), self._positions.get(name, Position())
                self._streams[name] = TopicStream(name, reader, position, self._vocabulary)
        return self._streams

    def close(self) -> None:
        self._collector.close()


class FileStream:
    """A growing file. A line counts once its newline is there."""

    def __init__(self, path: Path, position: Position, vocabulary: Vocabulary) -> None:
        self.name = str(path)
        self._path = path
        self._number = position.number
        self._offset = int(position.place or 0)
        self._vocabulary = vocabulary

    @property
    def position(self) -> Position:
        return Position(self._number, str(self._offset))

    def some(self, most: int) -> list[Record]:
        found: list[Record] = []
        for raw in self._lines(most):
            self._number += 1
            self._offset += len(raw)
            found.append(record_of(self.name, self._number, raw[:-1], self._vocabulary))
        return found

    def _lines(self, most: int) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._offset:
                    raise Problem(
                        f"{self._path}: is shorter than the part already read; watch a log that is only appended to",
                        Exit.BAD_INPUT,
                    )
                file.seek(self._offset)
                for _ in range(most):
                    line = file.readline(LINE_BYTES_MAX + 2)
                    if not line.endswith(b"\n"):
                        if len(line) > LINE_BYTES_MAX:
                            record_of(
                                self.name, self._number + 1, line, self._vocabulary
                            )  # raises: the line is too long
                        return
                    yield line
        except OSError as problem:
            raise Problem(
                f"{self._path}: cannot be read ({problem.strerror}); name an existing log", Exit.BAD_INPUT
            ) from problem


class FileSource:
    """Log files, and all `*.ndjson` files of folders, including new ones."""

    def __init__(self, paths: Sequence[Path], positions: Mapping[str, Position] | None = None) -> None:
        for path in paths:
            if not path.exists():
                raise Problem(f"{path}: does not exist; name a log, or a folder of logs", Exit.BAD_INPUT)
        self._paths = paths
        self._positions = dict(positions or {})
        self._vocabulary = recorded()
        self._streams: dict[str, Stream] = {}

    def look(self) -> Mapping[str, Stream]:
        for path in self._paths:
            for file in sorted(path.glob("*.ndjson")) if path.is_dir() else [path]:
                name = str(file)
                if name not in self._streams:
                    position = self._positions.get(name, Position())
                    self._streams[name] = FileStream(file, position, self._vocabulary)
        return self._streams

    def close(self) -> None:
        """Nothing stays open."""
