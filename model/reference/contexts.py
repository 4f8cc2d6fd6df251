"""The context in which a step is enabled: the distinctions among its choices that matter, in the protocol's terms.

States differ in everything; much less decides how a role acts. A context describes an enabled step by:

| example | source |
|---|---|
| `why = gone` | choices from an enumeration |
| `route_state(host, pod) = asking` | the value of each lifecycle of the choices |
| `told(host, pod)`, `not removed(host)` | each piece of state and each constant over the choices alone |
| `version > known(host, pod)` | each chosen number, compared with each number in the state for the choices |
| `first`, `again` | whether the taken message was taken before in the run |

A description that is the same wherever the action is enabled carries no information; callers leave it out when they show contexts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from model.language import Action, Symbol
from model.language.terms import Enumeration, Formula, Number, Value, Variable
from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, State, Tuple

Taken = tuple[str, Tuple]
"""A message, by name and arguments."""


@dataclass(frozen=True, slots=True, order=True)
class Context:
    """An action, and the descriptions of where it is enabled."""

    action: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.action}: {', '.join(self.words)}" if self.words else self.action


Word = Callable[[State, Mapping[str, Any]], str]


class Contexts:
    """The contexts of one configuration."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        actions = interpreter.protocol.actions
        self._words = {action.name: list(self._words_of(action)) for action in actions}
        self._taken = {
            action.name: [
                (take.symbol.name, [interpreter.prepared(argument, _names(action)) for argument in take.arguments])
                for take in action.takes
            ]
            for action in actions
        }

    def taken(self, state: State, step: Occurrence) -> list[Taken]:
        """The messages that a step takes."""
        values = [value for _, value in step.choices]
        return [
            (name, tuple(argument(state, *values) for argument in arguments))
            for name, arguments in self._taken[step.action]
        ]

    def of(self, state: State, step: Occurrence, before: Collection[Taken]) -> Context:
        """The context of an enabled step; `before`: the messages taken earlier in the run."""
        choices = dict(step.choices)
        words = [word(state, choices) for word in self._words[step.action]]
        words += ["again" if message in before else "first" for message in self.taken(state, step)]
        return Context(step.action, tuple(words))

    def _words_of(self, action: Action) -> Iterator[Word]:
        parameters = action.parameters
        for each_parameter in parameters:
            if issubclass(each_parameter.sort, Enumeration):
                yield _chosen(each_parameter.name)
        for lifecycle in self._interpreter.protocol.lifecycles:
            names = [parameter.name for parameter in lifecycle.parameters]
            value = self._interpreter.prepared(lifecycle.value.node, names)
            for chosen in _fitting(parameters, [parameter.sort for parameter in lifecycle.parameters]):
                yield _stage(f"{lifecycle.name}({', '.join(chosen)})", value, chosen)
        for symbol in self._interpreter.protocol.symbols:
            if symbol.kind not in ("state", "constant"):
                continue
            for chosen in _fitting(parameters, symbol.arguments):
                if symbol.result is Formula:
                    yield _holds(symbol, chosen)
                elif issubclass(symbol.result, Number):
                    for each_parameter in parameters:
                        if each_parameter.sort is symbol.result and each_parameter.name not in chosen:
                            yield _compared(each_parameter.name, symbol, chosen)


def _names(action: Action) -> list[str]:
    return [parameter.name for parameter in action.parameters]


def _fitting(
    parameters: tuple[Variable, ...], sorts: tuple[type[Value], ...] | list[type[Value]]
) -> Iterator[tuple[str, ...]]:
    """The choices, by name, that fit these sorts, each used once."""
    for chosen in product(*([parameter.name for parameter in parameters if parameter.sort is sort] for sort in sorts)):
        if len(set(chosen)) == len(chosen):
            yield chosen


def _chosen(name: str) -> Word:
    return lambda state, choices: f"{name} = {choices[name]}"


def _stage(shown: str, value: Callable[..., Any], chosen: tuple[str, ...]) -> Word:
    return lambda state, choices: f"{shown} = {value(state, *(choices[name] for name in chosen))}"


def _holds(symbol: Symbol, chosen: tuple[str, ...]) -> Word:
    shown = f"{symbol.name}({', '.join(chosen)})"

    def word(state: State, choices: Mapping[str, Any]) -> str:
        return shown if tuple(choices[name] for name in chosen) in state.relations[symbol.name] else f"not {shown}"

    return word


def _compared(number: str, symbol: Symbol, chosen: tuple[str, ...]) -> Word:
    shown = f"{symbol.name}({', '.join(chosen)})"

    def word(state: State, choices: Mapping[str, Any]) -> str:
        other = state.functions[symbol.name][tuple(choices[name] for name in chosen)]
        sign = "<" if choices[number] < other else ">" if choices[number] > other else "="
        return f"{number} {sign} {shown}"

    return word
