"""The language a protocol is stated in.

A protocol is a set of modules that declare, at top level and in reading order:

| declaration | says |
|---|---|
| `Role` | who acts, and of which sort there is one for each |
| `relation`, `function` | a piece of state, and the role that holds it; history and constants are held by nobody |
| `@message` | what may be sent, by whom to whom; the body says when such a message is *spent* |
| `event` | what a step makes happen, seen by two-state promises only |
| `@definition`, `@lifecycle` | names for formulas and values computed from the state |
| `@action` | a guard (`when`, and the messages it `takes`), an update (`then`), events (`emits`), lifecycle moves (`moves`) |
| `@alternatives` | actions of which exactly one applies |
| `@always`, `@two_state`, `@lemma`, `@sometimes` | what is claimed |
| `@variant` | a deviation kept on purpose, and the promises it breaks |

An action's function runs once, on variables, and returns a `Step`; its parameters are the only choices it makes. Changes read
the state before the step. What a step does not name stays as it is, and where two changes of one step meet, the later one in
the list wins. A message is never removed: once sent it stays available, so one action may deliver it again or not at all.

A declaration's name is the name of the attribute that holds it, given when `Protocol.of` collects the modules.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from types import ModuleType
from typing import Any, Generic, Literal, ParamSpec, Self, TypeVar, TypeVarTuple, get_type_hints, overload

from spec.terms import (
    FALSE,
    TRUE,
    A,
    And,
    Apply,
    B,
    C,
    E,
    Enumeration,
    Formula,
    Individual,
    Named,
    Node,
    Number,
    V,
    Value,
    Variable,
    a_value,
    both,
    bound,
    variable_of,
)

P = ParamSpec("P")
R = TypeVar("R", bound=Value)
T = TypeVar("T", bound="Change | Move")
D = TypeVar("D", bound=Individual)
F = TypeVar("F", bound=Individual)
X1 = TypeVar("X1", bound=Value)
X2 = TypeVar("X2", bound=Value)
X3 = TypeVar("X3", bound=Value)
X4 = TypeVar("X4", bound=Value)
Ts = TypeVarTuple("Ts")


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


# --------------------------------------------------------------------------------------------------------- state

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
        self.parameters, spent = _evaluate(declared)
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
        return Message(sender, receiver, lasting, declared)

    return declare


class Definition(Declaration, Generic[P, V]):
    """A name for a formula or value computed from the state."""

    def __init__(self, declared: Callable[P, V]) -> None:
        self.doc = inspect.cleandoc(declared.__doc__ or "")
        self.parameters, self.value = _evaluate(declared)
        self._declared = declared

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> V:
        value = self._declared(*arguments, **named)
        nodes = tuple(argument.node for argument in arguments if isinstance(argument, Value))
        return type(value)(Named(self, nodes, value.node))


def definition(declared: Callable[P, V]) -> Definition[P, V]:
    """Declares a definition."""
    return Definition(declared)


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
        return Lifecycle(holder, declared)

    return declare


# ------------------------------------------------------------------------------------------------------- actions


@dataclass(frozen=True, slots=True)
class Change:
    """`symbol(arguments) := value` for all values of the binders for which `condition` holds (all of it read before the step).

    Every binder is itself one of the arguments.
    """

    symbol: Symbol
    arguments: tuple[Node, ...]
    value: Node
    binders: tuple[Variable, ...] = ()
    condition: Node = TRUE.node

    def when(self, condition: Formula) -> Self:
        """Only where this holds."""
        return replace(self, condition=both(Formula(self.condition), condition).node)


@dataclass(frozen=True, slots=True)
class Move:
    """A lifecycle of these arguments may go from one of the source states to one of the target states."""

    lifecycle: Lifecycle[Any, Any]
    arguments: tuple[Node, ...]
    sources: tuple[Node, ...]
    targets: tuple[Node, ...]
    binders: tuple[Variable, ...] = ()
    condition: Node = TRUE.node

    def when(self, condition: Formula) -> Self:
        """Only where this holds."""
        return replace(self, condition=both(Formula(self.condition), condition).node)


@overload
def for_each(first: type[A], body: Callable[[A], T], /) -> T: ...
@overload
def for_each(first: type[A], second: type[B], body: Callable[[A, B], T], /) -> T: ...
@overload
def for_each(first: type[A], second: type[B], third: type[C], body: Callable[[A, B, C], T], /) -> T: ...
def for_each(*sorts_and_body: Any) -> Any:
    """The change or move, for all values of these sorts at once; its parameters name the binders."""
    *sorts, body = sorts_and_body
    variables = bound(sorts, body)
    changed: Change | Move = body(*variables)
    binders = tuple(variable_of(value) for value in variables)
    missing = [binder.name for binder in binders if binder not in changed.arguments]
    if missing:
        raise TypeError(f"{', '.join(missing)} must be among the arguments of what is changed")
    return replace(changed, binders=binders)


@dataclass(frozen=True, slots=True)
class Step:
    """What an action's function returns. All lists may be left out."""

    takes: Sequence[Formula] = ()
    """Messages received; they belong to the guard, and after the step they are spent."""
    when: Sequence[Formula] = ()
    then: Sequence[Change] = ()
    emits: Sequence[Formula] = ()
    moves: Sequence[Move] = ()


