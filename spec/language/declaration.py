"""What all declarations have in common."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TypeVar, get_type_hints

from spec.terms import Individual, Value, Variable

V = TypeVar("V", bound=Value)


class Declaration:
    """Anything a protocol module declares. Identity is what counts; the name is for readers."""

    name: str = ""
    doc: str = ""

    def __repr__(self) -> str:
        return self.name


class Role(Declaration):
    """Who acts: one for the whole system, or one for each member of a sort (then its actions name that member first)."""

    def __init__(self, doc: str, *, each: type[Individual] | None = None) -> None:
        self.doc = doc
        self.each = each


def parameters_of(declared: Callable[..., object]) -> tuple[Variable, ...]:
    """The parameters of a declaring function, as variables."""
    hints = get_type_hints(declared)
    names = list(inspect.signature(declared).parameters)
    return tuple(Variable(name, hints[name]) for name in names)


def evaluate(declared: Callable[..., V]) -> tuple[tuple[Variable, ...], V]:
    """The parameters of a declaring function as variables, and its value on them."""
    parameters = parameters_of(declared)
    return parameters, declared(*(variable.sort(variable) for variable in parameters))
