"""The effects of a step: changes of symbols. `for_each` makes a change or move for all values of some sorts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar, overload

from model.language.definitions import ForAll, Move, narrowed
from model.language.quantifiers import Binders
from model.language.refusals import refuse_other
from model.language.terms import TRUE, A, B, C, Formula, Node, Symbol, Variable
from model.language.walk import Substitution, free, substitute

T = TypeVar("T", bound="Change | Move")


@dataclass(frozen=True, slots=True)
class Change(ForAll):
    """`symbol(arguments) := value` for all values of the binders for which `condition` holds (all read before the step).

    Every binder is itself one of the arguments.
    """

    symbol: Symbol
    arguments: tuple[Node, ...]
    value: Node
    binders: tuple[Variable, ...] = ()
    condition: Node = TRUE.node

    def nodes(self) -> tuple[Node, ...]:
        """The terms that it is made of."""
        return (*self.arguments, self.value, self.condition)

    def bound(self, names: Substitution, binders: tuple[Variable, ...], also: Formula | None = None) -> Self:
        arguments = tuple(substitute(node, names) for node in self.arguments)
        value, condition = substitute(self.value, names), narrowed(substitute(self.condition, names), also)
        return replace(self, arguments=arguments, value=value, binders=binders, condition=condition)


@overload
def for_each(first: type[A], body: Callable[[A], T], /) -> T: ...
@overload
def for_each(first: type[A], second: type[B], body: Callable[[A, B], T], /) -> T: ...
@overload
def for_each(first: type[A], second: type[B], third: type[C], body: Callable[[A, B, C], T], /) -> T: ...
def for_each(*sorts_and_body: Any) -> Any:
    """The change or move for all values of these sorts at once; its parameters name the binders."""
    *sorts, body = sorts_and_body or (None,)
    binders = Binders(sorts, body)
    changed: Change | Move = body(*binders.values)
    refuse_other([changed], (Change, Move), "for each of them there is a change or move")
    names = binders.named(set[Variable]().union(*map(free, changed.nodes())))
    missing = [name.name for binder, name in names.items() if binder not in changed.arguments]
    if missing:
        raise TypeError(f"{', '.join(missing)} must be among the arguments of what is changed")
    return changed.bound(names, (*names.values(), *changed.binders))
