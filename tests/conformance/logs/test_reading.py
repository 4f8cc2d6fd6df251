"""An invalid log ends in one sentence with file, line and field; a long log needs no more memory than a short one."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conformance.logs import lines, reading
from conformance.logs.lines import Text, Vocabulary
from conformance.logs.names import RECORDED
from conformance.logs.reading import BLOCK, LogFile, Record, read
from impl.cli.exits import Exit, Problem
from impl.events.event_schema import STUTTERS
from impl.events.line import LINE_BYTES_MAX, Line
from model.language.terms import Enumeration, Number, Value
from spec.on_demand.vocabulary import Pod, Request

GRANT: dict[str, Any] = {
    "service.instance.id": "ncm",
    "run": "5c1a",
    "sequence": 812,
    "time_unix_nano": 1,
    "event.name": "on-demand.grant",
    "attributes": {
        "host": "h1",
        "epoch": 1,
        "asked_by": "1.17",
        "source": "red/10.0.0.1",
        "destination": "red/10.0.0.2",
        "version": 3,
    },
    "messaging.message.id": "aca/h1:00112233445566ff:14.0",
    "sent": [["granted", "h1", 1, "1.17", "red/10.0.0.2", 3]],
    "after": {"told": [["h1", "red/10.0.0.2", True]]},
}


def but(**changes: Any) -> str:
    """The line with other values; dots in names are written as two underscores."""
    return json.dumps({**GRANT, **{name.replace("__", "."): value for name, value in changes.items()}})


def without(*names: str) -> str:
    """The line without some fields."""
    return json.dumps({name: value for name, value in GRANT.items() if name not in names})


def log(tmp_path: Path, *raw: str | bytes, end: bytes = b"\n") -> Path:
    """A log of these lines."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\n".join(item if isinstance(item, bytes) else item.encode() for item in raw) + end)
    return path


def refused(path: Path) -> str:
    """The error of reading the log, without the file name."""
    with pytest.raises(Problem) as problem:
        list(LogFile(path))
    assert problem.value.code is Exit.BAD_INPUT
    return str(problem.value).removeprefix(str(path))


