"""The page on protocols of one's own: its example is complete, and every command does what the page says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from impl.cli.exits import Exit
from tests.conformance.cli.test_specification import ROOT, ondemand

PAGE = (ROOT / "docs" / "own-protocol.md").read_text(encoding="utf-8")
FILES: Mapping[str, str] = dict(re.findall(r"<!-- file (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL))
(COMMANDS,) = re.findall(r"<!-- commands -->\n```sh\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the page."""
    made = tmp_path_factory.mktemp("own")
    assert list(FILES) == ["lock.py", "lock.toml"]
    for name, text in FILES.items():
        (made / name).write_text(text, encoding="utf-8")
    return made


@pytest.mark.slow
@pytest.mark.parametrize("line", COMMANDS.splitlines())
def test_every_command_of_the_page_does_what_it_says(line: str, folder: Path) -> None:
    command, said = line.split("#")
    program, *arguments = shlex.split(command)
    assert program == "ondemand"
    if "show" in arguments:
        ondemand(folder, *shlex.split(COMMANDS.splitlines()[-2].split("#")[0])[1:])
    code = re.search(r"exit code (\d)", said)
    ended = ondemand(folder, *arguments)
    assert (ended.code, ended.err) == (int(code[1]) if code else Exit.HOLDS, "")


@pytest.mark.slow
def test_a_red_names_the_command_that_was_red(folder: Path) -> None:
    wrong = (
        (folder / "lock.py")
        .read_text(encoding="utf-8")
        .replace("wants(client), forall", "wants(client), wants(client) | forall")
    )
    (folder / "wrong.py").write_text(wrong, encoding="utf-8")
    ended = ondemand(folder, "--spec", "wrong.py", "explore", "--config", "lock.toml", "--summary", "red.md")
    assert ended.code == Exit.VIOLATED
    assert "To reproduce: `ondemand --spec wrong.py explore --config lock.toml`" in (folder / "red.md").read_text(
        encoding="utf-8"
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", ["explore", "simulate", "step"])
def test_a_promise_that_is_false_at_the_start_is_broken(command: str, folder: Path) -> None:
    start = (folder / "lock.py").read_text(encoding="utf-8")
    wrong = re.sub(
        r"(@always\(.*\)\ndef \w+\()[^)]*(\).*\n.*\n) +return .*\n", r"\1one: Client\2    return holds(one)\n", start
    )
    assert wrong != start
    (folder / "false.py").write_text(wrong, encoding="utf-8")
    ended = ondemand(folder, "--spec", "false.py", command, "--config", "lock.toml")
    assert ended.code == Exit.VIOLATED, ended


@pytest.mark.slow
@pytest.mark.parametrize("command", ["check", "replay", "golden", "review", "matrix", "watch", "run"])
def test_other_commands_refuse_a_file(command: str, folder: Path) -> None:
    ended = ondemand(folder, "--spec", "lock.py", command)
    assert (ended.code, ended.out) == (Exit.BAD_INPUT, "")
    assert ended.err == (
        f"--spec lock.py: a file is no input of {command}, "
        "only of prove, explore, bounded, live, simulate, step, show\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("command", ["explore", "live", "simulate", "step"])
def test_nothing_is_green_without_a_configuration(command: str, folder: Path) -> None:
    ended = ondemand(folder, "--spec", "lock.py", command)
    assert (ended.code, ended.out) == (Exit.UNDECIDED if command in ("explore", "live") else Exit.BAD_INPUT, "")
    assert "name one with --config" in ended.err
