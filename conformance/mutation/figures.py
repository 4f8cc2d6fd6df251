"""The checked-in summary of a mutation table: figures, survivors, and digests of the rows and of what they depend on.

A summary is current while everything that its table depends on is unchanged. It contains a digest of the rows instead of the rows,
so that a table that is made again can be compared byte for byte with the one that was summarized.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from conformance.mutation.digests import DIGITS, Inputs, changes
from conformance.mutation.table import FOLDER, Half, Matrix, read_reasons, reasons_path, rows_text, shown_path
from impl.cli.exits import Exit, Problem

REMEDY = "Run `make matrix`."


@dataclass(frozen=True)
class Engine:
    """What one engine noticed; the fields are counts of mutants."""

    asks: str
    """One sentence: what the engine is asked about a mutant."""
    killed: int
    alone: int
    """Killed by this engine and by no other."""
    survive: int
    undecided: int


@dataclass(frozen=True)
class Survivor:
    """A mutant that no engine notices."""

    name: str
    of: str
    """The action, or the function, that is mutated."""


@dataclass(frozen=True)
class Summary:
    """The figures of one table, with the reasons for its survivors."""

    protocol: str
    half: Half
    made: str
    """The day, as in 2026-11-30."""
    mutants: int
    killed: int
    engines: Mapping[str, Engine]
    foot: Sequence[str]
    """Two lines: checks that notice nothing, and what only one check notices."""
    survivors: Sequence[Survivor]
    equivalent: Sequence[str]
    """Mutants that were shown to mean the same as the original."""
    rows: str
    """The digest of all rows."""
    inputs: Inputs
    reasons: Mapping[str, str] = field(default_factory=dict)
    """By the name of a survivor. They are written by people, in a file of their own."""

    @property
    def unexplained(self) -> list[Survivor]:
        """Survivors without a reason."""
        return [survivor for survivor in self.survivors if survivor.name not in self.reasons]

    @property
    def excused(self) -> list[Survivor]:
        """Survivors with a reason."""
        return [survivor for survivor in self.survivors if survivor.name in self.reasons]

    def age(self, today: date | None = None) -> int:
        """Days since the table was made."""
        return ((today or datetime.now(UTC).date()) - date.fromisoformat(self.made)).days

    def faults(self, inputs: Inputs) -> list[tuple[Exit, str]]:
        """The reasons why the check of this table fails, each with an exit code and a sentence. `inputs`: those of today."""
        title = f"The mutation table of {self.protocol}, {self.half},"
        found: list[tuple[Exit, str]] = []
        stale = list(changes(self.inputs, inputs))
        if stale:
            found.append((Exit.UNDECIDED, f"{title} is stale: {', '.join(stale)}. {REMEDY}"))
        if not self.mutants:
            found.append((Exit.UNDECIDED, f"{title} has no mutants. {REMEDY}"))
        path = shown_path(reasons_path(self.protocol, self.half))
        for survivor in self.unexplained:
            remedy = f"Add the check that does, or write in {path} why none has to."
            found.append(
                (
                    Exit.VIOLATED,
                    f"Nothing notices this mutant of {self.protocol}, {self.half}: {survivor.name}. {remedy}",
                )
            )
        names = {survivor.name for survivor in self.survivors}
        for name in self.reasons:
            if name not in names:
                found.append((Exit.VIOLATED, f"{path}: {name!r} does not survive. Delete the line."))
        return found


def summary_of(matrix: Matrix, foot: Sequence[str], made: str | None = None) -> Summary:
    """The summary of a table. `made`: the day, if it is not today."""
    engines = {}
    for engine, asks in matrix.engines.items():
        killed, undecided = len(matrix.killed_by(engine)), len(matrix.undecided_by(engine))
        survive = len(matrix.asked(engine)) - killed - undecided
        engines[engine] = Engine(asks, killed, len(matrix.killed_only_by(engine)), survive, undecided)
    return Summary(
        matrix.protocol,
        matrix.half,
        made or datetime.now(UTC).date().isoformat(),
        len(matrix.rows),
        len(matrix.of_fate("killed")),
        engines,
        tuple(foot),
        tuple(Survivor(row.name, row.of) for row in matrix.of_fate("survives")),
        tuple(row.name for row in matrix.of_fate("equivalent")),
        hashlib.sha256(rows_text(matrix).encode()).hexdigest()[:DIGITS],
        matrix.inputs,
        read_reasons(matrix.protocol, matrix.half),
    )


def path_of(protocol: str, half: Half) -> Path:
    """The file of a summary."""
    return FOLDER / f"{protocol}-{half}.json"


def write(summary: Summary) -> None:
    """Writes a summary; the reasons stay in their own file."""
    path = path_of(summary.protocol, summary.half)
    path.parent.mkdir(parents=True, exist_ok=True)
    given = {name: value for name, value in asdict(summary).items() if name != "reasons"}
    path.write_text(json.dumps(given, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(protocol: str, half: Half) -> Summary | None:
    """A summary as it is checked in, with the reasons for its survivors; none if there is no such file.

    Raises:
        Problem: the summary or the reasons cannot be read.
    """
    path = path_of(protocol, half)
    if not path.exists():
        return None
    try:
        given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        summary = Summary(
            **{
                **given,
                "engines": {name: Engine(**engine) for name, engine in given["engines"].items()},
                "foot": tuple(given["foot"]),
                "survivors": tuple(Survivor(**survivor) for survivor in given["survivors"]),
                "equivalent": tuple(given["equivalent"]),
                "reasons": read_reasons(protocol, half),
            }
        )
        date.fromisoformat(summary.made)
        return summary
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise Problem(f"{shown_path(path)} is no summary of mutants ({problem}). {REMEDY}", Exit.BAD_INPUT) from problem
