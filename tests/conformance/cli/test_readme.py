"""The documents are true: commands exist, scenario, transcript and figures are reproduced, links lead somewhere."""

from __future__ import annotations

import io
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import click
import pytest

from conformance import configurations
from conformance.bench.headline import headlines
from conformance.cli.main import main, program
from conformance.documents.findings_page import PAGE
from conformance.protocols import PROTOCOLS
from conformance.replay.replays import read_vector
from conformance.vectors import scenario as scenario_format
from impl.cli.main import program as services
from model.explore.live import live
from spec.on_demand.protocol import PROTOCOL
from tests.conformance.cli.test_commands import Command, ondemand

__all__ = ["ondemand"]

ROOT = Path(__file__).parents[3]
README = ROOT / "README.md"
README_LINES_MAX = 200
DOCUMENTS = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")} - {PAGE})
"""All Markdown that people write."""
PROGRAMS = {"ondemand": program, "ondemand-service": services}


def text_of(document: Path) -> str:
    """The text of a document."""
    return document.read_text(encoding="utf-8")


def part(name: str, document: Path) -> str:
    """The text between the two marks of a part."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text_of(document), re.DOTALL)
    assert found, f"{document} has no part {name}"
    return found[1]


def blocks(language: str, text: str) -> list[str]:
    """The contents of the code blocks of a language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [content for name, content in found if name == language]


def commands(document: Path) -> Iterator[list[str]]:
    """Every command line of ours, in shell blocks and in running text, without comments and input."""
    text = text_of(document)
    lines = re.findall(r"`((?:ondemand|ondemand-service|make) [^`]+)`", text)
    for block in blocks("sh", text):
        lines += re.sub(r"<<'(\w+)'\n.*?^\1$", "", block, flags=re.DOTALL | re.MULTILINE).splitlines()
    for line in lines:
        words = shlex.split(line, comments=True)
        words = words[words.index("&&") + 1 :] if "&&" in words else words
        if words and words[0] in (*PROGRAMS, "make"):
            yield words


ALL_COMMANDS = sorted({tuple(words) for document in DOCUMENTS for words in commands(document)})


@pytest.mark.parametrize("line", ALL_COMMANDS, ids=" ".join)
def test_every_command_exists_with_its_options(line: tuple[str, ...]) -> None:
    name, *arguments = line
    if name == "make":
        assert re.search(rf"^{arguments[0]}:", text_of(ROOT / "Makefile"), re.MULTILINE)
        return
    command: click.Command = PROGRAMS[name]
    context = click.Context(command, info_name=name)
    while isinstance(command, click.Group):
        _, arguments, _ = command.make_parser(context).parse_args(arguments)
        if not arguments:
            return  # the group itself is meant
        found = command.get_command(context, arguments.pop(0))
        assert found is not None, line
        command, context = found, click.Context(found, parent=context)
    given, rest, _ = command.make_parser(context).parse_args(arguments)
    assert not rest
    if "--variant" in arguments:
        assert given["variant"] in {variant.name for variant in PROTOCOL.variants}


def test_the_readme_fits_and_shows_every_command() -> None:
    assert len(text_of(README).splitlines()) <= README_LINES_MAX
    shown = {line[1] for line in commands(README) if line[0] == "ondemand"}
    assert shown >= set(program.list_commands(click.Context(program)))


def test_the_scenario_and_its_picture_are_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = part("scenario", ROOT / "docs" / "traces.md")
    (script,) = blocks("sh", scenario)
    (drawn,) = blocks("mermaid", scenario)
    steps = re.search(r"<<'STEPS'\n(.*?)^STEPS$", script, re.DOTALL | re.MULTILINE)
    assert steps
    monkeypatch.chdir(tmp_path)
    lines = re.sub(r"<<'STEPS'.*?^STEPS$", "", script, flags=re.DOTALL | re.MULTILINE).splitlines()
    printed = ""
    for line in [*lines, "ondemand show first-packet.scenario --svg first-packet.svg --mermaid"]:
        out = io.StringIO()
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        monkeypatch.setattr(sys, "stdin", io.StringIO(steps[1]))
        with redirect_stdout(out), pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0, line
        printed = out.getvalue()
        if "--mermaid" in line:
            assert printed == drawn
    assert text_of(Path("first-packet.svg")) == text_of(ROOT / "docs" / "first-packet.svg")
    assert "](docs/first-packet.svg)" in text_of(README)


