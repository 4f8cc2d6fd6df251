"""The matrix of mutants of the cores: what one row says, and what the whole is a function of."""

from __future__ import annotations

import pytest

from conformance.mutation.cores import rows
from conformance.mutation.cores.engines import ENGINES
from conformance.mutation.cores.loading import source
from conformance.mutation.cores.modules import MODULES
from conformance.mutation.cores.rows import FAILS
from conformance.mutation.cores.source import Source
from conformance.mutation.figures import read
from conformance.mutation.status import HALVES
from conformance.mutation.table import IMPLEMENTATION, Kill


def number_of(module: str, place: str, rule: str) -> int:
    """The first mutant of a function by a rule."""
    return next(n for n, one in enumerate(source(module).mutants) if (one.place, one.rule) == (place, rule))


def test_a_mutant_by_rule_is_asked_of_every_engine() -> None:
    number = number_of("impl.on_demand.ncm", "Ncm._in_one_vpc", "negate a condition")
    row = rows.row(("on-demand", "impl.on_demand.ncm", number))
    assert row.of == "on_demand.ncm.Ncm._in_one_vpc"
    assert list(row.answers) == list(ENGINES)
    assert set(row.kills) == set(row.answers)
    assert all(isinstance(answer, Kill) and answer.where and answer.depth for answer in row.answers.values())


def test_a_module_that_cannot_be_executed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    few = Source("impl.on_demand.ncm", "LIMIT = 1 // 1\n")
    monkeypatch.setattr(rows, "source", lambda module: few)
    number = max(n for n, one in enumerate(few.mutants) if one.now == "0")
    row = rows.row(("on-demand", "impl.on_demand.ncm", number))
    assert {kill.check for kill in row.kills.values()} == {FAILS}


EVERY = 150
"""One row of so many is made again here; `make matrix` makes all."""


@pytest.mark.parametrize("name", HALVES[IMPLEMENTATION].protocols)
def test_rows_that_are_made_again_are_as_the_summary_says(name: str) -> None:
    kept = read(name, IMPLEMENTATION)
    assert kept is not None
    survivors = {survivor.name for survivor in kept.survivors}
    jobs = [(name, module, number) for module in MODULES[name] for number in range(len(source(module).mutants))]
    assert kept.mutants == len(jobs)
    made = [rows.row(jobs[place]) for place in range(EVERY // 2, len(jobs), EVERY)]
    assert {row.name for row in made if row.fate == "survives"} == survivors & {row.name for row in made}
