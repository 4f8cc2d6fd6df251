"""Exploration: exact counts compared with plain breadth-first search, shortest runs, deadlocks, and correct results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import configurations
from conformance.evidence.variants import VariantCounterexample, read_variants, refuted_by_exploration
from conformance.protocols import PROTOCOLS
from model.bad_input import BadInput
from model.explore.explore import explore
from model.explore.kernel import indices
from model.explore.kernel.searching import zeros
from model.language import Promise, Protocol, Symbol, sometimes
from model.language.terms import TRUE, Formula, Variable
from model.reference.configuration import Configuration
from model.reference.interpreter import Interpreter
from model.reference.state import State, initial_state
from spec.on_demand.protocol import PROTOCOL
from tests.toys.configurations import CHOICES, CHOICES_WORLD, LOCK, LOCK_WORLD
from tests.toys.lock import Client, holds


def breadth_first(protocol: Protocol, configuration: Configuration, *, forget: bool) -> tuple[int, int]:
    """Distinct states and depth, by the interpreter."""
    interpreter = Interpreter(protocol, configuration)
    start = initial_state(protocol, configuration)
    seen = {start: 0}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        for occurrence in interpreter.enabled(state):
            after = interpreter.apply(state, occurrence)[0]
            after = interpreter.forget_spent(after) if forget else after
            if after not in seen:
                seen[after] = seen[state] + 1
                queue.append(after)
    return len(seen), max(seen.values())


@pytest.mark.parametrize("forget", [True, False])
def test_the_toy_has_as_many_states_as_plain_search_finds(forget: bool) -> None:
    found = explore(LOCK, LOCK_WORLD, everything=True, forget_spent=forget, deadlocks=False)
    assert (found.distinct, found.depth) == breadth_first(LOCK, LOCK_WORLD, forget=forget)
    assert found.complete
    assert found.verdict == "holds"


def test_a_state_may_have_thousands_of_successors() -> None:
    found = explore(CHOICES, CHOICES_WORLD, deadlocks=False)
    assert (found.distinct, found.transitions, found.depth) == (1 + 4 * 90, 6 * 4 * 90, 1)
    assert found.verdict == "holds"


def test_more_promises_than_a_search_can_watch_are_refused() -> None:
    (promise,) = (each_promise for each_promise in LOCK.promises if each_promise.name == "one_holder")
    assert explore(LOCK, LOCK_WORLD, promises=[promise] * 32, deadlocks=False).verdict == "holds"
    with pytest.raises(
        BadInput, match="lock: 33 promises about states exceed the limit of 32 per search; join some of them by &"
    ):
        explore(LOCK, LOCK_WORLD, promises=[promise] * 33)


LIMITED: Mapping[str, tuple[Callable[[], Protocol], str]] = {
    "claims about states": (
        lambda: replace(LOCK, sometimes=LOCK.sometimes[:1] * 33),
        "lock: 33 claims about states that must be reachable exceed the limit of 32 per search; delete those that",
    ),
    "promises about steps": (
        lambda: replace(LOCK, promises=tuple(each for each in LOCK.promises if each.kind == "two-state")[:1] * 65),
        "lock: 65 promises about steps exceed the limit of 64 per search; join some of them by &",
    ),
    "actions": (
        lambda: replace(LOCK, actions=LOCK.actions[:1] * 65),
        "lock: 65 actions exceed the limit of 64 per search; leave some of them out by without",
    ),
    "arguments of a claim": (
        lambda: replace(LOCK, promises=(among(10),)),
        "configuration lock: .* has 3,486,784,401 possible arguments, more than the limit of 1,000,000",
    ),
    "arguments of all symbols": (
        lambda: replace(LOCK, symbols=(*LOCK.symbols, *(crowd(8) for _ in range(200)))),
        "configuration lock: all symbols together have 1,312,2.. possible arguments, more than the limit of 1,000,000",
    ),
}


def among(count: int) -> Promise:
    """A promise about many clients."""
    parameters = tuple(Variable(f"client_{number}", Client) for number in range(2 * count))
    return Promise("always", False, parameters, TRUE.node, (), "Nothing.")


def crowd(count: int) -> Symbol:
    """A relation of many clients."""
    return Symbol("state", (Client,) * count, Formula, "Nothing.")


@pytest.mark.parametrize(("stated", "said"), LIMITED.values(), ids=LIMITED.keys())
def test_what_is_too_much_for_a_search_is_refused(stated: Callable[[], Protocol], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        explore(stated(), LOCK_WORLD, kept=False, forget_spent=False)


def test_memory_that_the_system_does_not_have_is_refused() -> None:
    with pytest.raises(
        BadInput, match=r"The search needs [\d,]+ bytes at once, which the system does not have; use a smaller"
    ):
        zeros(1 << 50)


def small() -> Configuration:
    """A configuration of the on-demand protocol that plain search can finish."""
    world = configurations.find("two-hosts", PROTOCOL)
    only = {"place": (("p1", "h1"), ("p2", "h2")), "ask": (("h1", "r1", "p1", "p2"),)}
    rare = {"report_failed", "deregister", "resend", "remind", "remove", "restart_ncm", "restart_dpm", "resume", "drop"}
    return replace(world, only=only, pinned={}, without=frozenset(rare | {"deliver", "time_out"}))


@pytest.mark.parametrize("forget", [True, False])
def test_the_protocol_has_as_many_states_as_plain_search_finds(forget: bool) -> None:
    found = explore(PROTOCOL, small(), everything=True, forget_spent=forget, deadlocks=False)
    distinct, depth = breadth_first(PROTOCOL, small(), forget=forget)
    assert {"grant", "refuse", "release", "evict", "report_done"} <= found.actions
    assert (found.distinct, found.depth) == (distinct, depth)


KILLS = [(protocol, kill) for protocol in PROTOCOLS for kill in read_variants(protocol)]


@pytest.mark.parametrize(("protocol", "row"), KILLS, ids=[kill.variant for _, kill in KILLS])
def test_every_variant_has_a_shortest_way_to_a_promise_that_it_names(
    protocol: Protocol, row: VariantCounterexample
) -> None:
    variant = next(each_variant for each_variant in protocol.variants if each_variant.name == row.variant)
    promise = next(broken for broken in variant.breaks if broken.name == row.promise)
    assert isinstance(promise, Promise)
    found = refuted_by_exploration(variant, protocol, configurations.find(row.config, protocol), promise)
    assert (found.violated, found.verdict) == (row.promise, "violated")
    assert found.trace is not None
    assert len(found.trace.steps) == row.depth
    changed = Interpreter(protocol.with_variant(variant), found.trace.configuration)
    state: State = found.trace.states[0]
    for step in found.trace.steps:
        assert changed.is_enabled(state, step)
        last, (state, events) = state, changed.apply(state, step)
    assert changed.violated(last, state, events, [promise]) is promise


def test_a_bound_is_undecided() -> None:
    found = explore(PROTOCOL, configurations.find("two-hosts", PROTOCOL), states_max=1000)
    assert (found.verdict, found.complete) == ("undecided", False)
    assert 1000 < found.distinct < 1000 + 2 * indices.GATHERED


def test_what_is_reached_at_the_start_is_reached_at_depth_0() -> None:
    @sometimes
    def nobody_holds_it(client: Client) -> Formula:
        """This holds initially."""
        return ~holds(client)

    object.__setattr__(nobody_holds_it, "name", "nobody_holds_it")
    found = explore(LOCK, LOCK_WORLD, sometimes=[nobody_holds_it, *LOCK.sometimes], deadlocks=False)
    assert (found.reached["nobody_holds_it"], found.reached["held"]) == (0, 2)


def test_another_count_than_the_pinned_one_is_violated() -> None:
    wrong = replace(LOCK_WORLD, pinned={"distinct": 1})
    found = explore(LOCK, wrong, deadlocks=False)
    assert found.verdict == "violated"
    assert found.violated.startswith("pinned distinct 1")


def test_nothing_left_to_do_while_somebody_waits_is_a_deadlock() -> None:
    stuck = replace(
        configurations.find("two-hosts", PROTOCOL),
        pinned={},
        without=frozenset({"store", "supersede", "resend", "restart"}),
    )
    found = explore(PROTOCOL, replace(stuck, only={"place": (("p1", "h1"),)}))
    assert found.verdict == "violated"
    assert found.violated == "deadlock"
    assert found.trace is not None
    assert len(found.trace.steps) <= 3


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = tmp_path / "file"
    nowhere.touch()
    monkeypatch.setenv("ONDEMAND_CACHE", str(nowhere))
    assert explore(LOCK, LOCK_WORLD, deadlocks=False).verdict == "holds"
