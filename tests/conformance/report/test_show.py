"""Traces as tables and diagrams."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from conformance.cli.show import show
from conformance.evidence.variants import negative_of
from conformance.replay.replays import read_vectors
from conformance.report.diagram import LETTER, Arrow, Diagram, Note, as_mermaid, as_svg, as_text, diagram_of
from impl.cli.exits import Exit, Problem
from spec.failover.protocol import PROTOCOL as FAILOVER_PROTOCOL
from spec.on_demand.protocol import PROTOCOL

NEGATIVE = negative_of(PROTOCOL)
FAILOVER = negative_of(FAILOVER_PROTOCOL)
TRACE = NEGATIVE / "grants-the-unknown.scenario"


def test_a_message_is_drawn_where_it_is_taken() -> None:
    (vector,) = read_vectors([TRACE], PROTOCOL)
    diagram = diagram_of(vector.trace, vector.protocol)
    assert diagram.lifelines == ("DPM", "NCM", "ACA h1", "ACA h2")
    notes = [row for row in diagram.rows if isinstance(row, Note)]
    assert len(notes) == len(vector.trace.steps)
    place = next(number for number, row in enumerate(diagram.rows) if isinstance(row, Note) and "grant(" in row.label)
    asked = diagram.rows[place - 1]
    assert isinstance(asked, Arrow)
    assert asked.label.startswith("request(h1")
    assert (asked.source, asked.target, asked.arrives) == (2, 1, True)
    lost = diagram.rows[place + 1]
    assert isinstance(lost, Arrow)
    assert not lost.arrives


def test_the_three_drawings_show_the_same_rows() -> None:
    (vector,) = read_vectors([TRACE], PROTOCOL)
    diagram = diagram_of(vector.trace, vector.protocol)
    for row in diagram.rows:
        for drawn in (as_text(diagram, 140), as_mermaid(diagram), as_svg(diagram)):
            assert row.label in drawn


@pytest.fixture(scope="module")
def diagrams() -> list[Diagram]:
    """Those of all ways that break a promise: every action and message is in one of them."""
    return [diagram_of(vector.trace, vector.protocol) for vector in read_vectors([NEGATIVE], PROTOCOL)]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_text_keeps_within_the_terminal(width: int, diagrams: list[Diagram]) -> None:
    for diagram in diagrams:
        for line in as_text(diagram, width).splitlines():
            assert len(line) <= width


def test_more_lifelines_than_fit_stay_in_order() -> None:
    many = Diagram(
        "", tuple(f"ACA h{number}" for number in range(9)), (Note(8, 1, "restart()"), Arrow(8, 0, "m()", True))
    )
    heading, note, *_ = as_text(many, 80).splitlines()
    assert [int(name) for name in re.findall(r"h(\d)", heading)] == list(range(9))
    assert "1. restart()" in note


def test_nothing_of_a_picture_is_cut_off(diagrams: list[Diagram]) -> None:
    for diagram in diagrams:
        picture = ElementTree.fromstring(as_svg(diagram))  # noqa: S314 - drawn by ourselves
        width, height = int(picture.attrib["width"]), int(picture.attrib["height"])
        for item in picture.iter("{http://www.w3.org/2000/svg}rect"):
            assert 0 <= int(item.get("x", "0")) <= width - int(item.attrib["width"])
        for item in picture.iter("{http://www.w3.org/2000/svg}text"):
            long = LETTER * len(item.text or "")
            before = {"middle": long / 2, "end": long}.get(item.get("text-anchor", "start"), 0)
            assert 0 <= int(item.attrib["x"]) - before
            assert int(item.attrib["x"]) - before + long <= width
            assert 0 < int(item.attrib["y"]) < height


def test_what_a_file_says_is_escaped_in_a_picture() -> None:
    picture = as_svg(Diagram("<script>&", ("A<b>",), (Note(0, 1, "x<y>&"),)))
    assert "<script>" not in picture
    texts = [item.text for item in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314
    assert {"<script>&", "A<b>", "1. x<y>&"} <= set(texts)


def test_mermaid_frames_what_repeats_and_marks_a_step() -> None:
    rows = (Note(0, 1, "ask()"), Arrow(0, 1, "request()", True), Note(1, 2, "answer()"))
    whole = as_mermaid(Diagram("", ("A", "B"), rows, loop=1), marked=2).splitlines()
    assert whole[3:] == [
        "    Note over L0: 1. ask()",
        "    loop for ever",
        "    L0->>L1: request()",
        "    rect rgb(255, 214, 214)",
        "    Note over L1: 2. answer()",
        "    end",
        "    end",
    ]
    assert "loop" not in as_mermaid(Diagram("", ("A", "B"), rows))


def test_a_message_without_its_sender_or_receiver_is_drawn_at_who_sent_and_who_took_it() -> None:
    (vector,) = read_vectors([FAILOVER / "an-answer-goes-to-any-instance.scenario"], FAILOVER_PROTOCOL)
    diagram = diagram_of(vector.trace, vector.protocol)
    places = {name: place for place, name in enumerate(diagram.lifelines)}
    arrows = {row.label: (row.source, row.target) for row in diagram.rows if isinstance(row, Arrow)}
    assert arrows["published(j1, 1, d1)"] == (places["INSTANCE i1"], places["PEER"])
    assert arrows["answer(j1, 1)"] == (places["PEER"], places["INSTANCE i1"])


@pytest.mark.parametrize("loop", range(8))
def test_the_steps_that_repeat_are_those_in_the_frame(loop: int) -> None:
    (vector,) = read_vectors([TRACE], PROTOCOL)
    steps = len(vector.trace.steps)
    assert loop <= steps
    diagram = diagram_of(replace(vector.trace, loop=loop), vector.protocol)
    inside = [row.step for row in diagram.rows[diagram.loop :] if isinstance(row, Note)] if loop < steps else []
    assert inside == list(range(loop + 1, steps + 1))
    assert (diagram.loop is None) == (loop == steps)


def test_mermaid_has_one_line_for_each_row(diagrams: list[Diagram]) -> None:
    for diagram in diagrams:
        first, *lines = as_mermaid(diagram).splitlines()
        assert first == "sequenceDiagram"
        shape = re.compile(r"    (participant L\d as [\w ]+|Note over L\d: [^;#]+|L\d(->>|-x)L\d: [^;#]+)")
        assert all(shape.fullmatch(line) for line in lines)
        assert len(lines) == len(diagram.lifelines) + len(diagram.rows)


def test_the_command_draws_what_is_asked_for(tmp_path: Path) -> None:
    picture = tmp_path / "trace.svg"
    result = CliRunner().invoke(show, [str(TRACE), "--mermaid", "--svg", str(picture)])
    assert result.output.startswith("sequenceDiagram\n")
    assert picture.exists()
    full = CliRunner().invoke(show, [str(TRACE), "--full"])
    assert "the whole state" in full.output
    assert re.search(r"Step \d+ leaves the protocol", full.output)


def test_the_command_prints_table_and_diagram(tmp_path: Path) -> None:
    picture = tmp_path / "trace.svg"
    result = CliRunner().invoke(show, [str(TRACE), "--svg", str(picture)])
    assert result.exit_code == 0
    assert "changes:" in result.output
    assert "▶" in result.output
    assert picture.read_text().startswith("<svg")


def test_a_reader_that_leaves_is_no_verdict() -> None:
    command = [sys.executable, "-c", "from conformance.cli.main import main; main()", "show", str(TRACE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait() == 141


def test_a_protocol_is_shown_in_tla(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "tla"
    result = CliRunner().invoke(
        show, ["--tla", "--variant", "leaks_to_another_tenant", "--config", "strangers", "--folder", str(folder)]
    )
    name = "on_demand_with_leaks_to_another_tenant"
    assert result.output.split() == [
        str(folder / item) for item in (f"{name}.tla", f"{name}_strangers.tla", f"{name}_strangers.cfg")
    ]
    assert f"MODULE {name} " in (folder / f"{name}.tla").read_text()
    assert "same_vpc(" not in re.search(r"^grant\(.*?\n\n", (folder / f"{name}.tla").read_text(), re.M | re.S)[0]  # type: ignore[index] # it is there
    assert "Forgets = FALSE" in (folder / f"{name}_strangers.cfg").read_text()
    printed = CliRunner().invoke(show, ["--tla", "--config", "two-hosts"])
    assert printed.output.startswith("---")
    assert "MODULE on_demand_two_hosts " in printed.output
    assert "Forgets = TRUE" in printed.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "TRACE is missing; name a trace file, or print the protocol with --tla"),
        (["--tla", "--full"], "--tla: prints the protocol; leave TRACE and its options out"),
        (["--folder", "."], "--config, --folder, --protocol and --variant: need --tla; add it, or leave them out"),
        (["--tla", "--config", "nowhere"], "nowhere"),
        (
            ["--tla", "--folder", "/dev/null/tla"],
            "/dev/null/tla: cannot be created (Not a directory); name another folder",
        ),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_sentence(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(show, arguments)
    assert isinstance(result.exception, Problem)
    assert said in str(result.exception)
    assert result.exception.code == Exit.BAD_INPUT
