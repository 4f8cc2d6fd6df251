"""What there is: state, messages, events, and names for what is computed from them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, ParamSpec, TypeVar, TypeVarTuple, overload

from model.language.changes import Change, Move
from model.language.declaration import Declaration, Role, declared_by, evaluate
from model.language.terms import FALSE, TRUE, Apply, E, Enumeration, Formula, Named, Node, V, Value, a_value

P = ParamSpec("P")
R = TypeVar("R", bound=Value)
X1 = TypeVar("X1", bound=Value)
X2 = TypeVar("X2", bound=Value)
X3 = TypeVar("X3", bound=Value)
X4 = TypeVar("X4", bound=Value)
Ts = TypeVarTuple("Ts")

Kind = Literal["state", "constant", "history", "message", "event"]


class Symbol(Declaration):
    """A relation (its result is `Formula`) or a function.

    Relations start empty, numbers at 0, enumerations at their first member. A *constant* never changes: a configuration
    chooses it. *History* is read by promises only, never by a guard. An *event* holds during the one step that emits it.
    """

    def __init__(
        self,
        kind: Kind,
        arguments: tuple[type[Value], ...],
        result: type[Value],
        doc: str,
        holder: Role | None = None,
        fields: tuple[str, ...] = (),
    ) -> None:
        self.kind: Kind = kind
        self.arguments = arguments
        self.result = result
        self.doc = inspect.cleandoc(doc)
        self.holder = holder
        self.fields = fields or tuple(sort.title for sort in arguments)

    def __repr__(self) -> str:
        return self.name or f"what is declared as {self.doc!r}"

    def apply(self, arguments: Sequence[object], *, after: bool = False) -> Apply:
        """The node of this symbol and these values, checked against the declared sorts."""
        if len(arguments) != len(self.arguments):
            raise TypeError(f"{self} takes {len(self.arguments)} arguments, not {len(arguments)}")
        for value, sort in zip(arguments, self.arguments, strict=True):
            if type(value) is not sort:
                raise TypeError(f"{self} takes a {sort.title}, not {a_value(value)}")
        return Apply(self, tuple(value.node for value in arguments if isinstance(value, Value)), after)


class Relation(Symbol, Generic[*Ts]):
    """A set of tuples."""

    def __call__(self, *arguments: *Ts) -> Formula:
        return Formula(self.apply(arguments))

    def after(self, *arguments: *Ts) -> Formula:
        """In the state after the step; for two-state promises."""
        return Formula(self.apply(arguments, after=True))

    def add(self, *arguments: *Ts) -> Change:
        """Puts the tuple into the set."""
        return Change(self, self.apply(arguments).arguments, TRUE.node)

    def remove(self, *arguments: *Ts) -> Change:
        """Takes the tuple out of the set."""
        return Change(self, self.apply(arguments).arguments, FALSE.node)

    def assign(self, *arguments: *Ts, to: Formula) -> Change:
        """The tuple is in the set just if the formula holds before the step."""
        return Change(self, self.apply(arguments).arguments, to.node)


class Function(Symbol, Generic[R, *Ts]):
    """A value for each tuple of arguments."""

    def __call__(self, *arguments: *Ts) -> R:
        result: R = self.result(self.apply(arguments))  # type: ignore[assignment] # the declared result is the class R
        return result

    def after(self, *arguments: *Ts) -> R:
        """In the state after the step; for two-state promises."""
        result: R = self.result(self.apply(arguments, after=True))  # type: ignore[assignment] # as above
        return result

    def assign(self, *arguments: *Ts, to: R) -> Change:
        """The value that the arguments have from now on."""
        if type(to) is not self.result:
            raise TypeError(f"{self} has a {self.result.title} for a value, not {a_value(to)}")
        return Change(self, self.apply(arguments).arguments, to.node)


class Message(Symbol, Generic[P]):
    """What is sent from one role to another. `spent` is a formula over `parameters`: nobody needs such a message any more."""

    def __init__(self, sender: Role, receiver: Role, lasting: bool, declared: Callable[P, Formula]) -> None:
        self.parameters, spent = evaluate(declared)
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
        self.spent: Node = spent.node
        self.declared = declared

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> Formula:
        return Formula(self.apply(arguments))

    def send(self, *arguments: P.args, **named: P.kwargs) -> Change:
        """Sends it; from now on it is available."""
        return Change(self, self.apply(arguments).arguments, TRUE.node)

    def unspent(self, *arguments: P.args, **named: P.kwargs) -> Formula:
        """It was sent and is not spent. Promises read messages in this form only, so that forgetting the spent decides none."""
        sent = self.apply(arguments)
        body = Formula(sent) & ~self.declared(*arguments, **named)
        return Formula(Named(_Unspent(self), sent.arguments, body.node))


@dataclass(frozen=True)
class _Unspent:
    """What a formula about unspent messages is called."""

    message: Message[Any]

    @property
    def name(self) -> str:
        return f"unspent {self.message.name}"

    def __repr__(self) -> str:
        return self.name


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
    """A relation of these sorts."""
    return Relation(kind, arguments, Formula, doc, holder)


@overload
def event(a: type[X1], b: type[X2], /, *, doc: str) -> Relation[X1, X2]: ...
@overload
def event(a: type[X1], b: type[X2], c: type[X3], /, *, doc: str) -> Relation[X1, X2, X3]: ...
@overload
def event(a: type[X1], b: type[X2], c: type[X3], d: type[X4], /, *, doc: str) -> Relation[X1, X2, X3, X4]: ...
def event(*arguments: type[Value], doc: str) -> Relation[*Any]:
    """Something that happens in a step."""
    return Relation("event", arguments, Formula, doc)


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
    """A function of these sorts."""
    return Function(kind, arguments, to, doc, holder)


def message(*, sender: Role, receiver: Role, lasting: bool = False) -> Callable[[Callable[P, Formula]], Message[P]]:
    """Declares a message: the parameters are its fields, the body says when it is spent.

    Taking a message spends it, unless it is `lasting`: then it may be acted on again.
    """

    def declare(declared: Callable[P, Formula]) -> Message[P]:
        return declared_by(declared, Message(sender, receiver, lasting, declared))

    return declare


class Definition(Declaration, Generic[P, V]):
    """A name for a formula or value computed from the state."""

    def __init__(self, declared: Callable[P, V]) -> None:
        self.doc = inspect.cleandoc(declared.__doc__ or "")
        self.parameters, self.value = evaluate(declared)
        self._declared = declared

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> V:
        value = self._declared(*arguments, **named)
        nodes = tuple(argument.node for argument in arguments if isinstance(argument, Value))
        return type(value)(Named(self, nodes, value.node))


def definition(declared: Callable[P, V]) -> Definition[P, V]:
    """Declares a definition."""
    return declared_by(declared, Definition(declared))


class Lifecycle(Definition[P, E]):
    """The state machine of one thing: a value of an enumeration, computed from the state; actions declare its moves."""

    def __init__(self, holder: Role, declared: Callable[P, E]) -> None:
        super().__init__(declared)
        self.holder = holder
        self.states: type[Enumeration] = type(self.value)

    def move(self, *arguments: P.args, source: Sequence[E], to: Sequence[E]) -> Move:  # type: ignore[valid-type] # keywords beside P
        """This thing may move from one of these states to one of those (or stay)."""
        nodes = tuple(argument.node for argument in arguments if isinstance(argument, Value))
        return Move(self, nodes, tuple(s.node for s in source), tuple(t.node for t in to))


def lifecycle(*, holder: Role) -> Callable[[Callable[P, E]], Lifecycle[P, E]]:
    """Declares a lifecycle; `holder` is the role whose machine it belongs to."""

    def declare(declared: Callable[P, E]) -> Lifecycle[P, E]:
        return declared_by(declared, Lifecycle(holder, declared))

    return declare
