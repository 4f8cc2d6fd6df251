"""Several logs are interleaved by their clocks; wrong clocks cost waiting and change nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest

from conformance.logs.fleet import record_in_memory
from conformance.logs.merging import AHEAD, merged
from conformance.logs.reading import LogFile, Record
from conformance.logs.validate import Validation

LINES = 4_000
FEW = 3
"""Lines that wait although clocks agree: those with equal timestamps."""
HOUR = 3_600 * 10**9


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[list[Record]]:
    """The records of a fleet, by file."""
    return [
        list(LogFile(path)) for path in record_in_memory(tmp_path_factory.mktemp("merging"), LINES, agents=12).files
    ]


def _ahead(records: list[Record], nanoseconds: int) -> list[Record]:
    return [
        Record(record.file, record.number, msgspec.structs.replace(record.line, time=record.line.time + nanoseconds))
        for record in records
    ]


def _run(files: list[list[Record]]) -> tuple[Validation, list[Record], int]:
    """The matcher at the end, the records in reading order, and the maximal number of waiting lines."""
    validation, order, waiting = Validation(), [], 0
    for record in merged([iter(file) for file in files], validation.causal_order):
        assert validation.feed(record) is None
        order.append(record)
        waiting = max(waiting, validation.causal_order.waiting)
    assert validation.finish().verdict == "conforms"
    return validation, order, waiting


def test_few_lines_wait_if_clocks_agree(logs: list[list[Record]]) -> None:
    _, order, waiting = _run(logs)
    assert len(order) == sum(map(len, logs))
    assert waiting <= FEW


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize("name", ["ncm", "dpm", "aca/host-0003"])
def test_a_wrong_clock_costs_waiting_and_nothing_else(logs: list[list[Record]], name: str, hours: int) -> None:
    files = [_ahead(log, hours * HOUR) if log[0].line.process == name else log for log in logs]
    _, order, waiting = _run(files)
    assert len(order) == sum(map(len, logs))
    assert waiting < LINES / 4
    assert (waiting > FEW) == (hours > 0)  # a process whose clock is behind waits itself, so its file is paused


def test_each_file_keeps_its_order_and_files_of_one_time_take_turns(logs: list[list[Record]]) -> None:
    files = [
        [Record(item.file, item.number, msgspec.structs.replace(item.line, time=7)) for item in log] for log in logs
    ]
    _, order, _ = _run(files)
    for log in files:
        assert [item for item in order if item.file == log[0].file] == log
    assert len({item.file for item in order[: AHEAD * len(files)]}) == len(files)


def test_lines_that_take_no_message_share_a_turn_and_only_so_many(logs: list[list[Record]]) -> None:
    order, files = Validation().causal_order, []
    agent = next(log for log in logs if log[0].line.process == "aca/host-0003")
    line = msgspec.structs.replace(next(item.line for item in agent if item.line.taken is None), time=1)
    alone = [Record("alone", place, msgspec.structs.replace(line, sequence=place)) for place in range(1, 2 * AHEAD)]
    taking = next(item.line for item in agent if item.line.taken is not None)
    other = [Record("other", place, msgspec.structs.replace(taking, time=1)) for place in range(1, 4)]
    for record in merged([iter(alone), iter(other)], order):
        files.append(record.file)
    assert files == ["alone"] * AHEAD + ["other"] + ["alone"] * (AHEAD - 1) + ["other"] * 2


def test_after_a_verdict_the_rest_can_be_read_without_feeding_it(logs: list[list[Record]]) -> None:
    validation = Validation()
    records: Iterator[Record] = merged([iter(log) for log in logs], validation.causal_order)
    for record, _ in zip(records, range(50), strict=False):
        validation.feed(record)
    rest = Counter(each_record.file for each_record in records)
    assert rest.total() == sum(map(len, logs)) - 51
