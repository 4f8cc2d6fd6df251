"""Memory does not grow with the logs. A line that depends on dropped state is inconclusive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from conformance.logs import fleet, retention, validate
from conformance.logs.causal_order import RUNS_MAX, CausalOrder
from conformance.logs.reading import LogFile, Record
from conformance.logs.validate import Validation
from conformance.logs.verdict import Verdict
from conformance.watch import checkpoint as checkpoints
from impl.events.line import Line
from model.matching import interval_set
from model.matching.forgotten import FORGOTTEN

WINDOW = 3_000
LINES = 10_000
AGENTS = 4


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SWEEP_EVERY", 128)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """The lines of a fleet in which no message is later than the window, in the order in which they were written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fleet, "LATE", (50, 100))
        made = fleet.record_in_memory(tmp_path_factory.mktemp("fleet"), 4 * LINES, agents=AGENTS)
    return sorted((record for path in made.files for record in LogFile(path)), key=lambda item: item.line.time)


def fed(records: Sequence[Record], window: int = WINDOW) -> Validation:
    validation = Validation(window=window)
    for record in records:
        assert validation.feed(record) is None, validation.stopped
    return validation


def entries(validation: Validation) -> int:
    """The total number of entries kept, of the state and of intervals of dropped entries."""
    some = 0
    for matcher in validation.matchers.values():
        tables = matcher.tables
        some += sum(len(tables.table(name)) for name in tables.layout.kept)
        some += sum(map(len, tables.gone.values())) + sum(map(len, tables.past.values()))
    return some


def peaks(records: Sequence[Record], window: int) -> Iterator[int]:
    """The most entries that are kept in each quarter of the logs."""
    validation, most = Validation(window=window), 0
    for number, record in enumerate(records, 1):
        assert validation.feed(record) is None, validation.stopped
        if not number % 500:
            most = max(most, entries(validation))
        if not number % LINES:
            yield most
            most = 0
    assert validation.finish().verdict == "conforms", validation.finish()


def test_memory_does_not_grow_with_the_logs(records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interval_set, "RUNS_MAX", 2)  # so that each set soon has its maximal number of intervals
    _, early, *_, late = peaks(
        records, WINDOW
    )  # the first quarter begins with nothing: agents, pods and pauses fill up
    assert late < 1.25 * early
    monkeypatch.setattr(validate, "sweep", lambda matcher, window, complete: None)
    *_, remembered = peaks(records, WINDOW)
    assert remembered > 3 * late, "there was nothing to forget"


# ---------------------------------------------------------------------------------- lines about dropped state


def answered_again(validation: Validation, records: Sequence[Record], *, forgotten: bool) -> Line:
    """A refusal or grant of NCM's log repeated at the end of the log, for a request of a current epoch."""
    tables = validation.tables("on-demand")
    observer = validation.matchers["on-demand"].observer
    state = tables.copy()
    for record in records if forgotten else reversed(records):
        line = record.line
        if line.event not in ("on-demand.refuse", "on-demand.grant"):
            continue
        given = line.attributes
        message = tuple(given[name] for name in ("host", "epoch", "asked_by", "source", "destination"))
        if (message not in tables.table("request")) != forgotten:
            continue
        state.put("request", message, True)
        ready = observer.actions[line.event.partition(".")[2]]
        if ready.refuses(state, *(given[name] for name in ready.names)) == -1:
            process = validation.causal_order.processes["ncm"]
            return msgspec.structs.replace(line, run=process.run, sequence=process.sequence + 1, after=None, state=None)
    raise AssertionError("nothing was answered that could be answered again")


def ended(validation: Validation, *lines: Line) -> Verdict:
    """The verdict if these lines come last."""
    for number, line in enumerate(lines, 1):
        if validation.feed(Record("more.ndjson", number, line)) is not None:
            break
    return validation.finish()


def test_a_late_answer_to_a_dropped_request_is_inconclusive_and_its_place_is_reported(records: list[Record]) -> None:
    validation = fed(records)
    late = answered_again(validation, records, forgotten=True)
    next_one = answered_again(validation, records, forgotten=False)
    found = ended(validation, late, msgspec.structs.replace(next_one, sequence=late.sequence + 1))
    assert found.verdict == "inconclusive"
    assert found.why.startswith(f"more.ndjson:1: request({late.attributes['host']}, ")
    assert "was dropped: it is older than --window 3,000; set a larger window" in found.why
    assert found.counts["lines about what was forgotten"] == 1
    assert found.events == len(records) + 2, "what follows is not looked at"
    assert ended(fed(records, 10 * len(records)), late).verdict == "conforms"


