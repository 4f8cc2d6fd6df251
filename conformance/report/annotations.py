"""Annotations of a GitHub build: a violation appears beside the line of the specification that it is about."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.report.places import in_repository, shown
from conformance.report.result import Finding, Result


def as_annotations(result: Result) -> Iterator[str]:
    """A line for each finding, violations first: GitHub shows only the first ten of a step."""
    for finding in sorted(result.findings, key=lambda finding: finding.undecided):
        yield _annotation(finding)


def _annotation(finding: Finding) -> str:
    properties, text = {}, finding.text
    if finding.source is not None:
        file = in_repository(finding.source)
        if file is not None:
            properties = {"file": file, "line": str(finding.source.line)}
        else:
            text = f"{text} ({shown(finding.source)}, line {finding.source.line})"
    properties["title"] = finding.title
    level = "warning" if finding.undecided else "error"
    listed = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    return f"::{level} {listed}::{_escaped(text)}"


def _escaped(text: str, besides: str = "") -> str:
    """Escapes text for an annotation. `besides`: further characters, since a property ends at a comma and its name at a colon."""
    for character in f"%\r\n{besides}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
