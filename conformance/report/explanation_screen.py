"""An explanation on one screen: what the line says, what is false about it, what would have fitted, and the run up to it.

A screen is 40 lines of 100 columns. The diagram gets the lines that are left, and loses its oldest lines first.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rich.console import Console
from rich.text import Text

from conformance.logs.explanation import Candidate, Explanation
from conformance.logs.wording import change, contrast, decisive
from conformance.report.diagram import LEGEND, Arrow, Diagram, as_text, printable
from impl.cli.console import listed
from model.explaining.reasons import Part, call

SCREEN_LINES: Final = 40
SCREEN_COLUMNS: Final = 100

_DIAGRAM_LINES_MIN: Final = 6
"""With fewer lines a diagram shows no step: the names of the lifelines, a step, and the legend."""


_TITLE_ROOM: Final = 6
"""The columns that the name of the last lifeline needs to its right."""


@dataclass(frozen=True)
class Line:
    """A line of the screen with its style."""

    text: str
    style: str = ""


def print_explanation(explanation: Explanation, console: Console) -> None:
    """Prints an explanation."""
    for line in screen(explanation, min(console.width, SCREEN_COLUMNS)):
        console.print(Text(line.text, line.style), soft_wrap=True)


def screen(explanation: Explanation, width: int = SCREEN_COLUMNS) -> list[Line]:
    """The lines of an explanation; they fit on one screen, however long the guard is."""
    lines = [item for part in _parts(explanation) for item in _wrapped(part, width)]
    most = SCREEN_LINES - _DIAGRAM_LINES_MIN - 1
    if len(lines) > most:
        lines = [*lines[: most - 1], Line("  … more with --json or --html", "dim")]
    return [*lines, *_diagram(explanation.diagram, width, SCREEN_LINES - len(lines))]


def _wrapped(line: Line, width: int) -> Iterator[Line]:
    """A line, wrapped; every line but the first is indented further."""
    text = printable_line(line.text)
    indent = " " * (len(text) - len(text.lstrip()) + 4)
    for item in textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False) or [""]:
        yield Line(item, line.style)


def printable_line(text: str) -> str:
    """The text without characters that control a terminal, with its indentation."""
    return " " * (len(text) - len(text.lstrip(" "))) + printable(text)


def _parts(explanation: Explanation) -> Iterator[Line]:
    record = explanation.record
    yield Line(f"{record.file}, line {record.number}: {record.line.process} says {explanation.says}", "bold red")
    follow = [f"{part.text} is false" for candidate in explanation.candidates[:1] for part in candidate.guard]
    follow += map(contrast, explanation.differences)
    if not any(explanation.because.startswith(item) for item in follow):
        yield Line(f"  {explanation.because}.")
    if explanation.candidates and not explanation.candidates[0].possible:
        for place, candidate in enumerate(explanation.candidates):
            yield from _candidate(candidate, first=place == 0)
    for difference in explanation.differences:
        yield Line(f"  ✗ {contrast(difference)}", "red")
    if explanation.nearest is not None and explanation.nearest.differences:
        choices = tuple(value for _, value in explanation.nearest.choices)
        yield Line("The nearest step that is possible", "bold")
        yield Line(f"  {call(explanation.nearest.action, choices)}", "green")
        yield Line(f"  {'; '.join(map(change, decisive(explanation.nearest)))}")
    if explanation.edits:
        yield Line("The smallest change of the log", "bold")
        for place, edit in enumerate(explanation.edits, start=1):
            yield Line(f"  {place}. {edit.text}; {edit.so}", "green" if edit.confirmed else "")
    for broken in explanation.broken[:2]:
        about = ", ".join(f"{name} = {value}" for name, value in broken.values)
        what = "a lemma, " if broken.promise.lemma else ""
        yield Line(f"If the line is true, it breaks {what}{broken.promise.name}", "bold")
        yield Line(f"  {first_sentence(broken.promise.doc)} Broken for {about}.")
    if len(explanation.broken) > 2:
        yield Line(f"  and {listed(broken.promise.name for broken in explanation.broken[2:])}")
    if explanation.gave_up:
        yield Line("The search was stopped early: there may be more explanations, or closer ones.", "yellow")


def _candidate(candidate: Candidate, *, first: bool) -> Iterator[Line]:
    false = [conjunct for conjunct in candidate.guard if conjunct.held is False]
    if not first:
        choices = tuple(candidate.choices.values())
        if candidate.possible:
            yield Line(f"  possible with the same message: {call(candidate.action, choices)}", "green")
        else:
            texts = ", ".join(item.text for item in false) or "a choice is unknown"
            yield Line(f"  nor was it {candidate.action}: {texts}", "dim")
        return
    yield Line(f"{candidate.action}: {first_sentence(candidate.doc)}", "bold")
    for item in false:
        yield Line(f"  ✗ {item.text}", "red")
        for reason in item.because:
            yield Line(f"      {reason}")
    if true := _listed(candidate.guard, True):
        yield Line(f"  ✓ {true}", "dim")
    if unknown := _listed(candidate.guard, None):
        yield Line(f"  ? {unknown}", "dim")


def first_sentence(doc: str) -> str:
    """The first sentence of a declaration."""
    whole = " ".join(doc.split())
    return whole.split(". ")[0].rstrip(".") + "."


def _listed(guard: Sequence[Part], held: bool | None) -> str:
    return "; ".join(conjunct.text for conjunct in guard if conjunct.held is held)


def _diagram(diagram: Diagram, width: int, most: int) -> list[Line]:
    """The last rows of the diagram that fit in this number of lines."""
    rows = list(diagram.rows)
    while True:
        text = (
            as_text(replace(diagram, rows=tuple(rows)), width - _TITLE_ROOM).replace(LEGEND, "").rstrip().splitlines()
        )
        lines = [Line("The run up to this line", "bold"), *(Line(item[:width]) for item in text)]
        if len(lines) <= most or len(rows) <= 1:
            return lines[:most]
        rows = rows[2:] if isinstance(rows[0], Arrow) else rows[1:]
