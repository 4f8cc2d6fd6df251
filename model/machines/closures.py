"""Nodes as Python closures over mutable tables: used by the role machines for guards and changes.

Deliberately implemented differently from the interpreter's generated text, so that tests can compare the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

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
    Truth,
    Variable,
)
from model.reference.configuration import Configuration
from model.reference.state import Element, elements

Tables = dict[str, Any]
"""Relations as sets of tuples, functions as dictionaries; by name."""

Environment = Mapping[str, Element]
Closure = Callable[[Tables, Environment], Any]


def closure(node: Node, configuration: Configuration) -> Closure:
    """The value of a node, given the tables and the variables by name. States after a step and events cannot be read."""

    def of(node: Node) -> Closure:
        return closure(node, configuration)

    match node:
        case Variable(name):
            return lambda tables, given: given[name]
        case Constant(value, sort):
            constant: Element = sort.names()[value] if issubclass(sort, Enumeration) else value
            return lambda tables, given: constant
        case Truth(value):
            return lambda tables, given: value
        case Named(_, _, body):
            return of(body)
        case Plus(number, amount):
            base = of(number)
            return lambda tables, given: base(tables, given) + amount
        case Sum(left, right):
            first, second = of(left), of(right)
            return lambda tables, given: first(tables, given) + second(tables, given)
        case Times(number, factor):
            base = of(number)
            return lambda tables, given: base(tables, given) * factor
        case Compare(operator, left, right):
            return _comparison(operator, of(left), of(right))
        case Not(operand):
            negated = of(operand)
            return lambda tables, given: not negated(tables, given)
        case And(operands):
            parts = [of(formula) for formula in operands]
            return lambda tables, given: all(part(tables, given) for part in parts)
        case Or(operands):
            options = [of(formula) for formula in operands]
            return lambda tables, given: any(option(tables, given) for option in options)
        case Implies(premise, conclusion):
            first, then = of(premise), of(conclusion)
            return lambda tables, given: not first(tables, given) or then(tables, given)
        case Choose(condition, chosen, otherwise):
            test, yes, no = of(condition), of(chosen), of(otherwise)
            return lambda tables, given: yes(tables, given) if test(tables, given) else no(tables, given)
        case Quantified(quantifier, variables, body):
            return _quantified(quantifier, variables, of(body), configuration)
        case Apply(symbol, arguments, after):
            assert not after, "a machine sees only the current state"
            assert symbol.kind != "event", "a machine sees no events"
            name, terms = symbol.name, [of(argument) for argument in arguments]
            if symbol.result is Formula:
                return lambda tables, given: tuple(term(tables, given) for term in terms) in tables[name]
            return lambda tables, given: tables[name][tuple(term(tables, given) for term in terms)]


def _comparison(operator: str, left: Closure, right: Closure) -> Closure:
    if operator == "=":
        return lambda tables, given: left(tables, given) == right(tables, given)
    if operator == "<":
        return lambda tables, given: left(tables, given) < right(tables, given)
    return lambda tables, given: left(tables, given) <= right(tables, given)


def _quantified(
    quantifier: str, variables: tuple[Variable, ...], body: Closure, configuration: Configuration
) -> Closure:
    names = tuple(variable.name for variable in variables)
    values = list(product(*(elements(variable.sort, configuration) for variable in variables)))

    def each(tables: Tables, given: Environment) -> Any:
        return (body(tables, {**given, **dict(zip(names, chosen, strict=True))}) for chosen in values)

    if quantifier == "all":
        return lambda tables, given: all(each(tables, given))
    return lambda tables, given: any(each(tables, given))
