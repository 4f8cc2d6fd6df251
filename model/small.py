"""Small worlds: a state of two or three of everything that satisfies all invariants, and something else besides.

For counterexamples to induction, which are read by people, and for showing that guards can be satisfied. What z3 finds here is
executed by the interpreter before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import z3

from model.configuration import Configuration, of_sizes
from model.interpreter import Interpreter
from model.kernel.boolean import Expression
from model.kernel.ground import Environment, Ground
from model.propositions import Propositions
from model.state import Element, Occurrence, State
from spec.language import Action, Protocol
from spec.terms import Formula, Node, Variable

SIZES = ((2, 2, 2), (3, 2, 2))
"""Members of each sort, the largest number, and members of the sorts that only constants range over; tried in this order."""


@dataclass(frozen=True)
class Small:
    """A state, an action that is enabled in it (if any was asked for), and values of the claim's parameters."""

    configuration: Configuration
    state: State
    occurrence: Occurrence | None
    after: State | None
    parameters: Mapping[str, Element]


def find_small(protocol: Protocol, action: Action | None, also: Node, variables: Sequence[Variable]) -> Small | None:
    """A small state that satisfies all invariants, the action's guard, and a formula over the state before the action."""
    for size in SIZES:
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
        for cases in self._cases(action, also, variables):
            self._solver.push()
            try:
                self._solver.add(z3.Or(*(self._term(condition) for condition, _ in cases)))
                if self._solver.check() != z3.sat:
                    continue
                model = self._solver.model()
            finally:
                self._solver.pop()
            environment = next(
                given for condition, given in cases if z3.is_true(model.eval(self._term(condition), True))
            )
            return self._small(self._state(model), action, environment, variables)
        return None

    def _cases(
        self, action: Action | None, also: Node, variables: Sequence[Variable]
    ) -> Iterator[list[tuple[Expression, Environment]]]:
        """For each choice of the action: the values of the variables, each with what has to hold for them."""
        algebra = self._ground.algebra
        for chosen in self._ground.environments(action.parameters if action else ()):
            guards = [self._ground.truth(node, chosen) for node in (action.guard if action else ())]
            if action is not None:
                guards.append(self._within(action, chosen))
            guard = algebra.conjunction(guards)
            if guard is False:
                continue
            cases = []
            for given in self._ground.environments(variables):
                condition = algebra.conjunction((guard, self._ground.truth(also, {**chosen, **given})))
                if condition is not False:
                    cases.append((condition, {**chosen, **given}))
            if cases:
                yield cases

    def _within(self, action: Action, chosen: Environment) -> Expression:
        """The step stays within the bounds of this world."""
        algebra = self._ground.algebra
        instance = self._ground.instance(action, tuple(chosen[one] for one in action.parameters))
        return False if instance is None else algebra.conjunction((instance.guard,))

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
                if z3.is_true(value):
                    relations[symbol.name].add(names)
            else:
                functions.setdefault(symbol.name, {})[names] = self._ground.sizes[symbol.result][value.as_long()]
        return State({name: frozenset(tuples) for name, tuples in relations.items()}, functions)

    def _small(
        self, state: State, action: Action | None, environment: Environment, variables: Sequence[Variable]
    ) -> Small:
        def element(variable: Variable) -> Element:
            return self._ground.sizes[variable.sort][environment[variable]]

        parameters = {variable.name.removeprefix("claim!"): element(variable) for variable in variables}
        configuration = _with_constants(self.configuration, self.protocol, state)
        if action is None:
            return Small(configuration, state, None, None, parameters)
        interpreter = Interpreter(_with(self.protocol, action), configuration)
        occurrence = Occurrence(action.name, tuple((one.name, element(one)) for one in action.parameters))
        assert interpreter.is_enabled(state, occurrence), "the interpreter does not agree with the solver"
        return Small(configuration, state, occurrence, interpreter.apply(state, occurrence)[0], parameters)


def _with(protocol: Protocol, action: Action) -> Protocol:
    """The protocol with this one among its actions: a variant's action has the name of the one that it replaces."""
    for variant in protocol.variants:
        if variant.action is action:
            return protocol.with_variant(variant)
    return protocol


def _with_constants(configuration: Configuration, protocol: Protocol, state: State) -> Configuration:
    """The configuration with the constants that the solver chose: its own need not be as the protocol assumes."""
    chosen: dict[str, Any] = {**state.relations, **state.functions}
    constants = {symbol.name: chosen[symbol.name] for symbol in protocol.symbols if symbol.kind == "constant"}
    return replace(configuration, constants=constants)


def _configuration(protocol: Protocol, size: tuple[int, int, int]) -> Configuration:
    members, largest, tenants = size
    ranged_over = {symbol.result for symbol in protocol.symbols if symbol.kind == "constant"}
    sizes = {sort.__name__: tenants if sort in ranged_over else members for sort in protocol.sorts}
    return of_sizes("small", protocol, {**sizes, **{number.__name__: largest for number in protocol.numbers}})
