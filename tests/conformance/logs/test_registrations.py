"""Hosts that are registered late or again: in the statement they exist from the start, and yet the logs conform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from conformance.logs.fleet import record_in_memory
from conformance.logs.one_pass import validate
from conformance.logs.reading import LogFile
from conformance.logs.registrations import REGISTERED, Registrations
from conformance.logs.verdict import Verdict
from impl.events.line import Line, decoded, encoded


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """The logs of a fleet in which hosts are registered late, and again."""
    return record_in_memory(tmp_path_factory.mktemp("fleet"), 9_000, agents=15).files


def judged(logs: Sequence[Path]) -> Verdict:
    return validate([LogFile(path) for path in logs])


def of(logs: Sequence[Path], name: str) -> tuple[Path, list[Line]]:
    path = next(log for log in logs if log.stem == name)
    return path, [decoded(line) for line in path.read_bytes().splitlines()]


def test_hosts_registered_late_or_again_are_no_divergence(logs: Sequence[Path]) -> None:
    found = judged(logs)
    assert found.verdict == "conforms", found.as_json()
    _, lines = of(logs, "ncm")
    registered = [str(line.attributes["host"]) for line in lines if line.event == REGISTERED]
    assert len(registered) > len(set(registered)), "no host was registered again"
    stored = [line.after or {} for line in lines if line.event == "on-demand.store"]
    stored_before = [entry for after in stored for entry in after.get("told", ()) if entry[-1] is False]
    assert stored_before, "no version was stored before its place was registered"


@contextmanager
def nothing(*_: object) -> Iterator[bool]:
    yield False


@pytest.mark.parametrize("without", ["absent", "note"])
def test_without_registrations_such_logs_would_diverge(
    logs: Sequence[Path], monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    monkeypatch.setattr(Registrations, without, nothing if without == "absent" else lambda *_: None)
    assert judged(logs).verdict != "conforms"


@pytest.mark.parametrize("symbol", ["told", "pending"])
def test_the_initial_state_of_a_host_is_compared_with_what_is_placed_there(
    logs: Sequence[Path], tmp_path: Path, symbol: str
) -> None:
    path, lines = of(logs, "ncm")
    place = next(
        number
        for number, line in enumerate(lines)
        if line.event == REGISTERED and "on-demand.told" in (line.after or {})
    )
    line = lines[place]
    host, pod, _ = (line.after or {})["on-demand.told"][0]
    stated = {"told": (), "pending": ((pod, 1, host, True),)}[symbol]
    lines[place] = msgspec.structs.replace(line, after={**(line.after or {}), f"on-demand.{symbol}": stated})
    changed = tmp_path / path.name
    changed.write_bytes(b"".join(encoded(each_line) + b"\n" for each_line in lines))
    found = judged([changed if log == path else log for log in logs])
    assert found.verdict == "diverges", found.as_json()
    assert found.divergence is not None
    assert (found.divergence.record.number, found.divergence.misfit.field) == (place + 1, f"after.{symbol}")
