"""Simplified expressions, and their z3 terms, are equivalent to the original ones."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import product

import pytest
import z3

from model.explore.kernel.boolean import Algebra, Expression
from model.proof.propositions import conjunction, disjunction

FIELDS = {0: {0, 1}, 1: {0, 1, 2}, 2: {0, 1, 2}}


def is_true(expression: Expression, state: Mapping[int, int]) -> bool:
    """The value of an expression if fields have these values."""
    if isinstance(expression, bool):
        return expression
    match expression[0]:
        case "is":
            return bool(state[expression[1]] == expression[2])
        case "not":
            return not is_true(expression[1], state)
        case "and":
            return all(is_true(part, state) for part in expression[1])
        case _:
            return any(is_true(part, state) for part in expression[1])


def some(chance: random.Random, algebra: Algebra, depth: int) -> Expression:
    """Any expression."""
    kind = chance.choice(("has", "not", "and", "or")) if depth else "has"
    if kind == "has":
        field = chance.choice(list(FIELDS))
        return algebra.has(field, chance.choice(sorted(FIELDS[field])))
    if kind == "not":
        return algebra.negation(some(chance, algebra, depth - 1))
    parts = [some(chance, algebra, depth - 1) for _ in range(chance.randint(1, 4))]
    return algebra.conjunction(parts) if kind == "and" else algebra.disjunction(parts)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_simplified_says_the_same(seed: int) -> None:
    chance, algebra = random.Random(seed), Algebra(FIELDS)
    states = [dict(zip(FIELDS, values, strict=True)) for values in product(*map(sorted, FIELDS.values()))]
    for _ in range(50):
        parts = [some(chance, algebra, 3) for _ in range(chance.randint(0, 4))]
        every, either = algebra.conjunction(parts), algebra.disjunction(parts)
        for state in states:
            assert is_true(every, state) == all(is_true(part, state) for part in parts)
            assert is_true(either, state) == any(is_true(part, state) for part in parts)


def test_a_way_that_is_closed_beside_it_is_left_out() -> None:
    algebra = Algebra(FIELDS)
    one, other = algebra.has(1, 1), algebra.has(2, 2)
    assert algebra.conjunction((one, algebra.disjunction((algebra.has(1, 2), other)))) == algebra.conjunction(
        (one, other)
    )
    assert algebra.conjunction((one, algebra.has(1, 2))) is False
    assert algebra.conjunction((one, algebra.negation(one))) is False


@pytest.mark.parametrize("count", [1, 2, 5])
def test_joined_terms_are_those_of_z3(count: int) -> None:
    terms = [z3.Bool(f"b{number}") for number in range(count)]
    assert conjunction(terms).eq(z3.And(*terms))
    assert disjunction(terms).eq(z3.Or(*terms))
