"""The page on the design document is complete, and each diagram shows a run that breaks the named claim."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import docs
from conformance.documents import findings_page
from conformance.evidence.lassos import folder_of, read_lassos
from conformance.evidence.variants import negative_of
from conformance.protocols import PROTOCOLS
from conformance.replay.replays import read_vectors
from conformance.report.diagram import as_mermaid, diagram_of
from conformance.vectors.scenario import dumps
from model.language import Deviation, Eventuality, Variant
from spec.failover.protocol import PROTOCOL as FAILOVER
from spec.findings.design_document import DEVIATIONS, HOLES, Finding
from spec.message_queue import variants as queue
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.slots.protocol import PROTOCOL as SLOTS

FINDINGS = (*HOLES, *DEVIATIONS)
NAMED = tuple(dict.fromkeys(variant for finding in FINDINGS for variant in finding.variants))

POINTS = (
    *("lower threshold", "quantity", "equality", "topics of a VPC", "key", "slot told to the agent"),
    *("slot used by the broker", "subscribe before publish", "start", "multicast", "acknowledgment"),
    *("acknowledgment to the broker", "fall-back to gRPC", "unsubscribing"),
)
"""Points in which the code departs from the document."""


def test_every_hole_and_every_deviation_is_there() -> None:
    assert [hole.name for hole in HOLES] == [str(number) for number in range(1, 27)]
    assert [deviation.name for deviation in DEVIATIONS] == list(POINTS)


def test_every_variant_of_the_document_or_the_code_is_named() -> None:
    ours = [variant for protocol in (MESSAGE_QUEUE, SLOTS, FAILOVER) for variant in protocol.variants]
    kept = [variant.name for variant in ours if variant.kind is not Deviation.MUTANT]
    assert sorted(kept) == sorted(variant.name for variant in NAMED)


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.name)
def test_a_finding_is_shown_by_a_variant_or_says_why_not(finding: Finding) -> None:
    assert finding.variants or finding.otherwise
    declared = {action for protocol in PROTOCOLS for action in (*protocol.actions, *protocol.definitions)}
    assert finding.by
    assert set(finding.by) <= declared


def diagrams() -> dict[str, str]:
    """The diagrams of the checked-in page, by variant."""
    text = findings_page.PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^\*\*`(\w+)`\*\*, instead of .*?```mermaid\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    assert len({name for name, _ in found}) == len(found)
    return dict(found)


def test_every_named_variant_has_one_diagram() -> None:
    assert sorted(diagrams()) == sorted(variant.name for variant in NAMED)


@pytest.mark.parametrize("variant", NAMED, ids=lambda variant: variant.name)
def test_a_diagram_is_of_a_kept_run_that_breaks_what_the_page_says(variant: Variant) -> None:
    protocol = findings_page.protocol_of(variant)
    name = variant.name.replace("_", "-")
    run = findings_page.shown(variant)
    assert run.file in {*negative_of(protocol).glob(f"{name}.*"), *folder_of(protocol).glob(f"{name}.*")}
    (kept,) = read_vectors([run.file], protocol)
    assert run.claim in variant.breaks
    if isinstance(run.claim, Eventuality):
        (lasso,) = [each for each in read_lassos(protocol) if (each.variant, each.eventuality) == (variant, run.claim)]
        assert lasso.still_breaks(protocol)
    drawn = diagrams()[variant.name]
    assert drawn == as_mermaid(diagram_of(kept.trace, kept.protocol), kept.diverges_at)
    steps = re.findall(r"Note over L\d+: (\d+)\. (\w+)\(", drawn)
    assert steps == [(str(number), step.action) for number, step in enumerate(kept.trace.steps, start=1)]


def test_a_run_that_breaks_no_promise_is_not_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = findings_page.shown(queue.has_no_hysteresis)
    trace = run.trace
    short = replace(trace, states=trace.states[:-1], steps=trace.steps[:-1])
    file = tmp_path / run.file.name
    file.write_text(dumps(short, run.changed), encoding="utf-8")
    monkeypatch.setattr(findings_page, "counterexample_of", lambda *_: file)
    with pytest.raises(AssertionError, match="breaks no promise that the variant names"):
        findings_page.shown.__wrapped__(queue.has_no_hysteresis)


def test_the_page_is_current() -> None:
    assert findings_page.PAGE.read_text(encoding="utf-8") == findings_page.page(), (
        "the page is stale. Run `ondemand docs`."
    )


def test_a_stale_page_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = tmp_path / "page.md"
    stale.write_text(
        findings_page.PAGE.read_text(encoding="utf-8").replace("never_flaps", "seldom_flaps"), encoding="utf-8"
    )
    monkeypatch.setattr(docs, "PAGE", stale)
    result = CliRunner().invoke(docs.docs, ["--check"], standalone_mode=False)
    assert result.return_value == 1
    assert "page.md is stale" in result.output


def test_links_within_the_page_lead_somewhere() -> None:
    text = findings_page.PAGE.read_text(encoding="utf-8")
    headings = {
        "#" + re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }
    links = set(re.findall(r"\]\(([^)]+)\)", text))
    assert {link for link in links if link.startswith("#")} <= headings
    for link in links:
        if not link.startswith("#"):
            file, _, claim = link.partition("#")
            target = findings_page.PAGE.parent / file
            assert target.exists(), link
            assert not claim or f"### `{claim}`\n" in target.read_text(encoding="utf-8"), link