@dataclass(frozen=True, repr=False, eq=False)
class Action(Declaration):
    """A guard and an update, for all values of the parameters."""

    role: Role
    parameters: tuple[Variable, ...]
    takes: tuple[Apply, ...]
    guard: tuple[Node, ...]
    """The conjuncts, the taken messages first."""
    changes: tuple[Change, ...]
    emits: tuple[Apply, ...]
    moves: tuple[Move, ...]
    doc: str
    name: str = field(default="", init=False)

    def but(
        self,
        *,
        without: Sequence[Formula | Symbol] = (),
        when: Sequence[Formula] = (),
        then: Sequence[Change] = (),
        emits: Sequence[Formula] = (),
    ) -> Step:
        """This action without some of it, and with something besides: how a variant is stated, so that no rule stands twice.

        `without`: parts of the guard, events, and symbols (all that the action does to them stays undone).

        Raises:
            TypeError: what is left out is no part of the action.
        """
        guard, parts = self.guard[len(self.takes) :], _parts(one for one in without if isinstance(one, Formula))
        untouched = [one for one in without if isinstance(one, Symbol)]
        for part in parts:
            if part not in guard and part not in self.emits:
                raise TypeError(f"{part} is no part of the guard of {self.name}, nor an event of it")
        for symbol in untouched:
            if all(change.symbol is not symbol for change in self.changes):
                raise TypeError(f"{self.name} does not change {symbol}")
        return Step(
            takes=[Formula(one) for one in self.takes],
            when=[*(Formula(one) for one in guard if one not in parts), *when],
            then=[*(one for one in self.changes if one.symbol not in untouched), *then],
            emits=[*(Formula(one) for one in self.emits if one not in parts), *emits],
            moves=self.moves,
        )


def _parts(formulas: Iterable[Formula]) -> list[Node]:
    """The conjuncts of formulas."""
    found: list[Node] = []
    for formula in formulas:
        found.extend(formula.node.operands if isinstance(formula.node, And) else [formula.node])
    return found


def action(*, by: Role) -> Callable[[Callable[..., Step]], Action]:
    """Declares an action of a role. Where there is one role for each member of a sort, the first parameter is that member."""

    def declare(declared: Callable[..., Step]) -> Action:
        parameters = _parameters(declared)
        step: Step = declared(*(variable.sort(variable) for variable in parameters))
        if by.each is not None and (not parameters or parameters[0].sort is not by.each):
            raise TypeError(f"{declared.__name__}: the first parameter of an action of {by.doc!r} is a {by.each.title}")
        takes = tuple(_applied(formula, "message") for formula in step.takes)
        guard = [*takes, *_parts(step.when)]
        emits = tuple(_applied(formula, "event") for formula in step.emits)
        doc = inspect.cleandoc(declared.__doc__ or "")
        return Action(by, parameters, takes, tuple(guard), tuple(step.then), emits, tuple(step.moves), doc)

    return declare


