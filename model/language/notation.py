"""Mathematical notation for formulas, guards and changes, for documents and for showing which part of a guard is false."""

from __future__ import annotations

from typing import Final

from model.language.actions import Action
from model.language.changes import Change
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

_BINDS: Final = {Implies: 1, Or: 2, And: 3, Not: 4}
"""The precedence of connectives; whatever is missing here binds tightest."""

_OPERATORS: Final = {"=": "=", "<": "<", "<=": "≤"}


def notation(node: Node) -> str:
    """A formula or term on one line, with definitions by name."""
    return _text(node, 0)


def _text(node: Node, outside: int) -> str:
    text = _plain(node)
    binds = _BINDS.get(type(node), 5)
    if isinstance(node, Quantified | Choose):
        binds = 0
    single = isinstance(node, And | Or) and len(node.operands) < 2
    return f"({text})" if binds < outside and not single else text


def _plain(node: Node) -> str:
    match node:
        case Variable(name):
            return name
        case Constant(value, sort):
            return str(sort.names()[value]) if issubclass(sort, Enumeration) else str(value)
        case Truth(value):
            return "true" if value else "false"
        case Named(definition, arguments):
            return _call(definition.name, arguments) if arguments else definition.name
        case Plus(number, amount):
            return f"{_text(number, 4)} {'-' if amount < 0 else '+'} {abs(amount)}"
        case Sum(left, right):
            return f"{_text(left, 4)} + {_text(right, 4)}"
        case Times(number, factor):
            return f"{factor} × {_text(number, 5)}"
        case Compare(operator, left, right):
            return f"{_text(left, 0)} {_OPERATORS[operator]} {_text(right, 0)}"
        case Not(Compare("=", left, right)):
            return f"{_text(left, 0)} ≠ {_text(right, 0)}"
        case Not(operand):
            return f"¬{_text(operand, 5)}"
        case And(operands):
            parts = [_text(term, 3) for term in operands if term != Truth(True)]
            return " ∧ ".join(parts) or "true"
        case Or(operands):
            return " ∨ ".join(_text(term, 2) for term in operands) or "false"
        case Implies(premise, conclusion):
            return f"{_text(premise, 2)} ⇒ {_text(conclusion, 1)}"
        case Choose(condition, chosen, otherwise):
            test, first, second = (_text(part, 0) for part in (condition, chosen, otherwise))
            return f"if {test} then {first} else {second}"
        case Quantified(quantifier, variables, body):
            sign = "∀" if quantifier == "all" else "∃"
            bound = ", ".join(f"{variable.name}: {variable.sort.__name__}" for variable in variables)
            return f"{sign} {bound}. {_text(body, 0)}"
        case Apply(symbol, arguments, after):
            return _call(f"{symbol.name}′" if after else symbol.name, arguments)


def _call(name: str, arguments: tuple[Node, ...]) -> str:
    return f"{name}({', '.join(_text(argument, 0) for argument in arguments)})"


def guard_lines(action: Action) -> list[str]:
    """The conjuncts of a guard, the taken messages first; an empty guard is always true."""
    lines = [f"takes {notation(node)}" if node in action.takes else notation(node) for node in action.guard]
    return lines or ["always"]


def change_notation(change: Change) -> str:
    """A change: the tuples, their new value, and the condition."""
    target = _call(change.symbol.name, change.arguments)
    if change.symbol.result is not Formula:
        text = f"{target} := {notation(change.value)}"
    elif change.value == Truth(True):
        text = f"send {target}" if change.symbol.kind == "message" else f"add {target}"
    elif change.value == Truth(False):
        text = f"remove {target}"
    else:
        text = f"{target} := {notation(change.value)}"
    if change.binders:
        bound = ", ".join(f"{binder.name}: {binder.sort.__name__}" for binder in change.binders)
        text = f"for all {bound}: {text}"
    if change.condition != Truth(True):
        text = f"{text} where {notation(change.condition)}"
    return text
