"""Traces as tables and diagrams."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from conformance.commands.show import show
from conformance.kills import NEGATIVE
from conformance.replaying import read_vectors
from conformance.show.diagram import Arrow, Note, as_mermaid, as_svg, as_text, diagram_of
from spec.on_demand import PROTOCOL

TRACE = NEGATIVE / "grants-the-unknown.itf.json"


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


def test_the_command_prints_table_and_diagram(tmp_path: Path) -> None:
    picture = tmp_path / "trace.svg"
    result = CliRunner().invoke(show, [str(TRACE), "--svg", str(picture)])
    assert result.exit_code == 0
    assert "what changed" in result.output
    assert "▶" in result.output
    assert picture.read_text().startswith("<svg")
