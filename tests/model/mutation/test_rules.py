"""Mutants are made by rule from every action, each with a name of its own, and each says something else."""

from __future__ import annotations

import pytest

from conformance import configurations
from conformance.protocols import PROTOCOLS
from model.language import Protocol
from model.mutation.rules import RULES, Mutant, mutants_of, mutated
from model.reference.interpreter import Interpreter
from spec.on_demand.protocol import PROTOCOL

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)


def named(name: str) -> Mutant:
    """The mutant of this name."""
    return next(mutant for mutant in mutants_of(PROTOCOL) if mutant.name == name)


@every_protocol
def test_every_action_has_mutants_with_names_of_their_own(protocol: Protocol) -> None:
    found = mutants_of(protocol)
    assert len({item.name for item in found}) == len(found)
    said_something = {action.name for action in protocol.actions if action.guard or action.changes}
    assert {item.original.name for item in found} == said_something
    assert all(item.name.startswith(f"{item.original.name}: ") for item in found)


@every_protocol
def test_every_mutant_differs_from_its_action_in_its_text_and_not_in_name_and_parameters(protocol: Protocol) -> None:
    for mutant in mutants_of(protocol):
        original, action = mutant.original, mutant.action
        assert (action.name, action.parameters) == (original.name, original.parameters)
        mine = (action.takes, action.guard, action.changes, action.emits)
        assert mine != (original.takes, original.guard, original.changes, original.emits), mutant.name


def test_every_rule_makes_mutants_of_the_first_protocol() -> None:
    assert {mutant.rule for mutant in mutants_of(PROTOCOL)} == set(RULES)


@every_protocol
def test_every_mutant_can_be_executed(protocol: Protocol) -> None:
    interpreter = Interpreter(protocol, configurations.find(configurations.first(protocol), protocol))
    for mutant in mutants_of(protocol):
        assert interpreter.with_action(mutant.action) is not interpreter


def test_an_interpreter_with_another_action_leaves_the_first_as_it_is() -> None:
    mutant = named("place: without ¬at(pod, latest(pod), host)")
    interpreter = Interpreter(PROTOCOL, configurations.find("two-hosts", PROTOCOL))
    changed = interpreter.with_action(mutant.action)
    assert interpreter.action("place") is mutant.original
    assert changed.action("place") is mutant.action


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("grant: without same_vpc(source, destination)", "drop"),
        ("grant: only if not same_vpc(source, destination)", "negate"),
        ("grant: without taking request(host, epoch, asked_by, source, destination)", "untaken"),
        (
            "grant: takes request(host, epoch, asked_by, source, destination), with destination and source swapped",
            "swap",
        ),
        ("store: recorded(pod) < version, with version < recorded(pod) for recorded(pod) < version", "order"),
        ("grant: version = recorded(destination), with latest(destination) for recorded(destination)", "mistake"),
        ("report_done: change(pod, version) := done, with superseded for done", "member"),
        ("grant: without add told(host, destination)", "skip"),
        ("grant: add told(host, destination), for all values of host", "widen"),
        (
            "release: send applied(host, epoch, destination, version) where known(host, destination) < version, "
            "even if not known(host, destination) < version",
            "widen",
        ),
        (
            "grant: send granted(host, epoch, asked_by, destination, version), with the version before version",
            "older",
        ),
        ("deliver: without saying delivered(host, source, destination)", "unsaid"),
    ],
)
def test_names_say_what_is_wrong_in_the_words_of_the_statement(name: str, rule: str) -> None:
    assert named(name).rule == rule


def test_a_mutated_protocol_has_the_mutant_in_the_place_of_its_action_everywhere() -> None:
    mutant = named("grant: without same_vpc(source, destination)")
    protocol = mutated(PROTOCOL, mutant)
    assert protocol.name == PROTOCOL.name
    assert mutant.action in protocol.actions
    assert mutant.original not in protocol.actions
    assert len(protocol.actions) == len(PROTOCOL.actions)
    (group,) = (alternative for alternative in protocol.alternatives if mutant.action in alternative.choices)
    assert group.name == "takes_a_request"
    assert mutant.original not in group.choices
