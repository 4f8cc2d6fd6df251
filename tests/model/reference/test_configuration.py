"""An invalid configuration is rejected with file, field and what was expected; one that is too large, before the work starts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import configurations
from model.bad_input import BadInput
from model.explore.explore import explore
from model.explore.live import live
from model.proof.bounded import bounded
from model.reference.configuration import load
from model.reference.interpreter import Interpreter
from spec.on_demand.protocol import PROTOCOL

TEXT = configurations.path_of("two-hosts", PROTOCOL).read_text(encoding="utf-8").split("\n[pinned]")[0]


def replaced(old: str, new: str) -> Callable[[], str]:
    """The text of a good configuration with one place changed."""
    assert old in TEXT
    return lambda: TEXT.replace(old, new)


def added(more: str) -> Callable[[], str]:
    """The text of a good configuration with something appended."""
    return lambda: TEXT + more


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (lambda: "doc = ", r"is not TOML"),
        (lambda: "a = " + "[" * 10_000, r"nested too deeply"),
        (added("\n[bonds]\nVersion = 1\n"), r"unknown field 'bonds'; expected one of bounds, constants"),
        (replaced('Request = ["r1"]\n', ""), r"sorts: expected exactly Host, Pod, Vpc, Request, found Host, Pod, Vpc"),
        (replaced('["h1", "h2"]', '["h1", "h1"]'), r"sorts.Host: expected 1 to 64 different names"),
        (replaced('["h1", "h2"]', "[]"), r"sorts.Host: expected 1 to 64 different names"),
        (replaced("Version = 1", "Version = 0"), r"bounds.Version: expected an integer from 1 to 255, found 0"),
        (replaced("Version = 1", "Version = true"), r"bounds.Version: expected an integer from 1 to 255, found True"),
        (replaced("Version = 1", "Version = 1_000"), r"bounds.Version: expected an integer from 1 to 255, found 1000"),
        (replaced('p1 = "red"', 'p1 = "green"'), r"constants.vpc_of: expected a vpc among red, found 'green'"),
        (replaced('p1 = "red", ', ""), r"constants.vpc_of: expected a value for each of 2 arguments, found 1"),
        (
            replaced('correct = [["h1"]', 'correct = [["h9"]'),
            r"constants.correct: expected a host among h1, h2, found 'h9'",
        ),
        (replaced("doc =", "without = [1]\ndoc ="), r"without: expected a list of names among .*, found \[1\]"),
        (replaced("doc =", 'without = ["fly"]\ndoc ='), r"without: expected a list of names among .*'fly'"),
        (
            replaced("doc =", 'eventually = ["rain"]\ndoc ='),
            r"eventually: expected a list of names among agents_are_met, .*, found \['rain'\]",
        ),
        (replaced("doc =", "eventually = []\ndoc ="), r"eventually: is empty; leave the field out"),
        (added('\n[only]\nfly = ["p1"]\n'), r"only: expected an action among .*, found 'fly'"),
        (added('\n[only]\nplace = ["p1"]\n'), r"only.place: expected a list of 2 choices joined by commas"),
        (added('\n[only]\nplace = ["p1,h9"]\n'), r"only.place: expected for host a host of this configuration, or \*"),
        (added("\n[pinned]\nstates = 5\n"), r"pinned: expected integers for depth, distinct, transitions"),
        (added('\n[pinned]\ndistinct = "many"\n'), r"pinned\.distinct: expected an integer from 0 to .*, found 'many'"),
        (
            added(f"\n[pinned]\ndistinct = {10**30}\n"),
            r"pinned\.distinct: expected an integer from 0 to .*, found 10{30}",
        ),
        (added("\n[pinned]\ndepth = -1\n"), r"pinned\.depth: expected an integer from 0 to .*, found -1"),
    ],
)
def test_what_is_no_configuration_is_refused_with_its_place(text: Callable[[], str], said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text(), encoding="utf-8")
    with pytest.raises(BadInput, match=re.escape(str(path)) + r"(, line \d+)?: .*" + said):
        load(path, PROTOCOL)


def test_what_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        load(tmp_path / "missing.toml", PROTOCOL)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="is not TOML"):
        load(tmp_path / "binary.toml", PROTOCOL)


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "My World.toml"
    path.write_text(TEXT, encoding="utf-8")
    with pytest.raises(BadInput, match="must be lower-case letters, digits and hyphens"):
        load(path, PROTOCOL)


def test_a_world_that_is_too_large_is_refused_before_the_work_begins(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_text(TEXT.replace("Version = 1", "Version = 255").replace("Epoch = 1", "Epoch = 255"), encoding="utf-8")
    with pytest.raises(BadInput, match=r"configuration large: \w+ has [\d,]+ possible arguments, .* lower bounds"):
        explore(PROTOCOL, load(path, PROTOCOL))


def test_every_shipped_configuration_is_one_and_has_its_counts_pinned() -> None:
    assert configurations.names(PROTOCOL)[-1] == configurations.BENCH
    for name in configurations.names(PROTOCOL):
        assert set(configurations.find(name, PROTOCOL).pinned) == {"distinct", "transitions", "depth"}, name


@pytest.mark.parametrize("engine", [Interpreter, explore, live, bounded])
def test_constants_that_are_not_as_assumed_are_refused(engine: Callable[..., object]) -> None:
    protocol = configurations.meant("thresholds", None, None)
    world = configurations.find("thresholds", protocol)
    zero = replace(world, constants={**world.constants, "many_ports": {("red",): 0}})
    with pytest.raises(
        BadInput, match=r"constants: thresholds_are_positive is false for vpc red\. No VPC is large without"
    ):
        engine(protocol, zero)
