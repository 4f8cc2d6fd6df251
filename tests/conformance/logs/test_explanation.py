"""Explanations of logs of faulty runs, one per variant; of other lines; and of hostile logs, which must not affect a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from conformance.logs.explanation import Explanation, explain
from conformance.logs.reading import Record
from conformance.logs.validate import Validation
from conformance.protocols import variant_of
from conformance.replay.replays import Vector
from conformance.report.explanation_page import as_page
from conformance.report.explanation_screen import SCREEN_COLUMNS, SCREEN_LINES, screen
from impl.events.line import Line, encoded
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND
from tests.conformance.cli.test_commands import Command, ondemand
from tests.conformance.logs.test_validate import BAD, GOOD, written

__all__ = ["ondemand"]

ROOT = Path(__file__).parents[3]

BROKEN_LATER = {
    "confirms-for-another",
    "confirms-without-applying",
    "counts-older-for-newer",
    "reports-without-waiting",
}
"""The step itself breaks no promise, but enables a later step that does."""

BROKEN_BEFORE = {
    "forgets-whom-it-told": {"sends_to_the_told_only"},
    "grants-the-next-version": {"grants_only_what_is_placed"},
}
"""Promises that the step breaks before the one that the variant names."""


def explained(records: Sequence[Record], *protocols: object) -> Explanation:
    """The explanation of the first line that does not fit."""
    validation = Validation(
        protocols=[item for item in (ON_DEMAND, MESSAGE_QUEUE) if item in protocols or not protocols]
    )
    rest = iter(records)
    next(record for record in rest if validation.feed(record) is not None)
    verdict = validation.finish()
    assert verdict.divergence is not None
    return explain(replace(verdict.divergence, following=tuple(rest)))


def text_of(explanation: Explanation) -> str:
    """The explanation as printed."""
    return "\n".join(line.text for line in screen(explanation))


@pytest.mark.parametrize("vector", BAD, ids=lambda item: item.name)
def test_the_promise_that_a_variant_breaks_is_named_at_its_first_wrong_line(vector: Vector) -> None:
    found = explained(written(vector), ON_DEMAND)
    _, variant = variant_of(vector.protocol.name.partition(" with ")[2])
    named = {item.promise.name for item in found.broken if not item.promise.lemma}
    if vector.name in BROKEN_LATER:
        assert not named
    else:
        assert named & ({each_break.name for each_break in variant.breaks} | BROKEN_BEFORE.get(vector.name, set()))


@pytest.mark.parametrize("vector", BAD, ids=lambda item: item.name)
def test_the_misfit_is_a_false_conjunct_or_a_field_and_fits_on_a_screen(vector: Vector) -> None:
    found = explained(written(vector), ON_DEMAND)
    false = [part for part in found.candidates[0].guard if part.held is False]
    assert false or found.differences
    assert all(part.because for part in false)
    assert found.edits
    lines = screen(found)
    assert len(lines) <= SCREEN_LINES
    assert max(len(line.text) for line in lines) <= SCREEN_COLUMNS


def test_an_explanation_leaves_the_validation_as_it_was() -> None:
    records = written(BAD[0])
    validation = Validation(protocols=[ON_DEMAND])
    for record in records:
        if validation.feed(record) is not None:
            break
    divergence = validation.finish().divergence
    assert divergence is not None
    before = {name: set(divergence.tables.entries(name)) for name in divergence.tables.layout.kept}
    first, second = explain(divergence), explain(divergence)
    assert {name: set(divergence.tables.entries(name)) for name in divergence.tables.layout.kept} == before
    assert replace(first, seconds=0) == replace(second, seconds=0)


def test_an_agent_that_is_waited_for_and_keeps_no_log_is_named() -> None:
    records = [item for item in written(GOOD[0]) if item.line.process != "ncm"]
    validation = Validation(protocols=[ON_DEMAND])
    assert all(validation.feed(record) is None for record in records)
    verdict = validation.finish()
    assert verdict.verdict == "inconclusive"
    assert "ncm" in verdict.why


def with_state(records: Sequence[Record], state: dict[str, tuple[tuple[object, ...], ...]]) -> list[Record]:
    """The lines with a snapshot of NCM after its last one."""
    last = max(place for place, one in enumerate(records) if one.line.process == "ncm")
    line = records[last].line
    snapshot = Line(
        process="ncm",
        run=line.run,
        sequence=line.sequence + 1,
        time=line.time,
        event="process.snapshot",
        attributes={},
        state=msgspec.convert(state, dict[str, tuple[tuple[str | int | bool, ...], ...]]),
    )
    return [*records[: last + 1], Record("snapshot", 1, snapshot), *records[last + 1 :]]


def test_a_full_state_that_differs_is_explained_by_its_entry() -> None:
    found = explained(with_state(written(GOOD[0]), {"on-demand.recorded": (("red/p1", 77),)}), ON_DEMAND)
    assert found.candidates == ()
    assert found.differences[0].observed == 77
    assert found.differences[0].field.endswith("recorded(red/p1)")
    text = text_of(found)
    assert "snapshot, line 1: ncm says process.snapshot()" in text
    assert "recorded(red/p1) is 77 in the line" in text


HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m&"


def hostile() -> Explanation:
    """An explanation of a log whose pod names contain control sequences and HTML."""
    (vector,) = (item for item in BAD if item.name == "grants-the-next-version")
    records = [
        msgspec.json.decode(
            msgspec.json.encode(item.line).replace(b"red/", msgspec.json.encode(HOSTILE.replace(" ", ""))[1:-1] + b"/"),
            type=Line,
        )
        for item in written(vector)
    ]
    return explained([Record("log", number, line) for number, line in enumerate(records, start=1)], ON_DEMAND)


def test_names_in_a_log_do_not_control_a_terminal() -> None:
    text = text_of(hostile())
    assert "onerror" in text
    assert "\x1b" not in text


def test_names_in_a_log_are_escaped_on_the_page() -> None:
    page = as_page(hostile())
    assert "&lt;img" in page
    assert "<img" not in page


def test_a_page_is_one_file_that_loads_nothing() -> None:
    page = as_page(hostile())
    assert "default-src 'none'" in page
    for word in ("<script", "<link", "src='http", 'src="http', "@import", "url(http"):
        assert word not in page


def test_the_document_shows_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ondemand: Command) -> None:
    (vector,) = (item for item in BAD if item.name == "serves-the-deleted")
    (tmp_path / "all.ndjson").write_bytes(b"".join(encoded(item.line) + b"\n" for item in written(vector)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    said = iter(ondemand("validate", "all.ndjson", "--protocol", "on-demand").out.splitlines())
    document = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")
    _, _, rest = document.partition("<!-- explained -->\n```\n")
    block, _, _ = rest.partition("```")
    lines = [splitline for splitline in block.splitlines() if splitline != "..."]
    assert len(lines) > 10
    assert all(line in said for line in lines), "a line of the README is missing in the output, or out of order"
