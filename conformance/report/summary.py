"""A summary in Markdown: violations first, each with its counterexample folded; then the tables and the counts."""

from __future__ import annotations

import io
import re
from html import escape
from typing import Final

from rich.console import Console

from conformance.report.markdown import table
from conformance.report.places import in_repository, shown
from conformance.report.result import Finding, Result, Section, verdict_of
from impl.cli.console import PLAIN_MARKS

BYTES_MAX: Final = 1_000_000
"""The most bytes of a summary: the page of a build takes 1 MiB of a step, and drops what is longer."""
FINDINGS_MAX: Final = 50
"""The most findings that are shown; the others are counted."""
COLUMNS: Final = 110
"""The columns of a counterexample: what fits on the page."""


def as_markdown(result: Result) -> str:
    """The summary, of at most `BYTES_MAX` bytes."""
    verdict = verdict_of(result.exit)
    head = f"## {PLAIN_MARKS[verdict]} ondemand {result.command}: {verdict}\n\n"
    rest = "".join(_section(section) for section in result.sections)
    if result.figures:
        rest += "".join(f"- {_escaped(figure)}\n" for figure in result.figures) + "\n"
    rest += f"{len(result.cases):,} checked, {result.seconds:.0f} s\n\n"
    room = BYTES_MAX - len((head + rest).encode())
    return head + _findings(result, room) + rest


def _findings(result: Result, room: int) -> str:
    """Violations, then what is undecided, in `room` bytes; a counterexample that does not fit is left out."""
    ordered = sorted(result.findings, key=lambda finding: finding.undecided)
    said = ""
    if len(ordered) > FINDINGS_MAX:
        said = f"and {len(ordered) - FINDINGS_MAX:,} more\n\n"
    parts: list[str] = []
    room -= len(said.encode())
    for finding in ordered[:FINDINGS_MAX]:
        title = _title(finding)
        whole = _folded(title, finding)
        short = f"<p>{title}</p>\n\n"
        chosen = whole if len(whole.encode()) <= room else short
        if len(chosen.encode()) > room:
            break
        room -= len(chosen.encode())
        parts.append(chosen)
    return "".join(parts) + said


def _title(finding: Finding) -> str:
    """The title in HTML, since Markdown is not read inside an HTML block."""
    mark = PLAIN_MARKS["undecided" if finding.undecided else "violated"]
    text = f"{mark} <code>{escape(finding.title)}</code> {escape(_flat(finding.text))}"
    if finding.source is not None:
        where = in_repository(finding.source) or shown(finding.source)
        text += f" (<code>{escape(where)}:{finding.source.line}</code>)"
    return text


def _folded(title: str, finding: Finding) -> str:
    again = f"To reproduce: `{finding.again}`\n\n" if finding.again else ""
    if finding.show is None:
        return f"<p>{title}</p>\n\n{again}"
    written = io.StringIO()
    finding.show(Console(file=written, width=COLUMNS, color_system=None, force_terminal=False, legacy_windows=False))
    shown_lines = "\n".join(line.rstrip() for line in written.getvalue().strip("\n").splitlines())
    fence = "`" * (1 + max([2, *(len(run) for run in re.findall("`+", shown_lines))]))
    return f"<details><summary>{title}</summary>\n\n{again}{fence}text\n{shown_lines}\n{fence}\n\n</details>\n\n"


def _section(section: Section) -> str:
    """A table, with names on the left and all other columns centered."""
    heads, *rows = ([_escaped(cell) for cell in row] for row in section.brief())
    rules = ["---", *[":-:"] * (len(heads) - 1)]
    return f"### {_escaped(section.title)}\n\n{table(heads, rows, rules)}\n"


def _escaped(text: str) -> str:
    """The text, escaped for Markdown, HTML and tables."""
    return re.sub(r"([\\`*|\[\]~_])", r"\\\1", escape(_flat(text), quote=False))


def _flat(text: str) -> str:
    """The text in one line, since an empty line would end a block."""
    return " ".join(text.split())
