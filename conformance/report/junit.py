"""Test cases as JUnit XML."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree

from conformance.report.places import shown
from conformance.report.result import Result

_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML does not allow."""


def as_junit(result: Result) -> str:
    """One suite. What does not hold is a failure, and so is what is undecided."""
    wrong = sum(case.verdict != "holds" for case in result.cases)
    root = ElementTree.Element(
        "testsuite",
        name=result.command,
        tests=str(len(result.cases)),
        failures=str(wrong),
        time=f"{result.seconds:.3f}",
    )
    for asked in result.cases:
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
