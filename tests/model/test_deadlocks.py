"""Deadlocks: one meaning in every engine, declared and not found by a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from model.explore.explore import explore
from model.explore.live import live
from model.language import Declaration, Protocol, Role, Step, action, deadlock_when, definition, relation
from model.language.terms import FALSE, Formula
from model.machines.simulate import simulate
from model.proof.bounded import bounded
from model.reference.configuration import Configuration
from model.reference.deadlock import is_deadlock
from model.reference.interpreter import Interpreter
from model.tla.judge import judge
from tests.toys import hopes
from tests.toys.configurations import LOCK, LOCK_WORLD, OPPOSITE, SAME_ORDER, TWO_LOCKS
from tests.toys.hopes import ONE, SOMEBODY, Thing

Engine = Callable[[Protocol, Configuration], str]


def explored(protocol: Protocol, world: Configuration) -> str:
    found = explore(protocol, world)
    assert found.complete or found.trace is not None
    if found.trace is not None:
        assert is_deadlock(Interpreter(protocol, world), found.trace.states[-1])
    return found.violated


def unrolled(protocol: Protocol, world: Configuration) -> str:
    return bounded(protocol, world, steps_max=4).violated


def simulated(protocol: Protocol, world: Configuration) -> str:
    return simulate(protocol, world, runs=50, steps=20).violated


ENGINES: list[Engine] = [explored, unrolled, simulated]


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.__name__)
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.param
    return found


def judged(protocol: Protocol, world: Configuration, folder: Path) -> str:
    return "deadlock" if judge(protocol, world, folder, eventualities=[]).violated == "Nobody_is_stuck" else ""


def test_two_locks_in_opposite_order(engine: Engine) -> None:
    assert engine(TWO_LOCKS, OPPOSITE) == "deadlock"
    assert engine(TWO_LOCKS, SAME_ORDER) == ""


def test_tlc_finds_the_deadlock_too(tmp_path: Path) -> None:
    assert judged(TWO_LOCKS, OPPOSITE, tmp_path) == "deadlock"
    assert judged(TWO_LOCKS, SAME_ORDER, tmp_path) == ""


def test_whoever_waits_for_a_lock_in_a_deadlock_never_gets_it() -> None:
    assert live(TWO_LOCKS, OPPOSITE).verdict == "violated"
    assert live(TWO_LOCKS, SAME_ORDER).verdict == "holds"


def test_a_shortest_run_to_the_deadlock_is_found() -> None:
    for found in (explore(TWO_LOCKS, OPPOSITE), bounded(TWO_LOCKS, OPPOSITE), simulate(TWO_LOCKS, OPPOSITE)):
        assert found.trace is not None
        assert [step.action for step in found.trace.steps] == ["take_first", "take_first"]


# --------------------------------------------------------------------------------------------------- declarations


def once(by: Role = SOMEBODY, **more: Declaration) -> Protocol:
    """Each thing is done once; then nothing is left to do. `by`: who does it."""
    done = relation(Thing, doc="It is done.", holder=SOMEBODY)

    @action(by=by)
    def do(thing: Thing) -> Step:
        """It is done."""
        return Step(when=[~done(thing)], then=[done.add(thing)])

    return hopes.protocol("once", done=done, do=do, **({} if by is SOMEBODY else {"OTHER": by}), **more)


def with_ends(narrowed: Callable[[Protocol, Thing], Formula]) -> Protocol:
    """The same, where it is a deadlock only if this holds of a thing."""
    without = once()

    @deadlock_when
    def unfinished(thing: Thing) -> Formula:
        """Something is left to do."""
        return narrowed(without, thing)

    module = ModuleType("ends")
    module.unfinished = unfinished  # type: ignore[attr-defined]
    return Protocol.of("once", *without.modules, module)


def is_done(protocol: Protocol, thing: Thing) -> Formula:
    (done,) = protocol.symbols
    holds: Formula = done(thing)  # type: ignore[operator]
    return holds


def test_an_end_is_a_deadlock_unless_it_is_declared(engine: Engine) -> None:
    assert engine(once(), ONE) == "deadlock"
    assert engine(with_ends(lambda protocol, thing: ~is_done(protocol, thing)), ONE) == ""
    assert engine(with_ends(is_done), ONE) == "deadlock"


def test_tlc_knows_declared_ends(tmp_path: Path) -> None:
    assert judged(once(), ONE, tmp_path) == "deadlock"
    assert judged(with_ends(lambda protocol, thing: ~is_done(protocol, thing)), ONE, tmp_path) == ""
    assert judged(with_ends(is_done), ONE, tmp_path) == "deadlock"


def test_a_definition_of_a_certain_name_declares_nothing(engine: Engine) -> None:
    @definition
    def owed() -> Formula:
        """Nothing."""
        return FALSE

    assert engine(once(owed=owed), ONE) == "deadlock"


def flapping(by: Role) -> Protocol:
    """Something is done once, and this role opens and closes things forever."""
    is_open = relation(Thing, doc="It is open.", holder=by)

    @action(by=by)
    def turn(thing: Thing) -> Step:
        """It opens or closes."""
        return Step(then=[is_open.assign(thing, to=~is_open(thing))])

    return once(is_open=is_open, turn=turn, ADVERSARY=by)


WEATHER = flapping(Role("Does as it likes.", environment=True))
PORTER = flapping(Role("Is called an adversary, and is none."))


def test_what_the_environment_can_do_resolves_no_deadlock(engine: Engine) -> None:
    assert engine(WEATHER, ONE) == "deadlock"
    assert engine(PORTER, ONE) == ""


def test_tlc_knows_the_environment(tmp_path: Path) -> None:
    assert judged(WEATHER, ONE, tmp_path) == "deadlock"
    assert judged(PORTER, ONE, tmp_path) == ""


def test_where_only_a_bound_keeps_a_role_from_acting_is_no_deadlock(engine: Engine) -> None:
    assert engine(LOCK, LOCK_WORLD) == ""


def test_tlc_agrees_on_bounds(tmp_path: Path) -> None:
    assert judged(LOCK, LOCK_WORLD, tmp_path) == ""


# -------------------------------------------------------------------------------------------------- fields left out


def unseen(*, ends: bool) -> Protocol:
    """A thing is counted, which nothing reads: up to once, or for ever on and off."""
    seen = relation(Thing, doc="It was seen; nothing reads this.", holder=SOMEBODY)

    @action(by=SOMEBODY)
    def see(thing: Thing) -> Step:
        """It is seen, or no longer seen."""
        return Step(then=[seen.add(thing) if ends else seen.assign(thing, to=~seen(thing))])

    return once(seen=seen, see=see)


def test_a_step_that_changes_only_what_nothing_reads_is_a_step(engine: Engine) -> None:
    assert engine(unseen(ends=True), ONE) == "deadlock"
    assert engine(unseen(ends=False), ONE) == ""


def test_a_run_to_a_deadlock_ends_where_nothing_at_all_can_change() -> None:
    found = explore(unseen(ends=True), ONE)
    assert found.trace is not None
    assert {step.action for step in found.trace.steps} == {"do", "see"}
    assert explore(unseen(ends=False), ONE).distinct == 2


# -------------------------------------------------------------------------------------------------------- bad input


def test_a_protocol_has_one_declaration_of_deadlocks() -> None:
    @deadlock_when
    def one(thing: Thing) -> Formula:
        """One."""
        return thing == thing

    @deadlock_when
    def other(thing: Thing) -> Formula:
        """Another."""
        return thing != thing

    with pytest.raises(TypeError, match=r"test_deadlocks.py, line \d+: other: one says already .* join their formulas"):
        once(one=one, other=other)


def test_no_declaration_is_called_deadlock() -> None:
    with pytest.raises(TypeError, match=r"once\.deadlock: .* rename it"):
        once(deadlock=relation(Thing, doc="It is stuck.", holder=SOMEBODY))


def test_deadlocks_and_the_environment_belong_to_the_statement() -> None:
    narrowed = with_ends(is_done)
    assert narrowed.digest() != replace(narrowed, deadlock_when=None).digest()
    assert once().digest() != once(Role("Does as it likes.", environment=True)).digest()
