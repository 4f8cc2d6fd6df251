"""The verdicts of every engine on every mutant of a protocol's cores, in as many processes as there are cores of the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from conformance.mutation.cores.engines import ENGINES, comparisons
from conformance.mutation.cores.loading import cores_with, source
from conformance.mutation.cores.modules import MODULES
from conformance.mutation.digests import inputs_of_cores
from conformance.mutation.kept import Keeping
from conformance.mutation.processes import processes
from conformance.mutation.table import IMPLEMENTATION, Answer, Check, Kill, Matrix, Row
from conformance.protocols import PROTOCOLS
from model.language import Protocol

FAILS: Final = Check("load", "the module cannot be executed")
Job = tuple[str, str, int]
"""Protocol, module, and the mutant's number there."""


def count_of(protocol: Protocol) -> int:
    """How many mutants there are."""
    return sum(len(source(module).mutants) for module in MODULES[protocol.name])


def made(protocol: Protocol, keeping: Keeping, progress: Callable[[int, str], None] | None = None) -> Matrix:
    """The mutation table of a protocol's cores. Takes minutes, if answers are not kept."""
    jobs = [
        (protocol.name, module, number)
        for module in MODULES[protocol.name]
        for number in range(len(source(module).mutants))
    ]
    rows = []
    with processes(keeping) as pool:
        for done, one in enumerate(pool.map(row, jobs, chunksize=4)):
            rows.append(one)
            if progress is not None:
                progress(done, one.of)
    checks = {*comparisons(protocol), *(kill.check for each_row in rows for kill in each_row.kills.values())}
    return Matrix(
        protocol.name,
        IMPLEMENTATION,
        {name: about for name, (about, _) in ENGINES.items()},
        inputs_of_cores(protocol),
        tuple(sorted(checks)),
        tuple(rows),
    )


def row(job: Job) -> Row:
    """The verdicts of every engine on one mutant."""
    name, module, number = job
    mutant = source(module).mutants[number]
    protocol = next(each_protocol for each_protocol in PROTOCOLS if each_protocol.name == name)
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
