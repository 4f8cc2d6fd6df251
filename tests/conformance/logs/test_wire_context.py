"""Validation checks the schema of messages and state only where they were not compared with the model, and misses no error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.logs.fleet import record_in_memory
from conformance.logs.one_pass import validate
from conformance.logs.reading import LogFile
from impl.cli.exits import Problem

Lines = list[dict[str, Any]]
Slip = Callable[[Any], Any]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Lines]:
    """The logs of a small fleet, by file name."""
    folder = tmp_path_factory.mktemp("words")
    recorded = record_in_memory(folder, 3_000, agents=10)
    return {path.name: [json.loads(line) for line in path.read_text().splitlines()] for path in recorded.files}


def _problem(logs: dict[str, Lines], folder: Path, name: str, number: int, line: dict[str, Any]) -> str:
    files = []
    for file, lines in logs.items():
        changed = [*lines[:number], line, *lines[number + 1 :]] if file == name else lines
        (folder / file).write_text("".join(f"{json.dumps(item)}\n" for item in changed))
        files.append(LogFile(folder / file))
    with pytest.raises(Problem) as found:
        validate(files)
    return str(found.value).removeprefix(f"{folder}/")


def _entries(logs: dict[str, Lines], key: str, wanted: Callable[[str, list[Any]], bool]) -> tuple[str, int, str, int]:
    """File, line, symbol and index of the last matching entry, in a line that is not the first of its process."""
    return [
        (name, number, symbol, place)
        for name, lines in logs.items()
        for number, line in enumerate(lines)
        if number and line["event.name"].startswith("on-demand.") and "state" not in line
        for symbol, entries in line.get(key, {}).items()
        for place, entry in enumerate(entries)
        if wanted(symbol, entry)
    ][-1]


SLIPS: dict[str, tuple[Callable[[str, list[Any]], bool], Slip, str]] = {
    "one for true, of what changes": (
        lambda symbol, entry: symbol == "waiting" and entry[-1] is True,
        lambda entry: [*entry[:-1], 1],
        "after.waiting[{}].value: expected true or false, found 1",
    ),
    "nought for false, of what changes": (
        lambda symbol, entry: symbol == "waiting" and entry[-1] is False,
        lambda entry: [*entry[:-1], 0],
        "after.waiting[{}].value: expected true or false, found 0",
    ),
    "one for true, of what is only read": (
        lambda symbol, entry: symbol == "installed" and entry[-1] is True,
        lambda entry: [*entry[:-1], 1],
        "after.installed[{}].value: expected true or false, found 1",
    ),
    "true for one, as a value": (
        lambda symbol, entry: symbol == "known" and entry[-1] == 1,
        lambda entry: [*entry[:-1], True],
        "after.known[{}].value: expected an integer >= 0, found true",
    ),
    "true for one, as an argument": (
        lambda symbol, entry: symbol == "at" and entry[1] == 1,
        lambda entry: [entry[0], True, *entry[2:]],
        "after.at[{}].version: expected an integer >= 0, found true",
    ),
    "true for one, among many": (
        lambda symbol, entry: symbol == "pending" and entry[1] == 1 and entry[-1] is True,
        lambda entry: [entry[0], True, *entry[2:]],
        "after.pending[{}].version: expected an integer >= 0, found true",
    ),
    "an entry of nothing": (
        lambda symbol, entry: symbol == "installed",
        lambda _: [],
        "after.installed[{}]: expected 3 values (host, pod, value), found 0",
    ),
    "what is not there, in words that do not exist": (
        lambda symbol, entry: symbol == "installed",
        lambda _: ["no host at all", "nor/a/pod", False],
        'after.installed[{}].host: expected a host\'s name, found "no host at all"',
    ),
}


@pytest.mark.parametrize("name", SLIPS)
def test_an_invalid_value_in_an_entry_that_compares_equal_is_found(
    name: str, logs: dict[str, Lines], tmp_path: Path
) -> None:
    wanted, slip, said = SLIPS[name]
    file, number, symbol, place = _entries(logs, "after", wanted)
    line = json.loads(json.dumps(logs[file][number]))
    line["after"][symbol][place] = slip(line["after"][symbol][place])
    assert _problem(logs, tmp_path, file, number, line) == f"{file}:{number + 1}: {said.format(place)}"


def test_an_unknown_message_is_found(logs: dict[str, Lines], tmp_path: Path) -> None:
    number = max(place for place, line in enumerate(logs["ncm.ndjson"]) if line["event.name"] == "on-demand.grant")
    line = json.loads(json.dumps(logs["ncm.ndjson"][number]))
    line["sent"][0][-1] = "three"
    found = _problem(logs, tmp_path, "ncm.ndjson", number, line)
    assert re.fullmatch(
        rf"ncm.ndjson:{number + 1}: sent\[0\].version: expected an integer >= 0, found \"three\"", found
    )


def test_an_invalid_value_in_a_line_that_is_never_taken_is_found(logs: dict[str, Lines], tmp_path: Path) -> None:
    """The line waits behind one whose message no logged line sent."""
    name = next(name for name in logs if name.startswith("host"))
    taking = next(place for place, line in enumerate(logs[name]) if place and "messaging.message.id" in line)
    number = next(
        place for place, line in enumerate(logs[name]) if place > taking and "installed" in line.get("after", {})
    )
    line = json.loads(json.dumps(logs[name][number]))
    line["after"]["installed"][0][-1] = 1
    without_ncm = {file: lines for file, lines in logs.items() if file != "ncm.ndjson"}
    found = _problem(without_ncm, tmp_path, name, number, line)
    assert found == f"{name}:{number + 1}: after.installed[0].value: expected true or false, found 1"
