"""All engines agree on protocols drawn at random, and every fault that is put into one of them is found."""

from __future__ import annotations

from pathlib import Path
from typing import Final, get_args

import pytest

from model.agreement.agree import agree, differs
from model.agreement.compare import ENGINES, Subject, tlc
from model.agreement.draw import draw
from model.agreement.drawn import Drawn
from model.agreement.shrink import shrunk
from model.language import Protocol
from model.language.terms import Node
from model.language.walk import parts
from model.tla.judge import missing
from tests.model.agreement.faults import EXPORTED, FAULTS, Fault

FOUND: Final = sorted((Path(__file__).parent / "found").glob("*.py"))
"""Protocols on which engines once disagreed."""

needs_tlc = pytest.mark.skipif(bool(missing()), reason=missing() or "TLC can be asked")


def kinds_in(protocol: Protocol) -> set[type]:
    """The kinds of nodes that the protocol is made of."""
    nodes: list[Node] = [promise.formula for promise in protocol.promises]
    nodes += [claim.formula for claim in protocol.sometimes]
    for action in protocol.actions:
        nodes += [*action.guard, *action.emits]
        nodes += [node for change in action.changes for node in change.nodes()]
    return {type(part) for node in nodes for part in parts(node)}


def saved(file: Path) -> Drawn:
    """A protocol that was saved."""
    source, toml = (file.with_suffix(end).read_text(encoding="utf-8") for end in (".py", ".toml"))
    return Drawn.read(file.stem, source, toml)


def test_engines_agree() -> None:
    found = agree(1, protocols=8)
    assert found.disagreement is None, found.disagreement
    assert set(found.by_engine) == {"interpreter", *ENGINES}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_engines_agree_on_many(seed: int) -> None:
    found = agree(seed, protocols=50)
    assert found.disagreement is None, (found.number, found.disagreement)
    assert found.states > 500


@pytest.mark.slow
@needs_tlc
def test_tlc_agrees() -> None:
    found = agree(4, protocols=20, engines={}, tlc=tlc)
    assert found.disagreement is None, (found.number, found.disagreement)


@pytest.mark.parametrize("file", FOUND, ids=[file.stem for file in FOUND])
def test_engines_agree_where_they_did_not(file: Path) -> None:
    assert differs(saved(file)) is None


@pytest.mark.slow
@needs_tlc
@pytest.mark.parametrize("file", FOUND, ids=[file.stem for file in FOUND])
def test_tlc_agrees_where_engines_did_not(file: Path) -> None:
    assert differs(saved(file), {"tlc": tlc}) is None


# ------------------------------------------------------------------------------------------------ what is drawn


def test_a_number_of_a_seed_is_always_the_same_protocol() -> None:
    assert draw(5, 3) == draw(5, 3)
    assert draw(5, 3) != draw(5, 4)
    assert draw(5, 3) != draw(6, 3)


def test_every_kind_of_node_is_drawn() -> None:
    drawn = set[type]().union(*(kinds_in(draw(0, number).protocol()) for number in range(30)))
    assert drawn == set(get_args(Node))


def test_everything_else_of_the_language_is_drawn() -> None:
    drawn = [draw(0, number) for number in range(60)]
    text = "".join(each.source for each in drawn)
    words = [
        "@message",
        "lasting=True",
        "@definition",
        "def helper",
        "fair=True",
        "@alternatives",
        "for_each(",
        ".when(",
    ]
    words += [
        'kind="constant"',
        'kind="history"',
        "event_0(",
        "takes=",
        ".after(",
        ".unspent(",
        "@two_state",
        "@always",
    ]
    words += ["@deadlock_when", "environment=True"]
    assert [word for word in words if word not in text] == []
    assert any(each.world.get("only") for each in drawn)
    assert any(each.world.get("without") for each in drawn)
    assert any(each.world["constants"] for each in drawn)


def test_what_is_written_is_read_again() -> None:
    for number in range(20):
        drawn = draw(0, number)
        again = Drawn.read(drawn.name, drawn.source, drawn.toml())
        assert Subject(again).configuration == Subject(drawn).configuration


# ------------------------------------------------------------------------------------------------------- faults


def first(fault: Fault) -> tuple[Drawn, str]:
    """The first protocol on which the fault is noticed, and how."""
    engines = {**ENGINES, "tlc": tlc}
    for number in range(fault.within):
        found = differs(draw(0, number), {fault.engine: engines[fault.engine]})
        if found is not None:
            assert found.engine == fault.engine
            return draw(0, number), found.about
    raise AssertionError(f"not noticed within {fault.within} protocols")


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[name].put_in(monkeypatch)
    first(FAULTS[name])


@pytest.mark.slow
@needs_tlc
def test_a_fault_of_the_export_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    EXPORTED.put_in(monkeypatch)
    first(EXPORTED)


def test_what_differs_is_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = FAULTS["the machines' comparison"]
    fault.put_in(monkeypatch)
    drawn, about = first(fault)

    def still(tried: Drawn) -> bool:
        found = differs(tried, {"machines": ENGINES["machines"]})
        return found is not None and found.about == about

    small = shrunk(drawn, still)
    assert still(small)
    assert len(small.source) < len(drawn.source) / 2
    protocol = small.protocol()
    assert (len(protocol.actions), len(protocol.messages)) == (1, 0)


def test_a_crash_of_an_engine_is_a_disagreement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.agreement.compare.System.enabled", lambda self: 1 // 0)
    found = agree(0, protocols=1, engines={"machines": ENGINES["machines"]})
    assert found.disagreement is not None
    assert "ZeroDivisionError" in found.disagreement.sentence
    assert found.verdict == "violated"


def test_no_time_is_no_agreement() -> None:
    assert agree(0, seconds=0).verdict == "undecided"
