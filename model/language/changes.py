"""The effects of a step: changes of symbols. `for_each` makes a change or move for all values of some sorts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar, overload

from model.language.definitions import Move
from model.language.terms import TRUE, A, B, C, Formula, Node, Symbol, Variable, both, bound, variable_of

T = TypeVar("T", bound="Change | Move")


@dataclass(frozen=True, slots=True)
class Change:
    """`symbol(arguments) := value` for all values of the binders for which `condition` holds (all read before the step).

    Every binder is itself one of the arguments.
    """

    symbol: Symbol
    arguments: tuple[Node, ...]
    value: Node
    binders: tuple[Variable, ...] = ()
    condition: Node = TRUE.node

    def when(self, condition: Formula) -> Self:
        """The same change, where the condition holds."""
        return replace(self, condition=both(Formula(self.condition), condition).node)


@overload
def for_each(first: type[A], body: Callable[[A], T], /) -> T: ...
@overload
def for_each(first: type[A], second: type[B], body: Callable[[A, B], T], /) -> T: ...
@overload
def for_each(first: type[A], second: type[B], third: type[C], body: Callable[[A, B, C], T], /) -> T: ...
def for_each(*sorts_and_body: Any) -> Any:
    """The change or move for all values of these sorts at once; its parameters name the binders."""
    *sorts, body = sorts_and_body
    variables = bound(sorts, body)
    changed: Change | Move = body(*variables)
    binders = tuple(variable_of(value) for value in variables)
    missing = [binder.name for binder in binders if binder not in changed.arguments]
    if missing:
        raise TypeError(f"{', '.join(missing)} must be among the arguments of what is changed")
    return replace(changed, binders=binders)
