"""What a command found, in the form from which every output is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from rich.console import Console

from impl.cli.exits import Exit
from model.language import Protocol, Source

Verdict = Literal["holds", "violated", "undecided"]

VERDICT_OF: Final = {Exit.HOLDS: "holds", Exit.VIOLATED: "violated"}
"""The verdict in one word; with any other exit nothing is known."""


@dataclass(frozen=True)
class Case:
    """One thing that was asked."""

    name: str
    verdict: str
    """`holds`; anything else is no pass: `violated`, or `undecided`."""
    why: str = ""
    """What is wrong, in a sentence; empty if nothing is."""
    seconds: float = 0.0
    source: Source | None = None
    """Where it is stated."""


@dataclass(frozen=True)
class Finding:
    """Something that is red, or not decided."""

    title: str
    """The promise, or what was run."""
    text: str
    """What is wrong, in a sentence."""
    source: Source | None = None
    """The line of the specification that this is about."""
    again: str = ""
    """The command that shows it again."""
    show: Callable[[Console], None] | None = None
    """Prints all of it, with the way there, as on a terminal."""
    undecided: bool = False
    """Nothing is wrong for certain."""


@dataclass(frozen=True)
class Section:
    """A table of names and marks or figures."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass
class Result:
    """What a command found."""

    command: str
    exit: Exit = Exit.UNDECIDED
    seconds: float = 0.0
    cases: list[Case] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    """Counts, each with what is counted."""


def source_of(name: str, protocol: Protocol) -> Source | None:
    """Where what bears this name is declared; what stands behind a colon is a question about it."""
    declaration = protocol.declaration(name.split(":")[0])
    return declaration.source if declaration is not None else None
