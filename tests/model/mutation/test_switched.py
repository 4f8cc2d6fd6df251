"""One kernel with mutants as switches finds the same as a separate kernel for each mutant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance import configurations
from model.explore.explore import Exploration, search_in
from model.explore.kernel.kernel import Kernel
from model.mutation.rules import Mutant, mutants_of, mutated
from model.mutation.switched import Switched
from model.reference.configuration import Configuration
from model.reference.interpreter import Interpreter
from spec.message_queue.protocol import PROTOCOL

SMALL = "thresholds"
EVERY = 40
"""One of this many mutants is compared."""


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    return configurations.find(SMALL, PROTOCOL)


@pytest.fixture(scope="module")
def sample(configuration: Configuration) -> list[Mutant]:
    return [mutant for mutant in mutants_of(PROTOCOL) if mutant.original.name not in configuration.without][::EVERY]


@pytest.fixture(scope="module")
def switched(configuration: Configuration, sample: list[Mutant]) -> Switched:
    return Switched(PROTOCOL, configuration, sample, forget_spent=True)


def explored_alone(mutant: Mutant, configuration: Configuration) -> Exploration:
    """What a kernel of its own finds, which forgets spent messages whether or not that is proved."""
    changed = mutated(PROTOCOL, mutant)
    return search_in(Kernel.of(changed, configuration, forget_spent=True), changed, configuration)


def test_no_switch_is_the_protocol_itself(switched: Switched, configuration: Configuration) -> None:
    found = switched.unchanged()
    assert found.verdict == "holds"
    counts = {"distinct": found.distinct, "transitions": found.transitions, "depth": found.depth}
    assert counts == configuration.pinned


def test_a_switch_finds_what_a_kernel_of_its_own_finds(
    switched: Switched, configuration: Configuration, sample: list[Mutant]
) -> None:
    unpinned = replace(configuration, pinned={})
    verdicts = set()
    for mutant in sample:
        found = switched.of(mutant, 10**6)
        alone = explored_alone(mutant, unpinned)
        assert (found.verdict, found.depth) == (alone.verdict, alone.depth), mutant.name
        if alone.trace is not None:
            assert found.trace is not None
            assert len(found.trace.steps) == len(alone.trace.steps)
        verdicts.add(found.verdict)
    assert verdicts == {"holds", "violated"}


def test_what_is_found_is_seen_by_the_interpreter(
    switched: Switched, configuration: Configuration, sample: list[Mutant]
) -> None:
    seen = 0
    for mutant in sample:
        found = switched.of(mutant, 10**6)
        if found.trace is None or not switched.is_seen(mutant, found):
            continue
        seen += 1
        # The protocol itself does not break the promise on that run: it cannot take it, or nothing is broken at its
        # end.
        stated = replace(mutant, action=mutant.original)
        assert found.violated == "deadlock" or not switched.is_seen(stated, found), mutant.name
        assert Interpreter(PROTOCOL, configuration).action(mutant.original.name) is mutant.original
    assert seen > 0


def test_configurations_without_an_action_have_none_of_its_mutants(configuration: Configuration) -> None:
    mutants = [mutant for mutant in mutants_of(PROTOCOL) if mutant.original.name in configuration.without]
    assert mutants
    assert Switched(PROTOCOL, configuration, mutants, forget_spent=True).mutants == []


def test_a_mutant_with_the_code_of_the_protocol_is_not_explored_again(configuration: Configuration) -> None:
    mutants = [
        each_mutant for each_mutant in mutants_of(PROTOCOL) if each_mutant.original.name not in configuration.without
    ][::10]
    switched = Switched(PROTOCOL, configuration, mutants, forget_spent=True)
    stated = switched.unchanged()
    same = [each_mutant for each_mutant in mutants if switched.of(each_mutant, 10**6) is stated]
    assert 0 < len(same) < len(mutants)
    for mutant in same[::5]:
        alone = explored_alone(mutant, configuration)
        assert (alone.verdict, alone.reached) == ("holds", stated.reached), mutant.name  # and its counts are as pinned


def test_mutants_with_the_same_code_are_explored_once_unless_fewer_states_are_allowed(
    configuration: Configuration,
) -> None:
    mutants = [mutant for mutant in mutants_of(PROTOCOL) if mutant.original.name not in configuration.without]
    switched = Switched(PROTOCOL, configuration, mutants, forget_spent=True)
    found = {mutant.name: switched.of(mutant, 10**6) for mutant in mutants}
    unbroken = [item for item in found.values() if item.verdict == "holds"]
    assert len({id(item) for item in unbroken}) < len(unbroken)
    first = next(mutant for mutant in mutants if found[mutant.name] is unbroken[0])
    assert switched.of(first, 1).verdict == "undecided"


def test_what_was_not_explored_to_the_end_is_explored_again(
    switched: Switched, configuration: Configuration, sample: list[Mutant]
) -> None:
    mutant = next(item for item in sample if switched.of(item, 10**6).verdict == "holds")
    anew = Switched(PROTOCOL, configuration, [mutant], forget_spent=True)
    assert [anew.of(mutant, states).verdict for states in (1, 10**6)] == ["undecided", "holds"]
