"""Interpreter, machines, compiled kernel and z3 agree on every action, in reachable and unreachable states."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import z3

from conformance import configurations
from model.explore.kernel.kernel import Kernel
from model.language import Protocol, Symbol
from model.language.terms import Apply, Enumeration, Formula, Individual, Value, Variable
from model.language.transition import after
from model.machines.machines import System
from model.proof.symbolic import Translator
from model.reference.configuration import Configuration
from model.reference.cut import Cut
from model.reference.interpreter import Interpreter, all_choices
from model.reference.state import Element, Occurrence, State, elements, initial_state, tuples
from tests.toys.configurations import LOCK, LOCK_WORLD

STATES = 150
"""States of each kind that are compared."""


def configuration_of(name: str) -> tuple[Protocol, Configuration]:
    """The protocol and configuration of a test."""
    if name == "lock":
        return LOCK, LOCK_WORLD
    protocol = configurations.meant(name, None, None)
    configuration = configurations.find(name, protocol)
    if name == "eavesdropper":  # without its restrictions; for `look_ahead` a random run would have to be long
        configuration = replace(configuration, only={}, without=frozenset({"look_ahead"}))
    if name == "pretenders":  # without its restrictions
        patience: dict[tuple[str | int, ...], str | int] = {("red",): 2}
        configuration = replace(
            configuration,
            only={},
            bounds={**configuration.bounds, "Tries": 2},
            constants={**configuration.constants, "patience": patience},
        )
    return protocol, configuration


def reachable(interpreter: Interpreter, protocol: Protocol, generator: random.Random) -> Iterator[State]:
    """States of random runs; rare actions are preferred, so that all of them occur."""
    start = initial_state(protocol, interpreter.configuration)
    state, seen = start, dict[str, int]()
    while True:
        yield state
        enabled = interpreter.enabled(state)
        if not enabled or generator.random() < 0.02:
            state = start
            continue
        least = min(seen.get(item.action, 0) for item in enabled)
        rare = [item for item in enabled if seen.get(item.action, 0) == least]
        chosen = generator.choice(rare if generator.random() < 0.5 else enabled)
        seen[chosen.action] = seen.get(chosen.action, 0) + 1
        state = interpreter.apply(state, chosen)[0]


def unreachable(kernel: Kernel, start: State, generator: random.Random) -> Iterator[State]:
    """States with every field at random, among the values that the kernel can pack."""
    ground = kernel.ground
    density = 0.5
    while True:
        density = generator.choice((0.05, 0.2, 0.5))
        relations: dict[str, set[Any]] = {name: set(held) for name, held in start.relations.items()}
        functions = {name: dict(table) for name, table in start.functions.items()}
        for place, (symbol, arguments) in enumerate(ground.places):
            values = sorted(ground.possible[place])
            if len(values) < 2:
                continue
            names = ground.names(symbol.arguments, arguments)
            if symbol.result is Formula:
                (relations[symbol.name].add if generator.random() < density else relations[symbol.name].discard)(names)
            else:
                functions[symbol.name][names] = ground.sizes[symbol.result][generator.choice(values)]
        yield State({name: frozenset(held) for name, held in relations.items()}, functions)


def sample(name: str, count: int) -> tuple[Protocol, Interpreter, Kernel, list[State]]:
    """States of both kinds, with the engines that compute on them."""
    protocol, configuration = configuration_of(name)
    interpreter = Interpreter(protocol, configuration)
    kernel = Kernel.of(protocol, configuration, everything=True, forget_spent=False)
    generator = random.Random(7)
    walk = reachable(interpreter, protocol, generator)
    wild = unreachable(kernel, initial_state(protocol, configuration), generator)
    states = [next(walk) for _ in range(6 * count)][::6] + [next(wild) for _ in range(count)]
    return protocol, interpreter, kernel, states


@pytest.mark.parametrize("name", ["lock", "bench", "pretenders", "eavesdropper"])
def test_interpreter_machines_and_kernel_agree(name: str) -> None:
    protocol, interpreter, kernel, states = sample(name, STATES)
    system = System(protocol, interpreter.configuration, check=False)
    taken, leaving = set(), set[Cut]()
    for state in states:
        system.load(state)
        enabled = interpreter.enabled(state)
        assert system.enabled() == enabled
        cut = interpreter.cut(state)
        assert {occurrence: why for occurrence, why in system.guarded() if why is not None} == cut
        assert kernel.cut(state) == Counter(cut.values())
        leaving |= set(cut.values())
        results = set()
        for occurrence in enabled:
            taken.add(occurrence.action)
            result, events = interpreter.apply(state, occurrence)
            system.load(state)
            assert system.take(occurrence) == events
            assert system.state == result, occurrence
            if result != state:
                results.add(kernel.pack(result))
        assert kernel.successors(state) == results
    assert taken == {action.name for action in protocol.actions if action.name not in interpreter.configuration.without}
    assert leaving


# ------------------------------------------------------------------------------------------------------------ z3


class Concrete:
    """One state in z3: every symbol is a table, so that guards and next values can be decided."""

    def __init__(self, protocol: Protocol, configuration: Configuration, state: State) -> None:
        self.translator = Translator(protocol)
        self.configuration = configuration
        self.members: dict[tuple[type[Value], Element], Any] = {}
        self.solver = z3.Solver()
        for sort in protocol.sorts:
            constants = [z3.Const(f"{sort.__name__}!{name}", self.translator.sort(sort)) for name in self._of(sort)]
            self.members |= dict(zip(((sort, name) for name in self._of(sort)), constants, strict=True))
            anyone = z3.Const("anyone", self.translator.sort(sort))
            self.solver.add(
                z3.Distinct(*constants), z3.ForAll([anyone], z3.Or(*(anyone == constant for constant in constants)))
            )
        for symbol in protocol.symbols:
            if symbol.kind != "event":
                self._table(symbol, state)

    def _of(self, sort: type[Value]) -> tuple[Element, ...]:
        return elements(sort, self.configuration)

    def _table(self, symbol: Symbol, state: State) -> None:
        variables = tuple(Variable(f"v{place}", sort) for place, sort in enumerate(symbol.arguments))
        environment = self.translator.constants(variables, "t!")
        value: Any = (
            z3.BoolVal(False) if symbol.result is Formula else self.element(symbol.result, self._of(symbol.result)[0])
        )
        for key in tuples(symbol, self.configuration):
            here = z3.And(
                *(environment[one] == self.element(one.sort, part) for one, part in zip(variables, key, strict=True))
            )
            if symbol.result is Formula:
                value = z3.If(here, z3.BoolVal(key in state.relations[symbol.name]), value)
            else:
                value = z3.If(here, self.element(symbol.result, state.functions[symbol.name][key]), value)
        read = self.translator.term(Apply(symbol, variables), environment)
        self.solver.add(z3.ForAll(list(environment.values()), read == value))

    def element(self, sort: type[Value], value: Element) -> Any:
        """A value as a z3 term."""
        if issubclass(sort, Individual):
            return self.members[sort, value]
        return z3.IntVal(sort.names().index(str(value)) if issubclass(sort, Enumeration) else value)

    def holds(self, formula: Any) -> bool:
        """Whether a closed formula is true in the state; the state decides it, so it or its negation is unsatisfiable."""
        self.solver.push()
        self.solver.add(z3.Not(formula))
        answer = self.solver.check()
        self.solver.pop()
        assert answer != z3.unknown
        return bool(answer == z3.unsat)


def environment_of(concrete: Concrete, protocol: Protocol, occurrence: Occurrence) -> dict[Variable, Any]:
    """An occurrence's choices as z3 terms."""
    action = next(each_action for each_action in protocol.actions if each_action.name == occurrence.action)
    values = (value for _, value in occurrence.choices)
    return {one: concrete.element(one.sort, value) for one, value in zip(action.parameters, values, strict=True)}


