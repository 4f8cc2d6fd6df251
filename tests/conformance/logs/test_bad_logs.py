"""Bad logs at the command line: one sentence and exit 2, or a correct "inconclusive" and exit 3; never a pass or a traceback."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.logs.fleet import record_in_memory
from tests.conformance.cli.test_commands import Command, ondemand, sentence

__all__ = ["ondemand"]

Bytes = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs that conform."""
    folder = tmp_path_factory.mktemp("fleet")
    record_in_memory(folder, 400, agents=4)
    return folder


def planted(fleet: Path, folder: Path, change: Bytes, name: str = "ncm.ndjson") -> list[Path]:
    """The logs, with one of them changed."""
    for path in sorted(fleet.iterdir()):
        content = path.read_bytes()
        (folder / path.name).write_bytes(change(content) if path.name == name else content)
    return sorted(folder.iterdir())


def line(content: bytes, number: int, change: Bytes) -> bytes:
    """The content with one line changed, counted from 1; None removes it."""
    lines = content.split(b"\n")
    lines[number - 1 : number] = [changed] if (changed := change(lines[number - 1])) else []
    return b"\n".join(lines)


def replaced(old: bytes, new: bytes) -> Bytes:
    """Replaces a text, which must exist."""

    def change(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new)

    return change


def test_good_logs_conform_in_any_order(fleet: Path, ondemand: Command) -> None:
    logs = sorted(fleet.iterdir())
    for order in (logs, logs[::-1]):
        ended = ondemand("validate", "--protocol", "on-demand", *order)
        assert (ended.code, ended.out[:8]) == (0, "Conforms")


SENTENCES: list[tuple[Bytes, str]] = [
    (lambda _: b"", "is empty; expected a line of JSON for each event"),
    (lambda _: b"\n\n", ":1: is blank; expected an event in each line"),
    (lambda _: b"GIF89a\x00\xff\xfe", "has no complete line; expected a line of JSON for each event"),
    (lambda _: b"GIF89a\x00\xff\xfe\n", ":1: is not JSON in UTF-8 (invalid character (byte 0))"),
    (lambda _: '{"run": "ü"}\n'.encode("utf-16"), ":1: is not JSON in UTF-8 (invalid character (byte 0))"),
    (lambda content: line(content, 7, lambda _: b"{]"), ":7: is not JSON in UTF-8 ("),
    (
        lambda content: line(content, 7, replaced(b'"event.name":"', b'"event.name":"un')),
        ':7: event.name: unknown event "unon-demand.greet"; did you mean on-demand.greet?',
    ),
    (
        lambda content: line(content, 7, replaced(b'"time_unix_nano"', b'"surprise"')),
        ":7: surprise: unknown field of an event 'surprise'",
    ),
    (
        lambda content: line(content, 7, replaced(b'"sequence":7', b'"sequence":"7"')),
        ':7: sequence: expected an integer, found "7"',
    ),
    (
        lambda content: line(content, 7, replaced(b'"service.instance.id":"ncm"', b'"service.instance.id":"nmc"')),
        ':7: service.instance.id: expected dpm, ncm or aca/ and a host, found "nmc"',
    ),
    (lambda content: content + b" " * 1_000_001, "has more than 1,000,000 bytes; expected one event in each line"),
]


@pytest.mark.parametrize(("change", "said"), SENTENCES)
def test_an_invalid_log_ends_in_one_sentence_that_names_the_place(
    fleet: Path, tmp_path: Path, ondemand: Command, change: Bytes, said: str
) -> None:
    logs = planted(fleet, tmp_path, change)
    said_so = sentence(ondemand("validate", *logs))
    assert said_so.startswith(str(tmp_path / "ncm.ndjson"))
    assert said in said_so


def test_a_missing_or_repeated_log_is_reported_in_a_sentence(fleet: Path, ondemand: Command) -> None:
    ncm = fleet / "ncm.ndjson"
    assert "cannot be read (No such file or directory); name an existing log" in sentence(
        ondemand("validate", fleet / "nobody.ndjson")
    )
    assert "is named twice; name each log once" in sentence(ondemand("validate", ncm, ncm))
    assert "ondemand validate --help" in sentence(ondemand("validate"))


