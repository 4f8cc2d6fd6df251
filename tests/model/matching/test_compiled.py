"""Actions compiled over sparse tables agree with the interpreter, in reachable and unreachable states."""

from __future__ import annotations

import random
from typing import Any

import pytest

from model.language import Protocol
from model.language.terms import Formula
from model.matching.compiled import Compiled, apply
from model.matching.layout import Tables
from model.reference.configuration import Configuration
from model.reference.interpreter import all_choices
from model.reference.state import Occurrence, State, elements
from tests.model.reference.test_agreement import STATES, covering, sample

WORLDS = ["lock", "bench", "pretenders", "eavesdropper", "neighbors", "two-instances"]
CHOICES = 60
"""Choices of one action compared in one state; enabled ones are all compared."""


def constants(protocol: Protocol, configuration: Configuration) -> dict[str, Any]:
    """The constants of a configuration as functions."""
    found: dict[str, Any] = {}
    for symbol in protocol.symbols:
        if symbol.kind == "constant":
            table = configuration.constants[symbol.name]
            if symbol.result is Formula:
                found[symbol.name] = lambda *arguments, table=table: arguments in table
            else:
                found[symbol.name] = lambda *arguments, table=table: table[arguments]
    return found


def load(compiled: Compiled, state: State) -> Tables:
    """A state as sparse tables."""
    tables = compiled.tables()
    for name in compiled.layout.kept:
        if name in state.relations:
            for arguments in state.relations[name]:
                tables.put(name, arguments, True)
        else:
            for arguments, value in state.functions[name].items():
                tables.put(name, arguments, value)
    return tables


def check_indexes(tables: Tables) -> None:
    """Every index agrees with its table."""
    for (name, positions), index in tables.layout.indexes.items():
        wanted: dict[Any, set[Any]] = {}
        for arguments, _ in tables.entries(name):
            key = tuple(arguments[place] for place in positions)
            wanted.setdefault(key if len(key) > 1 else key[0], set()).add(arguments)
        assert {key: set(some) for key, some in getattr(tables, index).items()} == wanted, index


@pytest.mark.parametrize("name", WORLDS)
def test_compiled_actions_agree_with_the_interpreter(name: str) -> None:
    protocol, interpreter, _, found = sample(name, STATES)
    states = covering(interpreter, found) + found[::10]
    configuration = interpreter.configuration
    compiled = Compiled(
        protocol, constants(protocol, configuration), members=lambda _, sort: elements(sort, configuration)
    )
    finders = {action: compiled.finder(action, ()) for action in compiled.actions}
    generator = random.Random(5)
    without = configuration.without
    taken = set()
    for state in states:
        tables = load(compiled, state)
        check_indexes(tables)
        for action in protocol.actions:
            if action.name in without:
                continue
            ready = compiled.actions[action.name]
            every = list(all_choices(action, configuration))
            held = {chosen for chosen in every if ready.refuses(tables, *chosen) == -1}
            assert {item for item in finders[action.name](tables) if item in set(every)} == held, action
            for chosen in {*generator.sample(every, min(CHOICES, len(every))), *held}:
                occurrence = Occurrence(action.name, tuple(zip(ready.names, chosen, strict=True)))
                parts = interpreter.conjuncts(state, occurrence)
                first = next((place for place, part in enumerate(parts) if not part.held), -1)
                assert ready.refuses(tables, *chosen) == first, occurrence
                if interpreter.is_enabled(state, occurrence):
                    taken.add(action.name)
                    made = tables.copy()
                    apply(made, ready.changes(tables, *chosen))
                    check_indexes(made)
                    wanted = load(compiled, interpreter.apply(state, occurrence)[0])
                    for symbol in compiled.layout.kept:
                        assert dict(made.entries(symbol)).keys() == dict(wanted.entries(symbol)).keys(), occurrence
                        if symbol not in state.relations:
                            assert made.table(symbol) == wanted.table(symbol), occurrence
    assert taken == {action.name for action in protocol.actions if action.name not in without}
