"""A summary in Markdown: what is red first, each with the way there folded away; then the tables, and the counts."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from html import escape
from typing import Final

from rich.console import Console

from conformance.report.places import in_repository, shown
from conformance.report.result import VERDICT_OF, Finding, Result, Section
from impl.cli.console import PLAIN_MARKS

BYTES_MAX: Final = 1_000_000
"""Of a summary: a build's page takes 1 MiB of a step, and nothing at all of what is longer."""
FINDINGS_MAX: Final = 50
"""That are shown; the others are counted."""
COLUMNS: Final = 110
"""Of the way there: what fits on such a page."""


def as_markdown(result: Result) -> str:
    """All of it, of at most `BYTES_MAX` bytes."""
    verdict = VERDICT_OF.get(result.exit, "undecided")
    head = f"## {PLAIN_MARKS[verdict]} ondemand {result.command}: {verdict}\n\n"
    rest = "".join(_section(section) for section in result.sections)
    if result.figures:
        rest += "".join(f"- {_escaped(figure)}\n" for figure in result.figures) + "\n"
    rest += f"{len(result.cases):,} asked, {result.seconds:.0f} s\n\n"
    matcher = BYTES_MAX - len((head + rest).encode())
    return head + _findings(result, matcher) + rest


def _findings(result: Result, matcher: int) -> str:
    """What is wrong for certain, then what is not decided; a way for which there is no room is left out, and said to be."""
    ordered = sorted(result.findings, key=lambda one: one.undecided)
    said = ""
    if len(ordered) > FINDINGS_MAX:
        said = f"... and {len(ordered) - FINDINGS_MAX:,} more.\n\n"
    parts: list[str] = []
    matcher -= len(said.encode())
    for finding in ordered[:FINDINGS_MAX]:
        title = _title(finding)
        whole = _folded(title, finding)
        short = f"<p>{title}</p>\n\n"
        chosen = whole if len(whole.encode()) <= matcher else short
        if len(chosen.encode()) > matcher:
            break
        matcher -= len(chosen.encode())
        parts.append(chosen)
    return "".join(parts) + said


def _title(finding: Finding) -> str:
    """In HTML: within a block of it Markdown means nothing."""
    mark = PLAIN_MARKS["undecided" if finding.undecided else "violated"]
    text = f"{mark} <code>{escape(finding.title)}</code> {escape(_flat(finding.text))}"
    if finding.source is not None:
        where = in_repository(finding.source) or shown(finding.source)
        text += f" (<code>{escape(where)}:{finding.source.line}</code>)"
    return text


def _folded(title: str, finding: Finding) -> str:
    again = f"Again: `{finding.again}`\n\n" if finding.again else ""
    if finding.show is None:
        return f"<p>{title}</p>\n\n{again}"
    written = io.StringIO()
    finding.show(Console(file=written, width=COLUMNS, color_system=None, force_terminal=False, legacy_windows=False))
    way = "\n".join(line.rstrip() for line in written.getvalue().strip("\n").splitlines())
    fence = "`" * (1 + max([2, *(len(run) for run in re.findall("`+", way))]))
    return f"<details><summary>{title}</summary>\n\n{again}{fence}text\n{way}\n{fence}\n\n</details>\n\n"


def _section(section: Section) -> str:
    """A table, with names on the left and all else in the middle."""
    return "".join(f"{line}\n" for line in _table(section)) + "\n"


def _table(section: Section) -> Iterator[str]:
    yield f"### {_escaped(section.title)}"
    yield ""
    yield f"| {' | '.join(map(_escaped, section.columns))} |"
    yield f"|---|{':-:|' * (len(section.columns) - 1)}"
    for row in section.rows:
        yield f"| {' | '.join(map(_escaped, row))} |"


def _escaped(text: str) -> str:
    """Text that says nothing but itself in Markdown, in HTML, and in a table."""
    return re.sub(r"([\\`*|\[\]~_])", r"\\\1", escape(_flat(text), quote=False))


def _flat(text: str) -> str:
    """In one line: an empty one would end a block."""
    return " ".join(text.split())