FAULTS: list[tuple[str | bytes, str]] = [
    ("", ":1: is blank; expected an event in each line"),
    ("{", ":1: is not JSON in UTF-8 (input data was truncated)"),
    ("nothing", ":1: is not JSON in UTF-8 (invalid character (byte 4))"),
    (b'{"run": "\xff"}', ":1: is not JSON in UTF-8 (invalid start byte)"),
    ("[1]", ":1: expected an object, found [1]"),
    ("[" * 100_000, ":1: is nested too deeply; expected one event"),
    (without("run"), ":1: run: is missing; every event has it"),
    (without("event.name"), ":1: event.name: is missing; every event has it"),
    (but(sequence="812"), ':1: sequence: expected an integer, found "812"'),
    (but(run=7), ":1: run: expected text, found 7"),
    (but(attributes=[]), ":1: attributes: expected an object, found []"),
    (but(attributes={"host": None}), ":1: attributes.host: expected an integer or text, found null"),
    (but(attributes={"host": "H1/x"}), ':1: attributes.host: expected a host\'s name, found "H1/x"'),
    (but(attributes={"host": 1}), ":1: attributes.host: expected a host's name, found 1"),
    (but(attributes={"epoch": "1"}), ':1: attributes.epoch: expected an integer >= 0, found "1"'),
    (but(attributes={"epoch": -1}), ":1: attributes.epoch: expected an integer >= 0, found -1"),
    (but(attributes={"source": "red"}), ':1: attributes.source: expected a pod as vpc/address, found "red"'),
    (but(attributes={"asked_by": 17}), ":1: attributes.asked_by: expected a request as epoch.number, found 17"),
    (
        but(event__name="on-demand.refuse", attributes={"why": "busy"}),
        ':1: attributes.why: expected not_your_source or other_vpc or unknown or gone, found "busy"',
    ),
    (
        but(event__name="on-demand.grnt"),
        ':1: event.name: unknown event "on-demand.grnt"; did you mean on-demand.grant?',
    ),
    (but(event__name="xyz"), ':1: event.name: unknown event "xyz"; docs/event-log.schema.json lists them all'),
    (
        but(attributes={"hots": "h1"}),
        ':1: attributes.hots: on-demand.grant has no parameter "hots" (did you mean host?); '
        "choose among host, epoch, asked_by, source, destination, version",
    ),
    (
        but(sent=[["grant", "h1"]]),
        ":1: sent[0]: 'grant' is no message (did you mean granted?); "
        "choose among config, report, hello, request, applied, route, granted, refused",
    ),
    (
        but(sent=[["push", "h1"]]),
        ":1: sent[0]: 'push' is no message; choose among config, report, hello, request, "
        "applied, route, granted, refused",
    ),
    (
        but(sent=[[]]),
        ":1: sent[0]: '' is no message; choose among config, report, hello, request, applied, route, granted, refused",
    ),
    (but(sent=[["route", "h1"]]), ":1: sent[0]: expected 4 values (host, epoch, pod, version), found 1"),
    (
        but(sent=[["route", "h1", 1, "red/1", "3"]]),
        ':1: sent[0].version: expected an integer >= 0, found "3"',
    ),
    *(
        (
            but(messaging__message__id=wrong),
            f":1: messaging.message.id: expected process:run:sequence.index, found {shown}",
        )
        for wrong, shown in [
            ("x", '"x"'),
            ("ncm:00112233445566ff:14", '"ncm:00112233445566ff:14"'),
            ("ncm:00112233445566ff:0.1", '"ncm:00112233445566ff:0.1"'),
            ("ncm:0011:14.0", '"ncm:0011:14.0"'),
            ("nmc:00112233445566ff:14.0", '"nmc:00112233445566ff:14.0"'),
        ]
    ),
    (
        but(service__instance__id="dpm"),
        ":1: event.name: on-demand.grant is a step of ncm, not of dpm",
    ),
    (
        but(service__instance__id="aca/h2", event__name="on-demand.evict", attributes={"host": "h1", "pod": "red/1"}),
        ':1: attributes.host: expected h2, the host of this agent, found "h1"',
    ),
    (but(sequence=0), ":1: sequence: expected an integer >= 1, found 0"),
    (but(service__instance__id="nmc"), ':1: service.instance.id: expected dpm, ncm or aca/ and a host, found "nmc"'),
    (
        but(event__name="process.stopped", attributes={"host": "h1"}, sent=[], after={}),
        ':1: attributes.host: process.stopped has no parameter "host"; it has none',
    ),
    (
        but(event__name="message.ignored", attributes={}, sent=[["granted", "h1"]]),
        ":1: sent[0]: 'granted' is no message; choose among on-demand.config, "
        "on-demand.report, on-demand.hello, on-demand.request, on-demand.applied, on-demand.route, on-demand.granted, "
        "on-demand.refused, message-queue.push, message-queue.subscribe, message-queue.hello, message-queue.accepted, "
        "message-queue.declined, message-queue.applied",
    ),
    (but(sent=[7]), ":1: sent: expected a list, found an integer"),
    (
        but(after={"tld": []}),
        ":1: after.tld: 'tld' is no piece of state (did you mean told?); choose among latest, at, outcome, recorded, "
        "greeted, told, pending, change, removed, epoch, known, installed, waiting, used, paused",
    ),
    (but(after={"told": [["h1", "red/1", 1]]}), ":1: after.told[0].value: expected true or false, found 1"),
    (but(after={"told": [["h1", True]]}), ":1: after.told[0]: expected 3 values (host, pod, value), found 2"),
    (but(after={"told": 5}), ":1: after.told: expected a list, found 5"),
    (
        but(state={"recorded": [["red/1", "x"]]}),
        ':1: state.recorded[0].value: expected an integer >= 0, found "x"',
    ),
]


@pytest.mark.parametrize(("raw", "sentence"), FAULTS)
def test_an_invalid_line_is_reported_with_line_and_field(tmp_path: Path, raw: str | bytes, sentence: str) -> None:
    assert refused(log(tmp_path, raw)) == sentence


