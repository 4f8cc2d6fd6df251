"""Runs are followed through bindings: all of them conform, they have every step and crash, and what is not done is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from conformance.bindings.binding import CRASHES, Binding, follow
from conformance.protocols import named
from conformance.replay.replays import BINDINGS, Replays, Vector, read_vectors, replay_all, vectors_of
from conformance.replay.targets import Target, open_target
from conformance.vectors.coverage import Coverage, goals
from impl.broker.deployment import Deployment
from model.language import Protocol, Symbol
from model.language.terms import Enumeration, Formula
from model.reference.interpreter import Interpreter
from model.reference.state import Element, State, Trace

NAMES = sorted(BINDINGS)

NOT_DRIVEN = {
    # These load the journal in a term that is over, which an instance does not.
    "failover": [
        "several-decide-at-once.a-deposed-instance-changes-nothing",
        "several-decide-at-once",
        "the-deposed-record-answers",
    ],
    "slots": [],
}


NOT_COMPARED = {
    # Nobody asks a paused instance, a standby is given the lead by force or not at all, and the peer is played: what it
    # answers is handed out, and what is left of that comes again at the end.
    "failover": {"paused", "lapsed", "applied", "answer"},
    # DPM counts by host what is for it, and what was handed out or acknowledged shows when it is taken, and at the end.
    "slots": {"addressed", "given", "settled"},
}


def vectors(name: str) -> list[Vector]:
    """All of a protocol."""
    return read_vectors([vectors_of(named(name))], named(name))


@pytest.mark.parametrize("name", NAMES)
def test_all_runs_conform_in_memory(name: str) -> None:
    with open_target("memory") as target:
        found = replay_all(vectors(name), target)
    assert found.verdict == "conforms"
    assert found.unsettled == []
    assert [vector for vector, _ in found.not_driven] == NOT_DRIVEN[name]
    assert all(one.steps == len(v.trace.steps) for v, one in found.results if v.diverges_at is None)


@pytest.mark.parametrize("name", NAMES)
def test_runs_conform_on_the_broker(name: str, deployment: Deployment) -> None:
    some = vectors(name)[::3]
    with open_target("pulsar", deployment) as target:
        found = replay_all(some, target)
    assert found.verdict == "conforms"
    assert len(found.results) == len(some) > 5


def crashes(trace: Trace, protocol: Protocol) -> Iterator[str]:
    """What a process did last before it crashed."""
    last: dict[str, str] = {}
    roles = {action.name: action.role.name for action in protocol.actions}
    for step in trace.steps:
        choices = dict(step.choices)
        process = "DPM" if roles[step.action] == "DPM" else str(choices.get("instance") or choices.get("host"))
        if step.action in CRASHES and process in last:
            yield f"{last[process]} and then {step.action}"
        last[process] = step.action


@pytest.mark.parametrize("name", NAMES)
def test_the_runs_have_every_step_and_every_crash(name: str) -> None:
    protocol = named(name)
    wanted = {goal for goal in goals(protocol) if goal.split(":")[0] in ("action", "edge", "sometimes")}
    for action in protocol.actions:
        taken_by = {parameter.name for parameter in action.parameters}
        if name == "failover" and "instance" in taken_by and action.name not in ("wake", "crash"):
            wanted.add(f"{action.name} and then crash")
        elif action.role.name == "DPM" and action.name != "restart_dpm":
            wanted.add(f"{action.name} and then restart_dpm")
        elif (action.role.name == "ACA" and action.name != "crash") or action.name in ("dispatch", "look_ahead"):
            wanted.add(f"{action.name} and then crash")
    found: set[str] = set()
    for vector in vectors(name):
        if vector.diverges_at is None:
            coverage = Coverage(protocol, Interpreter(protocol, vector.trace.configuration))
            found |= {goal for _, goal in coverage.of(vector.trace)} | set(crashes(vector.trace, protocol))
    assert wanted - found == set()


def test_a_run_that_the_implementation_refuses_diverges() -> None:
    """What a variant's run may be refused, a run of the protocol may not."""
    (vector,) = (item for item in vectors("failover") if item.name == "several-decide-at-once")
    assert vector.diverges_at is not None
    short = replace(vector.trace, states=vector.trace.states[:4], steps=vector.trace.steps[:3])
    with open_target("memory") as target:
        found = replay_all([replace(vector, trace=short, diverges_at=None)], target)
    assert found.divergence is not None
    assert (found.divergence.step, found.divergence.field, found.divergence.observed[:7]) == (3, "action", "refused")


def test_what_no_implementation_can_be_asked_decides_nothing() -> None:
    only = [item for item in vectors("failover") if item.name in NOT_DRIVEN["failover"]]
    with open_target("memory") as target:
        found = replay_all(only, target)
    assert found.verdict == "undecided"
    assert Replays("memory").verdict == "undecided"


def edits(symbol: Symbol, state: State) -> Iterator[State]:
    """The state with one entry of a symbol left out, or with another value."""
    if symbol.result is Formula:
        tuples = state.relations[symbol.name]
        yield from (State({**state.relations, symbol.name: tuples - {one}}, state.functions) for one in tuples)
        return
    table = state.functions[symbol.name]
    for key, value in table.items():
        if issubclass(symbol.result, Enumeration):
            other: Element = next(each for each in symbol.result.names() if each != value)
        else:
            other = int(value) + 1
        yield State(state.relations, {**state.functions, symbol.name: {**table, key: other}})


@pytest.mark.parametrize("name", NAMES)
def test_every_piece_of_the_state_is_compared_or_has_a_reason(name: str) -> None:
    """One entry at a time is wrong in what is expected; a piece that is compared differs then in some state of some run."""
    protocol = named(name)
    held = {symbol.name: symbol for symbol in protocol.symbols if symbol.kind in ("state", "message")}
    noticed: set[str] = set()

    def bind(trace: Trace, target: Target) -> Binding:
        binding = BINDINGS[name](trace, target)
        observed = binding.observed

        def observing(expected: State) -> Iterator[tuple[str, object, object]]:
            for symbol in held.values():
                if symbol.name not in noticed and any(
                    any(wanted != seen for _, wanted, seen in observed(edited)) for edited in edits(symbol, expected)
                ):
                    noticed.add(symbol.name)
            return observed(expected)

        monkeypatch.setattr(binding, "observed", observing)
        return binding

    with open_target("memory") as target, pytest.MonkeyPatch.context() as monkeypatch:
        for vector in vectors(name):
            if vector.diverges_at is None:
                assert follow(vector.trace, vector.name, protocol, target, bind).verdict == "conforms"
    assert held.keys() - noticed == NOT_COMPARED[name]
