"""Asking every engine about every mutant of a protocol's cores, in as many processes as there are cores of the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from conformance.matrix.processes import processes
from conformance.matrix.table import IMPLEMENTATION, Answer, Check, Kill, Matrix, Row
from conformance.mutants.cores import cores_with, source
from conformance.mutants.digests import digests_of_cores
from conformance.mutants.engines import ENGINES, comparisons
from conformance.mutants.modules import MODULES
from conformance.protocols import PROTOCOLS
from spec.language import Protocol

FAILS: Final = Check("load", "the module cannot be executed")
Job = tuple[str, str, int]
"""Protocol, module, and the mutant's number there."""


def count_of(protocol: Protocol) -> int:
    """How many mutants there are."""
    return sum(len(source(one).mutants) for one in MODULES[protocol.name])


def made_anew(protocol: Protocol, progress: Callable[[int, str], None] | None = None) -> Matrix:
    """The matrix of a protocol's cores, by asking everything. Takes minutes."""
    jobs = [
        (protocol.name, one, number) for one in MODULES[protocol.name] for number in range(len(source(one).mutants))
    ]
    rows = []
    with processes() as pool:
        for done, one in enumerate(pool.map(row, jobs, chunksize=4)):
            rows.append(one)
            if progress is not None:
                progress(done, one.of)
    checks = {*comparisons(protocol), *(kill.check for one in rows for kill in one.kills.values())}
    return Matrix(
        protocol.name,
        IMPLEMENTATION,
        {name: about for name, (about, _) in ENGINES.items()},
        digests_of_cores(protocol),
        tuple(sorted(checks)),
        tuple(rows),
    )


def row(job: Job) -> Row:
    """What every engine says of one mutant."""
    name, module, number = job
    mutant = source(module).mutants[number]
    protocol = next(one for one in PROTOCOLS if one.name == name)
    try:
        cores = cores_with(name, module, source(module).compiled(number))
    except Exception as problem:  # whatever a module raises that is wrong
        return Row(
            mutant.name,
            mutant.of,
            mutant.rule,
            dict.fromkeys(ENGINES, Kill(FAILS, type(problem).__name__)),
        )
    answers: dict[str, Answer] = {engine: ask(protocol, cores, mutant) for engine, (_, ask) in ENGINES.items()}
    return Row(mutant.name, mutant.of, mutant.rule, answers)
