"""A trace of Quint or Apalache is shown as a table of its states."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from impl.cli.exits import Exit
from model.reference.itf import PICKS
from tests.conformance.cli.test_commands import Command, ondemand, sentence, trace_with

__all__ = ["ondemand"]

ALICE, BOB = "alice", "bob"


def number(value: int) -> dict[str, str]:
    return {"#bigint": str(value)}


def trace() -> dict[str, Any]:
    """Two states with every kind of value, as Quint writes them."""
    first = {
        "#meta": {"index": 0},
        "balances": {"#map": [[ALICE, number(0)], [BOB, number(0)]]},
        "open": True,
        "queue": [],
        "seen": {"#set": []},
        "turn": {"tag": "Nobody", "value": {"#tup": []}},
        "limits": {"least": number(-3), "most": 7},
        "mbt::actionTaken": "init",
        "mbt::nondetPicks": {"amount": {"tag": "None", "value": {"#tup": []}}},
    }
    second = {
        **first,
        "#meta": {"index": 1},
        "balances": {"#map": [[ALICE, number(5)]]},
        "open": False,
        "queue": [{"#tup": [ALICE, number(5)]}],
        "seen": {"#set": [{"tag": "Paid", "value": {"by": BOB}}, {"#map": [[{"#set": [1, 2]}, "x"]]}]},
        "turn": {"tag": "Somebody", "value": ALICE},
        "limits": {"least": number(-3), "most": 8},
        "mbt::actionTaken": "deposit",
        "mbt::nondetPicks": {"amount": {"tag": "Some", "value": number(5)}},
    }
    names = [name for name in first if name != "#meta"]
    return {"#meta": {"source": "bank.qnt", "description": "a deposit"}, "vars": names, "states": [first, second]}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[object], Path]:
    """Writes a trace."""

    def to_file(data: object) -> Path:
        file = tmp_path / "bank.itf.json"
        file.write_text(json.dumps(data), encoding="utf-8")
        return file

    return to_file


def test_every_state_is_shown_with_its_changes(ondemand: Command, write: Callable[[object], Path]) -> None:
    ended = ondemand("show", write(trace()))
    assert ended.code == 0
    lines = [" ".join(line.strip("│ ").replace("│", "|").split()) for line in ended.out.splitlines()]
    assert lines[:2] == ["source: bank.qnt", "description: a deposit"]
    said = "\n".join(lines)
    for expected in ("+ balances(bob): 0", "+ queue: []", "+ seen: empty", "+ turn: Nobody", "+ limits.least: -3"):
        assert expected in said
    assert "amount = 5" in said
    assert "| amount = None" not in said
    for change in (
        "1 | deposit | balances(alice): 0 ⇒ 5",
        "- balances(bob)",
        "open: true ⇒ false",
        "queue: [] ⇒ [(alice, 5)]",
        "+ seen(Paid{by: bob})",
        "+ seen({{1, 2}: x})",
        "turn: Nobody ⇒ Somebody(alice)",
        "limits.most: 7 ⇒ 8",
    ):
        assert change in said, said
    assert said.count("limits.least") == 1
    assert ondemand("show", write(trace()), "--full").out.count("limits.least") == 2


def test_an_infinite_run_says_where_it_goes_on(ondemand: Command, write: Callable[[object], Path]) -> None:
    assert "goes on as from state 0, for ever" in ondemand("show", write({**trace(), "loop": 0})).out
    assert "loop: expected the index of a state, found 2" in sentence(ondemand("show", write({**trace(), "loop": 2})))


def test_a_foreign_trace_cannot_steer_the_terminal(ondemand: Command, write: Callable[[object], Path]) -> None:
    data = trace()
    data["states"][1]["turn"] = "[bold]\x1b[31m[/no]"
    data["#meta"]["source"] = "[red]\x1b[31m"
    ended = ondemand("show", write(data))
    assert ended.code == 0
    assert "\x1b" not in ended.out
    assert "[bold] [31m[/no]" in ended.out


def test_a_trace_without_an_origin_is_shown_too(ondemand: Command, tmp_path: Path) -> None:
    assert "place" in ondemand("show", trace_with(lambda data: data.pop("#meta"), tmp_path)).out


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.pop("vars"), "vars: expected a list of names, found nothing"),
        (lambda data: data.update(states=[]), "states: expected at least one state, found none"),
        (lambda data: data["states"].insert(0, 1), "state 0: expected an object, found 1"),
        (lambda data: data["states"][1].pop("turn"), "state 1: turn: expected a value, since it is declared in vars"),
        (lambda data: data["states"][1].update(turn=None), "state 1: turn: expected a value of the format, found nothing"),
        (lambda data: data["states"][1].update(turn=1.5), "state 1: turn: expected a value of the format, found 1.5"),
        (lambda data: data["states"][1].update(turn={"#new": 1}), "state 1: turn: expected a value of the format, found"),
        (lambda data: data["states"][1].update(turn={"#set": 1}), "state 1: turn: expected a list behind #set, found 1"),
        (lambda data: data["states"][1].update(turn={"#map": [[1]]}), "state 1: turn: expected pairs of key and value"),
        (lambda data: data["states"][1].update(turn=deep(700)), "a value is nested too deeply"),
        (
            lambda data: data["states"][1].update({PICKS: {"a": {"tag": "Some", "value": None}}}),
            "state 1: mbt::nondetPicks: expected a value of the format, found nothing",
        ),
    ],
)  # fmt: skip
def test_what_is_not_of_the_format_is_named_with_state_and_variable(
    change: Callable[[dict[str, Any]], object], said: str, ondemand: Command, write: Callable[[object], Path]
) -> None:
    data = trace()
    change(data)
    file = write(data)
    assert f"{file}: {said}" in sentence(ondemand("show", file))


def test_only_a_trace_of_a_stated_protocol_is_drawn_and_replayed(
    ondemand: Command, write: Callable[[object], Path]
) -> None:
    file = write(trace())
    assert "is of no protocol that is stated here" in sentence(ondemand("show", file, "--mermaid"))
    ended = ondemand("replay", file)
    assert ended.code == Exit.BAD_INPUT
    assert "#meta.source: expected 'on-demand' or " in ended.err
