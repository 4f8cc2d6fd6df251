"""Numbers that leave their sort: which terms may, and where a step would write one.

A number is never below 0, and in a bounded model never above its bound. Arithmetic is that of the integers, so a sum is compared
like any other integer. A step that would *write* such a value is cut: it does not exist. docs/own-protocol.md has the meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model.language.actions import Action
from model.language.terms import TRUE, Apply, Choose, Constant, Formula, Named, Node, Number, Value, Variable


def may_leave(node: Node) -> bool:
    """Whether a term may be no number of its sort. Choices and values that are read are; and no bound is below 1."""
    match node:
        case Named(_, _, body):
            return may_leave(body)
        case Choose(_, chosen, otherwise):
            return may_leave(chosen) or may_leave(otherwise)
        case Constant(value):
            return value > 1
        case Variable() | Apply():
            return False
        case _:
            return True


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
