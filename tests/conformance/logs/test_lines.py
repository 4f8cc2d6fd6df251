"""The event schema of the implementation, which must not import the specification, agrees with the specification."""

from __future__ import annotations

import pytest

from conformance.protocols import named
from impl.events.event_schema import (
    ACTIONS,
    KIND,
    MEMBERS,
    MESSAGES,
    NAMES,
    NOT_RECORDED,
    NUMBER,
    SYMBOLS,
    TRUTH,
    UNKEPT,
)
from model.language import Action, Message, Protocol
from model.language.terms import Formula, Number, Value

RECORDED = ("on-demand", "message-queue")
LOGGED = ("DPM", "NCM", "ACA")
"""Roles that are processes and keep logs: not the broker, and not Byzantine agents."""


def kind_of(sort: type[Value]) -> str:
    """The kind of a sort in the implementation's tables."""
    if sort is Formula:
        return TRUTH
    if issubclass(sort, Number):
        return NUMBER
    return sort.__name__.lower()


def actions(protocol: Protocol) -> list[Action]:
    return [action for action in protocol.actions if action.role.name in LOGGED]


@pytest.mark.parametrize("name", RECORDED)
def test_every_step_of_a_process_has_a_line(name: str) -> None:
    wanted = {action.name for action in actions(named(name))}
    found = {each_action.removeprefix(f"{name}.") for each_action in ACTIONS if each_action.startswith(f"{name}.")}
    assert found | (set(NOT_RECORDED) & wanted) == wanted
    assert not found & set(NOT_RECORDED)


@pytest.mark.parametrize("name", RECORDED)
def test_a_line_has_the_parameters_and_messages_of_its_step(name: str) -> None:
    for action in actions(named(name)):
        if action.name in NOT_RECORDED:
            continue
        said = ACTIONS[f"{name}.{action.name}"]
        assert said.role == action.role.name.lower(), action.name
        assert said.parameters == tuple(variable.name for variable in action.parameters), action.name
        assert [KIND[parameter] for parameter in said.parameters] == [
            kind_of(parameter.sort) for parameter in action.parameters
        ], action.name
        assert [said.takes] == ([take.symbol.name for take in action.takes] or [""]), action.name
        sends = dict.fromkeys(change.symbol.name for change in action.changes if isinstance(change.symbol, Message))
        assert set(said.sends) == set(sends), action.name


@pytest.mark.parametrize("name", RECORDED)
def test_messages_have_their_arguments(name: str) -> None:
    messages = {f"{name}.{each_message.name}": each_message for each_message in named(name).messages}
    assert set(messages) == {each_message for each_message in MESSAGES if each_message.startswith(f"{name}.")}
    for said, message in messages.items():
        kinds = [kind_of(sort) for sort in message.arguments]
        assert [KIND[each_message] for each_message in MESSAGES[said]] == kinds, said
        assert MESSAGES[said] == message.fields, said


@pytest.mark.parametrize("name", RECORDED)
def test_the_state_of_every_process_is_logged(name: str) -> None:
    for role in LOGGED:
        held = {
            f"{name}.{each_symbol.name}": (*map(kind_of, each_symbol.arguments), kind_of(each_symbol.result))
            for each_symbol in named(name).symbols
            if each_symbol.kind == "state" and each_symbol.holder is not None and each_symbol.holder.name == role
        }
        said = {one: kinds for one, kinds in SYMBOLS[role.lower()].items() if one.startswith(f"{name}.")}
        borrowed = {"on-demand.at"} if role != "DPM" else set()
        assert set(said) - borrowed == set(held) - set(UNKEPT), role
        for symbol in set(said) & set(held):
            assert said[symbol] == held[symbol], symbol


@pytest.mark.parametrize("name", RECORDED)
def test_enumerations_have_the_members_of_the_statement(name: str) -> None:
    protocol = named(name)
    for enumeration in protocol.enumerations:
        kind = enumeration.__name__.lower()
        if kind in MEMBERS:
            assert MEMBERS[kind] == tuple(enumeration.names()), kind
    stated = {each_enumeration.__name__.lower() for each_enumeration in protocol.enumerations}
    used = {
        kind for kinds in SYMBOLS.values() for one, entry in kinds.items() if one.startswith(name) for kind in entry
    }
    assert used & set(MEMBERS) <= stated
    assert {sort.__name__.lower() for sort in protocol.sorts} <= set(NAMES)
