"""The result of a command, from which every output is made."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich.console import Console
from rich.table import Table

from impl.cli.console import MARKS, PLAIN_MARKS, plain_table
from impl.cli.exits import Exit
from model.language import Protocol, Source

Verdict = Literal["holds", "violated", "undecided"]


def verdict_of(code: Exit) -> Verdict:
    """The verdict for an exit code."""
    return "holds" if code is Exit.HOLDS else "violated" if code is Exit.VIOLATED else "undecided"


@dataclass(frozen=True)
class Case:
    """One checked claim."""

    name: str
    verdict: str
    """`holds`, `violated` or `undecided`; only `holds` is a pass."""
    why: str = ""
    """What is wrong, in a sentence; empty if it holds."""
    seconds: float = 0.0
    source: Source | None = None
    """Where the claim is stated."""


@dataclass(frozen=True)
class Finding:
    """A violation, or something undecided."""

    title: str
    """The promise, or the name of what was run."""
    text: str
    """What is wrong, in a sentence."""
    source: Source | None = None
    """The line of the specification that it is about."""
    again: str = ""
    """The command that reproduces it."""
    show: Callable[[Console], None] | None = None
    """Prints it in full, with its counterexample, as on a terminal."""
    undecided: bool = False
    """Whether it is undecided, and not a violation."""


@dataclass(frozen=True)
class Section:
    """A table of names and marks or figures, for the screen and for a summary."""

    title: str
    columns: Sequence[str]
    """The first one has names. The last one may have no heading: it has marks."""
    rows: Sequence[Sequence[str]]
    """A cell with a verdict is shown as its mark."""
    details: Collection[str] = ()
    """Columns for the screen only."""

    def table(self) -> Table:
        """The table for the screen."""
        first, *others = self.columns
        table = plain_table(self.title, left=[first], right=filter(None, others), mark="" in others)
        for row in self.rows:
            table.add_row(*(MARKS.get(cell, cell) for cell in row))
        return table

    def brief(self) -> list[list[str]]:
        """The headings, then the rows, for a summary."""
        chosen = [column not in self.details for column in self.columns]
        return [
            [PLAIN_MARKS.get(cell, cell) for cell in itertools.compress(row, chosen)]
            for row in (self.columns, *self.rows)
        ]


@dataclass
class Result:
    """The result of a command."""

    command: str
    exit: Exit = Exit.UNDECIDED
    seconds: float = 0.0
    cases: list[Case] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    """Counts, each with its unit."""


def source_of(name: str, protocol: Protocol) -> Source | None:
    """Where this name is declared. What follows a colon in it is a question about the declaration."""
    declaration = protocol.declaration(name.split(":")[0])
    return declaration.source if declaration is not None else None
