"""What a build shows: files are well-formed, what is red comes first, and lines are those of the user's repository."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest
from rich.console import Console

from conformance.cli.main import COMMANDS, program
from conformance.report import places, summary
from conformance.report.annotations import as_annotations
from conformance.report.junit import as_junit
from conformance.report.result import Case, Finding, Result, Section, source_of
from conformance.report.summary import as_markdown
from conformance.report.writing import Outputs
from impl.cli.exits import Exit, Problem
from model.language import Source
from spec.on_demand.protocol import PROTOCOL

ROOT = Path(__file__).parent.parent.parent.parent
BROKEN = source_of("stays_in_its_vpc", PROTOCOL)


@pytest.fixture(autouse=True)
def in_this_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """The build is about this repository."""
    monkeypatch.setenv("GITHUB_WORKSPACE", str(ROOT))
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


def shows(text: str) -> Callable[[Console], None]:
    """Prints this."""
    return lambda console: console.print(text, markup=False, highlight=False)


RED = Result(
    "check",
    Exit.VIOLATED,
    8.0,
    [
        Case("newer_wins", "holds"),
        Case("stays_in_its_vpc", "violated", 'it says "b" & <c>\n\x07', source=BROKEN),
        Case("acts_once", "undecided"),
    ],
    [
        Finding("explore bench", "stopped", again="ondemand explore --config bench", undecided=True),
        Finding(
            "stays_in_its_vpc", "a host <is> sent", BROKEN, "ondemand explore", shows("1 grant\n```\n| a |\n\nend")
        ),
    ],
    [Section("Every promise", ("promise", "proved"), [("newer_wins", "✓"), ("a|b", "✗")])],
    ["explored: 6 configurations"],
)


# ---------------------------------------------------------------------------------------------------- test cases


def test_cases_are_well_formed_whatever_is_said_and_know_their_line() -> None:
    suite = ElementTree.fromstring(as_junit(RED))  # noqa: S314 - written by ourselves
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("check", "3", "2")
    good, bad, unknown = suite
    assert good.find("failure") is None
    failure, open_one = bad.find("failure"), unknown.find("failure")
    assert failure is not None
    assert open_one is not None
    assert (failure.get("type"), failure.get("message")) == ("violated", 'it says "b" & <c>\n?')
    assert (open_one.get("type"), open_one.get("message")) == ("undecided", "undecided"), "what is not known is no pass"
    assert BROKEN is not None
    assert (bad.get("file"), bad.get("line")) == ("spec/on_demand/promises.py", str(BROKEN.line))
    assert good.get("file") is None


# ---------------------------------------------------------------------------------------------------- annotations


def test_an_annotation_stands_on_the_line_of_the_promise() -> None:
    (first, second) = as_annotations(RED)
    assert first.endswith(",title=stays_in_its_vpc::a host <is> sent")
    file, line = re.findall(r"^::error file=([^,]+),line=(\d+),", first)[0]
    said = (ROOT / file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
    assert said.startswith("def stays_in_its_vpc(")
    assert second == "::warning title=explore bench::stopped", "what is wrong for certain comes first"


def test_annotations_are_escaped() -> None:
    found = Result("prove", findings=[Finding("one: two, three", "100 %\nmore: a, b")])
    assert list(as_annotations(found)) == ["::error title=one%3A two%2C three::100 %25%0Amore: a, b"]


@pytest.mark.parametrize("elsewhere", [".git", "site-packages"])
def test_a_line_of_another_repository_is_named_in_the_text(
    elsewhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engines' own copy within the user's repository is no file of the user's."""
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    other = tmp_path / "engines" / ("site-packages" if elsewhere == "site-packages" else "other")
    (other / "spec" / "on_demand").mkdir(parents=True)
    if elsewhere == ".git":
        (other / ".git").mkdir()
    monkeypatch.setattr(places, "STATEMENT", other / "spec")
    source = Source(str(other / "spec" / "on_demand" / "promises.py"), 7)
    assert places.in_repository(source) is None
    (line,) = as_annotations(Result("prove", findings=[Finding("acts_once", "not kept", source)]))
    assert line == "::error title=acts_once::not kept (spec/on_demand/promises.py, line 7)"
    own = Source(str(tmp_path / "spec" / "on_demand" / "promises.py"), 7)
    assert places.in_repository(own) == "spec/on_demand/promises.py"
    assert places.shown(Source(str(tmp_path.parent / "x.py"), 1)) == "x.py"


