"""The README says what is so: its commands exist, its story and transcript are reproduced, its links lead somewhere."""

from __future__ import annotations

import io
import re
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path

import click
import pytest

from conformance import configurations
from conformance.cli.main import main, program
from model.explore.live import live
from spec.on_demand.protocol import PROTOCOL

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def part(name: str) -> str:
    """What stands between two marks."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README, re.DOTALL)
    assert found, f"README.md has no part {name}"
    return found[1]


def blocks(language: str, text: str = README) -> list[str]:
    """The contents of code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands() -> list[list[str]]:
    """Every command line of ours, in shell blocks and in running text, without comments and input."""
    lines = re.findall(r"`((?:ondemand|make) [^`]+)`", README)
    for block in blocks("sh"):
        lines += re.sub(r"<<'(\w+)'\n.*?^\1$", "", block, flags=re.DOTALL | re.MULTILINE).splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    words = [line[line.index("&&") + 1 :] if "&&" in line else line for line in words]
    return [line for line in words if line and line[0] in ("ondemand", "make")]


@pytest.mark.parametrize("line", commands(), ids=" ".join)
def test_every_command_exists_with_its_options(line: list[str]) -> None:
    name, *arguments = line
    if name == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{arguments[0]}:", makefile, re.MULTILINE)
        return
    command: click.Command = program
    context = click.Context(program, info_name="ondemand")
    while isinstance(command, click.Group):
        _, arguments, _ = command.make_parser(context).parse_args(arguments)
        found = command.get_command(context, arguments.pop(0))
        assert found is not None, line
        command, context = found, click.Context(found, parent=context)
    given, rest, _ = command.make_parser(context).parse_args(arguments)
    assert not rest
    if "--variant" in arguments:
        assert given["variant"] in {variant.name for variant in PROTOCOL.variants}


def test_the_readme_shows_every_command() -> None:
    shown = {line[1] for line in commands() if line[0] == "ondemand"}
    assert shown >= set(program.list_commands(click.Context(program))) - {"docs"}


def test_the_story_is_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (script,) = blocks("sh", part("story"))
    (drawn,) = blocks("mermaid", part("story"))
    steps = re.search(r"<<'STEPS'\n(.*?)^STEPS$", script, re.DOTALL | re.MULTILINE)
    assert steps
    monkeypatch.chdir(tmp_path)
    lines = re.sub(r"<<'STEPS'.*?^STEPS$", "", script, flags=re.DOTALL | re.MULTILINE).splitlines()
    printed = ""
    for line in lines:
        out = io.StringIO()
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        monkeypatch.setattr(sys, "stdin", io.StringIO(steps[1]))
        with redirect_stdout(out), pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0, line
        printed = out.getvalue()
    assert printed == drawn


def test_the_transcript_is_of_this_statement() -> None:
    """Times differ; what was explored, and what is promised, does not."""
    (transcript,) = blocks("", part("transcript"))
    promises = [promise.name for promise in PROTOCOL.promises if not promise.lemma]
    assert re.findall(r"^(\w+) +✓ +✓ +✓ +✓ *$", transcript, re.MULTILINE) == promises
    explored = re.findall(r"^([a-z-]+) +([\d,]+) +([\d,]+) +(\d+) .*✓ *$", transcript, re.MULTILINE)
    hopes = [eventuality.name for eventuality in PROTOCOL.eventualities]
    assert re.findall(r"^(\w+) {10,}✓ *$", transcript, re.MULTILINE) == hopes
    pinned = {name: configurations.find(name, PROTOCOL).pinned for name in configurations.names(PROTOCOL)}
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
    assert counted == pinned, "take the transcript anew from `make check`"


def test_the_numbers_are_of_this_benchmark() -> None:
    pinned = configurations.find(configurations.BENCH, PROTOCOL).pinned
    assert f"{pinned['distinct']:,} states" in part("bench"), "take the numbers anew from `make bench`"
    assert f"{pinned['transitions']:,} transitions" in part("bench")


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", README)
    assert links
    for link in links:
        assert link.startswith("https://") or (ROOT / link).exists(), link
