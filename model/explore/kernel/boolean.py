"""Truth values over the fields of a state, simplified during construction.

A *field* is one fact of the state: whether a tuple is in a relation, or the value of a function for some arguments. An expression
is `True`, `False`, or a tuple: `("is", field, value)`, `("not", e)`, `("and", {e...})`, `("or", {e...})`. Equal expressions are
equal tuples; everything that the possible values of the fields decide is simplified away before any code is generated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Expression = Any
"""`bool`, or a tuple as described above. A precise recursive type would need more casts than it is worth."""


class Algebra:
    """Builds expressions; `possible` gives the values that each field can have."""

    def __init__(self, possible: Mapping[int, set[int]]) -> None:
        self._possible = possible

    def has(self, field: int, value: int) -> Expression:
        """The field has the value."""
        possible = self._possible[field]
        if value not in possible:
            return False
        if len(possible) == 1:
            return True
        if len(possible) == 2 and value == min(possible):
            return ("not", ("is", field, max(possible)))
        return ("is", field, value)

    def negation(self, expression: Expression) -> Expression:
        """The negation."""
        if isinstance(expression, bool):
            return not expression
        return expression[1] if expression[0] == "not" else ("not", expression)

    def conjunction(self, parts: Iterable[Expression]) -> Expression:
        """All of these hold."""
        found: set[Expression] = set()
        values: dict[int, int] = {}
        for part in parts:
            if part is True:
                continue
            if part is False:
                return False
            for operand in part[1] if part[0] == "and" else (part,):
                if operand[0] == "is" and values.setdefault(operand[1], operand[2]) != operand[2]:
                    return False
                found.add(operand)
        if len(found) <= 1:
            return next(iter(found), True)
        denied = {self.negation(operand) for operand in found}
        if not denied.isdisjoint(found):
            return False
        if values:
            # If a field's value is fixed, it has no other.
            found = {operand for operand in found if not (operand[0] == "not" and _differs(operand[1], values))}
        for operand in found:
            if operand[0] == "or":
                left = [part for part in operand[1] if not _contradicts(part, denied, values)]
                if len(left) < len(operand[1]):
                    return self.conjunction([*(found - {operand}), self.disjunction(left)])
        if len(found) == 1:
            return next(iter(found))
        return ("and", frozenset(found))

    def disjunction(self, parts: Iterable[Expression]) -> Expression:
        """At least one of these holds."""
        found: set[Expression] = set()
        values: dict[int, set[int]] = {}
        for part in parts:
            if part is False:
                continue
            if part is True:
                return True
            for operand in part[1] if part[0] == "or" else (part,):
                if operand[0] == "is":
                    values.setdefault(operand[1], set()).add(operand[2])
                found.add(operand)
        if len(found) > 1 and not found.isdisjoint(map(self.negation, found)):
            return True
        for field, covered in values.items():
            if covered >= self._possible[field]:
                return True
        if len(found) <= 1:
            return next(iter(found), False)
        return ("or", frozenset(found))


def _contradicts(part: Expression, denied: set[Expression], values: Mapping[int, int]) -> bool:
    """Whether an operand of a disjunction is excluded by what is conjoined with it; `denied`: the negations of that."""
    if part[0] != "and":
        return part in denied or _differs(part, values)
    if not denied.isdisjoint(part[1]):
        return True
    return bool(values) and any(_differs(conjunct, values) for conjunct in part[1])


def _differs(expression: Expression, values: Mapping[int, int]) -> bool:
    return bool(expression[0] == "is" and values.get(expression[1], expression[2]) != expression[2])


def fields_of(expression: Expression) -> set[int]:
    """The fields that an expression reads."""
    if isinstance(expression, bool):
        return set()
    if expression[0] == "is":
        return {expression[1]}
    if expression[0] == "not":
        return fields_of(expression[1])
    return set().union(*map(fields_of, expression[1]))
