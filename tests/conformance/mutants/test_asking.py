"""The matrix of mutants of the cores: what one row says, and what the whole is a function of."""

from __future__ import annotations

import pytest

from conformance.matrix.table import Kill
from conformance.mutants import asking
from conformance.mutants.asking import FAILS, digests
from conformance.mutants.cores import source
from conformance.mutants.engines import engines_of
from conformance.mutants.source import Source
from spec.on_demand import PROTOCOL


def number_of(module: str, place: str, rule: str) -> int:
    """The first mutant of a function by a rule."""
    return next(n for n, one in enumerate(source(module).mutants) if (one.place, one.rule) == (place, rule))


def test_a_mutant_by_rule_is_asked_of_every_engine() -> None:
    number = number_of("impl.ncm", "Ncm._in_one_vpc", "negate a condition")
    row = asking.row(("on-demand", "impl.ncm", number))
    assert row.of == "ncm.Ncm._in_one_vpc"
    assert list(row.answers) == list(engines_of(PROTOCOL))
    assert set(row.kills) == set(row.answers)
    assert all(isinstance(one, Kill) and one.where and one.depth for one in row.answers.values())


def test_a_module_that_cannot_be_executed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    few = Source("impl.ncm", "LIMIT = 1 // 1\n")
    monkeypatch.setattr(asking, "source", lambda module: few)
    number = max(n for n, one in enumerate(few.mutants) if one.now == "0")
    row = asking.row(("on-demand", "impl.ncm", number))
    assert {kill.check for kill in row.kills.values()} == {FAILS}


def test_a_digest_is_of_all_that_the_matrix_is_a_function_of() -> None:
    assert set(digests(PROTOCOL)) == {"statement", "cores", "vectors", "replay"}
    assert digests(PROTOCOL) == digests(PROTOCOL)
