"""Truth values over the fields of a state, as z3 propositions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import z3

from model.explore.kernel.boolean import Expression


class Propositions:
    """Turns expressions into z3 terms, each only once; `atom` gives the term for a field having a value."""

    def __init__(self, atom: Callable[[int, int], Any]) -> None:
        self._atom = atom
        self._made: dict[Expression, Any] = {}

    def of(self, expression: Expression) -> Any:
        """The term of an expression."""
        if isinstance(expression, bool):
            return z3.BoolVal(expression)
        if expression not in self._made:
            if expression[0] == "is":
                made = self._atom(expression[1], expression[2])
            elif expression[0] == "not":
                made = z3.Not(self.of(expression[1]))
            else:
                parts = [self.of(part) for part in expression[1]]
                made = conjunction(parts) if expression[0] == "and" else disjunction(parts)
            self._made[expression] = made
        return self._made[expression]


def conjunction(parts: Sequence[Any]) -> Any:
    """`z3.And` of terms that are known to be propositions: checking each of them takes four times as long."""
    return _joined(z3.Z3_mk_and, parts)


def disjunction(parts: Sequence[Any]) -> Any:
    """`z3.Or`, likewise."""
    return _joined(z3.Z3_mk_or, parts)


def _joined(make: Callable[..., Any], parts: Sequence[Any]) -> Any:
    context = z3.main_ctx()
    return z3.BoolRef(make(context.ref(), len(parts), _array(parts)), context)


def applied(function: Any, arguments: Sequence[Any], kind: Any) -> Any:
    """A function's value for terms that are known to be of its sorts, likewise; `kind`: z3's sort of the value."""
    context = z3.main_ctx()
    return kind(z3.Z3_mk_app(context.ref(), function.ast, len(arguments), _array(arguments)), context)


def is_true(value: Any) -> bool:
    """Whether a value is the true one, if it is known to be one of the two."""
    return bool(z3.Z3_get_bool_value(value.ctx.ref(), value.ast) == z3.Z3_L_TRUE)


def _array(terms: Sequence[Any]) -> Any:
    return (z3.Ast * len(terms))(*(term.ast for term in terms))
