"""What a build shows of a mutation table: a survivor is reported as a failure on the line of the action that it mutates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from conformance.cli.matrix import matrix
from conformance.mutation.digests import inputs_of_statement
from conformance.mutation.figures import summary_of
from conformance.report.mutation_table import foot
from spec.on_demand.protocol import PROTOCOL
from tests.conformance.mutation.test_table import MATRIX, SURVIVOR

ROOT = Path(__file__).parent.parent.parent.parent


@pytest.fixture
def survived(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checked-in table with a survivor, of this statement."""
    rows = tuple(replace(row, name=row.name.replace("act", "grant"), of="grant") for row in MATRIX.rows)
    table = replace(MATRIX, protocol=PROTOCOL.name, rows=rows, inputs=inputs_of_statement(PROTOCOL))
    assert any(row.fate == "survives" for row in rows)
    summary = replace(summary_of(table, foot(table)), reasons={})
    monkeypatch.setattr("conformance.cli.matrix.read_summary", lambda *_: summary)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(ROOT))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.mark.usefixtures("survived")
def test_a_survivor_is_red_on_the_line_of_its_action(tmp_path: Path) -> None:
    junit, summary = tmp_path / "matrix.xml", tmp_path / "matrix.md"
    given = [
        "--shown",
        "--protocol",
        PROTOCOL.name,
        "--half",
        "statement",
        "--junit",
        str(junit),
        "--summary",
        str(summary),
    ]
    ended = CliRunner().invoke(matrix, given, standalone_mode=False)
    assert ended.return_value == 1
    grant = PROTOCOL.declaration("grant")
    assert grant is not None
    assert grant.source is not None
    line = grant.source.line
    (said,) = [splitline for splitline in ended.stderr.splitlines() if splitline.startswith("::")]
    assert said.startswith(
        f"::error file=spec/on_demand/ncm.py,line={line},title=matrix::Nothing notices this mutant of on-demand"
    )
    suite = ElementTree.fromstring(junit.read_text(encoding="utf-8"))  # noqa: S314 - written by ourselves
    (red,) = [case for case in suite if case.find("failure") is not None]
    assert (red.get("name"), red.get("file"), red.get("line")) == (
        SURVIVOR.name.replace("act", "grant"),
        "spec/on_demand/ncm.py",
        str(line),
    )
    page = summary.read_text(encoding="utf-8")
    assert page.startswith("## ✗ ondemand matrix: violated\n")
    assert "| replayed | 1 | 1 | 2 | 0 |" in page
