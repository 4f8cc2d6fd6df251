"""Numbers that leave their sort: which terms may, what must not be read at them, and where a step would write one.

A number is never below 0, and in a bounded model never above its bound. Arithmetic and comparison are those of the integers. A step
that would *write* such a value is cut: it does not exist. Nothing is *read* at one; docs/bounds.md says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from model.language.actions import Action
from model.language.terms import TRUE, Apply, Choose, Constant, Formula, Named, Node, Number, Plus, Value, Variable
from model.language.walk import parts


def may_leave(node: Node, bound: float = 1) -> bool:
    """Whether a term may be no number up to the bound; by default, in any bounded model: no bound is below 1.

    Choices, and values that are read, are within. Without a bound (`math.inf`) only arithmetic may leave.
    """
    match node:
        case Named(_, _, body):
            return may_leave(body, bound)
        case Choose(_, chosen, otherwise):
            return may_leave(chosen, bound) or may_leave(otherwise, bound)
        case Constant(value):
            return value > bound
        case Variable() | Apply():
            return False
        case _:
            return True


def may_be_negative(node: Node) -> bool:
    """Whether a term may be below 0: something is taken from a number."""
    return any(isinstance(part, Plus) and part.amount < 0 for part in parts(node))


@dataclass(frozen=True, slots=True)
class Misread:
    """What is read at a number that may leave its sort."""

    read: Apply
    argument: Node
    sort: type[Number]


def misread(nodes: Iterable[Node], bound: Callable[[type[Number]], float] = lambda sort: math.inf) -> Iterator[Misread]:
    """What these terms read at numbers that may leave their sorts, given the bounds; by default, at arithmetic."""
    for node in nodes:
        for part in parts(node):
            if isinstance(part, Apply):
                for argument, sort in zip(part.arguments, part.symbol.arguments, strict=True):
                    if issubclass(sort, Number) and may_leave(argument, bound(sort)):
                        yield Misread(part, argument, sort)


@dataclass(frozen=True, slots=True)
class Written:
    """A number that a step writes and that may leave its sort: for all values of the binders for which the condition holds."""

    node: Node
    sort: type[Number]
    binders: tuple[Variable, ...] = ()
    condition: Node = TRUE.node


def written(action: Action) -> Iterator[Written]:
    """The numbers that a step assigns, puts into a tuple, or says in an event, if they may leave their sorts."""
    for change in action.changes:
        places: list[tuple[Node, type[Value]]] = [*zip(change.arguments, change.symbol.arguments, strict=True)]
        if change.symbol.result is not Formula:
            places.append((change.value, change.symbol.result))
        for node, sort in places:
            if issubclass(sort, Number) and may_leave(node):
                yield Written(node, sort, change.binders, change.condition)
    for event in action.emits:
        for node, sort in zip(event.arguments, event.symbol.arguments, strict=True):
            if issubclass(sort, Number) and may_leave(node):
                yield Written(node, sort)
