"""Nodes as z3 terms: individuals of uninterpreted sorts, numbers and members of enumerations as integers in their range."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import z3

from model.language import Action, Protocol, Symbol
from model.language.bounds import written
from model.language.terms import (
    And,
    Apply,
    Choose,
    Compare,
    Constant,
    Enumeration,
    Formula,
    Implies,
    Individual,
    Named,
    Node,
    Not,
    Number,
    Or,
    Plus,
    Quantified,
    Sum,
    Times,
    Truth,
    Value,
    Variable,
)
from model.language.walk import free, unfolded
from model.proof.propositions import applied, conjunction, disjunction

Environment = dict[Variable, Any]


@contextmanager
def context_apart() -> Iterator[None]:
    """What is built in here belongs to a z3 context of its own.

    How z3 searches, and so how many steps it takes, depends on all that was ever built in a context, and the default one is of the
    whole process. z3 has no other way to replace it for all terms.
    """
    held, z3.z3._main_ctx = z3.z3._main_ctx, None
    try:
        yield
    finally:
        z3.z3._main_ctx = held


class Translator:
    """One protocol's symbols in z3."""

    def __init__(self, protocol: Protocol, *, bounded: bool = False) -> None:
        """`bounded`: each number ends at a bound, any one that a configuration may have."""
        self.protocol = protocol
        self._bounds = {number: z3.Int(f"bound!{number.__name__}") for number in protocol.numbers if bounded}
        self._sorts = {sort: z3.DeclareSort(sort.__name__) for sort in protocol.sorts}
        self._functions: dict[Symbol, Any] = {}
        self._bound = 0
        for symbol in protocol.symbols:
            if symbol.kind != "event":
                sorts = [*map(self.sort, symbol.arguments), self.sort(symbol.result)]
                self._functions[symbol] = z3.Function(symbol.name, *sorts)

    def sort(self, sort: type[Value]) -> Any:
        """The z3 sort of a sort."""
        if issubclass(sort, Formula):
            return z3.BoolSort()
        return self._sorts[sort] if issubclass(sort, Individual) else z3.IntSort()

    def constants(self, variables: Iterable[Variable], prefix: str) -> Environment:
        """A fresh constant for each variable."""
        return {variable: z3.Const(f"{prefix}{variable.name}", self.sort(variable.sort)) for variable in variables}

    def ranges(self, environment: Environment) -> list[Any]:
        """Numbers are not negative, and enumerations have their members."""
        return [limit for variable, term in environment.items() for limit in self._range(variable.sort, term)]

    def _range(self, sort: type[Value], term: Any) -> list[Any]:
        if issubclass(sort, Number):
            return [term >= 0, *([term <= self._bounds[sort]] if sort in self._bounds else [])]
        if issubclass(sort, Enumeration):
            return [term >= 0, term < len(sort.names())]
        return []

    def domain(self) -> list[Any]:
        """The same for the values of all functions, and the assumptions about the constants."""
        found = [bound >= 1 for bound in self._bounds.values()]
        found += [
            fact for assumed in self.protocol.assumptions for fact in self.closed(assumed.parameters, assumed.formula)
        ]
        for symbol, function in self._functions.items():
            if symbol.result is not Formula:
                arguments = [z3.Const(f"a{place}", self.sort(sort)) for place, sort in enumerate(symbol.arguments)]
                limits = self._range(symbol.result, function(*arguments))
                if limits and arguments:
                    found.append(z3.ForAll(arguments, z3.And(*limits), patterns=[function(*arguments)]))
                else:
                    found += limits
        return found

    def within(self, action: Action, environment: Environment) -> list[Any]:
        """That a step with these choices leaves no bound, if there are bounds."""
        found = []
        for number in written(action) if self._bounds else ():
            inner = self.constants(number.binders, "w!")
            given = {**environment, **inner}
            limits = [*self.ranges(inner), self.term(number.condition, given)]
            stays = z3.Implies(z3.And(*limits), z3.And(*self._range(number.sort, self.term(number.node, given))))
            found.append(z3.ForAll(list(inner.values()), stays) if inner else stays)
        return found

    def closed(self, parameters: Iterable[Variable], node: Node) -> list[Any]:
        """For all values of the parameters. One formula per conjunct, over the parameters that it reads: short ones match best."""
        found = []
        for part in conjuncts(unfolded(node)):
            read = free(part)
            environment = self.constants([parameter for parameter in parameters if parameter in read], "q!")
            body = self.term(part, environment)
            limits = self.ranges(environment)
            body = z3.Implies(z3.And(*limits), body) if limits else body
            found.append(z3.ForAll(list(environment.values()), body) if environment else body)
        return found

    def term(self, node: Node, environment: Environment) -> Any:
        """A node in z3, with its free variables from the environment."""
        match node:
            case Variable():
                return environment[node]
            case Constant(value):
                return z3.IntVal(value)
            case Truth(value):
                return z3.BoolVal(value)
            case Named(_, _, body):
                return self.term(body, environment)
            case Plus(number, amount):
                return self.term(number, environment) + amount
            case Sum(left, right):
                return self.term(left, environment) + self.term(right, environment)
            case Times(number, factor):
                return self.term(number, environment) * factor
            case Compare(operator, left, right):
                one, other = self.term(left, environment), self.term(right, environment)
                return one == other if operator == "=" else one < other if operator == "<" else one <= other
            case Not(operand):
                return z3.Not(self.term(operand, environment))
            case And(operands):
                return conjunction([self.term(formula, environment) for formula in operands])
            case Or(operands):
                return disjunction([self.term(formula, environment) for formula in operands])
            case Implies(premise, conclusion):
                return z3.Implies(self.term(premise, environment), self.term(conclusion, environment))
            case Choose(condition, chosen, otherwise):
                terms = (self.term(part, environment) for part in (condition, chosen, otherwise))
                return z3.If(*terms)
            case Apply(symbol, arguments, after):
                assert not after, "what is after a step has been expanded"
                given = [self.term(argument, environment) for argument in arguments]
                return applied(self._functions[symbol], given, _kind(symbol.result))
            case Quantified(quantifier, variables, body):
                self._bound += 1
                inner = self.constants(variables, f"b{self._bound}!")
                limits, inside = self.ranges(inner), self.term(body, {**environment, **inner})
                if quantifier == "all":
                    return z3.ForAll(list(inner.values()), z3.Implies(z3.And(*limits), inside) if limits else inside)
                return z3.Exists(list(inner.values()), z3.And(*limits, inside))


def _kind(sort: type[Value]) -> Any:
    """The z3 sort of the terms of a sort."""
    if issubclass(sort, Formula):
        return z3.BoolRef
    return z3.ExprRef if issubclass(sort, Individual) else z3.ArithRef


def conjuncts(node: Node) -> list[Node]:
    """The parts of a formula that all have to hold, including those below implications."""
    match node:
        case And(operands):
            return [part for operand in operands for part in conjuncts(operand)]
        case Implies(premise, conclusion):
            return [Implies(premise, part) for part in conjuncts(conclusion)]
        case _:
            return [node]
