"""Truth values over the fields of a state, simplified as they are built.

A *field* is one fact of the state: whether a tuple is in a relation, or the value of a function for some arguments. An
expression is `True`, `False`, or a tuple: `("is", field, value)`, `("not", e)`, `("and", {e...})`, `("or", {e...})`. Equal
expressions are equal tuples; what the possible values of the fields decide disappears here, before any code is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Expression = Any
"""`bool`, or a tuple as described above. A precise recursive type costs more in casts than it finds."""


class Algebra:
    """Builds expressions; `possible` says which values each field can have."""

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

    def negation(self, one: Expression) -> Expression:
        """Not this."""
        if isinstance(one, bool):
            return not one
        return one[1] if one[0] == "not" else ("not", one)

    def conjunction(self, parts: Iterable[Expression]) -> Expression:
        """All of these."""
        found: set[Expression] = set()
        values: dict[int, int] = {}
        for part in parts:
            if part is True:
                continue
            if part is False:
                return False
            for one in part[1] if part[0] == "and" else (part,):
                if one[0] == "is" and values.setdefault(one[1], one[2]) != one[2]:
                    return False
                found.add(one)
        if len(found) <= 1:
            return next(iter(found), True)
        denied = {self.negation(one) for one in found}
        if not denied.isdisjoint(found):
            return False
        if values:
            # Where a field's value is settled, it has no other.
            found = {one for one in found if not (one[0] == "not" and _differs(one[1], values))}
        for one in found:
            if one[0] == "or":
                left = [part for part in one[1] if not _contradicts(part, denied, values)]
                if len(left) < len(one[1]):
                    return self.conjunction([*(found - {one}), self.disjunction(left)])
        if len(found) == 1:
            return next(iter(found))
        return ("and", frozenset(found))

    def disjunction(self, parts: Iterable[Expression]) -> Expression:
        """At least one of these."""
        found: set[Expression] = set()
        values: dict[int, set[int]] = {}
        for part in parts:
            if part is False:
                continue
            if part is True:
                return True
            for one in part[1] if part[0] == "or" else (part,):
                if one[0] == "is":
                    values.setdefault(one[1], set()).add(one[2])
                found.add(one)
        if len(found) > 1 and not found.isdisjoint(map(self.negation, found)):
            return True
        for field, covered in values.items():
            if covered >= self._possible[field]:
                return True
        if len(found) <= 1:
            return next(iter(found), False)
        return ("or", frozenset(found))


def _contradicts(part: Expression, denied: set[Expression], values: Mapping[int, int]) -> bool:
    """Whether one way of a disjunction is closed by what stands beside it; `denied`: the negations of that."""
    if part[0] != "and":
        return part in denied or _differs(part, values)
    if not denied.isdisjoint(part[1]):
        return True
    return bool(values) and any(_differs(one, values) for one in part[1])


def _differs(one: Expression, values: Mapping[int, int]) -> bool:
    return bool(one[0] == "is" and values.get(one[1], one[2]) != one[2])


def fields_of(one: Expression) -> set[int]:
    """The fields that an expression reads."""
    if isinstance(one, bool):
        return set()
    if one[0] == "is":
        return {one[1]}
    if one[0] == "not":
        return fields_of(one[1])
    return set().union(*map(fields_of, one[1]))
