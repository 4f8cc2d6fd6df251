"""What the commands say where a number reaches its bound: of a protocol of one's own, which counts without end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from impl.cli.exits import Exit
from tests.conformance.cli.test_specification import ondemand

COUNTING = '''
from model.language import LeadsTo, Role, Step, action, always, eventually, function, leads_to, relation, sometimes
from model.language.terms import Formula, Individual, Number

class Cell(Individual):
    """Where something is counted."""

class Count(Number):
    """What is counted."""

KEEPER = Role("Counts.")
c = function(Cell, to=Count, doc="The count.", holder=KEEPER)
seen = relation(Count, doc="The number was seen.", holder=KEEPER)

@action(by=KEEPER, fair=True)
def up(cell: Cell) -> Step:
    """It counts."""
    return Step(then=[c.assign(cell, to=c(cell) + 1)])

@sometimes
def one(cell: Cell) -> Formula:
    """It has counted."""
    return c(cell) == Count.of(1)

@always(one)
def small(cell: Cell) -> Formula:
    """A count is small."""
    return c(cell) <= Count.of(5)

@eventually(one)
def five(cell: Cell) -> LeadsTo:
    """It reaches five."""
    return leads_to(c(cell) == Count.of(0), c(cell) == Count.of(5))
'''

PROMISED = "return c(cell) <= Count.of(5)"
LINE = COUNTING.splitlines().index("def small(cell: Cell) -> Formula:") + 1
CUT = "Count > 2 (up 1)"

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The protocol, with a configuration that it outgrows."""
    (tmp_path / "counting.py").write_text(COUNTING, encoding="utf-8")
    (tmp_path / "w.toml").write_text('[sorts]\nCell = ["a"]\n[bounds]\nCount = 2\n', encoding="utf-8")
    return tmp_path


def test_what_is_explored_holds_within_the_bounds(folder: Path) -> None:
    ended = ondemand(folder, "--spec", "counting.py", "explore", "--config", "w.toml", "--json", "cut.json")
    assert ended.code == Exit.HOLDS
    assert f"w holds within the bounds; 1 step left the bounds: {CUT}\n" in ended.out
    assert json.loads((folder / "cut.json").read_text(encoding="utf-8"))["cut"] == {"Count": 1}


def test_what_only_a_bound_prevents_is_undecided(folder: Path) -> None:
    ended = ondemand(folder, "--spec", "counting.py", "live", "--config", "w.toml")
    assert ended.code == Exit.UNDECIDED
    sentence = "every fair run that breaks it stays where a fair step is cut; raise the bounds"
    assert f"five: undecided in w: {sentence} (1 step left the bounds: {CUT}).\n" in ended.out


def test_random_and_short_runs_tell_that_they_were_cut(folder: Path) -> None:
    ended = ondemand(folder, "--spec", "counting.py", "simulate", "--config", "w.toml", "--runs", "5")
    assert ended.code == Exit.HOLDS
    assert "steps left the bounds: Count > 2 (up " in ended.out
    ended = ondemand(folder, "--spec", "counting.py", "bounded", "--config", "w.toml", "--steps", "3")
    assert ended.code == Exit.UNDECIDED
    assert "w: after 2 steps, up may leave the bounds: Count > 2\n" in ended.out


@pytest.mark.parametrize("command", ["explore", "live", "simulate", "bounded", "step"])
@pytest.mark.parametrize(
    ("reads", "said"),
    [
        ("seen(c(cell) + 1)", "seen(c(cell) + 1), but c(cell) + 1 may be outside the bounds of Count"),
        ("~seen(Count.of(5))", "seen(5), but the configuration w bounds Count at 2; raise the bound"),
    ],
)
def test_what_has_no_value_is_bad_input_of_every_command(command: str, reads: str, said: str, folder: Path) -> None:
    assert PROMISED in COUNTING
    (folder / "wrong.py").write_text(COUNTING.replace(PROMISED, f"return {reads}"), encoding="utf-8")
    ended = ondemand(folder, "--spec", "wrong.py", command, "--config", "w.toml")
    assert (ended.code, ended.out) == (Exit.BAD_INPUT, "")
    assert ended.err.startswith(f"wrong.py, line {LINE}: small reads {said}")
