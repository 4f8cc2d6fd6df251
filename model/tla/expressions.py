"""Formulas and terms of a protocol in TLA+.

| in the language | in TLA+ |
|---|---|
| a member of a sort or of an enumeration | a string |
| a number | a natural number |
| a relation | a set of its members, or of tuples |
| a function | a function; of several arguments: of tuples |
| a message | a tuple in the set `network`: its name, then its fields |
| an event | a tuple in the set `events`, which promises about steps are given |
| a definition | an operator |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from model.language import Protocol, Symbol
from model.language.terms import (
    And,
    Apply,
    Choose,
    Compare,
    Constant,
    Enumeration,
    Formula,
    Implies,
    Named,
    Node,
    Not,
    Or,
    Plus,
    Quantified,
    Sum,
    Times,
    Titled,
    Truth,
    Value,
    Variable,
)
from model.language.transition import symbols

WIDTH: Final = 110
"""The line width, where lines can be broken."""

_WORDS: Final = """
    ACTION ASSUME ASSUMPTION AXIOM BOOLEAN BY CASE CHOOSE CONSTANT CONSTANTS COROLLARY DEF DEFINE DEFS DOMAIN ELSE ENABLED EXCEPT
    EXTENDS FALSE HAVE HIDE IF IN INSTANCE LAMBDA LEMMA LET LOCAL MODULE NEW OBVIOUS OMITTED ONLY OTHER PICK PROOF PROPOSITION
    PROVE QED RECURSIVE STATE STRING SUBSET SUFFICES TAKE TEMPORAL THEN THEOREM TRUE UNCHANGED UNION USE VARIABLE VARIABLES WITH
    WITNESS Any Append Assert Head Int JavaTime Len Nat Permutations Print PrintT RandomElement Real SelectSeq Seq SortSeq SubSeq
    TLCEval TLCGet TLCSet Tail ToString"""
"""Reserved words of TLA+ and names of its standard modules."""

_IMPLIES, _AND, _NOT, _COMPARE, _PLUS, _TIMES, _ATOM = 1, 3, 4, 5, 10, 13, 20
"""Operator precedence, as in the language's definition."""

_OPERATORS: Final = {"=": "=", "<": "<", "<=": "<="}


class Names:
    """Names in use; TLA+ has one namespace without shadowing. A duplicate gets an underscore."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*_WORDS.split(), *taken}

    def new(self, wanted: str) -> str:
        """The name, or the nearest free one; from now on it is in use."""
        name = self.free(wanted, ())
        self._taken.add(name)
        return name

    def free(self, wanted: str, besides: Iterable[str]) -> str:
        """The name, or the nearest one that is neither in use nor among these."""
        while wanted in self._taken or wanted in besides:
            wanted += "_"
        return wanted


NOTHING: Final = "<<>>"
"""What relations and functions without arguments are applied to."""


@dataclass(frozen=True)
class Vocabulary:
    """The names of a protocol's declarations in its module."""

    names: Names
    sorts: Mapping[type[Value], str]
    symbols: Mapping[Symbol, str]
    """State, constants and history; messages and events are strings with their own names."""
    operators: Mapping[Titled, str]
    """Definitions, and the unspent messages. One that is missing here is expanded."""

    @classmethod
    def of(cls, protocol: Protocol, names: Names, unspent: Mapping[Titled, str]) -> Vocabulary:
        """Names every declaration of the protocol."""
        sorts = (*protocol.sorts, *protocol.numbers, *protocol.enumerations)
        definitions = [definition for definition in protocol.definitions if not reads_events(definition.value.node)]
        return cls(
            names,
            {sort: names.new(sort.__name__) for sort in sorts},
            {symbol: names.new(symbol.name) for symbol in protocol.symbols if symbol.kind not in ("message", "event")},
            {**{definition: names.new(definition.name) for definition in definitions}, **unspent},
        )


