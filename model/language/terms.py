"""Terms: what formulas and values are made of.

There are two layers. *Nodes* are plain immutable data, the abstract syntax that every engine reads. *Values* are thin typed
wrappers around nodes, with the operators that protocol files are written in: a `Host` in a guard is a `Value` whose class is
its sort, so a swapped argument is a type error long before it could be a wrong proof.

| class of values | stands for | engines see it as |
|---|---|---|
| `Individual` | a member of an uninterpreted sort: a host, a pod | an element of a finite set, or of any set |
| `Number` | a count that starts at 0: a version, an epoch | an integer, or 0..bound |
| `Enumeration` | one of a few named members | an index into the members |
| `Formula` | true or false | a truth value |

Comparing values (`==`, `<`, ...) makes a formula. A formula has no truth value of its own in Python: `if` on one is an error.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NoReturn, Protocol, Self, TypeVar, get_type_hints

from model.language.declaration import Declaration
from model.language.refusals import a_value, of_sort, refuse_misfits, refuse_other

# --------------------------------------------------------------------------------------------------------- nodes


@dataclass(frozen=True, slots=True)
class Variable:
    """A parameter of an action or promise, or a bound variable."""

    name: str
    sort: type[Value]


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, or a member of an enumeration by its index."""

    value: int
    sort: type[Value]


@dataclass(frozen=True, slots=True)
class Truth:
    """True or false."""

    value: bool


@dataclass(frozen=True, slots=True)
class Apply:
    """A relation, message, event or function of some arguments, in the state before a step or (`after`) the one after it."""

    symbol: Symbol
    arguments: tuple[Node, ...]
    after: bool = False


