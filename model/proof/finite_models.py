"""Finite models: a state of two or three members of each sort that satisfies all invariants and one more formula.

They are used for readable counterexamples to induction, and to show that guards can be satisfied. The interpreter executes every
model that z3 finds before it is reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import z3

from model.explore.kernel.boolean import Expression
from model.explore.kernel.ground import Ground
from model.language import Action, Protocol
from model.language.terms import Constant, Formula, Node, Variable
from model.language.walk import parts
from model.proof.propositions import Propositions, is_true
from model.reference.configuration import Configuration, of_sizes
from model.reference.interpreter import Interpreter
from model.reference.state import Element, Occurrence, State

SIZES = ((2, 2, 2), (3, 2, 2))
"""Members of each sort, the largest number, and members of the sorts that only constants use; tried in this order."""


@dataclass(frozen=True)
class Small:
    """A state, an action that is enabled in it (if one was requested), and values of the claim's parameters."""

    configuration: Configuration
    state: State
    occurrence: Occurrence | None
    after: State | None
    parameters: Mapping[str, Element]


def find_small(
    protocol: Protocol,
    action: Action | None,
    also: Node,
    variables: Sequence[Variable],
    sizes: Sequence[tuple[int, int, int]] = SIZES,
) -> Small | None:
    """A small state that satisfies all invariants, the action's guard, and a formula over the state before the action."""
    for size in sizes:
        found = _world(protocol, size).find(action, also, variables)
        if found is not None:
            return found
    return None


@lru_cache(maxsize=8)
def _world(protocol: Protocol, size: tuple[int, int, int]) -> _World:
    return _World(protocol, size)


