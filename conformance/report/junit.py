"""Test cases as JUnit XML."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree

from conformance.report.places import shown
from conformance.report.result import Result

_UNSPEAKABLE: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML has no way to say."""


def as_junit(result: Result) -> str:
    """One suite. What does not hold is a failure, and what is not decided is one too: it is no pass."""
    wrong = sum(case.verdict != "holds" for case in result.cases)
    root = ElementTree.Element(
        "testsuite",
        name=result.command,
        tests=str(len(result.cases)),
        failures=str(wrong),
        time=f"{result.seconds:.3f}",
    )
    for case_ in result.cases:
        case = ElementTree.SubElement(
            root, "testcase", classname=result.command, name=_plain(case_.name), time=f"{case_.seconds:.3f}"
        )
        if case_.source is not None:
            case.set("file", shown(case_.source))
            case.set("line", str(case_.source.line))
        if case_.verdict != "holds":
            ElementTree.SubElement(case, "failure", type=case_.verdict, message=_plain(case_.why or case_.verdict))
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _plain(text: str) -> str:
    return _UNSPEAKABLE.sub("?", text)
