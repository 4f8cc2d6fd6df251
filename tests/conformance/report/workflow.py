"""Just enough of the form of a workflow file to read ours, and of what runs one to try its steps."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read(text: str) -> Any:
    """Mappings, lists, texts and blocks of text, by indentation. What is anything else is an error."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    value, rest = _value(lines, 0)
    assert not rest, rest
    return value


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _value(lines: list[str], indent: int) -> tuple[Any, list[str]]:
    assert _indent(lines[0]) == indent, lines[0]
    if lines[0].lstrip().startswith("- "):
        items = []
        while lines and _indent(lines[0]) == indent and lines[0].lstrip().startswith("- "):
            first = " " * (indent + 2) + lines[0].lstrip()[2:]
            item, lines = _value([first, *lines[1:]], indent + 2)
            items.append(item)
        return items, lines
    made: dict[str, Any] = {}
    while lines and _indent(lines[0]) == indent:
        found = re.fullmatch(r"([\w-]+):(?: (.*))?", lines[0].strip())
        assert found, lines[0]
        key, said = found[1], found[2]
        assert key not in made, f"{key} stands there twice"
        lines = lines[1:]
        if said == "|":
            block = _while_deeper(lines, indent)
            assert block, f"{key}: says nothing"
            made[key], lines = "".join(f"{line.strip()}\n" for line in block), lines[len(block) :]
        elif said is None:
            assert lines, f"{key}: says nothing"
            assert _indent(lines[0]) > indent, f"{key}: says nothing"
            made[key], lines = _value(lines, _indent(lines[0]))
        else:
            made[key] = _scalar(said)
    return made, lines


def _while_deeper(lines: list[str], indent: int) -> list[str]:
    found = []
    for line in lines:
        if _indent(line) <= indent:
            break
        found.append(line)
    return found


def _scalar(said: str) -> Any:
    if said.startswith("["):
        return [part.strip() for part in said.strip("[]").split(",")]
    return json.loads(said) if said.startswith('"') else said


def filled(text: str, known: Mapping[str, str], workspace: Path) -> str:
    """Expressions by their values; `hashFiles` by whether there is such a file."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        hashed = re.fullmatch(r"hashFiles\('([^']+)'\)", name)
        if hashed:
            files = list(workspace.glob(hashed[1]))
            assert files, f"{hashed[1]}: there is no such file"
            return "digest"
        return known[name]

    return re.sub(r"\$\{\{ (.+?) \}\}", value, text)