def test_the_scenarios_that_are_shown_hold(tmp_path: Path) -> None:
    shown = [*blocks("", part("example", ROOT / "docs" / "traces.md")), *blocks("", str(scenario_format.__doc__))]
    assert len(shown) == 2
    for text in shown:
        file = tmp_path / "shown.scenario"
        file.write_text(text, encoding="utf-8")
        assert "  expect " in text
        assert read_vector(file, *PROTOCOLS).trace.steps


def test_the_transcript_is_of_this_statement() -> None:
    """Times differ; what was explored, and what is promised, does not."""
    (transcript,) = blocks("", part("transcript", ROOT / "docs" / "checking.md"))
    promises = [promise.name for promise in PROTOCOL.promises if not promise.lemma]
    assert re.findall(r"^(\w+) +✓ +✓ +✓ +✓ *$", transcript, re.MULTILINE) == promises
    explored = re.findall(r"^([a-z-]+) +([\d,]+) +([\d,]+) +(\d+) .*✓ *$", transcript, re.MULTILINE)
    hopes = [eventuality.name for eventuality in PROTOCOL.eventualities]
    assert re.findall(r"^(\w+) {10,}✓ *$", transcript, re.MULTILINE) == hopes
    pinned = {name: configurations.find(name, PROTOCOL).pinned for name in configurations.names(PROTOCOL)}
    total = sum(counts["distinct"] for counts in pinned.values())
    assert f"explored: {len(pinned)} configurations, {total:,} states" in transcript
    for name in configurations.live_names(PROTOCOL):
        found = live(PROTOCOL, configurations.find(name, PROTOCOL))
        pinned[name] = {"distinct": found.distinct, "transitions": found.transitions, "depth": found.depth}
    counted = {
        name: {
            "distinct": int(states.replace(",", "")),
            "transitions": int(steps.replace(",", "")),
            "depth": int(depth),
        }
        for name, states, steps, depth in explored
    }
    assert counted == pinned, "docs/checking.md: the transcript is stale; take a new one from `make check`"


def are_lines_of(shortened: str, full: str) -> bool:
    """All lines but `...` are lines of the full text, in this order."""
    remaining = iter([line.rstrip() for line in full.splitlines()])
    return all(line in remaining for line in shortened.splitlines() if line != "...")


def test_the_shortened_transcript_is_part_of_the_transcript() -> None:
    (shortened,) = blocks("", part("shortened", README))
    (transcript,) = blocks("", part("transcript", ROOT / "docs" / "checking.md"))
    assert len(shortened.splitlines()) > 10
    assert are_lines_of(shortened, transcript)
    assert not are_lines_of(shortened.replace("✓", "✗"), transcript)


def test_the_broken_rule_is_shown_as_it_is_printed(ondemand: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = part("broken", README)
    (line,) = blocks("sh", broken)
    (shortened,) = blocks("", broken)
    monkeypatch.setenv("COLUMNS", "80")
    printed = ondemand(*shlex.split(line)[1:])
    assert printed.code == 1
    assert len(shortened.splitlines()) > 10
    assert are_lines_of(shortened, printed.out)


def test_the_numbers_are_of_this_benchmark() -> None:
    pinned = configurations.find(configurations.BENCH, PROTOCOL).pinned
    figures = part("bench", ROOT / "docs" / "benchmarks.md")
    assert f"{pinned['distinct']:,} states" in figures, "docs/benchmarks.md is stale; run `ondemand bench --readme`"
    assert f"{pinned['transitions']:,} transitions" in figures


def test_the_headline_figures_are_those_of_the_benchmarks() -> None:
    assert part("headline", README) == headlines()


def anchors(document: Path) -> set[str]:
    """The names of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text_of(document), flags=re.DOTALL | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", text_of(document), flags=re.DOTALL | re.MULTILINE)
    for link, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([\w-]+))?\)", prose):
        target = document.parent / link if link else document
        assert link.startswith("https://") or target.exists(), f"{document.name}: {link}"
        if anchor and not link.startswith("https://"):
            assert anchor in anchors(target), f"{document.name}: {link}#{anchor}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_files_that_are_named_exist(document: Path) -> None:
    folders = "spec|model|impl|conformance|tests|docs"
    for name in re.findall(rf"`((?:{folders})/[\w./-]+)`", text_of(document)):
        assert (ROOT / name).exists(), f"{document.name}: {name}"


def test_readers_reach_every_document_from_the_readme() -> None:
    reached, waiting = {README}, [README]
    while waiting:
        document = waiting.pop()
        links = re.findall(r"\]\(([^)#\s]+\.md)(?:#[\w-]+)?\)", text_of(document))
        found = {(document.parent / link).resolve() for link in links if not link.startswith("https://")} - reached
        reached |= found
        waiting += found
    assert set(DOCUMENTS) <= reached
