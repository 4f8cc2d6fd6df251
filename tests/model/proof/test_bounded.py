"""Bounded: the same shortest runs as exploration finds, runs that the interpreter confirms, and no green verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest
import z3

from conformance import configurations
from conformance.evidence.variants import VariantCounterexample, read_variants
from impl.cli.exits import EXIT_OF, Exit
from model.bad_input import BadInput
from model.explore.explore import explore
from model.explore.kernel.ground import Ground
from model.language import Promise, Protocol, always, sometimes
from model.language.terms import Formula
from model.proof.bounded import bounded
from model.proof.unrolled import Unrolling
from model.reference.configuration import Configuration, of_sizes
from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, initial_state
from spec.on_demand.protocol import PROTOCOL
from tests.toys.configurations import CHOICES, CHOICES_WORLD, LOCK, LOCK_WORLD
from tests.toys.lock import Client, holds, promised

SHORT = [kill for kill in read_variants(PROTOCOL) if kill.depth <= 9]
"""Variants that break a promise soon; the longer runs take a second and a half each."""


@pytest.mark.parametrize("name", ["promises_twice", "uses_what_it_was_promised"])
def test_the_toys_variants_die_after_as_many_steps_as_exploration_finds(name: str) -> None:
    (variant,) = (each_variant for each_variant in LOCK.variants if each_variant.name == name)
    changed = LOCK.with_variant(variant)
    found = bounded(changed, LOCK_WORLD)
    explored = explore(changed, LOCK_WORLD, forget_spent=False, deadlocks=False)
    assert explored.trace is not None
    assert (found.verdict, found.violated, found.depth) == ("violated", explored.violated, len(explored.trace.steps))


@pytest.mark.parametrize("kill", SHORT, ids=lambda kill: kill.variant)
def test_variants_die_after_as_many_steps_as_exploration_finds(kill: VariantCounterexample) -> None:
    (variant,) = (each_variant for each_variant in PROTOCOL.variants if each_variant.name == kill.variant)
    promises = [promise for promise in variant.breaks if isinstance(promise, Promise) and promise.name == kill.promise]
    world = configurations.find(kill.config, PROTOCOL)
    found = bounded(PROTOCOL.with_variant(variant), world, promises=promises, sometimes=[], deadlocks=False)
    assert (found.verdict, found.depth) == ("violated", kill.depth)
    assert found.trace is not None
    assert len(found.trace.steps) == kill.depth
    assert found.violated in {promise.name for promise in promises}


def test_there_are_variants_to_agree_about() -> None:
    assert len(SHORT) >= 16


@pytest.mark.parametrize("config", ["two-hosts", "strangers"])
def test_nothing_is_broken_where_exploration_finds_nothing_and_the_same_is_reached(config: str) -> None:
    world, steps = configurations.find(config, PROTOCOL), 9
    found = bounded(PROTOCOL, world, steps_max=steps)
    assert (found.verdict, found.because, found.depth, found.trace) == ("undecided", "bound", steps, None)
    explored = explore(PROTOCOL, world).reached
    in_states = {name: depth for name, depth in explored.items() if 0 <= depth <= steps}
    assert len(in_states) >= 4
    assert {name: depth for name, depth in found.reached.items() if explored[name] >= 0} == in_states


@pytest.mark.parametrize(
    ("protocol", "world", "goal", "steps"),
    [
        (LOCK, LOCK_WORLD, "used_again", 6),
        (PROTOCOL, configurations.find("migration", PROTOCOL), "a_packet_is_released_after_a_move", 11),
    ],
    ids=["lock", "migration"],
)
def test_every_state_of_a_run_is_the_interpreters(
    protocol: Protocol, world: Configuration, goal: str, steps: int
) -> None:
    ground, solver = Ground(protocol, world), z3.SolverFor("QF_FD")
    runs = Unrolling(ground, solver)
    (claim,) = (sometime for sometime in protocol.sometimes if sometime.name == goal)
    wanted = runs.reached(claim)
    for _ in range(steps - 1):
        runs.grow()
    assert solver.check(runs.ask(wanted)) == z3.unsat
    runs.grow()
    assert solver.check(runs.ask(wanted)) == z3.sat
    model, interpreter = solver.model(), Interpreter(protocol, world)
    state, fields = initial_state(protocol, world), list(ground.initial)
    for depth, instance in enumerate(runs.steps(model)):
        names = ground.names([parameter.sort for parameter in instance.action.parameters], instance.choices)
        choices = zip((parameter.name for parameter in instance.action.parameters), names, strict=True)
        step = Occurrence(instance.action.name, tuple(choices))
        assert interpreter.is_enabled(state, step)
        state = interpreter.apply(state, step)[0]
        ground.load(state, fields)
        assert [runs.value(model, depth + 1, place) for place in range(len(ground.places))] == fields


def test_what_is_broken_at_the_start_is_broken_after_no_step() -> None:
    @always()
    def somebody_holds_it(client: Client) -> Formula:
        """This is false initially."""
        return holds(client)

    object.__setattr__(somebody_holds_it, "name", "somebody_holds_it")
    found = bounded(LOCK, LOCK_WORLD, promises=[somebody_holds_it])
    assert (found.verdict, found.violated, found.depth) == ("violated", "somebody_holds_it", 0)
    assert found.trace is not None
    assert found.trace.steps == ()


def test_a_world_whose_runs_have_all_ended_is_undecided_too() -> None:
    found = bounded(CHOICES, replace(CHOICES_WORLD, bounds={"Mark": 3}), steps_max=4)
    assert (found.verdict, found.because, found.depth) == ("undecided", "bound", 4)
    assert dict(found.reached) == {"something_is_marked": 1}


@pytest.mark.parametrize("name", ["wrong", "reached", "wrong1", "before", "cut"])
def test_a_claim_may_be_called_as_the_search_calls_its_propositions(name: str) -> None:
    @sometimes
    def is_promised(client: Client) -> Formula:
        """A client was promised the lock: it comes before every violation."""
        return promised(client)

    @always()
    def nobody_has_it(client: Client) -> Formula:
        """Nobody has the lock."""
        return ~holds(client)

    object.__setattr__(is_promised, "name", name)
    stated = replace(LOCK, promises=(nobody_has_it,), sometimes=(is_promised,))
    found = bounded(stated, LOCK_WORLD, steps_max=3)
    assert (found.verdict, found.depth, found.reached) == ("violated", 2, {name: 1})


def test_nothing_left_to_do_while_somebody_waits_is_a_deadlock_as_soon_as_in_exploration() -> None:
    without = frozenset({"store", "supersede", "resend", "restart"})
    stuck = replace(
        configurations.find("two-hosts", PROTOCOL), pinned={}, without=without, only={"place": (("p1", "h1"),)}
    )
    explored, found = explore(PROTOCOL, stuck), bounded(PROTOCOL, stuck)
    assert explored.trace is not None
    assert (found.verdict, found.violated, found.depth) == ("violated", "deadlock", len(explored.trace.steps))
    assert bounded(PROTOCOL, stuck, deadlocks=False).verdict == "undecided"


def test_constants_are_chosen_so_that_a_promise_breaks_where_none_are_given() -> None:
    (variant,) = (each_variant for each_variant in PROTOCOL.variants if each_variant.name == "leaks_to_another_tenant")
    changed, world = PROTOCOL.with_variant(variant), of_sizes("sizes", PROTOCOL, {"Version": 1, "Epoch": 1})
    assert bounded(changed, world, steps_max=7).verdict == "undecided"  # by of_sizes, all pods share a VPC
    found = bounded(changed, world, steps_max=7, any_constants=True)
    assert (found.verdict, found.depth) == ("violated", 7)
    assert found.violated in ("stays_in_its_vpc", "grants_by_the_record"), "the same grant breaks both"
    assert found.trace is not None
    vpc_of = found.trace.configuration.constants["vpc_of"]
    assert isinstance(vpc_of, dict)
    assert set(vpc_of.values()) == {"v1", "v2"}


def test_a_bound_in_steps_or_in_time_is_undecided_and_undecided_is_not_green() -> None:
    by_steps = bounded(LOCK, LOCK_WORLD, steps_max=2)
    assert (by_steps.verdict, by_steps.because, by_steps.depth) == ("undecided", "bound", 2)
    by_time = bounded(LOCK, LOCK_WORLD, seconds_max=0.0)
    assert (by_time.verdict, by_time.because, by_time.depth) == ("undecided", "time", -1)
    assert EXIT_OF[by_steps.verdict] == EXIT_OF[by_time.verdict] == Exit.UNDECIDED


def test_what_the_solver_does_not_know_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(z3.Solver, "check", lambda *_: z3.unknown)
    found = bounded(LOCK, LOCK_WORLD)
    assert (found.verdict, found.because, found.depth) == ("undecided", "unknown", -1)


def test_sizes_that_are_none_are_refused() -> None:
    with pytest.raises(BadInput, match="'Hots' is neither a sort nor a number; expected among Host, Pod"):
        of_sizes("sizes", PROTOCOL, {"Hots": 2})
    with pytest.raises(BadInput, match="Host: expected 1 to 64 members, found 0"):
        of_sizes("sizes", PROTOCOL, {"Host": 0})
    with pytest.raises(BadInput, match="Version: expected a bound from 1 to 255, found 256"):
        of_sizes("sizes", PROTOCOL, {"Version": 256})
