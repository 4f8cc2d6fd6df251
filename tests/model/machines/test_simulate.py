"""Simulation: promises hold in long random runs, broken ones are found and shrunk, and a seed reproduces a run."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from conformance import configurations
from model.language import DeadlockWhen, always, sometimes
from model.language.quantifiers import forall
from model.language.terms import FALSE, Formula
from model.machines.machines import Contradiction, NotPossible, System, mermaid
from model.machines.simulate import simulate
from model.reference.configuration import Configuration
from model.reference.state import Occurrence
from spec.on_demand.protocol import PROTOCOL
from tests.toys.configurations import LOCK, LOCK_WORLD
from tests.toys.lock import Client, holds, promised


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


@pytest.mark.parametrize("steps", [0, 10])
def test_a_promise_that_is_false_at_the_start_is_broken(steps: int) -> None:
    @always()
    def somebody_has_it(client: Client) -> Formula:
        """Whoever it is has the lock."""
        return holds(client)

    stated = replace(LOCK, promises=(somebody_has_it,))
    found = simulate(stated, LOCK_WORLD, runs=5, steps=steps)
    assert (found.verdict, found.violated) == ("violated", somebody_has_it.name)
    assert found.trace is not None
    assert (len(found.trace.states), found.trace.steps) == (1, ())


def test_what_is_reached_at_the_start_and_by_the_last_step_is_reached() -> None:
    @sometimes
    def nobody_has_it() -> Formula:
        """Nobody has the lock."""
        return forall(Client, lambda client: ~holds(client))

    @sometimes
    def is_promised(client: Client) -> Formula:
        """The lock is promised to a client."""
        return promised(client)

    for claim in (nobody_has_it, is_promised):
        object.__setattr__(claim, "name", claim.doc)
    stated = replace(LOCK, sometimes=(nobody_has_it, is_promised))
    assert simulate(stated, LOCK_WORLD, runs=5, steps=0).reached == {nobody_has_it.name}
    assert simulate(stated, LOCK_WORLD, runs=5, steps=1).reached == {nobody_has_it.name, is_promised.name}


def test_runs_without_a_step_are_counted_and_alone_decide_nothing() -> None:
    idle = Configuration(
        "idle", LOCK_WORLD.sorts, LOCK_WORLD.bounds, {}, without=frozenset(a.name for a in LOCK.actions)
    )
    found = simulate(replace(LOCK, deadlock_when=DeadlockWhen((), FALSE.node, "Nowhere.")), idle, runs=5, steps=10)
    assert (found.verdict, found.steps) == ("undecided", 0)
    assert found.idle == found.runs > 0
    moved = simulate(LOCK, LOCK_WORLD, runs=5, steps=10)
    assert 0 < moved.runs - moved.idle <= moved.steps


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
