"""An answer is kept under all that it depends on: it is found again for the same question, and for no other one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.mutation import kept
from conformance.mutation.cores import engines
from conformance.mutation.cores.executed import comes_to
from conformance.mutation.cores.loading import cores_with, source
from conformance.mutation.cores.modules import MODULES
from conformance.mutation.digests import file_of, of_modules
from conformance.mutation.kept import CODES, CORES, Keeping
from conformance.mutation.table import Answer, Kill
from conformance.replay.cores import Cores
from conformance.replay.replays import Vector
from model.language import Protocol
from spec.message_queue.protocol import PROTOCOL as QUEUE
from spec.on_demand.protocol import PROTOCOL

ASKED = {"asked": "is it so?"}
CODE = dict.fromkeys(CODES, "one")


@pytest.fixture
def keeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Keeps answers in a folder of its own."""
    monkeypatch.setenv("ONDEMAND_CACHE", str(tmp_path))

    def begin(**given: object) -> None:
        kept.keep(replace(Keeping(codes=CODE), **given))  # type: ignore[arg-type] # fields of it

    begin()
    yield begin
    kept.keep(None)


def times(ask: Callable[[Callable[[], str]], object]) -> int:
    """How often something is asked."""
    asked = []
    ask(lambda: asked.append(1) or "yes")  # type: ignore[func-returns-value] # it returns None
    return len(asked)


@pytest.mark.usefixtures("keeping")
def test_a_question_is_asked_once() -> None:
    assert times(lambda ask: kept.once(ASKED, ask)) == 1
    assert times(lambda ask: kept.once(ASKED, ask)) == 0
    assert kept.once(ASKED, str) == "yes"
    assert times(lambda ask: kept.once({**ASKED, "of": "another mutant"}, ask)) == 1


def test_what_is_made_anew_is_asked_again_and_kept(keeping: Callable[..., None]) -> None:
    kept.put(ASKED, "no")
    keeping(anew=True)
    assert times(lambda ask: kept.once(ASKED, ask)) == 1
    keeping()
    assert kept.get(ASKED) == "yes"


def test_nothing_is_kept_of_files_that_change_meanwhile(keeping: Callable[..., None], tmp_path: Path) -> None:
    """The code that was loaded may be another one than the digest is of."""
    keeping(began=time.time_ns() - 10**18)
    kept.put(ASKED, "yes")
    keeping()
    assert kept.get(ASKED) is None


def test_who_makes_no_tables_keeps_nothing(keeping: Callable[..., None]) -> None:
    kept.put(ASKED, "yes")
    kept.keep(None)
    assert kept.get(ASKED) is None
    kept.put({}, "yes")
    keeping()
    assert kept.get({}) is None


@pytest.mark.usefixtures("keeping")
def test_a_damaged_answer_is_asked_for_again(tmp_path: Path) -> None:
    kept.put(ASKED, "no")
    (answer,) = (tmp_path / kept.KIND).iterdir()
    answer.write_bytes(answer.read_bytes().replace(b"no", b"so"))
    assert kept.once(ASKED, lambda: "yes") == "yes"


def test_a_new_run_is_all_that_a_survivor_is_asked(
    keeping: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where the code that replays is another one, everything is."""
    number, mutant = next(
        (number, each)
        for number, each in enumerate(source("impl.on_demand.ncm").mutants)
        if each.place == "Ncm._in_one_vpc" and each.rule == "negate a condition"
    )
    wrong = cores_with("on-demand", "impl.on_demand.ncm", source("impl.on_demand.ncm").compiled(number))
    runs = [run for run in engines._shipped(PROTOCOL)[0][:9] if comes_to(run.executed, mutant)][:3]
    asked: list[str] = []
    followed = engines._followed

    def counted(run: Vector, cores: Cores) -> Answer:
        asked.append(run.name)
        return followed(run, cores)

    monkeypatch.setattr(engines, "_followed", counted)

    def answer(of: int, cores: Cores) -> tuple[object, list[str]]:
        asked.clear()
        found = engines._replayed("vectors", runs[:of], cores, mutant)
        return found, list(asked)

    names = [run.vector.name for run in runs]
    assert answer(2, Cores()) == ("survives", names[:2])
    assert answer(3, Cores()) == ("survives", names[2:])
    assert answer(3, Cores()) == ("survives", [])
    keeping(codes={**CODE, CORES: "another"})
    found, replays = answer(3, wrong)
    assert isinstance(found, Kill)
    assert replays == names[:1], "the first divergence is all that is needed"
    assert answer(3, wrong) == (found, [])


def test_cores_are_in_no_code_and_in_every_question_about_them(monkeypatch: pytest.MonkeyPatch) -> None:
    before = engines._cores(PROTOCOL, None), kept.code_of(CORES)
    changed = file_of("impl.on_demand.ncm")
    monkeypatch.setattr(
        "conformance.mutation.cores.engines.of_modules", lambda files: {**of_modules(files), str(changed): "another"}
    )
    engines._unchanged.cache_clear()
    try:
        assert engines._cores(PROTOCOL, None) != before[0]
    finally:
        engines._unchanged.cache_clear()
    monkeypatch.setattr(kept, "MODULES", {})
    assert kept.code_of(CORES) != before[1]


@pytest.mark.parametrize(("protocol", "other"), [(PROTOCOL, QUEUE), (QUEUE, PROTOCOL)], ids=lambda item: item.name)
def test_what_a_run_executes_is_in_its_questions(protocol: Protocol, other: Protocol) -> None:
    """And what is kept of one protocol's cores does not depend on the other's."""
    executed = {module for runs in engines._shipped(protocol) for run in runs for module, _ in run.executed}
    assert {f"{module.replace('.', '/')}.py" for module in executed} <= engines._unchanged(protocol).keys()
    others = {f"{module.replace('.', '/')}.py" for module in MODULES[other.name]} - {"impl/timers.py"}
    assert not others & engines._unchanged(protocol).keys()