@pytest.mark.parametrize("name", ["lock", "bench", "pretenders", "eavesdropper"])
def test_z3_agrees_with_the_interpreter(name: str) -> None:
    protocol, interpreter, _, found = sample(name, STATES)
    states = covering(interpreter, found) + found[:5] + found[-5:]
    generator = random.Random(3)
    without = interpreter.configuration.without
    actions = {action.name: action for action in protocol.actions if action.name not in without}
    taken = set()
    for state in states:
        concrete = Concrete(protocol, interpreter.configuration, state)
        enabled = set(interpreter.enabled(state))
        by_action: dict[str, Occurrence] = {}
        for occurrence in sorted(enabled, key=str):
            by_action.setdefault(occurrence.action, occurrence)
        sampled = list(by_action.values())
        for action in actions.values():
            choices = list(all_choices(action, interpreter.configuration))
            for chosen in generator.sample(choices, min(2, len(choices))):
                names = (parameter.name for parameter in action.parameters)
                sampled.append(Occurrence(action.name, tuple(zip(names, chosen, strict=True))))
        for occurrence in sampled:
            action, given = actions[occurrence.action], environment_of(concrete, protocol, occurrence)
            guard = z3.And(True, *(concrete.translator.term(node, given) for node in action.guard))
            held = all(part.held for part in interpreter.conjuncts(state, occurrence))
            assert concrete.holds(guard) == held, occurrence
            if occurrence in enabled:
                taken.add(occurrence.action)
                result = interpreter.apply(state, occurrence)[0]
                for symbol in {change.symbol for change in action.changes}:
                    assert next_value_agrees(concrete, action, symbol, given, result), (occurrence, symbol.name)
    assert taken == set(actions)


def covering(interpreter: Interpreter, states: list[State]) -> list[State]:
    """States that together enable every action that any of the given states enables."""
    chosen, seen = [], set[str]()
    for state in states:
        enabled = {item.action for item in interpreter.enabled(state)}
        if enabled - seen:
            seen |= enabled
            chosen.append(state)
    return chosen


def next_value_agrees(
    concrete: Concrete, action: Any, symbol: Symbol, given: dict[Variable, Any], result: State
) -> bool:
    """Whether z3's next value of a symbol equals the interpreter's, for all arguments."""
    same = []
    for key in tuples(symbol, concrete.configuration):
        names = tuple(Variable(f"k!{place}", sort) for place, sort in enumerate(symbol.arguments))
        here = {one: concrete.element(one.sort, part) for one, part in zip(names, key, strict=True)}
        term = concrete.translator.term(after(action, Apply(symbol, names), everything=True), {**given, **here})
        if symbol.result is Formula:
            same.append(term == z3.BoolVal(key in result.relations[symbol.name]))
        else:
            same.append(term == concrete.element(symbol.result, result.functions[symbol.name][key]))
    return concrete.holds(z3.And(*same))


def test_a_machine_that_forgets_an_effect_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    protocol, configuration = configuration_of("lock")
    interpreter = Interpreter(protocol, configuration)
    system = System(protocol, configuration, check=False)
    for executable in system.executables.values():
        monkeypatch.setattr(executable, "effects", lambda tables, given: [])
    state = initial_state(protocol, configuration)
    occurrence = interpreter.enabled(state)[0]
    system.take(occurrence)
    assert system.state != interpreter.apply(state, occurrence)[0]