class Scope:
    """The names of variables at one place of the module."""

    def __init__(
        self, vocabulary: Vocabulary, variables: Mapping[Variable, str] | None = None, taken: Iterable[str] = ()
    ) -> None:
        self.vocabulary = vocabulary
        self.variables = dict(variables or {})
        self._taken = set(taken)
        """The names of all variables here, also of one that an inner one of the same name hides."""

    def binding(self, variables: Sequence[Variable]) -> Scope:
        """The scope extended by these variables, under names that are free here."""
        inner = Scope(self.vocabulary, self.variables, self._taken)
        for variable in variables:
            inner.variables[variable] = name = self.vocabulary.names.free(variable.name, inner._taken)
            inner._taken.add(name)
        return inner

    def besides(self, inner: Scope) -> Scope:
        """The same scope, in which the names of an inner one are not free either."""
        return Scope(self.vocabulary, self.variables, inner._taken)

    def ranges(self, variables: Sequence[Variable]) -> str:
        """The ranges of variables: `host \\in Host, source, destination \\in Pod`."""
        return ", ".join(
            f"{', '.join(self.variables[variable] for variable in of_one_sort)} \\in {self.vocabulary.sorts[sort]}"
            for sort, of_one_sort in groupby(variables, key=lambda variable: variable.sort)
        )

    def product(self, sorts: Sequence[type[Value]]) -> str:
        """All tuples of these sorts: `Host \\X Pod`; of none, the empty one."""
        return " \\X ".join(self.vocabulary.sorts[sort] for sort in sorts) or f"{{{NOTHING}}}"

    # -------------------------------------------------------------------------------------------------- on one line

    def flat(self, node: Node, outside: int = 0) -> str:
        """The node on one line; in parentheses if its context binds tighter."""
        text, binds = self._flat(node)
        return f"({text})" if binds < outside else text

    def _flat(self, node: Node) -> tuple[str, int]:
        match node:
            case Variable():
                return self.variables[node], _ATOM
            case Constant(value, sort):
                return (quoted(sort.names()[value]) if issubclass(sort, Enumeration) else str(value)), _ATOM
            case Truth(value):
                return ("TRUE" if value else "FALSE"), _ATOM
            case Named(definition, arguments, body):
                if definition not in self.vocabulary.operators:
                    return self._flat(body)
                return self.call(self.vocabulary.operators[definition], arguments), _ATOM
            case Plus(number, amount):
                return f"{self.flat(number, _PLUS)} {'-' if amount < 0 else '+'} {abs(amount)}", _PLUS
            case Sum(left, right):
                return f"{self.flat(left, _PLUS)} + {self.flat(right, _PLUS + 1)}", _PLUS
            case Times(number, factor):
                return f"{factor} * {self.flat(number, _TIMES + 1)}", _TIMES
            case Compare(operator, left, right):
                return self._compared(_OPERATORS[operator], left, right), _COMPARE
            case Not(Compare("=", left, right)):
                return self._compared("#", left, right), _COMPARE
            case Not(Apply(symbol) as applied) if symbol.result is Formula:
                return self._member(applied, "\\notin"), _COMPARE
            case Not(operand):
                return f"~{self.flat(operand, _COMPARE + 1)}", _NOT
            case And() | Or():
                parts, word = junction(node)
                if len(parts) < 2:
                    return self._flat(parts[0])
                return f" {word} ".join(self.flat(part, _AND + 1) for part in parts), _AND
            case Implies(premise, conclusion):
                return f"{self.flat(premise, _IMPLIES + 1)} => {self.flat(conclusion, _IMPLIES + 1)}", _IMPLIES
            case Choose(condition, chosen, otherwise):
                return f"IF {self.flat(condition)} THEN {self.flat(chosen)} ELSE {self.flat(otherwise)}", 0
            case Quantified(_, variables, body):
                inner = self.binding(variables)
                return f"{inner.quantifier(node)} {inner.flat(body)}", 0
            case Apply(symbol, arguments):
                if symbol.result is Formula:
                    return self._member(node, "\\in"), _COMPARE
                after = "'" if node.after else ""
                return f"{self.vocabulary.symbols[symbol]}{after}[{self.listed(arguments)}]", _ATOM

    def listed(self, arguments: Sequence[Node]) -> str:
        """The arguments of a function."""
        return ", ".join(map(self.flat, arguments)) or NOTHING

    def call(self, name: str, arguments: Sequence[Node]) -> str:
        """An operator applied to arguments."""
        return f"{name}({', '.join(map(self.flat, arguments))})" if arguments else name

    def _compared(self, operator: str, left: Node, right: Node) -> str:
        return f"{self.flat(left, _COMPARE + 1)} {operator} {self.flat(right, _COMPARE + 1)}"

    def _member(self, node: Apply, membership: str) -> str:
        symbol, after = node.symbol, "'" if node.after else ""
        if symbol.kind == "message":
            return f"{self.named_tuple(symbol, node.arguments)} {membership} network{after}"
        if symbol.kind == "event":
            return f"{self.named_tuple(symbol, node.arguments)} {membership} events"
        return f"{self.member(node.arguments)} {membership} {self.vocabulary.symbols[symbol]}{after}"

    def member(self, arguments: Sequence[Node]) -> str:
        """A member of a relation."""
        if len(arguments) == 1:
            return self.flat(arguments[0], _COMPARE + 1)
        return f"<<{', '.join(map(self.flat, arguments))}>>"

    def named_tuple(self, symbol: Symbol, arguments: Sequence[Node]) -> str:
        """A message or an event."""
        return f"<<{', '.join((quoted(symbol.name), *map(self.flat, arguments)))}>>"

    def quantifier(self, node: Quantified) -> str:
        """The head of a quantified formula, whose variables are bound here."""
        sign = "\\A" if node.quantifier == "all" else "\\E"
        return f"{sign} {self.ranges(node.variables)} :"

    # ---------------------------------------------------------------------------------------------- on several lines

    def text(self, node: Node, column: int, outside: int = 0) -> str:
        """The node from this column on; if it is too long, on several lines, each indented at least as far."""
        flat = self.flat(node, outside)
        if column + len(flat) <= WIDTH:
            return flat
        body = self._long(node, column, outside)
        return flat if body is None else body

    def _long(self, node: Node, column: int, outside: int) -> str | None:
        match node:
            case Named(definition, _, body) if definition not in self.vocabulary.operators:
                return self._long(body, column, outside)
            case And() | Or() if len(junction(node)[0]) == 1:
                return self._long(junction(node)[0][0], column, outside)
            case And() | Or():
                parts, word = junction(node)
                return _enclosed(
                    column, outside > 0, lambda at: lines(word, [self.text(part, at + 3) for part in parts], at)
                )
            case Implies(premise, conclusion):
                return _enclosed(
                    column,
                    _IMPLIES < outside,
                    lambda at: (
                        f"{self.text(premise, at, _IMPLIES + 1)}\n"
                        f"{' ' * at}=> {self.text(conclusion, at + 3, _IMPLIES + 1)}"
                    ),
                )
            case Choose(condition, chosen, otherwise):
                return _enclosed(
                    column,
                    outside > 0,
                    lambda at: (
                        f"IF {self.text(condition, at + 3)}\n"
                        f"{' ' * at}THEN {self.text(chosen, at + 5)}\n"
                        f"{' ' * at}ELSE {self.text(otherwise, at + 5)}"
                    ),
                )
            case Quantified(_, variables, body):
                inner = self.binding(variables)
                return _enclosed(
                    column,
                    outside > 0,
                    lambda at: f"{inner.quantifier(node)}\n{' ' * (at + 2)}{inner.text(body, at + 2)}",
                )
            case Not(operand):
                return f"~{self.text(operand, column + 1, _COMPARE + 1)}"
            case _:
                return None


def _enclosed(column: int, enclosed: bool, made: Callable[[int], str]) -> str:
    """A text from this column on, in parentheses where they are needed."""
    return f"({made(column + 1)})" if enclosed else made(column)


def junction(node: And | Or) -> tuple[list[Node], str]:
    """The operands that are not trivial, at least one, and the operator between them."""
    idle = Truth(isinstance(node, And))
    parts = [operand for operand in node.operands if operand != idle]
    return parts or [idle], "/\\" if isinstance(node, And) else "\\/"


def lines(word: str, parts: Sequence[str], column: int) -> str:
    """A list of conjuncts or disjuncts, one per line, starting at this column."""
    return f"\n{' ' * column}".join(f"{word} {part}" for part in parts)


def quoted(text: str) -> str:
    """A TLA+ string; the texts are names, without quotation marks or backslashes."""
    return f'"{text}"'


def reads_events(node: Node) -> bool:
    """Whether a formula reads events."""
    return any(isinstance(symbol, Symbol) and symbol.kind == "event" for symbol in symbols(node))
