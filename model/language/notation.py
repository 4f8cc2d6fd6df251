"""Mathematical notation for formulas, guards and changes, for documents and for showing which part of a guard is false."""

from __future__ import annotations

from typing import Final

from model.language import Action, Change
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


def notation(node: Node, *, names: bool = True) -> str:
    """A formula or term on one line. `names`: show definitions by name instead of expanding them."""
    return _text(node, names, 0)


def _text(node: Node, names: bool, outside: int) -> str:
    text = _plain(node, names)
    binds = _BINDS.get(type(node), 5)
    if isinstance(node, Quantified | Choose):
        binds = 0
    if isinstance(node, Named) and not names:
        return _text(node.body, names, outside)
    single = isinstance(node, And | Or) and len(node.operands) < 2
    return f"({text})" if binds < outside and not single else text


def _plain(node: Node, names: bool) -> str:
    match node:
        case Variable(name):
            return name
        case Constant(value, sort):
            return str(sort.names()[value]) if issubclass(sort, Enumeration) else str(value)
        case Truth(value):
            return "true" if value else "false"
        case Named(definition, arguments, body):
            if not names:
                return _plain(body, names)
            return _call(definition.name, arguments, names) if arguments else definition.name
        case Plus(number, amount):
            return f"{_text(number, names, 4)} + {amount}"
        case Sum(left, right):
            return f"{_text(left, names, 4)} + {_text(right, names, 4)}"
        case Times(number, factor):
            return f"{factor} × {_text(number, names, 5)}"
        case Compare(operator, left, right):
            return f"{_text(left, names, 0)} {_OPERATORS[operator]} {_text(right, names, 0)}"
        case Not(Compare("=", left, right)):
            return f"{_text(left, names, 0)} ≠ {_text(right, names, 0)}"
        case Not(operand):
            return f"¬{_text(operand, names, 5)}"
        case And(operands):
            parts = [_text(term, names, 3) for term in operands if term != Truth(True)]
            return " ∧ ".join(parts) or "true"
        case Or(operands):
            return " ∨ ".join(_text(term, names, 2) for term in operands) or "false"
        case Implies(premise, conclusion):
            return f"{_text(premise, names, 2)} ⇒ {_text(conclusion, names, 1)}"
        case Choose(condition, chosen, otherwise):
            test, first, second = (_text(part, names, 0) for part in (condition, chosen, otherwise))
            return f"if {test} then {first} else {second}"
        case Quantified(quantifier, variables, body):
            sign = "∀" if quantifier == "all" else "∃"
            bound = ", ".join(f"{variable.name}: {variable.sort.__name__}" for variable in variables)
            return f"{sign} {bound}. {_text(body, names, 0)}"
        case Apply(symbol, arguments, after):
            return _call(f"{symbol.name}′" if after else symbol.name, arguments, names)


def _call(name: str, arguments: tuple[Node, ...], names: bool) -> str:
    return f"{name}({', '.join(_text(argument, names, 0) for argument in arguments)})"


def guard_lines(action: Action) -> list[str]:
    """The conjuncts of a guard, the taken messages first; an empty guard is always true."""
    lines = [f"takes {notation(node)}" if node in action.takes else notation(node) for node in action.guard]
    return lines or ["always"]


def change_notation(change: Change) -> str:
    """A change: the tuples, their new value, and the condition."""
    target = _call(change.symbol.name, change.arguments, True)
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