def test_an_unknown_field_is_named(tmp_path: Path) -> None:
    found = refused(log(tmp_path, but(), but(sequenze=1)))
    assert found.startswith(":2: sequenze: 'sequenze' is no field of an event (did you mean sequence?); choose among ")


def test_the_line_that_is_wrong_is_counted_over_blocks_and_nothing_before_it_is_lost(tmp_path: Path) -> None:
    path = log(tmp_path, *[but()] * 3000, but(sequence=True), but())
    assert path.stat().st_size > 2 * reading.BLOCK
    found: list[Record] = []
    with pytest.raises(Problem, match=":3001: sequence: expected an integer, found true"):
        found.extend(LogFile(path))
    assert [record.number for record in found] == list(range(1, 3001))


def test_a_log_without_lines_is_no_log(tmp_path: Path) -> None:
    assert refused(log(tmp_path, end=b"")) == ": is empty; expected a line of JSON for each event"


def test_a_missing_log_is_reported_in_a_sentence(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory); name an existing log" in refused(tmp_path / "events.ndjson")
    assert "cannot be read (Is a directory); name an existing log" in refused(tmp_path)


def test_a_truncated_last_line_is_reported_and_no_error(tmp_path: Path) -> None:
    whole = LogFile(log(tmp_path, but(), but()))
    assert [record.number for record in whole] == [1, 2]
    assert whole.cut is None
    for length in (1, 40, 200, len(but()) - 1):
        cut = LogFile(log(tmp_path, but(), but()[:length], end=b""))
        assert [record.number for record in cut] == [1]
        assert cut.cut == f"{cut.file}:2: the last line is cut"


def test_a_complete_last_line_without_a_newline_counts(tmp_path: Path) -> None:
    whole = LogFile(log(tmp_path, but(), but(), end=b""))
    assert [record.number for record in whole] == [1, 2]
    assert whole.cut is None


def test_a_complete_invalid_last_line_is_not_taken_for_truncated(tmp_path: Path) -> None:
    assert refused(log(tmp_path, but(), but(sequence="x"), end=b"")).startswith(":2: sequence: expected an integer")


def test_a_log_of_half_a_line_has_no_records(tmp_path: Path) -> None:
    assert (
        refused(log(tmp_path, but()[:50], end=b"")) == ": has no complete line; expected a line of JSON for each event"
    )


def test_a_cut_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    assert refused(log(tmp_path, but(), but()[:50], but())) == ":2: is not JSON in UTF-8 (input data was truncated)"


def test_a_compressed_log_is_read_and_a_cut_one_says_so(tmp_path: Path) -> None:
    text = "".join(f"{but(sequence=number)}\n" for number in range(1, 5001)).encode()
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress(text))
    assert [record.line.sequence for record in LogFile(path)] == list(range(1, 5001))
    path.write_bytes(gzip.compress(text)[:-300])
    cut = LogFile(path)
    numbers = [record.number for record in cut]
    assert numbers == list(range(1, len(numbers) + 1))
    assert 0 < len(numbers) < 5000
    assert cut.cut is not None
    assert "is truncated" in cut.cut


def test_a_file_that_is_not_gzip_is_reported_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson.gz"
    path.write_text(but())
    assert refused(path).startswith(": is not a gzip file (")


def test_several_logs_are_read_one_after_the_other(tmp_path: Path) -> None:
    first, other = tmp_path / "one", tmp_path / "other"
    first.write_text(f"{but(sequence=1)}\n{but(sequence=2)}\n")
    other.write_text(f"{but(sequence=3)}\n")
    places = [(record.place, record.line.sequence) for record in read([first, other])]
    assert places == [(f"{first}:1", 1), (f"{first}:2", 2), (f"{other}:1", 3)]


def test_parameters_may_be_missing_since_a_log_may_be_incomplete(tmp_path: Path) -> None:
    (record,) = LogFile(log(tmp_path, but(attributes={"host": "h1"})))
    assert record.line.attributes == {"host": "h1"}


