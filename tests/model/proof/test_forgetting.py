"""Spent messages are forgotten only where it is proved of the very statement that they enable nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import z3

from model.explore.explore import explore
from model.explore.live import live
from model.language import Action, Assumption, Promise, Protocol, Step, action, lemma
from model.language.terms import Formula, Variable, implies
from model.proof import forgetting
from model.proof.forgetting import KIND, may_forget, note_proof
from model.proof.prove import Prover, prove
from tests.toys.configurations import CHOICES, LOCK, LOCK_WORLD, PATIENT, PATIENT_WORLD
from tests.toys.lock import CLIENT, Client, Turn, holds, lend, promised, take, taken, used


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and a process that knows nothing yet; the folder of the cache."""
    monkeypatch.setattr(forgetting, "_found", {})
    monkeypatch.setenv("ONDEMAND_CACHE", str(tmp_path))
    return tmp_path / KIND


def instead(original: Action, changed: Action) -> Protocol:
    """The toy with another action in place of one of its own."""
    object.__setattr__(changed, "name", original.name)
    return replace(LOCK, actions=tuple(changed if each is original else each for each in LOCK.actions))


def takes_what_is_spent() -> Protocol:
    """The toy in which a client takes a turn again, although that message is spent."""

    @action(by=CLIENT)
    def takes_again(client: Client, turn: Turn) -> Step:
        """A client takes the lock."""
        return take.but(without=[taken(client) < turn])

    return instead(take, takes_again)


def reads_what_was_sent() -> Protocol:
    """The toy in which a client gives the lock back only if another turn was never lent, which forgetting would decide."""

    @action(by=CLIENT)
    def hesitates(client: Client, turn: Turn) -> Step:
        """A client gives the lock back."""
        return Step(when=[holds(client), ~lend(client, turn)], then=[holds.remove(client), promised.remove(client)])

    (give_back,) = (each for each in LOCK.actions if each.name == "give_back")
    return instead(give_back, hesitates)


@lemma
def what_was_sent_is_not_taken(client: Client, turn: Turn) -> Formula:
    """False, but not if the messages that were taken are forgotten."""
    return implies(lend(client, turn), taken(client) < turn)


def test_the_toys_may_forget() -> None:
    assert may_forget(LOCK)
    assert not CHOICES.messages
    assert may_forget(CHOICES)


