"""Test cases as JUnit XML."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree

from conformance.report.places import shown
from conformance.report.result import Case, Result, verdict_of

_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML does not allow."""


def as_junit(result: Result) -> str:
    """One suite. What does not hold is a failure, and so is what is undecided."""
    cases, verdict = list(result.cases), verdict_of(result.exit)
    if verdict != "holds" and all(case.verdict == "holds" for case in cases):  # what is wrong is no case's own
        cases += [Case(finding.title, verdict, finding.text, source=finding.source) for finding in result.findings]
    wrong = sum(case.verdict != "holds" for case in cases)
    root = ElementTree.Element(
        "testsuite",
        name=result.command,
        tests=str(len(cases)),
        failures=str(wrong),
        time=f"{result.seconds:.3f}",
    )
    for asked in cases:
        case = ElementTree.SubElement(
            root, "testcase", classname=result.command, name=_plain(asked.name), time=f"{asked.seconds:.3f}"
        )
        if asked.source is not None:
            case.set("file", shown(asked.source))
            case.set("line", str(asked.source.line))
        if asked.verdict != "holds":
            ElementTree.SubElement(case, "failure", type=asked.verdict, message=_plain(asked.why or asked.verdict))
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _plain(text: str) -> str:
    return _FORBIDDEN.sub("?", text)
