"""Logs that do not say everything: what is missing is put in where it can be, and nothing that may have been is called wrong."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import msgspec
import pytest

from conformance.logs.reading import Record
from conformance.replaying import Vector
from impl.recording.line import Line
from tests.conformance.logs.test_validate import BAD, GOOD, VECTORS, dishonest, judged, written
from tests.conformance.logs.written import Writer

STRANGERS = [one for one in VECTORS if dishonest(one) and one.diverges_at is None]

WITHOUT = [("dpm",), ("ncm",), ("dpm", "ncm"), ("dpm", "aca"), ("ncm", "aca")]
"""Processes that keep no log; `aca`: no agent does."""

CONFORMING = {("dpm",): 25, ("ncm",): 15, ("dpm", "ncm"): 3, ("dpm", "aca"): 25, ("ncm", "aca"): 20}
"""Of every other vector, how many logs are explained by steps that are put in, at least; the others are inconclusive."""


@cache
def without(vector: Vector, silent: tuple[str, ...], ids: bool = True) -> list[Record]:
    """The log of a vector's run, but for what these processes did."""
    return Writer(vector.protocol, vector.trace, without=frozenset(silent), ids=ids).records()


def changed(records: Sequence[Record], **fields: object) -> list[Record]:
    """The records with fields of every line replaced."""
    return [Record(one.file, one.number, msgspec.structs.replace(one.line, **fields)) for one in records]


@pytest.mark.parametrize("vector", STRANGERS, ids=lambda one: one.name)
def test_what_a_dishonest_agent_did_is_put_in(vector: Vector) -> None:
    found = judged(written(vector), strangers=dishonest(vector))
    assert found.verdict == "conforms", found


def test_without_saying_so_a_process_without_a_log_is_named_and_nothing_is_passed() -> None:
    forged = [one for one in STRANGERS if any(step.action == "forge_request" for step in one.trace.steps)]
    assert forged
    for one in forged:
        found = judged(written(one))
        assert found.verdict == "inconclusive"
        assert f"--without aca/{dishonest(one)[0]}" in found.why


@pytest.mark.parametrize("ids", [True, False], ids=["with ids", "without ids"])
@pytest.mark.parametrize("vector", [*GOOD[::3], *STRANGERS[::3]], ids=lambda one: one.name)
def test_steps_of_agents_without_logs_are_put_in(vector: Vector, ids: bool) -> None:
    found = judged(without(vector, ("aca",), ids), strangers=dishonest(vector), silent=["aca"])
    assert found.verdict == "conforms", found
    took = any(record.line.event.endswith(("greet", "grant", "refuse")) for record in without(vector, ("aca",)))
    assert any(name.startswith("put in: ") for name in found.counts) == took or not took


@pytest.mark.parametrize("silent", WITHOUT, ids=" and ".join)
def test_no_run_is_called_wrong_for_want_of_a_log(silent: tuple[str, ...]) -> None:
    verdicts = [
        judged(records, strangers=dishonest(one), silent=silent).verdict
        for one in (*GOOD, *STRANGERS)[::2]
        if (records := without(one, silent))
    ]
    assert "diverges" not in verdicts
    assert verdicts.count("conforms") >= CONFORMING[silent]


def test_a_process_that_contradicts_itself_diverges_without_the_others() -> None:
    """Of the wrong runs whose wrong is NCM's, many show in its log alone."""
    of_ncm = [one for one in BAD if without(one, ("dpm", "aca"))]
    found = {one.name: judged(without(one, ("dpm", "aca")), silent=("dpm", "aca")).verdict for one in of_ncm}
    assert found["older-overwrites-newer"] == "diverges"
    assert found["reports-without-waiting"] == "diverges"
    assert list(found.values()).count("diverges") >= 4


@pytest.mark.parametrize("vector", GOOD[::3], ids=lambda one: one.name)
def test_fields_may_be_left_out(vector: Vector) -> None:
    records = written(vector)
    assert judged(changed(records, after=None)).verdict == "conforms"
    assert judged(changed(records, sent=None)).verdict == "conforms"
    assert judged(changed(records, after=None, sent=None, taken=None)).verdict == "conforms"


@pytest.mark.parametrize("parameter", ["epoch", "version", "source", "asked_by"])
def test_parameters_may_be_left_out(parameter: str) -> None:
    def less(line: Line) -> Line:
        kept = {name: value for name, value in line.attributes.items() if name != parameter}
        return msgspec.structs.replace(line, attributes=kept)

    verdicts = []
    for vector in GOOD[::4]:
        records = [Record(one.file, one.number, less(one.line)) for one in written(vector)]
        verdicts.append(judged(records).verdict)
    assert "diverges" not in verdicts
    assert verdicts.count("conforms") >= len(verdicts) - 2


@pytest.mark.parametrize("vector", GOOD[::3], ids=lambda one: one.name)
def test_a_log_may_begin_in_the_middle(vector: Vector) -> None:
    records = Writer(vector.protocol, vector.trace, snapshots=3).records()
    names = {one.line.process for one in records if one.line.event == "process.snapshot"}
    kept, seen = [], set[str]()
    for one in records:
        if one.line.event == "process.snapshot":
            seen.add(one.line.process)
        if one.line.process in seen or one.line.process not in names:
            kept.append(one)
    assert judged(kept).verdict == "conforms" if kept else True


def test_a_step_before_a_crash_may_have_no_line() -> None:
    verdicts = []
    for vector in GOOD:
        records = without(vector, (), False)
        for name in ("dpm", "ncm"):
            own = [one for one in records if one.line.process == name]
            for last, following in pairwise(own):
                if following.line.event == "process.started" and last.line.event != "process.started":
                    verdicts.append(judged([one for one in records if one is not last]))
    assert len(verdicts) > 10
    assert all(one.verdict != "diverges" for one in verdicts), [one for one in verdicts if one.verdict == "diverges"]
    assert sum(one.verdict == "conforms" for one in verdicts) > len(verdicts) / 2
