"""A specification of the user's own: whole, of the engines' language, and with what belongs to it beside it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance import configurations
from conformance.data import files
from conformance.protocols import PROTOCOLS
from tests.conformance.cli.test_commands import Ended

ROOT = Path(__file__).parents[3]
FAILOVER = next(protocol for protocol in PROTOCOLS if protocol.name == "failover")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with a copy of `spec`."""
    shutil.copytree(ROOT / "spec", tmp_path / "spec", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def ondemand(folder: Path, *arguments: str, **environment: str) -> Ended:
    """Runs the program in a process of its own, since another specification is in use in this one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "ONDEMAND_SPEC"))}
    done = subprocess.run(
        [sys.executable, "-P", "-c", "from conformance.cli.main import main; main()", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def append(text: str, file: str) -> Callable[[Path], None]:
    """Adds a line to a file of the copy."""

    def change(folder: Path) -> None:
        path = folder / "spec" / file
        path.write_text(path.read_text(encoding="utf-8") + f"{text}\n", encoding="utf-8")

    return change


def rename_grant(folder: Path) -> None:
    path = folder / "spec" / "on_demand" / "ncm.py"
    path.write_text(path.read_text(encoding="utf-8").replace("def grant(", "def grants("), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: shutil.rmtree(folder / "spec"), r"--spec spec: not a specification; name a copy of the folder"),
        (
            lambda folder: (folder / "spec" / "on_demand" / "dpm.py").unlink(),
            r"spec/on_demand/dpm\.py is missing; copy all of",
        ),
        (append("x = (", "on_demand/ncm.py"), r"spec/on_demand/ncm\.py, line \d+: '\(' was never closed"),
        (append("told(1)", "on_demand/ncm.py"), r"spec/on_demand/ncm\.py, line \d+: what is declared as"),
        (rename_grant, r"spec/on_demand/ncm\.py, line \d+: name 'grant' is not defined"),
    ],
    ids=["none", "incomplete", "syntax", "sorts", "names"],
)
def test_what_cannot_be_used_is_said_in_one_sentence(change: Callable[[Path], None], said: str, own: Path) -> None:
    change(own)
    ended = ondemand(own, "--spec", "spec", "prove", "--protocol", "failover")
    assert (ended.code, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    assert re.match(said, line), line


def test_a_build_is_told_the_line_that_cannot_be_loaded(own: Path) -> None:
    append("told(1)", "on_demand/ncm.py")(own)
    ended = ondemand(own, "prove", GITHUB_ACTIONS="true", GITHUB_WORKSPACE=str(own), ONDEMAND_SPEC="spec")
    assert ended.code == 2
    last = len((own / "spec" / "on_demand" / "ncm.py").read_text(encoding="utf-8").splitlines())
    assert ended.err.startswith(
        f"::error file=spec/on_demand/ncm.py,line={last},title=no specification::what is declared as"
    )


def test_a_fault_of_the_engines_is_not_blamed_on_the_specification(own: Path) -> None:
    ended = ondemand(own, "--spec", "spec", "prove", "--protocol", "no-such")
    assert ended.code == 2
    assert "unknown protocol 'no-such'" in ended.err


def test_what_belongs_to_an_own_specification_is_written_beside_it(own: Path) -> None:
    shipped = {path: path.read_bytes() for path in files.SHIPPED.rglob("*.toml")}
    statement = own / "spec" / "failover" / "promises.py"
    statement.write_text(statement.read_text(encoding="utf-8") + "\n# the user's own\n", encoding="utf-8")
    ended = ondemand(own, "--spec", "spec", "golden", "counts", "failover")
    assert (ended.code, ended.err) == (0, "")
    (name, *_) = configurations.names(FAILOVER)
    mine = own / "conformance" / "data" / "configurations" / "failover" / f"{name}.toml"
    assert mine.read_bytes() == configurations.path_of(name, FAILOVER).read_bytes(), "the counts are the same"
    assert (own / "conformance" / "data" / "variants" / "failover.json").is_file()
    assert not (own / "conformance" / "data" / "configurations" / "slots").exists(), "only what was asked for"
    assert shipped == {path: path.read_bytes() for path in files.SHIPPED.rglob("*.toml")}
    mine.write_text(mine.read_text(encoding="utf-8").replace("distinct = ", "distinct = 1"), encoding="utf-8")
    ended = ondemand(own, "--spec", "spec", "explore", "--protocol", "failover", "--config", name)
    assert ended.code == 1, "its own pins count"
    assert "pinned distinct" in ended.out
    assert ondemand(own, "explore", "--protocol", "failover", "--config", name).code == 0