@pytest.mark.parametrize("protocol", [takes_what_is_spent(), reads_what_was_sent()], ids=["takes", "reads"])
def test_what_is_not_proved_is_explored_with_all_messages(protocol: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not may_forget(protocol)
    assert "spent" in {claim.kind for claim in prove(protocol).claims if claim.verdict == "violated"}
    found, kept = (
        explore(protocol, LOCK_WORLD, promises=[]),
        explore(protocol, LOCK_WORLD, promises=[], forget_spent=False),
    )
    assert not found.forgets
    assert (found.distinct, found.transitions) == (kept.distinct, kept.transitions)
    monkeypatch.setattr("model.explore.explore.may_forget", lambda *_: True)
    wrong = explore(protocol, LOCK_WORLD, promises=[])
    assert (wrong.distinct, wrong.transitions) != (kept.distinct, kept.transitions)


def test_what_is_asked_may_not_depend_on_what_is_forgotten() -> None:
    claim: Promise = what_was_sent_is_not_taken
    object.__setattr__(claim, "name", "what_was_sent_is_not_taken")
    assert may_forget(LOCK, [each for each in LOCK.promises if not each.lemma])
    assert not may_forget(LOCK, [claim])
    found = explore(LOCK, LOCK_WORLD, promises=[claim], deadlocks=False)
    assert (found.violated, found.forgets) == (claim.name, False)


def test_a_violation_is_a_run_with_all_messages() -> None:
    """Its states have the messages that the search forgot."""
    client = Variable("client", Client)
    nobody = replace(LOCK.promises[0], parameters=(client,), formula=(~holds(Client(client))).node)
    object.__setattr__(nobody, "name", "nobody_holds_it")
    found = explore(LOCK, LOCK_WORLD, promises=[nobody], deadlocks=False)
    assert found.forgets
    assert found.trace is not None
    assert found.trace.states[-1].relations["lend"]


@pytest.mark.parametrize("assumptions", [PATIENT.assumptions, ()])
def test_what_no_number_satisfies_is_taken_at_the_largest_one(assumptions: tuple[Assumption, ...]) -> None:
    """Among all numbers nobody ever takes the order, so that it is spent would say nothing of a configuration."""
    protocol = replace(PATIENT, assumptions=assumptions)
    assert not may_forget(protocol)
    note_proof(protocol)
    assert not may_forget(protocol)
    found = explore(protocol, PATIENT_WORLD)
    assert (found.verdict, found.violated) == ("violated", "answers_what_counts")


def of_use(claimed: Callable[[Client, Turn], Formula]) -> tuple[Promise, Protocol]:
    """A promise about the steps that use the lock in a turn, and the toy with it."""
    client, turn = Variable("client", Client), Variable("turn", Turn)
    formula = implies(used(Client(client), Turn(turn)), claimed(Client(client), Turn(turn)))
    made = Promise("two-state", False, (client, turn), formula.node, (), "")
    object.__setattr__(made, "name", "of_use")
    return made, replace(LOCK, promises=(*LOCK.promises, made))


@pytest.mark.parametrize(("claimed", "verdict"), [(lend, "holds"), (lambda *turn: ~lend(*turn), "violated")])
def test_a_step_is_not_judged_by_what_is_forgotten(claimed: Callable[[Client, Turn], Formula], verdict: str) -> None:
    """A turn that is used was lent; that message is spent, so a search that forgets does not have it."""
    made, protocol = of_use(claimed)
    assert not may_forget(protocol)
    found = explore(protocol, LOCK_WORLD, promises=[made], deadlocks=False)
    assert (found.verdict, found.forgets) == (verdict, False)


def test_counts_that_cannot_be_compared_are_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    stated = explore(LOCK, LOCK_WORLD, deadlocks=False)
    pinned = {"distinct": stated.distinct, "transitions": stated.transitions, "depth": stated.depth}
    assert explore(LOCK, replace(LOCK_WORLD, pinned=pinned), deadlocks=False).verdict == "holds"
    monkeypatch.setattr("model.explore.explore.may_forget", lambda *_: False)
    found = explore(LOCK, replace(LOCK_WORLD, pinned=pinned), deadlocks=False)
    assert (found.complete, found.verdict, found.violated) == (True, "undecided", "")
    assert found.uncompared


# --------------------------------------------------------------------------------------------------------- the cache


class _Asked(Exception):
    """Something was proved."""


def nobody_proves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks z3 gets an exception; a process that knows nothing."""

    def asked(*_: object, **__: object) -> None:
        raise _Asked

    monkeypatch.setattr(forgetting, "_found", {})
    monkeypatch.setattr(Prover, "follows", asked)


def test_what_is_proved_once_is_known(monkeypatch: pytest.MonkeyPatch, anew: Path) -> None:
    wrong = takes_what_is_spent()
    assert (may_forget(LOCK), may_forget(wrong)) == (True, False)
    assert {path.stat().st_mode & 0o777 for path in anew.iterdir()} == {0o600}
    nobody_proves(monkeypatch)
    assert (may_forget(LOCK), may_forget(takes_what_is_spent())) == (True, False)
    with pytest.raises(_Asked):
        may_forget(reads_what_was_sent())


def test_what_was_proved_before_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    check, steps = z3.Solver.check, list[list[int]]()

    def counted(solver: z3.Solver, *assumed: Any) -> Any:
        answer, statistics = check(solver, *assumed), solver.statistics()
        steps[-1].append(statistics.get_key_value("rlimit count"))
        return answer

    monkeypatch.setattr(z3.Solver, "check", counted)
    for _ in range(2):
        monkeypatch.setattr(forgetting, "_found", {})
        monkeypatch.setenv("ONDEMAND_CACHE", "/dev/null")
        steps.append([])
        may_forget(LOCK)
        steps.append([])
        prove(CHOICES)
    assert steps[0]
    assert steps[0] == steps[2], "steps are counted over all questions of a context"
    assert steps[1] != steps[3]


@pytest.mark.parametrize("what", ["damaged", "cut", "of another", "written by others", "folder of others"])
def test_what_cannot_be_trusted_is_proved_again(what: str, monkeypatch: pytest.MonkeyPatch, anew: Path) -> None:
    assert not may_forget(takes_what_is_spent())
    (path,) = anew.iterdir()
    may_forget(LOCK)
    (own,) = (each for each in anew.iterdir() if each != path)
    data = own.read_bytes()
    match what:
        case "damaged":
            path.write_bytes(path.read_bytes()[:-1] + b"!")
        case "cut":
            path.write_bytes(data[:10])
        case "of another":
            path.write_bytes(data)
        case "written by others":
            path.chmod(0o666)
        case "folder of others":
            anew.chmod(0o777)
    nobody_proves(monkeypatch)
    with pytest.raises(_Asked):
        may_forget(takes_what_is_spent())


def test_without_a_cache_it_is_only_slower(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.touch()
    monkeypatch.setenv("ONDEMAND_CACHE", str(nowhere))
    told: list[str] = []
    assert may_forget(LOCK, told=lambda: told.append("proving"))
    assert may_forget(LOCK, told=lambda: told.append("proving"))
    assert told == ["proving"]


def test_live_keeps_what_may_not_be_forgotten() -> None:
    assert live(LOCK, LOCK_WORLD).forgets
    assert not live(takes_what_is_spent(), LOCK_WORLD).forgets