def _applied(formula: Formula, kind: Kind) -> Apply:
    node = formula.node
    if not isinstance(node, Apply) or node.symbol.kind != kind:
        raise TypeError(f"one {kind} is expected, not {formula!r}")
    return node


@dataclass(frozen=True, repr=False, eq=False)
class Alternatives(Declaration):
    """Where `given` holds, exactly one of the choices is enabled; parameters are shared by name, others are chosen freely."""

    parameters: tuple[Variable, ...]
    given: Node
    choices: tuple[Action, ...]
    doc: str
    name: str = field(default="", init=False)


def alternatives(*choices: Action) -> Callable[[Callable[..., Formula]], Alternatives]:
    """Declares alternatives; the body says where exactly one of them applies."""

    def declare(declared: Callable[..., Formula]) -> Alternatives:
        parameters, given = _evaluate(declared)
        return Alternatives(parameters, given.node, choices, inspect.cleandoc(declared.__doc__ or ""))

    return declare


# -------------------------------------------------------------------------------------------------------- claims


@dataclass(frozen=True, repr=False, eq=False)
class Sometimes(Declaration):
    """Something that must be reachable: for some values of the parameters, in some state or (if it reads events) step."""

    parameters: tuple[Variable, ...]
    formula: Node
    doc: str
    name: str = field(default="", init=False)


@dataclass(frozen=True, repr=False, eq=False)
class Promise(Declaration):
    """A claim about every reachable state, or (two-state) about every step between reachable states; for all parameters.

    A *lemma* carries the proof of others and promises nothing by itself.
    """

    kind: Literal["always", "two-state"]
    lemma: bool
    parameters: tuple[Variable, ...]
    formula: Node
    sometimes: tuple[Sometimes, ...]
    doc: str
    name: str = field(default="", init=False)


def sometimes(declared: Callable[..., Formula]) -> Sometimes:
    """Declares something that must be reachable."""
    parameters, formula = _evaluate(declared)
    return Sometimes(parameters, formula.node, inspect.cleandoc(declared.__doc__ or ""))


def always(*witnesses: Sometimes) -> Callable[[Callable[..., Formula]], Promise]:
    """Declares a promise about every reachable state; the witnesses show that it is not vacuous."""
    return _promise("always", False, witnesses)


def two_state(*witnesses: Sometimes) -> Callable[[Callable[..., Formula]], Promise]:
    """Declares a promise about every step: it may read the state after it, and events."""
    return _promise("two-state", False, witnesses)


def lemma(declared: Callable[..., Formula]) -> Promise:
    """Declares an invariant that only carries proofs."""
    return _promise("always", True, ())(declared)


def _promise(
    kind: Literal["always", "two-state"], supporting: bool, witnesses: tuple[Sometimes, ...]
) -> Callable[[Callable[..., Formula]], Promise]:
    def declare(declared: Callable[..., Formula]) -> Promise:
        parameters, formula = _evaluate(declared)
        doc = inspect.cleandoc(declared.__doc__ or "")
        return Promise(kind, supporting, parameters, formula.node, witnesses, doc)

    return declare


class Deviation(Enum):
    """Where a variant comes from."""

    AS_BUILT = "a defect of the original implementation"
    AS_DESIGNED = "a hole of the design document"
    MUTANT = "a rule changed on purpose"


@dataclass(frozen=True, repr=False, eq=False)
class Variant(Declaration):
    """A deviation kept on purpose: `action` in the place of `replaces`, and the promises that it breaks."""

    replaces: Action
    action: Action
    breaks: tuple[Promise, ...]
    kind: Deviation
    doc: str
    name: str = field(default="", init=False)


def variant(
    *, replaces: Action, breaks: Sequence[Promise], kind: Deviation = Deviation.MUTANT
) -> Callable[[Callable[..., Step]], Variant]:
    """Declares a variant; its function states the changed action, mostly by what is different (`Action.but`)."""

    def declare(declared: Callable[..., Step]) -> Variant:
        changed = action(by=replaces.role)(declared)
        return Variant(replaces, changed, tuple(breaks), kind, changed.doc)

    return declare


# ------------------------------------------------------------------------------------------------------ protocol


