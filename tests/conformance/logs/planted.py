"""Recorded logs with planted faults, and what validation reports about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from conformance.logs.explanation import Explanation, explain
from conformance.logs.names import LOGGED
from conformance.logs.one_pass import validate
from conformance.logs.reading import LogFile
from conformance.logs.verdict import Verdict
from impl.events.line import Line, Sent, State, encoded

ON_DEMAND = next(item for item in LOGGED if item.name == "on-demand")


@dataclass
class Logs:
    """The logs of a deployment, by file; faults are planted in copies."""

    files: Mapping[str, list[Line]]

    @classmethod
    def read(cls, paths: Mapping[str, Path]) -> Logs:
        """As recorded."""
        return cls({name: [record.line for record in LogFile(path)] for name, path in paths.items()})

    def find(self, file: str, event: str, wanted: Callable[[Line], bool] = lambda line: True, skip: int = 0) -> int:
        """The index of a line in its file, from 0: the first match after some that are skipped."""
        places = [
            place for place, line in enumerate(self.files[file]) if line.event == f"on-demand.{event}" and wanted(line)
        ]
        return places[skip]

    def changed(self, file: str, lines: list[Line]) -> Logs:
        """The logs with one file replaced."""
        return Logs({**self.files, file: lines})

    def with_line(self, file: str, place: int, **changes: Any) -> Logs:
        """The logs with fields of one line replaced."""
        lines = list(self.files[file])
        lines[place] = msgspec.structs.replace(lines[place], **changes)
        return self.changed(file, lines)

    def explained(self, folder: Path) -> Report:
        """The results of validating and explaining these logs."""
        paths = []
        for name, lines in self.files.items():
            path = folder / f"{name}.ndjson"
            path.write_bytes(b"".join(encoded(line) + b"\n" for line in lines))
            paths.append(path)
        verdict = validate([LogFile(path) for path in paths], protocols=[ON_DEMAND])
        explanation = explain(verdict.divergence) if verdict.divergence is not None else None
        return Report(verdict, explanation)


@dataclass
class Report:
    """The verdict and its explanation."""

    verdict: Verdict
    explanation: Explanation | None = field(repr=False)

    @property
    def why(self) -> Explanation:
        """The explanation, which must exist."""
        assert self.explanation is not None, self.verdict
        return self.explanation


def with_changed_entries(line: Line, symbol: str, change: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> State:
    """The entries of a line, with those of one symbol changed."""
    assert line.after is not None
    return {**line.after, symbol: tuple(change(entry) for entry in line.after[symbol])}


def with_changed_messages(line: Line, change: Callable[[Sent], Sent]) -> tuple[Sent, ...]:
    """The messages of a line, each changed."""
    return tuple(change(message) for message in line.sent or ())


def everywhere(line: Line, old: str | int, new: str | int) -> dict[str, Any]:
    """The fields of a line with one name replaced everywhere, so that the line is consistent."""

    def words(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(new if value == old and type(value) is type(old) else value for value in values)

    return {
        "attributes": dict(zip(line.attributes, words(tuple(line.attributes.values())), strict=True)),
        "sent": tuple(words(message) for message in line.sent) if line.sent is not None else None,
        "after": {name: tuple(words(entry) for entry in entries) for name, entries in line.after.items()}
        if line.after is not None
        else None,
    }