class Titled(Protocol):
    """Something with a name."""

    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Named:
    """A definition applied to arguments. Its meaning is `body`; its name is for readers."""

    definition: Titled
    arguments: tuple[Node, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class Plus:
    """A number and a fixed amount."""

    number: Node
    amount: int


@dataclass(frozen=True, slots=True)
class Sum:
    """Two numbers together."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Times:
    """A number, a fixed number of times."""

    number: Node
    factor: int


@dataclass(frozen=True, slots=True)
class Compare:
    """Equality of two values of one sort, or order of two numbers."""

    operator: Literal["=", "<", "<="]
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Not:
    """Negation."""

    operand: Node


@dataclass(frozen=True, slots=True)
class And:
    """Conjunction; of nothing: true."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Disjunction; of nothing: false."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Implies:
    """Implication."""

    premise: Node
    conclusion: Node


@dataclass(frozen=True, slots=True)
class Quantified:
    """For all, or for some, values of the bound variables."""

    quantifier: Literal["all", "some"]
    variables: tuple[Variable, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class Choose:
    """One value if the condition holds, else the other."""

    condition: Node
    chosen: Node
    otherwise: Node


Node = (
    Variable
    | Constant
    | Truth
    | Apply
    | Named
    | Plus
    | Sum
    | Times
    | Compare
    | Not
    | And
    | Or
    | Implies
    | Quantified
    | Choose
)


# -------------------------------------------------------------------------------------------------------- values


class Value:
    """A term of some sort; the sort is the class."""

    __slots__ = ("node",)
    title: ClassVar[str]
    """The sort's name, in lower case."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __init_subclass__(cls) -> None:
        cls.title = cls.__name__.lower()

    @classmethod
    def variable(cls, name: str) -> Self:
        """A variable of this sort."""
        return cls(Variable(name, cls))

    def __eq__(self, other: object) -> Formula:  # type: ignore[override] # a formula, not a truth value
        return Formula(Compare("=", self.node, self._same_sort(other)))

    def __ne__(self, other: object) -> Formula:  # type: ignore[override] # a formula, not a truth value
        return Formula(Not(Compare("=", self.node, self._same_sort(other))))

    __hash__ = None  # type: ignore[assignment] # equality is a formula, so values are no dictionary keys

    def _same_sort(self, other: object, doing: str = "is compared with") -> Node:
        if type(other) is not type(self):
            raise TypeError(f"{a_value(self)} {doing} {a_value(other)}")
        return other.node

    def __bool__(self) -> NoReturn:
        raise TypeError("a term has no truth value in Python: use & | ~ and implies instead of and, or, not and if")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.node})"


def node_of(formula: object, what: str) -> Node:
    """The node of a formula. `what` it is, in a sentence.

    Raises:
        TypeError: something else was given.
    """
    if type(formula) is not Formula:
        remedy = "; write TRUE or FALSE" if isinstance(formula, bool) else ""
        raise TypeError(f"{what} is a formula, not {a_value(formula)}{remedy}")
    return formula.node


def refuse_no_sort(given: Iterable[object], what: str) -> None:
    """Raises a TypeError if something is no sort. `what` each of them is, in a sentence."""
    for sort in given:
        if not is_sort(sort):
            shown = sort.__name__ if isinstance(sort, type) else a_value(sort)
            raise TypeError(f"{what} is a sort, a subclass of Individual, Number or Enumeration, and {shown} is none")


class Formula(Value):
    """True or false."""

    __slots__ = ()

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("formulas are not compared by == and !=: write same(a, b) or ~same(a, b)")

    __ne__ = __eq__
    __hash__ = None

    def __and__(self, other: Formula) -> Formula:
        return both(self, other)

    def __or__(self, other: Formula) -> Formula:
        return either(self, other)

    def __rand__(self, other: object) -> NoReturn:
        raise TypeError(f"what & joins is a formula, not {a_value(other)}")

    def __ror__(self, other: object) -> NoReturn:
        raise TypeError(f"what | joins is a formula, not {a_value(other)}")

    def __invert__(self) -> Formula:
        return Formula(Not(self.node))


class Individual(Value):
    """A member of an uninterpreted sort. Subclass it to declare a sort."""

    __slots__ = ()


class Number(Value):
    """A count that starts at 0. Subclass it to declare what is counted."""

    __slots__ = ()

    @classmethod
    def of(cls, value: int) -> Self:
        """The number itself; not negative."""
        if not _is_whole(value):
            raise TypeError(f"{of_sort(cls)} is made of an integer, not of {a_value(value)}")
        if value < 0:
            raise ValueError(f"a {cls.title} is never negative, and {value} is")
        return cls(Constant(value, cls))

    def __add__(self, amount: int | Self) -> Self:
        if isinstance(amount, int) and _is_whole(amount):
            return type(self)(Plus(self.node, amount))
        return type(self)(Sum(self.node, self._same_sort(amount, "is added to")))

    def __rmul__(self, factor: int) -> Self:
        """So many times the number; proofs stay within linear arithmetic, so a factor is fixed and not negative."""
        if not _is_whole(factor):
            raise TypeError(f"{a_value(self)} is multiplied by an integer, not by {a_value(factor)}")
        if factor < 0:
            raise ValueError(f"a {self.title} is never negative, and {factor} times one may be")
        return type(self)(Times(self.node, factor))

    def __lt__(self, other: Self) -> Formula:
        return Formula(Compare("<", self.node, self._same_sort(other)))

    def __le__(self, other: Self) -> Formula:
        return Formula(Compare("<=", self.node, self._same_sort(other)))

    def __gt__(self, other: Self) -> Formula:
        return Formula(Compare("<", self._same_sort(other), self.node))

    def __ge__(self, other: Self) -> Formula:
        return Formula(Compare("<=", self._same_sort(other), self.node))


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


E = TypeVar("E", bound="Enumeration")


class Member:
    """Declares a member of an enumeration; its name is the attribute's."""

    def __init__(self, doc: str) -> None:
        self.doc = doc
        self.name = ""

    def __set_name__(self, owner: type[Value], name: str) -> None:
        self.name = self.name or name

    def __get__(self, instance: object, owner: type[E]) -> E:
        return owner(Constant(owner.names().index(self.name), owner))


class Enumeration(Value):
    """One of a few named members, in the order of declaration; a function starts at the first."""

    __slots__ = ()
    members: ClassVar[tuple[Member, ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, value in vars(cls).items():
            if isinstance(value, Member) and value.name != name:
                raise TypeError(f"{cls.__name__}.{name} is the member {value.name}; declare a Member of its own for it")
        cls.members = tuple(value for value in vars(cls).values() if isinstance(value, Member))

    @classmethod
    def names(cls) -> list[str]:
        """The members' names, in order."""
        return [member.name for member in cls.members]


def is_sort(value: object) -> bool:
    """Whether something is a class of members, of numbers or of an enumeration."""
    bases = (Individual, Number, Enumeration)
    return isinstance(value, type) and value not in bases and sum(issubclass(value, base) for base in bases) == 1


# ------------------------------------------------------------------------------------------------------ symbols

Kind = Literal["state", "constant", "history", "message", "event"]


class Role(Declaration):
    """Who acts: one for the whole system, or one for each member of a sort (then its actions name that member first).

    `environment`: it acts as it likes and nobody may count on it, so what it can do does not resolve a deadlock.
    """

    def __init__(self, doc: str, *, each: type[Individual] | None = None, environment: bool = False) -> None:
        if each is not None and not (is_sort(each) and issubclass(each, Individual)):
            raise TypeError(f"a role has one actor for each member of a subclass of Individual, and {each!r} is none")
        self.doc = doc
        self.each = each
        self.environment = environment


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
        refuse_no_sort(arguments, "each argument of a symbol")
        refuse_other([holder] if holder is not None else [], (Role,), "a holder is a role")
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
        if after and self.kind in ("event", "constant"):
            raise TypeError(f"{self} is read without .after: the {self.kind} is no other one after the step")
        refuse_misfits(str(self), arguments, self.arguments)
        return Apply(self, tuple(value.node for value in arguments if isinstance(value, Value)), after)


# ---------------------------------------------------------------------------------------------------- operators

A = TypeVar("A", bound=Value)
B = TypeVar("B", bound=Value)
C = TypeVar("C", bound=Value)
V = TypeVar("V", bound=Value)

TRUE = Formula(Truth(True))
FALSE = Formula(Truth(False))


def both(*formulas: Formula) -> Formula:
    """All of these."""
    return Formula(And(tuple(_flat(And, formulas, "what & or both joins"))))


def either(*formulas: Formula) -> Formula:
    """At least one of these."""
    return Formula(Or(tuple(_flat(Or, formulas, "what | or either joins"))))


def _flat(kind: type[And | Or], formulas: Sequence[Formula], what: str) -> list[Node]:
    nodes: list[Node] = []
    for node in (node_of(formula, what) for formula in formulas):
        nodes.extend(node.operands if isinstance(node, kind) else [node])
    return nodes


def implies(premise: Formula, conclusion: Formula) -> Formula:
    """If the premise holds, so does the conclusion."""
    sides = node_of(premise, "the premise of implies"), node_of(conclusion, "the conclusion of implies")
    return Formula(Implies(*sides))


def same(left: Formula, right: Formula) -> Formula:
    """Both hold or neither does."""
    return both(implies(left, right), implies(right, left))


def choose(condition: Formula, chosen: V, otherwise: V) -> V:
    """The first value if the condition holds, else the second."""
    decided = node_of(condition, "the condition of choose")
    if type(chosen) is not type(otherwise) or not isinstance(chosen, Value):
        raise TypeError(f"a choice between {a_value(chosen)} and {a_value(otherwise)}")
    return type(chosen)(Choose(decided, chosen.node, otherwise.node))


def parameters_of(declared: Callable[..., object]) -> tuple[Variable, ...]:
    """The parameters of a declaring function, as variables."""
    hints = get_type_hints(declared)
    names = list(inspect.signature(declared).parameters)
    for name in names:
        if name not in hints:
            raise TypeError(
                f"{declared.__name__}: the parameter {name} has no sort; write {name}: and the name of the sort"
            )
        refuse_no_sort([hints[name]], f"{declared.__name__}: the parameter {name}")
    return tuple(Variable(name, hints[name]) for name in names)


def evaluate(declared: Callable[..., V]) -> tuple[tuple[Variable, ...], V]:
    """The parameters of a declaring function as variables, and its value on them."""
    parameters = parameters_of(declared)
    return parameters, declared(*(variable.sort(variable) for variable in parameters))


def stated(declared: Callable[..., Formula]) -> tuple[tuple[Variable, ...], Node]:
    """The parameters of a declaring function as variables, and the formula that it returns for them."""
    parameters, formula = evaluate(declared)
    return parameters, node_of(formula, f"what {declared.__name__} returns")
