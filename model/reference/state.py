"""States, steps and traces as plain data: the interpreter computes with them, and every engine reports with them.

| in the language | here |
|---|---|
| a member of a sort or of an enumeration | its name, a string |
| a number | an integer |
| a relation, message | the set of its tuples |
| a function | a mapping from each tuple of arguments to its value |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from model.language import Protocol, Symbol
from model.language.terms import Enumeration, Formula, Number, Value
from model.reference.configuration import Configuration

Element = str | int
Tuple = tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class State:
    """One state of a configuration; constants are part of it, events are not. States with equal content are equal."""

    relations: Mapping[str, frozenset[Tuple]]
    functions: Mapping[str, Mapping[Tuple, Element]]

    def key(self) -> tuple[object, ...]:
        """A hashable form."""
        return (
            tuple(sorted(self.relations.items())),
            tuple(sorted((name, tuple(sorted(table.items()))) for name, table in self.functions.items())),
        )

    def __hash__(self) -> int:
        return hash(self.key())


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An action with its choices, in the order of its parameters."""

    action: str
    choices: tuple[tuple[str, Element], ...]

    def __str__(self) -> str:
        return f"{self.action}({', '.join(f'{name}={value}' for name, value in self.choices)})"


@dataclass(frozen=True, slots=True)
class Trace:
    """A run: it starts in `states[0]`, and `steps[i]` leads from `states[i]` to `states[i + 1]`.

    With `loop` it is a lasso, an infinite run: its last state is `states[loop]`, and the steps since then repeat forever.
    """

    protocol: str
    configuration: Configuration
    states: tuple[State, ...]
    steps: tuple[Occurrence, ...]
    description: str = ""
    loop: int | None = None


def elements(sort: type[Value], configuration: Configuration) -> tuple[Element, ...]:
    """All values of a sort in a configuration, in its order; numbers from 0 to their bound."""
    if issubclass(sort, Number):
        return tuple(range(configuration.bounds[sort.__name__] + 1))
    if issubclass(sort, Enumeration):
        return tuple(sort.names())
    return configuration.sorts[sort.__name__]


def tuples(symbol: Symbol, configuration: Configuration) -> Iterator[Tuple]:
    """All argument tuples of a symbol in a configuration, in order."""
    return product(*(elements(sort, configuration) for sort in symbol.arguments))


def initial_state(protocol: Protocol, configuration: Configuration) -> State:
    """Relations empty, numbers 0, enumerations at their first member, constants as configured."""
    relations: dict[str, frozenset[Tuple]] = {}
    functions: dict[str, Mapping[Tuple, Element]] = {}
    for symbol in protocol.symbols:
        if symbol.kind == "event":
            continue
        if symbol.kind == "constant":
            chosen = configuration.constants[symbol.name]
            if isinstance(chosen, Mapping):
                functions[symbol.name] = dict(chosen)
            else:
                relations[symbol.name] = frozenset(chosen)
        elif symbol.result is Formula:
            relations[symbol.name] = frozenset()
        else:
            first: Element = 0 if issubclass(symbol.result, Number) else elements(symbol.result, configuration)[0]
            functions[symbol.name] = dict.fromkeys(tuples(symbol, configuration), first)
    return State(relations, functions)
