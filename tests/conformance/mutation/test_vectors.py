"""Vectors notice mutants of the statement, just where replays of the right implementation do."""

from __future__ import annotations

from contextlib import suppress

import pytest

from conformance.mutation.vectors import Vectors
from conformance.replay.lockstep import Leaving, replay
from conformance.replay.replays import Vector, read_vectors, vectors_of
from conformance.replay.targets import open_target
from model.mutation.rules import Mutant, mutants_of, mutated
from model.reference.interpreter import Interpreter
from spec.on_demand.protocol import PROTOCOL

MUTANTS = {each_mutant.name: each_mutant for each_mutant in mutants_of(PROTOCOL)}
EVERY = 61
"""Of the mutants, one of so many is replayed."""


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return Vectors(PROTOCOL)


@pytest.fixture(scope="module")
def shipped() -> list[Vector]:
    return read_vectors([vectors_of(PROTOCOL)], PROTOCOL)


def is_run(vector: Vector, mutant: Mutant) -> bool:
    """Whether its steps are possible when the mutant is the statement. What is no run is refused when it is read."""
    interpreter = Interpreter(vector.protocol, vector.trace.configuration)
    changed = interpreter.with_action(mutant.action)
    last = vector.diverges_at or len(vector.trace.steps) + 1
    state = vector.trace.states[0]
    for step in vector.trace.steps[: last - 1]:
        if not changed.is_enabled(state, step):
            return False
        state = interpreter.apply(state, step)[0]
    return True


def notice(mutant: Mutant, vectors: list[Vector]) -> dict[str, bool]:
    """Whether the implementation is said to diverge when the mutant is the statement, by vector; no word: it cannot be said."""
    statement, found = mutated(PROTOCOL, mutant), {}
    with open_target("memory") as target:
        target.prepare(sorted({host for vector in vectors for host in vector.trace.configuration.sorts["Host"]}))
        for vector in vectors:
            if not is_run(vector, mutant):
                found[vector.name] = True
                continue
            leaving = Leaving(vector.diverges_at, vector.protocol) if vector.diverges_at is not None else None
            # A request that greets, and that no step or several answer, ends a replay.
            with suppress(ValueError):
                result = replay(vector.trace, vector.name, statement, target, leaving=leaving)
                found[vector.name] = result.verdict == "diverges"
    return found


@pytest.mark.parametrize("name", [name for name, one in MUTANTS.items() if one.rule != "untaken"][::EVERY])
def test_a_replay_with_the_mutant_for_a_statement_notices_it_in_the_same_vectors(
    name: str, vectors: Vectors, shipped: list[Vector]
) -> None:
    mutant = MUTANTS[name]
    kill = vectors.noticed(mutant)
    noticing = {kill.check.name, *(item.name for item in kill.also)} if kill else set()
    # A few of each: those that notice, and those with a step of the action that do not.
    with_it = [item for item in shipped if any(step.action == mutant.original.name for step in item.trace.steps)]
    mine = [item for item in shipped if item.name in noticing][:4]
    others = [item for item in with_it if item.name not in noticing][:4]
    found = notice(mutant, [*mine, *others])
    assert found == {name: name in noticing for name in found}
    assert found or not with_it


@pytest.mark.parametrize(
    ("name", "vector", "where"),
    [
        ("learn: without known(host, pod) < version", "learns-the-older", "what is done is not allowed"),
        ("grant: without add told(host, destination)", "a-pod-comes-back-to-its-host", "told"),
        ("grant: only if not same_vpc(source, destination)", "a-former-home-asks", "not ¬same_vpc"),
    ],
)
def test_a_vector_notices_and_says_where(vectors: Vectors, name: str, vector: str, where: str) -> None:
    kill = vectors.noticed(MUTANTS[name])
    assert kill is not None
    assert (kill.check.name, kill.where.startswith(where)) == (vector, True), kill
    assert kill.depth is not None
    assert kill.depth > 0


@pytest.mark.parametrize(
    "name", ["grant: without same_vpc(source, destination)", "store: without recorded(pod) < version"]
)
def test_what_allows_more_beside_what_is_done_is_noticed_by_no_vector(vectors: Vectors, name: str) -> None:
    """A replay asks whether what is done is allowed. That is why claims are proved besides."""
    assert vectors.noticed(MUTANTS[name]) is None


def test_what_only_history_shows_is_noticed_by_no_vector(vectors: Vectors) -> None:
    mutant = next(one for name, one in MUTANTS.items() if name.startswith("ask: without add asked("))
    assert vectors.noticed(mutant) is None


def test_no_vector_notices_the_statement_itself(vectors: Vectors) -> None:
    for action in PROTOCOL.actions:
        assert vectors.noticed(Mutant(action.name, action, action, "none")) is None