class _Endless:
    """A stream of complete lines, generated while it is read."""

    def __init__(self, count: int) -> None:
        self._left = count

    def __enter__(self) -> _Endless:
        return self

    def __exit__(self, *_: object) -> None:
        self._left = 0

    def read1(self, size: int) -> bytes:
        line = (
            f"{but(sequence=self._left, attributes={**GRANT['attributes'], 'asked_by': f'1.{self._left}'})}\n".encode()
        )
        count = min(self._left, size // len(line))
        self._left -= count
        return line * count


def _peak(count: int, monkeypatch: pytest.MonkeyPatch) -> int:
    def opened(_: LogFile) -> BufferedReader:
        stream: Any = _Endless(count)
        return stream  # type: ignore[no-any-return]

    monkeypatch.setattr(LogFile, "_opened", opened)
    vocabulary = Vocabulary()
    tracemalloc.start()
    try:
        assert sum(1 for _ in LogFile("endless", vocabulary)) == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    _peak(5_000, monkeypatch)
    short, long = _peak(20_000, monkeypatch), _peak(80_000, monkeypatch)
    assert long < 1.2 * short


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Line(_Endless):
        def read1(self, size: int) -> bytes:
            self._left -= 1
            assert self._left > 0, "a line without an end was read on and on"
            return b"x" * size

    def opened(_: LogFile) -> BufferedReader:
        stream: Any = Line(2 * LINE_BYTES_MAX // BLOCK)
        return stream  # type: ignore[no-any-return]

    monkeypatch.setattr(LogFile, "_opened", opened)
    with pytest.raises(Problem, match=f"endless:1: has more than {LINE_BYTES_MAX:,} bytes; expected one event in each"):
        list(LogFile("endless"))


def test_names_are_cached_up_to_a_bound_and_checked_beyond_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "REMEMBERED_MAX", 3)
    vocabulary = Vocabulary()
    (record,) = _records(but())
    for number in range(10):
        attributes = {**record.line.attributes, "source": f"red/{number}"}
        assert vocabulary.accepts(_with(attributes))
        assert not vocabulary.accepts(_with({**attributes, "source": f"red{number}"}))
        assert 0 < len(vocabulary._names["S_Pod"]) <= 3


def _records(*raw: str) -> Iterator[Record]:
    for number, one in enumerate(raw, start=1):
        yield Record("x", number, msgspec.json.decode(one, type=Line))


def _with(attributes: dict[str, Any]) -> Line:
    return next(_records(but(attributes=attributes))).line


def _example(sort: type[Value]) -> Any:
    if issubclass(sort, Number):
        return 1
    if issubclass(sort, Enumeration):
        return sort.names()[-1]
    names: dict[type[Value], str] = {Pod: "red/10.0.0.1", Request: "1.17", Text: "why"}
    return names.get(sort, "h1")


@pytest.mark.parametrize("event", Vocabulary().events)
def test_every_event_of_every_protocol_is_accepted_as_declared_and_no_other_way(event: str) -> None:
    vocabulary = Vocabulary()
    parameters = vocabulary.parameters(event)
    whole = {name: _example(sort) for name, sort in parameters.items()}
    process = {"dpm": "dpm", "aca": "aca/h1"}.get(vocabulary._actors.get(event, ""), "ncm")
    said = {"service__instance__id": process, "event__name": event, "sent": [], "after": {}}
    assert vocabulary.accepts(next(_records(but(**said, attributes=whole))).line)
    assert (event in STUTTERS) == (event.split(".")[1] not in {a.name for p in RECORDED for a in p.actions})
    for name in parameters:
        line = next(_records(but(**said, attributes={**whole, name: -1}))).line
        assert not vocabulary.accepts(line)
        found = vocabulary.fault(line)
        assert found is not None
        assert found[0] == f"attributes.{name}"


def test_the_fast_path_and_the_slow_one_agree(tmp_path: Path) -> None:
    """Rejected lines have a sentence; accepted lines have none."""
    vocabulary = Vocabulary()
    assert vocabulary.accepts(next(_records(but())).line)
    assert vocabulary.fault(next(_records(but())).line) is None
    for raw, sentence in FAULTS:
        try:
            (record,) = _records(raw if isinstance(raw, str) else raw.decode("latin1"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue  # not decodable, so neither path applies
        assert not vocabulary.accepts(record.line), sentence
        assert vocabulary.fault(record.line) is not None, sentence
