"""Quantifiers, with variables that capture nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, Final, Literal, overload

from model.language.terms import A, B, C, Formula, Quantified, Value, Variable, node_of, refuse_no_sort
from model.language.walk import apart, free, substitute, too_large

_NUMBERS: Final = count(1)


@overload
def forall(first: type[A], body: Callable[[A], Formula], /) -> Formula: ...
@overload
def forall(first: type[A], second: type[B], body: Callable[[A, B], Formula], /) -> Formula: ...
@overload
def forall(first: type[A], second: type[B], third: type[C], body: Callable[[A, B, C], Formula], /) -> Formula: ...
def forall(*sorts_and_body: Any) -> Formula:
    """The body holds for all values of these sorts; its parameters name the variables."""
    return _quantified("all", *sorts_and_body)


@overload
def exists(first: type[A], body: Callable[[A], Formula], /) -> Formula: ...
@overload
def exists(first: type[A], second: type[B], body: Callable[[A, B], Formula], /) -> Formula: ...
@overload
def exists(first: type[A], second: type[B], third: type[C], body: Callable[[A, B, C], Formula], /) -> Formula: ...
def exists(*sorts_and_body: Any) -> Formula:
    """The body holds for some values of these sorts; its parameters name the variables."""
    return _quantified("some", *sorts_and_body)


def _quantified(quantifier: Literal["all", "some"], *sorts_and_body: Any) -> Formula:
    *sorts, body = sorts_and_body or (None,)
    binders = Binders(sorts, body)
    node = node_of(body(*binders.values), "the body of a quantifier")
    if wrong := too_large(node):  # what follows would take too long
        raise TypeError(f"the body of a quantifier {wrong}")
    names = binders.named(free(node))
    return Formula(Quantified(quantifier, tuple(names.values()), substitute(node, names)))


class Binders:
    """The variables of a body, one for each sort.

    While the body is built they are called by numbers, which nothing else is called, so that no variable of an argument is mistaken
    for one of them. Then they are named like the parameters of the body; where a free variable has that name, a little longer.
    """

    def __init__(self, sorts: Sequence[type[Value]], body: Callable[..., object]) -> None:
        refuse_no_sort(sorts, "what a variable is bound to")
        if not sorts or not callable(body):
            raise TypeError("sorts are bound in a function behind them: write forall(Host, lambda host: ...)")
        names = list(inspect.signature(body).parameters)
        if len(names) != len(sorts):
            raise TypeError(f"{len(sorts)} sorts are bound, and the body has {len(names)} parameters")
        self._names = [Variable(name, sort) for sort, name in zip(sorts, names, strict=True)]
        self._numbered = [Variable(f"{next(_NUMBERS)}", sort) for sort in sorts]
        self.values = [variable.sort(variable) for variable in self._numbered]

    def named(self, free: Iterable[Variable]) -> dict[Variable, Variable]:
        """The names of the variables, by numbers. `free`: the free variables of what was built."""
        return dict(zip(self._numbered, apart(self._names, set(free) - set(self._numbered)), strict=True))