@dataclass(frozen=True)
class Protocol:
    """Everything a set of modules declares, in reading order."""

    name: str
    modules: tuple[ModuleType, ...]
    sorts: tuple[type[Individual], ...]
    numbers: tuple[type[Number], ...]
    enumerations: tuple[type[Enumeration], ...]
    roles: tuple[Role, ...]
    symbols: tuple[Symbol, ...]
    """State, constants, history, messages and events."""
    definitions: tuple[Definition[Any, Any], ...]
    """Lifecycles are among them."""
    actions: tuple[Action, ...]
    alternatives: tuple[Alternatives, ...]
    promises: tuple[Promise, ...]
    """Lemmas are among them."""
    sometimes: tuple[Sometimes, ...]
    variants: tuple[Variant, ...]

    @classmethod
    def of(cls, name: str, *modules: ModuleType) -> Protocol:
        """Collects what the modules declare, names it after the attributes, and checks that names are unique."""
        found: dict[str, Declaration | type[Value]] = {}
        for module in modules:
            for attribute, value in vars(module).items():
                if attribute.startswith("_"):
                    continue
                if isinstance(value, Declaration):
                    if value.name == "":
                        object.__setattr__(value, "name", attribute)
                    if value.name != attribute or found.setdefault(attribute, value) is not value:
                        raise TypeError(
                            f"{module.__name__}.{attribute}: the name is taken, or the declaration has another"
                        )
                elif isinstance(value, type) and issubclass(value, Value) and value.__module__ == module.__name__:
                    found[attribute] = value
        for value in found.values():
            if isinstance(value, Variant):
                object.__setattr__(value.action, "name", value.replaces.name)

        def some(kind: type[T0]) -> tuple[T0, ...]:
            return tuple(value for value in found.values() if isinstance(value, kind))

        def classes(kind: type[T0]) -> tuple[type[T0], ...]:
            return tuple(value for value in found.values() if isinstance(value, type) and issubclass(value, kind))

        return cls(
            name,
            modules,
            classes(Individual),
            classes(Number),
            classes(Enumeration),
            some(Role),
            some(Symbol),
            some(Definition),
            some(Action),
            some(Alternatives),
            some(Promise),
            some(Sometimes),
            some(Variant),
        )

    @property
    def messages(self) -> tuple[Message[Any], ...]:
        """The messages among the symbols."""
        return tuple(symbol for symbol in self.symbols if isinstance(symbol, Message))

    @property
    def lifecycles(self) -> tuple[Lifecycle[Any, Any], ...]:
        """The lifecycles among the definitions."""
        return tuple(definition for definition in self.definitions if isinstance(definition, Lifecycle))

    def with_variant(self, chosen: Variant) -> Protocol:
        """The protocol with the variant's action in the place of the one it replaces."""
        actions = tuple(chosen.action if action is chosen.replaces else action for action in self.actions)
        return replace(self, name=f"{self.name} with {chosen.name}", actions=actions)

    def digest(self) -> str:
        """A fingerprint of the statement, in hexadecimal: comments and prose do not count, variants neither."""
        parts: list[object] = []
        for symbol in self.symbols:
            parts.append((symbol.name, symbol.kind, symbol.arguments, symbol.result))
            if isinstance(symbol, Message):
                parts.append((symbol.parameters, symbol.spent))
        for done in self.actions:
            parts.append((done.name, done.parameters, done.guard, done.changes, done.emits, done.moves))
        claims: tuple[Promise | Sometimes, ...] = (*self.promises, *self.sometimes)
        for claim in claims:
            parts.append((claim.name, claim.parameters, claim.formula))
        return hashlib.sha256(repr(parts).encode()).hexdigest()


T0 = TypeVar("T0")


def _parameters(declared: Callable[..., object]) -> tuple[Variable, ...]:
    hints = get_type_hints(declared)
    names = list(inspect.signature(declared).parameters)
    return tuple(Variable(name, hints[name]) for name in names)


def _evaluate(declared: Callable[..., V]) -> tuple[tuple[Variable, ...], V]:
    """The parameters of a declaring function as variables, and its value on them."""
    parameters = _parameters(declared)
    return parameters, declared(*(variable.sort(variable) for variable in parameters))