def test_a_misfit_after_a_dropped_request_still_diverges(records: list[Record]) -> None:
    validation = fed(records)
    late = answered_again(validation, records, forgotten=True)
    wrong = {**late.attributes, "epoch": 77}
    assert ended(validation, msgspec.structs.replace(late, attributes=wrong)).verdict == "diverges"
    assert ended(fed(records), msgspec.structs.replace(late, sent=())).verdict == "diverges"


def test_an_answer_to_a_request_never_sent_is_decided_as_if_nothing_were_dropped(
    records: list[Record],
) -> None:
    validation = fed(records)
    line = answered_again(validation, records, forgotten=True)
    asked_by = line.attributes["asked_by"]
    never = f"{str(asked_by).partition('.')[0]}.99999999"
    sent = tuple(tuple(never if item == asked_by else item for item in message) for message in line.sent or ())
    wrong = msgspec.structs.replace(line, attributes={**line.attributes, "asked_by": never}, sent=sent)
    found, whole = ended(validation, wrong), ended(fed(records, 10 * len(records)), wrong)
    assert (found.verdict, found.why, found.counts) == (whole.verdict, whole.why, whole.counts)
    assert "lines about what was forgotten" not in found.counts


@pytest.mark.parametrize("event", ["on-demand.report_done", "on-demand.report_failed"])
def test_a_version_does_not_end_twice_though_its_outcome_was_dropped(records: list[Record], event: str) -> None:
    validation = fed(records)
    tables, process = validation.tables("on-demand"), validation.causal_order.processes["ncm"]
    pod = next(record.line.attributes["pod"] for record in records if record.line.event == "on-demand.report_done")
    assert tables.get("change", (pod, 1)) == FORGOTTEN
    last = next(each_record.line for each_record in reversed(records) if each_record.line.process == "ncm")
    line = msgspec.structs.replace(
        last, sequence=process.sequence + 1, event=event, attributes={"pod": pod, "version": 1}, sent=None, after=None
    )
    assert ended(validation, msgspec.structs.replace(line, taken=None, state=None)).verdict == "diverges"


def test_a_misfit_with_retained_state_diverges(records: list[Record]) -> None:
    place = max(number for number, record in enumerate(records) if record.line.event == "on-demand.grant")
    validation = fed(records[:place])
    line = records[place].line
    wrong = {**line.attributes, "version": int(line.attributes["version"]) + 1_000}
    changed = msgspec.structs.replace(line, attributes=wrong)
    assert validation.feed(Record(records[place].file, records[place].number, changed)) is not None
    assert validation.finish().verdict == "diverges"


# --------------------------------------------------------------------------------------------------- other limits


def test_dropped_state_stays_dropped_after_a_checkpoint(records: list[Record], tmp_path: Path) -> None:
    first = fed(records[: 2 * LINES])
    checkpoints.write(checkpoints.saved(first, {}, {}), tmp_path / "watch.json")
    kept = checkpoints.read(tmp_path / "watch.json", {})
    assert kept is not None
    second = Validation(window=WINDOW)
    checkpoints.resumed(kept, second)
    for item in (first, second):
        for record in records[2 * LINES :]:
            assert item.feed(record) is None, item.stopped
        late = answered_again(item, records, forgotten=True)
        assert ended(item.fork()).verdict == "conforms"
        assert ended(item, late).verdict == "inconclusive"
    assert entries(first) == entries(second)
    for name, matcher in first.matchers.items():
        for symbol in matcher.tables.layout.kept:
            assert dict(matcher.tables.entries(symbol)) == dict(second.tables(name).entries(symbol)), symbol
        assert matcher.tables.gone.keys() == second.tables(name).gone.keys()
    assert any(map(len, first.tables("on-demand").gone.values()))


def test_a_doubt_outlives_a_checkpoint(records: list[Record], tmp_path: Path) -> None:
    first = fed(records)
    late = answered_again(first, records, forgotten=True)
    assert first.feed(Record("more.ndjson", 1, late)) is None
    checkpoints.write(checkpoints.saved(first, {}, {}), tmp_path / "watch.json")
    kept = checkpoints.read(tmp_path / "watch.json", {})
    assert kept is not None
    second = Validation(window=WINDOW)
    checkpoints.resumed(kept, second)
    assert second.finish().why == first.finish().why
    assert second.finish().verdict == "inconclusive"


def test_of_the_runs_of_a_process_the_newest_are_kept_and_the_others_are_counted() -> None:
    order = CausalOrder(lambda process, record: None, lambda event, message: True)
    for number in range(RUNS_MAX + 10):
        order.feed(
            Record(
                "a",
                number,
                Line(process="ncm", run=f"{number:016x}", sequence=1, time=0, event="process.started", attributes={}),
            )
        )
    process = order.processes["ncm"]
    assert (len(process.ended), process.runs_forgotten) == (RUNS_MAX, 9)
    assert process.has_taken(f"{RUNS_MAX:016x}", 1)
    assert not process.has_taken(f"{0:016x}", 1)
