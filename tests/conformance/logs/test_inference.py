"""Incomplete logs: missing steps are inferred where possible, and no possible behavior is reported as divergence."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import msgspec
import pytest

from conformance.logs.reading import Record
from conformance.replay.replays import Vector
from impl.events.line import Line
from tests.conformance.logs.test_validate import BAD, GOOD, VECTORS, byzantine, judged, written
from tests.conformance.logs.written import Writer

STRANGERS = [each_vector for each_vector in VECTORS if byzantine(each_vector) and each_vector.diverges_at is None]

WITHOUT = [("dpm",), ("ncm",), ("dpm", "ncm"), ("dpm", "aca"), ("ncm", "aca")]
"""Processes that keep no log; `aca`: no agent does."""

CONFORMING = {("dpm",): 25, ("ncm",): 15, ("dpm", "ncm"): 3, ("dpm", "aca"): 25, ("ncm", "aca"): 20}
"""Minimal number of logs, of every other vector, that inferred steps explain; the others are inconclusive."""


@cache
def without(vector: Vector, silent: tuple[str, ...], ids: bool = True) -> list[Record]:
    """The log of a vector's run without the lines of these processes."""
    return Writer(vector.protocol, vector.trace, without=frozenset(silent), ids=ids).records()


def changed(records: Sequence[Record], **fields: object) -> list[Record]:
    """The records with fields of every line replaced."""
    return [Record(record.file, record.number, msgspec.structs.replace(record.line, **fields)) for record in records]


@pytest.mark.parametrize("vector", STRANGERS, ids=lambda stranger: stranger.name)
def test_steps_of_a_byzantine_agent_are_inferred(vector: Vector) -> None:
    found = judged(written(vector), strangers=byzantine(vector))
    assert found.verdict == "conforms", found


def test_an_undeclared_process_without_a_log_is_named_and_inconclusive() -> None:
    forged = [
        stranger for stranger in STRANGERS if any(step.action == "forge_request" for step in stranger.trace.steps)
    ]
    assert forged
    for item in forged:
        found = judged(written(item))
        assert found.verdict == "inconclusive"
        assert f"--without aca/{byzantine(item)[0]}" in found.why


@pytest.mark.parametrize("ids", [True, False], ids=["with ids", "without ids"])
@pytest.mark.parametrize("vector", [*GOOD[::3], *STRANGERS[::3]], ids=lambda item: item.name)
def test_steps_of_agents_without_logs_are_inferred(vector: Vector, ids: bool) -> None:
    found = judged(without(vector, ("aca",), ids), strangers=byzantine(vector), silent=["aca"])
    assert found.verdict == "conforms", found
    took = any(record.line.event.endswith(("greet", "grant", "refuse")) for record in without(vector, ("aca",)))
    assert any(name.startswith("put in: ") for name in found.counts) == took or not took


@pytest.mark.parametrize("silent", WITHOUT, ids=" and ".join)
def test_no_run_diverges_because_a_log_is_missing(silent: tuple[str, ...]) -> None:
    verdicts = [
        judged(records, strangers=byzantine(item), silent=silent).verdict
        for item in (*GOOD, *STRANGERS)[::2]
        if (records := without(item, silent))
    ]
    assert "diverges" not in verdicts
    assert verdicts.count("conforms") >= CONFORMING[silent]


def test_a_process_that_contradicts_itself_diverges_without_the_others() -> None:
    """Many faulty runs in which NCM is at fault diverge in its log alone."""
    of_ncm = [item for item in BAD if without(item, ("dpm", "aca"))]
    found = {item.name: judged(without(item, ("dpm", "aca")), silent=("dpm", "aca")).verdict for item in of_ncm}
    assert found["older-overwrites-newer"] == "diverges"
    assert found["reports-without-waiting"] == "diverges"
    assert list(found.values()).count("diverges") >= 4


@pytest.mark.parametrize("vector", GOOD[::3], ids=lambda item: item.name)
def test_fields_may_be_missing(vector: Vector) -> None:
    records = written(vector)
    assert judged(changed(records, after=None)).verdict == "conforms"
    assert judged(changed(records, sent=None)).verdict == "conforms"
    assert judged(changed(records, after=None, sent=None, taken=None)).verdict == "conforms"


@pytest.mark.parametrize("parameter", ["epoch", "version", "source", "asked_by"])
def test_parameters_may_be_missing(parameter: str) -> None:
    def less(line: Line) -> Line:
        kept = {name: value for name, value in line.attributes.items() if name != parameter}
        return msgspec.structs.replace(line, attributes=kept)

    verdicts = []
    for vector in GOOD[::4]:
        records = [Record(item.file, item.number, less(item.line)) for item in written(vector)]
        verdicts.append(judged(records).verdict)
    assert "diverges" not in verdicts
    assert verdicts.count("conforms") >= len(verdicts) - 2


@pytest.mark.parametrize("vector", GOOD[::3], ids=lambda item: item.name)
def test_a_log_may_begin_in_the_middle(vector: Vector) -> None:
    records = Writer(vector.protocol, vector.trace, snapshots=3).records()
    names = {record.line.process for record in records if record.line.event == "process.snapshot"}
    kept, seen = [], set[str]()
    for record in records:
        if record.line.event == "process.snapshot":
            seen.add(record.line.process)
        if record.line.process in seen or record.line.process not in names:
            kept.append(record)
    assert judged(kept).verdict == "conforms" if kept else True


def test_a_step_before_a_crash_may_have_no_line() -> None:
    verdicts = []
    for vector in GOOD:
        records = without(vector, (), False)
        for name in ("dpm", "ncm"):
            own = [record for record in records if record.line.process == name]
            for last, following in pairwise(own):
                if following.line.event == "process.started" and last.line.event != "process.started":
                    verdicts.append(judged([record for record in records if record is not last]))
    assert len(verdicts) > 10
    assert all(verdict.verdict != "diverges" for verdict in verdicts), [
        verdict for verdict in verdicts if verdict.verdict == "diverges"
    ]
    assert sum(verdict.verdict == "conforms" for verdict in verdicts) > len(verdicts) / 2