def test_without_a_build_the_present_folder_is_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE")
    monkeypatch.chdir(ROOT / "spec")
    assert BROKEN is not None
    assert places.in_repository(BROKEN) == "on_demand/promises.py"


# -------------------------------------------------------------------------------------------------------- summary


def test_a_summary_has_what_is_red_first_with_the_way_folded_away() -> None:
    text = as_markdown(RED)
    assert text.startswith("## ✗ ondemand check: violated\n")
    red, open_one, table, figure = map(
        text.index, ("<code>stays_in_its_vpc</code>", "explore bench", "| a\\|b | ✗ |", "- explored: 6")
    )
    assert red < open_one < table < figure
    (way,) = re.findall(r"<details><summary>(.*?)</summary>\n\n(.*?)\n</details>", text, re.DOTALL)
    assert "a host &lt;is&gt; sent" in way[0]
    assert "spec/on_demand/promises.py:" in way[0]
    assert way[1].startswith("To reproduce: `ondemand explore`\n\n````text\n1 grant\n```\n"), (
        "the fence is longer than any within"
    )
    assert "| newer\\_wins | ✓ |" in text


def test_a_summary_never_outgrows_what_the_page_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = RED.findings[1]
    long = replace(finding, show=shows("x\n" * 1_500))
    many = replace(RED, findings=[long] * 200)
    monkeypatch.setattr(summary, "BYTES_MAX", 20_000)
    text = as_markdown(many)
    assert len(text.encode()) <= 20_000
    assert "and 150 more\n" in text
    assert 0 < text.count("<details>") < text.count("<code>stays_in_its_vpc</code>")
    assert text.endswith("3 checked, 8 s\n\n"), "tables and counts stay"


def test_green_says_so() -> None:
    text = as_markdown(Result("prove", Exit.HOLDS, 2.0, [Case("acts_once", "holds")]))
    assert text == "## ✓ ondemand prove: holds\n\n1 checked, 2 s\n\n"


@pytest.mark.parametrize("code", [Exit.UNDECIDED, Exit.ENVIRONMENT])
def test_what_is_not_known_is_no_pass(code: Exit) -> None:
    assert as_markdown(Result("prove", code)).startswith("## ? ondemand prove: undecided\n")


# --------------------------------------------------------------------------------------------------------- writing


def test_a_build_gets_its_page_and_its_annotations_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Outputs().write(RED)
    assert capsys.readouterr().err == ""
    page, named = tmp_path / "page.md", tmp_path / "summary.md"
    page.write_text("of the step before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    Outputs(summary=str(named)).write(RED)
    assert named.read_text(encoding="utf-8") == as_markdown(RED)
    assert page.read_text(encoding="utf-8") == "of the step before\n" + as_markdown(RED)
    assert capsys.readouterr().err.splitlines() == list(as_annotations(RED))


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "none" / "page.md"))
    with pytest.raises(Problem, match=r"GITHUB_STEP_SUMMARY: .*page\.md cannot be written") as raised:
        Outputs().write(RED)
    assert raised.value.code is Exit.BAD_INPUT


WITHOUT_VERDICT = {"bench", "record"}
"""Commands whose JSON is figures."""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_with_a_verdict_has_every_output(name: str) -> None:
    command = program.get_command(click.Context(program), name)
    assert command is not None
    options = {option for parameter in command.params for option in parameter.opts}
    if "--json" in options and name not in WITHOUT_VERDICT:
        assert options >= {"--junit", "--summary"}
    else:
        assert not options & {"--junit", "--summary"}


def test_a_table_has_details_and_colored_marks_only_on_the_screen() -> None:
    rows = [("prover", "3", "0.5", "holds"), ("explorer", "1", "0.1", "undecided")]
    section = Section("Engines", ("engine", "undecided", "seconds", ""), rows, details=["seconds"])
    text = as_markdown(Result("matrix", Exit.HOLDS, 0.0, sections=[section]))
    assert "| engine | undecided |  |\n|---|:-:|:-:|\n| prover | 3 | ✓ |\n| explorer | 1 | ? |\n" in text
    screen = Console(width=80, color_system=None)
    with screen.capture() as printed:
        screen.print(section.table())
    lines = [line.split() for line in printed.get().splitlines()]
    assert ["engine", "undecided", "seconds"] in lines
    assert ["explorer", "1", "0.1", "?"] in lines
