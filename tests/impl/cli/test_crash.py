"""A mistake of the program itself is never a verdict: exit 70, one sentence, and a file to send."""

from __future__ import annotations

import hashlib
import stat
import sys
import tempfile
from pathlib import Path

import click
import pytest

from impl.cli import crash
from impl.cli.exits import Exit, worst
from impl.cli.program import run_program

DIGEST = hashlib.sha256(b"claim x\n").hexdigest()


class Deep(Exception):
    """An exception whose text is more than a line."""


def recursive(depth: int) -> int:
    """Never ends."""
    return recursive(depth + 1) + 1


def failing(kind: str, trace: str) -> None:
    """An engine with a mistake."""
    match kind:
        case "text":
            raise Deep("first line\nsecond line")
        case "empty":
            raise KeyError
        case "assertion":
            assert trace == "another", "an invariant of the engine"
        case "recursion":
            recursive(0)


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> click.Group:
    @click.group("ondemand")
    def group() -> None:
        """A program."""

    @group.command()
    @click.argument("kind")
    @click.argument("trace")
    @click.option("--seed", type=int)
    def simulate(kind: str, trace: str, seed: int) -> None:
        """A command."""
        failing(kind, trace)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return group


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("text", "Deep: first line second line"),
        ("empty", "KeyError"),
        ("assertion", "AssertionError: an invariant of the engine"),
        ("recursion", "RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_a_crash_is_exit_70_with_a_sentence_and_a_file(
    kind: str,
    said: str,
    program: click.Group,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trace = tmp_path / "a.scenario"
    trace.write_bytes(b"claim x\n")
    monkeypatch.setattr(sys, "argv", ["ondemand", "simulate", kind, str(trace), "--seed", "7"])
    with pytest.raises(SystemExit) as ended:
        run_program(program)
    assert ended.value.code == 70
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith(f"Crashed: {said}"), line
    (kept,) = tmp_path.glob("ondemand-crash-*.txt")
    assert f"send {kept} with the report" in line
    text = kept.read_text(encoding="utf-8")
    assert f"command: ondemand simulate {kind} {trace} --seed 7" in text
    assert f"sha256 of {trace}: {DIGEST}" in text
    assert "alcor-on-demand: " in text
    assert "Traceback (most recent call last)" in text
    assert len(text) < 20_000
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_where_no_file_can_be_written_the_sentence_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    said = crash.sentence(ValueError("x"), ["ondemand"])
    assert said == "Crashed: ValueError: x; this is a bug of the program, no file could be written."


def test_a_crash_is_worse_than_any_verdict() -> None:
    assert worst([Exit.VIOLATED, Exit.BAD_INPUT, Exit.CRASHED, Exit.ENVIRONMENT]) is Exit.CRASHED