class _World:
    """All states of one size that satisfy the invariants."""

    def __init__(self, protocol: Protocol, size: tuple[int, int, int]) -> None:
        self.protocol = protocol
        self.configuration = _configuration(protocol, size)
        self._ground = Ground(protocol, self.configuration, anything=True)
        self._solver = z3.Solver()
        self._term = Propositions(self._has).of
        self._fields: list[Any] = []
        self._open_term = Propositions(self._chosen).of
        """The terms of the questions about one action, until another action is asked about."""
        self._asked: tuple[Action, tuple[Expression, ...]] | None = None
        for place, (symbol, arguments) in enumerate(self._ground.places):
            name = f"{symbol.name}{arguments}"
            if symbol.result is Formula:
                self._fields.append(z3.Bool(name))
            else:
                self._fields.append(z3.Int(name))
                self._solver.add(self._fields[-1] >= 0, self._fields[-1] < len(self._ground.possible[place]))
        for assumed in protocol.assumptions:
            self._always(assumed.parameters, assumed.formula)
        for promise in protocol.promises:
            if promise.kind == "always":
                self._always(promise.parameters, promise.formula)

    def _always(self, parameters: Sequence[Variable], formula: Node) -> None:
        for environment in self._ground.environments(parameters):
            self._solver.add(self._term(self._ground.truth(formula, environment)))

    def find(self, action: Action | None, also: Node, variables: Sequence[Variable]) -> Small | None:
        ground = self._ground
        environment = ground.open_variables([*(action.parameters if action else ()), *variables])
        parts = [*(self._enabled(action) if action else ()), ground.truth(also, environment)]
        self._solver.push()
        try:
            self._solver.add(*map(self._open_term, parts))
            for variable, given in environment.items():
                self._solver.add(
                    0 <= z3.Int(f"!{given.field}"), z3.Int(f"!{given.field}") < len(ground.sizes[variable.sort])
                )
            if self._solver.check() != z3.sat:
                return None
            model = self._solver.model()
        finally:
            self._solver.pop()
        chosen = {
            variable: model.eval(z3.Int(f"!{given.field}"), model_completion=True).as_long()
            for variable, given in environment.items()
        }
        return self._small(self._state(model), action, chosen, variables)

    def _enabled(self, action: Action) -> tuple[Expression, ...]:
        """When an action is enabled, with its parameters open; kept for the next question, usually about the same action."""
        if self._asked is None or self._asked[0] is not action:
            ground, algebra = self._ground, self._ground.algebra
            environment = ground.open_variables(action.parameters)
            guard = algebra.conjunction(ground.truth(node, environment) for node in action.guard)
            leaving = [] if guard is False else ground.leaving(action, environment, guard)
            self._asked = action, (guard, *(algebra.negation(condition) for _, condition in leaving))
            self._open_term = Propositions(self._chosen).of
        return self._asked[1]

    def _chosen(self, place: int, value: int) -> Any:
        """The term for a field having a value; fields beyond those of the state belong to open variables."""
        return z3.Int(f"!{place}") == value if place >= len(self._fields) else self._has(place, value)

    def _has(self, place: int, value: int) -> Any:
        field = self._fields[place]
        return field if z3.is_bool(field) else field == value

    def _state(self, model: Any) -> State:
        relations: dict[str, set[Any]] = {}
        functions: dict[str, dict[Any, Element]] = {}
        for field, (symbol, arguments) in zip(self._fields, self._ground.places, strict=True):
            names = self._ground.names(symbol.arguments, arguments)
            value = model.eval(field, model_completion=True)
            if symbol.result is Formula:
                relations.setdefault(symbol.name, set())
                if is_true(value):
                    relations[symbol.name].add(names)
            else:
                functions.setdefault(symbol.name, {})[names] = self._ground.sizes[symbol.result][value.as_long()]
        return State({name: frozenset(tuples) for name, tuples in relations.items()}, functions)

    def _small(
        self, state: State, action: Action | None, environment: Mapping[Variable, int], variables: Sequence[Variable]
    ) -> Small:
        def element(variable: Variable) -> Element:
            return self._ground.sizes[variable.sort][environment[variable]]

        parameters = {variable.name.removeprefix("claim!"): element(variable) for variable in variables}
        configuration = _with_constants(self.configuration, self.protocol, state)
        if action is None:
            return Small(configuration, state, None, None, parameters)
        interpreter = Interpreter(_with(self.protocol, action), configuration)
        occurrence = Occurrence(
            action.name, tuple((parameter.name, element(parameter)) for parameter in action.parameters)
        )
        assert interpreter.is_enabled(state, occurrence), "the interpreter does not agree with the solver"
        return Small(configuration, state, occurrence, interpreter.apply(state, occurrence)[0], parameters)


def _with(protocol: Protocol, action: Action) -> Protocol:
    """The protocol with this action among its own: a variant's action has the name of the one that it replaces."""
    if any(each_action is action for each_action in protocol.actions):
        return protocol
    actions = tuple(action if each_action.name == action.name else each_action for each_action in protocol.actions)
    return replace(protocol, actions=actions)


def _with_constants(configuration: Configuration, protocol: Protocol, state: State) -> Configuration:
    """The configuration with the constants that the solver chose: its own may violate the protocol's assumptions."""
    chosen: dict[str, Any] = {**state.relations, **state.functions}
    constants = {symbol.name: chosen[symbol.name] for symbol in protocol.symbols if symbol.kind == "constant"}
    return replace(configuration, constants=constants)


def _configuration(protocol: Protocol, size: tuple[int, int, int]) -> Configuration:
    members, largest, tenants = size
    ranged_over = {symbol.result for symbol in protocol.symbols if symbol.kind == "constant"}
    sizes = {sort.__name__: tenants if sort in ranged_over else members for sort in protocol.sorts}
    bounds = {number.__name__: largest for number in protocol.numbers}
    for _, wrong in protocol.misread():  # what is read at a larger constant has a value too
        read = (part.value for part in parts(wrong.argument) if isinstance(part, Constant))
        bounds[wrong.sort.__name__] = max(bounds[wrong.sort.__name__], *read)
    return of_sizes("small", protocol, {**sizes, **bounds})
