"""Simulation: promises hold in long random runs, broken ones are found and shrunk, and a seed reproduces a run."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from conformance import configurations
from model.machines.machines import Contradiction, NotPossible, System, mermaid
from model.machines.simulate import simulate
from model.reference.state import Occurrence
from spec.on_demand.protocol import PROTOCOL
from tests.toys.configurations import LOCK, LOCK_WORLD


def test_promises_hold_in_random_runs_and_a_seed_repeats_them() -> None:
    world = configurations.find("two-hosts", PROTOCOL)
    first = simulate(PROTOCOL, world, runs=15, steps=30, from_seed=5)
    again = simulate(PROTOCOL, world, runs=15, steps=30, from_seed=5)
    assert first.verdict == "holds"
    assert first.steps > 100
    assert first.actions == again.actions


def test_a_seed_means_the_same_whatever_else_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = configurations.find("two-hosts", PROTOCOL)
    first = simulate(PROTOCOL, world, runs=15, steps=30, from_seed=5)
    path = tmp_path / "full_of_constants.py"
    path.write_text(f"CONSTANTS = {list(range(100, 1000, 3))}", encoding="utf-8")
    spec = spec_from_file_location("full_of_constants", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    monkeypatch.setitem(sys.modules, "full_of_constants", loaded)
    assert simulate(PROTOCOL, world, runs=15, steps=30, from_seed=5).actions == first.actions


def test_a_broken_promise_is_found_and_made_short() -> None:
    variant, _ = LOCK.variants
    found = simulate(LOCK.with_variant(variant), LOCK_WORLD, runs=200, steps=30, from_seed=1)
    assert (found.verdict, found.violated) == ("violated", "one_holder")
    assert found.trace is not None
    assert len(found.trace.steps) == 4


def test_a_variant_of_the_protocol_is_found() -> None:
    variant = next(each_variant for each_variant in PROTOCOL.variants if each_variant.name == "pushes_to_all")
    world = configurations.find("two-hosts", PROTOCOL)
    found = simulate(PROTOCOL.with_variant(variant), world, runs=200, steps=40, from_seed=1)
    assert (found.verdict, found.violated) == ("violated", "learns_only_on_demand")


def test_what_no_guard_allows_is_not_possible() -> None:
    system = System(LOCK, LOCK_WORLD)
    with pytest.raises(NotPossible):
        system.take(Occurrence("take", (("client", "c1"), ("turn", 1))))
    assert all(not relation for relation in system.state.relations.values())


def test_a_move_that_no_action_declares_is_a_contradiction() -> None:
    world = configurations.find("two-hosts", PROTOCOL)
    system = System(PROTOCOL, world)
    restart = Occurrence("restart", (("host", "h1"),))
    system.executables["restart"]._moves.clear()
    system.take(restart)  # from starting to starting: nothing moves
    greet = Occurrence("greet", (("host", "h1"), ("epoch", 1)))
    system.executables["greet"]._moves.clear()
    with pytest.raises(Contradiction, match="greet moves session_state"):
        system.take(greet)


def test_diagrams_come_from_the_declared_moves() -> None:
    session = next(lifecycle for lifecycle in PROTOCOL.lifecycles if lifecycle.name == "session_state")
    assert "starting --> greeted: greet, greet_by_request" in mermaid(PROTOCOL, session)
