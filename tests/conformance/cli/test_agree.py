"""`ondemand agree` as its users meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.cli.agree import agree
from model.agreement.agree import differs
from model.agreement.drawn import Drawn
from tests.model.agreement.faults import FAULTS

FAULT = FAULTS["the machines' comparison"]


def ran(*arguments: object) -> Result:
    """The command, run with these arguments."""
    return CliRunner().invoke(agree, [str(argument) for argument in arguments], standalone_mode=False)


def test_agreement_is_shown_with_the_seconds_of_each_engine(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    ended = ran("--protocols", 2, "--seed", 3, "--json", file)
    assert ended.return_value == 0
    assert "✓ 2 protocols" in ended.output
    found = json.loads(file.read_text(encoding="utf-8"))
    assert (found["verdict"], found["protocols"], found["seed"]) == ("holds", 2, 3)
    assert "kernel" in found["engines"]


def test_a_disagreement_is_written_and_compared_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        FAULT.put_in(patch)
        ended = ran("--protocols", FAULT.within, "--save", tmp_path)
        assert ended.return_value == 1
        (file,) = tmp_path.glob("*.py")
        assert "machines and interpreter disagree" in ended.output
        assert f"To compare it again: ondemand agree {file}" in ended.output
        assert ran(file).return_value == 1
    assert ran(file).return_value == 0
    drawn = Drawn.read("again", *(file.with_suffix(end).read_text(encoding="utf-8") for end in (".py", ".toml")))
    assert differs(drawn) is None


def test_nothing_compared_is_undecided() -> None:
    ended = ran("--time", 1e-9)
    assert ended.return_value == 3
    assert "no protocol was compared" in ended.output


@pytest.mark.parametrize("name", ["none.py", "broken.py"])
def test_a_file_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("", encoding="utf-8")
    (tmp_path / "broken.toml").write_text("[", encoding="utf-8")
    ended = ran(tmp_path / name)
    assert ended.exception is not None
    assert "name a file that ondemand agree has written" in str(ended.exception)
