"""State, messages, events, and names for values computed from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, ParamSpec, TypeVar, TypeVarTuple, overload

from model.language.changes import Change
from model.language.declaration import declared_by
from model.language.refusals import a_value, in_order, refuse_other
from model.language.terms import (
    FALSE,
    TRUE,
    Apply,
    Formula,
    Kind,
    Named,
    Node,
    Role,
    Symbol,
    Value,
    node_of,
    refuse_no_sort,
    stated,
)
from model.language.walk import rebuilt

P = ParamSpec("P")
R = TypeVar("R", bound=Value)
X1 = TypeVar("X1", bound=Value)
X2 = TypeVar("X2", bound=Value)
X3 = TypeVar("X3", bound=Value)
X4 = TypeVar("X4", bound=Value)
Ts = TypeVarTuple("Ts")


class Relation(Symbol, Generic[*Ts]):
    """A set of tuples."""

    def __call__(self, *arguments: *Ts) -> Formula:
        return Formula(self.apply(arguments))

    def after(self, *arguments: *Ts) -> Formula:
        """The value in the state after the step; for two-state promises."""
        return Formula(self.apply(arguments, after=True))

    def add(self, *arguments: *Ts) -> Change:
        """Adds the tuple to the set."""
        return Change(self, self.apply(arguments).arguments, TRUE.node)

    def remove(self, *arguments: *Ts) -> Change:
        """Removes the tuple from the set."""
        return Change(self, self.apply(arguments).arguments, FALSE.node)

    def assign(self, *arguments: *Ts, to: Formula) -> Change:
        """Makes the tuple a member exactly if the formula holds before the step."""
        return Change(self, self.apply(arguments).arguments, node_of(to, f"what is assigned to {self}"))


class Function(Symbol, Generic[R, *Ts]):
    """A value for each tuple of arguments."""

    def __call__(self, *arguments: *Ts) -> R:
        result: R = self.result(self.apply(arguments))  # type: ignore[assignment] # the declared result is the class R
        return result

    def after(self, *arguments: *Ts) -> R:
        """The value in the state after the step; for two-state promises."""
        result: R = self.result(self.apply(arguments, after=True))  # type: ignore[assignment] # as above
        return result

    def assign(self, *arguments: *Ts, to: R) -> Change:
        """Assigns a new value to the arguments."""
        if type(to) is not self.result:
            raise TypeError(f"{self} has a {self.result.title} as its value, not {a_value(to)}")
        return Change(self, self.apply(arguments).arguments, to.node)


class Message(Symbol, Generic[P]):
    """A message from one role to another. `spent` is a formula over `parameters`: the message is no longer needed."""

    def __init__(self, sender: Role, receiver: Role, lasting: bool, declared: Callable[P, Formula]) -> None:
        refuse_other([sender, receiver], (Role,), "a sender or receiver is a role")
        self.parameters, self.spent = stated(declared)
        super().__init__(
            "message",
            tuple(variable.sort for variable in self.parameters),
            Formula,
            declared.__doc__ or "",
            fields=tuple(variable.name for variable in self.parameters),
        )
        self.sender = sender
        self.receiver = receiver
        self.lasting = lasting
        self.declared = declared

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> Formula:
        return Formula(self.apply(self._in_order(arguments, named)))

    def _in_order(self, arguments: tuple[object, ...], named: Mapping[str, object]) -> tuple[object, ...]:
        return in_order(self.declared, arguments, named) if named else arguments

    def send(self, *arguments: P.args, **named: P.kwargs) -> Change:
        """Sends the message, which stays available from then on."""
        return Change(self, self.apply(self._in_order(arguments, named)).arguments, TRUE.node)

    def unspent(self, *arguments: P.args, **named: P.kwargs) -> Formula:
        """It was sent and is not spent. Promises read messages only in this form, so discarding spent messages cannot change a
        verdict.
        """
        sent = self.apply(self._in_order(arguments, named))
        body = Formula(sent) & ~self.declared(*arguments, **named)
        return Formula(Named(Unspent(self), sent.arguments, body.node))

    def begins(self, *arguments: P.args, **named: P.kwargs) -> Formula:
        """It is unspent after the step and was not before, so the step sends it; for two-state promises."""
        unspent = self.unspent(*arguments, **named)
        body = Formula(rebuilt(unspent.node, _after)) & ~unspent
        return Formula(Named(Begins(self), self.apply(self._in_order(arguments, named)).arguments, body.node))


@dataclass(frozen=True)
class Unspent:
    """The name of a formula about unspent messages."""

    message: Message[Any]

    @property
    def name(self) -> str:
        return f"unspent {self.message.name}"

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Begins:
    """The name of a formula about messages that are sent in a step."""

    message: Message[Any]

    @property
    def name(self) -> str:
        return f"sent now {self.message.name}"

    def __repr__(self) -> str:
        return self.name


def _after(node: Node) -> Node:
    """The node, meant after the step."""
    if isinstance(node, Named):
        return node.body
    if isinstance(node, Apply) and node.symbol.kind != "constant":
        return replace(node, after=True)
    return node


@overload
def relation(*, doc: str, holder: Role | None = None, kind: Kind = "state") -> Relation[()]: ...
@overload
def relation(a: type[X1], /, *, doc: str, holder: Role | None = None, kind: Kind = "state") -> Relation[X1]: ...
@overload
def relation(
    a: type[X1], b: type[X2], /, *, doc: str, holder: Role | None = None, kind: Kind = "state"
) -> Relation[X1, X2]: ...
@overload
def relation(
    a: type[X1], b: type[X2], c: type[X3], /, *, doc: str, holder: Role | None = None, kind: Kind = "state"
) -> Relation[X1, X2, X3]: ...
@overload
def relation(
    a: type[X1], b: type[X2], c: type[X3], d: type[X4], /, *, doc: str, holder: Role | None = None, kind: Kind = "state"
) -> Relation[X1, X2, X3, X4]: ...
def relation(*arguments: type[Value], doc: str, holder: Role | None = None, kind: Kind = "state") -> Relation[*Any]:
    """Declares a relation of these sorts."""
    _refuse_no_kind(kind)
    return Relation(kind, arguments, Formula, doc, holder)


@overload
def event(*, doc: str) -> Relation[()]: ...
@overload
def event(a: type[X1], /, *, doc: str) -> Relation[X1]: ...
@overload
def event(a: type[X1], b: type[X2], /, *, doc: str) -> Relation[X1, X2]: ...
@overload
def event(a: type[X1], b: type[X2], c: type[X3], /, *, doc: str) -> Relation[X1, X2, X3]: ...
@overload
def event(a: type[X1], b: type[X2], c: type[X3], d: type[X4], /, *, doc: str) -> Relation[X1, X2, X3, X4]: ...
def event(*arguments: type[Value], doc: str) -> Relation[*Any]:
    """Declares an event of a step."""
    return Relation("event", arguments, Formula, doc)


@overload
def function(*, to: type[R], doc: str, holder: Role | None = None, kind: Kind = "state") -> Function[R]: ...
@overload
def function(
    a: type[X1], /, *, to: type[R], doc: str, holder: Role | None = None, kind: Kind = "state"
) -> Function[R, X1]: ...
@overload
def function(
    a: type[X1], b: type[X2], /, *, to: type[R], doc: str, holder: Role | None = None, kind: Kind = "state"
) -> Function[R, X1, X2]: ...
def function(
    *arguments: type[Value], to: type[R], doc: str, holder: Role | None = None, kind: Kind = "state"
) -> Function[R, *Any]:
    """Declares a function of these sorts."""
    _refuse_no_kind(kind)
    refuse_no_sort([to], "the value of a function")
    return Function(kind, arguments, to, doc, holder)


def _refuse_no_kind(kind: Kind) -> None:
    if kind not in ("state", "constant", "history"):
        raise TypeError(f"the kind of a relation or function is state, constant or history, not {kind!r}")


def message(*, sender: Role, receiver: Role, lasting: bool = False) -> Callable[[Callable[P, Formula]], Message[P]]:
    """Declares a message: the parameters are its fields, the body says when it is spent.

    Taking a message spends it, unless it is `lasting`: then it may be taken again.
    """

    def declare(declared: Callable[P, Formula]) -> Message[P]:
        return declared_by(declared, Message(sender, receiver, lasting, declared))

    return declare
