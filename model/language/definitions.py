"""Names for what is computed from the state: definitions, and lifecycles with the moves that actions make in them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, ParamSpec, Self

from model.language.declaration import Declaration, declared_by
from model.language.refusals import in_order, refuse_misfits, refuse_other
from model.language.terms import (
    TRUE,
    E,
    Enumeration,
    Formula,
    Named,
    Node,
    Role,
    V,
    Value,
    Variable,
    both,
    evaluate,
    node_of,
)
from model.language.walk import Substitution, apart, free, substitute

P = ParamSpec("P")


class Definition(Declaration, Generic[P, V]):
    """A name for a formula or value computed from the state."""

    def __init__(self, declared: Callable[P, V]) -> None:
        self.doc = inspect.cleandoc(declared.__doc__ or "")
        self.parameters, self.value = evaluate(declared)
        refuse_other([self.value], (Value,), f"what {declared.__name__} returns is a formula or a value of a sort")
        self._declared = declared

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> V:
        given = in_order(self._declared, arguments, named)
        refuse_misfits(self._declared.__name__, given, [variable.sort for variable in self.parameters])
        value = self._declared(*arguments, **named)
        nodes = tuple(argument.node for argument in given if isinstance(argument, Value))
        return type(value)(Named(self, nodes, value.node))


def definition(declared: Callable[P, V]) -> Definition[P, V]:
    """Declares a definition."""
    return declared_by(declared, Definition(declared))


class Lifecycle(Definition[P, E]):
    """The state machine of one thing: a value of an enumeration, computed from the state; actions declare its moves."""

    def __init__(self, holder: Role, declared: Callable[P, E]) -> None:
        super().__init__(declared)
        self.holder = holder
        refuse_other([self.value], (Enumeration,), f"the state of {declared.__name__} is a member of an enumeration")
        self.states: type[Enumeration] = type(self.value)

    def move(self, *arguments: P.args, source: Sequence[E], to: Sequence[E]) -> Move:  # type: ignore[valid-type] # keywords beside P
        """This thing may move from one of these states to one of those (or stay)."""
        self(*arguments)  # type: ignore[call-arg] # keywords beside P; refuses arguments that are not its own
        refuse_other(
            [*source, *to], (self.states,), f"what {self._declared.__name__} moves between is a {self.states.title}"
        )
        nodes = tuple(argument.node for argument in arguments if isinstance(argument, Value))
        return Move(self, nodes, tuple(s.node for s in source), tuple(t.node for t in to))


class ForAll:
    """What a step does for all values of some binders for which a condition holds."""

    __slots__ = ()
    binders: tuple[Variable, ...]
    condition: Node

    def nodes(self) -> tuple[Node, ...]:
        """The terms that it is made of."""
        raise NotImplementedError

    def bound(self, names: Substitution, binders: tuple[Variable, ...], also: Formula | None = None) -> Self:
        """The same with variables replaced, for all values of these binders, and only where this holds as well."""
        raise NotImplementedError

    def when(self, condition: Formula) -> Self:
        """The same, only where this holds as well: a formula about the step's choices, so binders that are called like one of its
        variables are renamed.
        """
        about = free(node_of(condition, "the condition of when"))
        read = set[Variable]().union(*map(free, self.nodes()))
        binders = apart(self.binders, about | (read - set(self.binders)))
        return self.bound(dict(zip(self.binders, binders, strict=True)), binders, condition)


@dataclass(frozen=True, slots=True)
class Move(ForAll):
    """A lifecycle of these arguments may go from one of the source states to one of the target states."""

    lifecycle: Lifecycle[Any, Any]
    arguments: tuple[Node, ...]
    sources: tuple[Node, ...]
    targets: tuple[Node, ...]
    binders: tuple[Variable, ...] = ()
    condition: Node = TRUE.node

    def nodes(self) -> tuple[Node, ...]:
        """The terms that it is made of."""
        return (*self.arguments, *self.sources, *self.targets, self.condition)

    def bound(self, names: Substitution, binders: tuple[Variable, ...], also: Formula | None = None) -> Self:
        arguments, sources, targets = (
            tuple(substitute(node, names) for node in nodes) for nodes in (self.arguments, self.sources, self.targets)
        )
        condition = narrowed(substitute(self.condition, names), also)
        return replace(
            self, arguments=arguments, sources=sources, targets=targets, binders=binders, condition=condition
        )


def narrowed(condition: Node, also: Formula | None) -> Node:
    """The condition, or both."""
    return condition if also is None else both(Formula(condition), also).node


def lifecycle(*, holder: Role) -> Callable[[Callable[P, E]], Lifecycle[P, E]]:
    """Declares a lifecycle; `holder` is the role whose machine it belongs to."""

    def declare(declared: Callable[P, E]) -> Lifecycle[P, E]:
        return declared_by(declared, Lifecycle(holder, declared))

    return declare