DOUBTFUL: list[tuple[Bytes, str]] = [
    (lambda content: content[:-40], "the last line is cut"),
    (lambda content: line(content, 9, lambda _: b""), "lines are missing"),
    (lambda content: line(content, 9, lambda item: item + b"\n" + item), "a line is repeated, or out of order"),
]


@pytest.mark.parametrize(("change", "said"), DOUBTFUL)
def test_an_incomplete_log_is_inconclusive(
    fleet: Path, tmp_path: Path, ondemand: Command, change: Bytes, said: str
) -> None:
    logs = planted(fleet, tmp_path, change)
    ended = ondemand("validate", "--protocol", "on-demand", *logs, "--json", "-")
    assert ended.code == 3
    result = json.loads(ended.out)
    assert result["verdict"] == "inconclusive"
    assert said in result["why"]
    assert "Traceback" not in ended.err


def test_a_truncated_compressed_log_is_inconclusive(fleet: Path, tmp_path: Path, ondemand: Command) -> None:
    logs = planted(fleet, tmp_path, lambda content: content)
    plain = tmp_path / "ncm.ndjson"
    whole = gzip.compress(plain.read_bytes())
    plain.unlink()
    packed = tmp_path / "ncm.ndjson.gz"
    others = [path for path in logs if path.name != "ncm.ndjson"]
    packed.write_bytes(whole)
    assert ondemand("validate", "--protocol", "on-demand", packed, *others).code == 0
    packed.write_bytes(whole[: len(whole) // 2])
    assert ondemand("validate", "--protocol", "on-demand", packed, *others).code == 3


def test_a_missing_log_is_inconclusive_and_named(fleet: Path, ondemand: Command) -> None:
    logs = [path for path in sorted(fleet.iterdir()) if path.name != "ncm.ndjson"]
    ended = ondemand("validate", "--protocol", "on-demand", *logs)
    assert ended.code == 3
    text = " ".join(ended.out.split())
    assert "the log of ncm, which sent what this line takes, is not given" in text
    assert "one too many" not in text


def test_the_first_line_that_does_not_fit_is_explained_as_text_json_and_page(
    fleet: Path, tmp_path: Path, ondemand: Command
) -> None:
    def not_told(content: bytes) -> bytes:
        lines = content.split(b"\n")
        place = next(place for place, one in enumerate(lines) if b'"on-demand.grant"' in one)
        return line(content, place + 1, replaced(b",true]]", b",false]]"))

    (tmp_path / "logs").mkdir()
    logs = planted(fleet, tmp_path / "logs", not_told)
    number = 1 + next(
        place
        for place, one in enumerate((tmp_path / "logs" / "ncm.ndjson").read_bytes().split(b"\n"))
        if b'"on-demand.grant"' in one
    )
    page, data = tmp_path / "why.html", tmp_path / "why.json"
    ended = ondemand("validate", "--protocol", "on-demand", *logs, "--html", page, "--json", data)
    assert ended.code == 1
    text = " ".join(ended.out.split())
    assert "".join(f"ncm.ndjson, line {number}: ncm says grant(".split()) in "".join(text.split())
    assert "The smallest change of the log 1. line" in text
    result = json.loads(data.read_text())
    assert result["divergence"]["line"] == result["explanation"]["line"] == number
    assert result["explanation"]["differences"][0]["field"].startswith("after.told(")
    assert f"ncm.ndjson, line {number}" in page.read_text()


def test_a_clock_that_goes_back_is_noted_and_changes_no_verdict(fleet: Path, tmp_path: Path, ondemand: Command) -> None:
    back = replaced(b'"time_unix_nano":17', b'"time_unix_nano":11')
    logs = planted(fleet, tmp_path, lambda content: line(content, 9, back))
    ended = ondemand("validate", "--protocol", "on-demand", *logs, "--json", "-")
    assert ended.code == 0
    note = f"The clock of ncm goes back at {tmp_path / 'ncm.ndjson'}:9; lines are not ordered by clocks."
    assert json.loads(ended.out)["notes"] == [note]
    assert note.split()[-1] in ended.err


def test_a_page_in_a_missing_folder_is_refused(fleet: Path, tmp_path: Path, ondemand: Command) -> None:
    said = sentence(ondemand("validate", fleet / "ncm.ndjson", "--html", tmp_path / "none" / "why.html"))
    assert "does not exist; create it, or name another file" in said
