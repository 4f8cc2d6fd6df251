"""The matrix of mutants of the cores: what one row says, and what the whole is a function of."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from conformance.mutation.cores import rows
from conformance.mutation.cores.core_digests import LOGS, REPLAYS, digests_of_cores
from conformance.mutation.cores.engines import ENGINES
from conformance.mutation.cores.loading import source
from conformance.mutation.cores.modules import MODULES
from conformance.mutation.cores.rows import FAILS
from conformance.mutation.cores.source import Source
from conformance.mutation.digests import ROOT
from conformance.mutation.status import HALVES
from conformance.mutation.table import IMPLEMENTATION, Kill, read
from spec.on_demand.protocol import PROTOCOL


def number_of(module: str, place: str, rule: str) -> int:
    """The first mutant of a function by a rule."""
    return next(n for n, one in enumerate(source(module).mutants) if (one.place, one.rule) == (place, rule))


def test_a_mutant_by_rule_is_asked_of_every_engine() -> None:
    number = number_of("impl.on_demand.ncm", "Ncm._in_one_vpc", "negate a condition")
    row = rows.row(("on-demand", "impl.on_demand.ncm", number))
    assert row.of == "ncm.Ncm._in_one_vpc"
    assert list(row.answers) == list(ENGINES)
    assert set(row.kills) == set(row.answers)
    assert all(isinstance(answer, Kill) and answer.where and answer.depth for answer in row.answers.values())


def test_a_module_that_cannot_be_executed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    few = Source("impl.on_demand.ncm", "LIMIT = 1 // 1\n")
    monkeypatch.setattr(rows, "source", lambda module: few)
    number = max(n for n, one in enumerate(few.mutants) if one.now == "0")
    row = rows.row(("on-demand", "impl.on_demand.ncm", number))
    assert {kill.check for kill in row.kills.values()} == {FAILS}


def test_a_digest_is_of_all_that_the_matrix_is_a_function_of() -> None:
    assert set(digests_of_cores(PROTOCOL)) == {"statement", "cores", "vectors", "replays", "logs"}


@pytest.mark.parametrize("names", [REPLAYS, LOGS])
def test_all_that_decides_is_there(names: Sequence[str]) -> None:
    for name in names:
        folder = "" if name.startswith(("conformance/", "impl/")) else "conformance/"
        assert list(ROOT.glob(f"{folder}{name}.py")), name


EVERY = 150
"""Of the rows, one of so many is made anew here; all of them are by `make matrix`."""


@pytest.mark.parametrize("name", HALVES[IMPLEMENTATION].protocols)
def test_rows_that_are_made_anew_are_those_of_the_table(name: str) -> None:
    kept = read(name, IMPLEMENTATION)
    assert kept is not None
    jobs = [(name, module, number) for module in MODULES[name] for number in range(len(source(module).mutants))]
    assert len(kept.rows) == len(jobs)
    for place in range(EVERY // 2, len(jobs), EVERY):
        made = rows.row(jobs[place])
        assert (made.name, made.answers) == (kept.rows[place].name, kept.rows[place].answers)
