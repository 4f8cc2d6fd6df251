"""`ondemand unexercised` as its users meet it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conformance.evidence.variants import negative_of
from conformance.protocols import named
from spec.on_demand.protocol import PROTOCOL
from tests.conformance.cli.test_commands import Command, ondemand, sentence

__all__ = ["ondemand"]

NEGATIVE = negative_of(PROTOCOL)
EVICTS = NEGATIVE / "forgets-on-evicting.scenario"


def test_what_was_offered_is_told_to_people_and_scripts(ondemand: Command, tmp_path: Path) -> None:
    file, junit = tmp_path / "unexercised.json", tmp_path / "unexercised.xml"
    ended = ondemand("unexercised", EVICTS, "--json", file, "--junit", junit)
    assert (ended.code, ended.err) == (0, "")
    (result,) = json.loads(file.read_text(encoding="utf-8"))
    assert (result["protocol"], result["target"], result["verdict"]) == ("on-demand", "memory", "holds")
    assert result["permitted"] > result["done"] > 5
    assert result["offered"]["done"] == len(result["never_done"]) == result["permitted"] - result["done"]
    first = result["never_done"][0]
    assert (first["verdict"], first["trace"], first["divergence"]) == ("done", "forgets-on-evicting", None)
    assert first["permitted"] >= result["never_done"][1]["permitted"]
    assert "done when offered" in " ".join(ended.out.split())
    assert all(len(line.rstrip()) <= 80 for line in ended.out.splitlines())
    suite = ElementTree.fromstring(junit.read_text(encoding="utf-8"))  # noqa: S314 - written by ourselves
    assert (suite.get("failures"), len(suite)) == ("0", len(result["never_done"]))


def test_a_refusal_is_shown_with_the_way_there_and_is_no_failure(ondemand: Command) -> None:
    ended = ondemand("unexercised", EVICTS, "--faulty", "never_evicts", "--json", "-")
    assert ended.code == 0
    (result,) = json.loads(ended.out)
    (refused,) = [item for item in result["never_done"] if item["verdict"] == "refused"]
    assert (refused["action"], refused["because"], refused["fair"]) == ("evict", "it does nothing", False)
    said = " ".join(ended.err.split())
    assert "refused, permitted" in said
    assert "after the beginning of forgets-on-evicting: evict(host=h1, pod=p2): it does nothing" in said


def test_a_bound_on_what_is_offered_is_undecided(ondemand: Command) -> None:
    ended = ondemand("unexercised", EVICTS, "--top", "1")
    assert ended.code == 3
    assert "not tried" in ended.out
    assert "--json has all of them" in ended.out


def test_a_wrong_implementation_is_red(ondemand: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    ended = ondemand("unexercised", EVICTS, "--faulty", "forgets_on_evicting")
    assert ended.code == 1
    assert "1 of the runs diverge without an offered step:" in ended.out
    assert "::error title=unexercised::forgets-on-evicting, step" in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--faulty", "never_evict"), "'never_evict' (did you mean never_evicts?)"),
        (("--top", "-1"), "-1 is not in the range"),
        (("none.itf.json",), "none.itf.json: cannot be read"),
        ((negative_of(named("slots")),), "which is not replayed in this way"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(arguments: tuple[object, ...], said: str, ondemand: Command) -> None:
    assert said in sentence(ondemand("unexercised", *arguments))
