"""Asking every engine about every mutant of a protocol's cores, in as many processes as there are cores of the machine."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from conformance.matrix.table import IMPLEMENTATION, Answer, Check, Kill, Matrix, Row
from conformance.mutants.cores import MODULES, cores_with, source
from conformance.mutants.engines import ENGINES, engines_of
from conformance.mutants.source import ROOT
from conformance.protocols import PROTOCOLS
from conformance.replaying import vectors_of
from spec.language import Protocol

FAILS: Final = Check("load", "the module cannot be executed")
REPLAY: Final = ("lockstep", "driver", "pods", "process", "observe", "willing", "named", "queue/*", "mutants/*")
"""What replays are made of, in `conformance`: the modules that decide what is noticed."""

Job = tuple[str, str, int]
"""Protocol, module, and the mutant's number there."""


def made_anew(protocol: Protocol, progress: Callable[[int, str], None] | None = None) -> Matrix:
    """The matrix of a protocol's cores, by asking everything. Takes minutes."""
    jobs = [
        (protocol.name, one, number) for one in MODULES[protocol.name] for number in range(len(source(one).mutants))
    ]
    rows = []
    with _pool() as asked:
        for done, one in enumerate(asked(row, jobs)):
            rows.append(one)
            if progress is not None:
                progress(done, one.of)
    seen = {kill.check for one in rows for kill in one.kills.values()}
    return Matrix(
        protocol.name,
        IMPLEMENTATION,
        {name: ENGINES[name][0] for name in engines_of(protocol)},
        digests(protocol),
        tuple(sorted(seen)),
        tuple(rows),
    )


@contextmanager
def _pool() -> Iterator[Callable[[Callable[[Job], Row], Iterable[Job]], Iterable[Row]]]:
    # Fresh interpreters, in which sets are walked in the same order every time: what a wrong core does may depend on it.
    before = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = "0"
    try:
        with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
            yield lambda function, jobs: pool.imap(function, jobs, chunksize=4)
    finally:
        if before is None:
            del os.environ["PYTHONHASHSEED"]
        else:
            os.environ["PYTHONHASHSEED"] = before


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
            dict.fromkeys(engines_of(protocol), Kill(FAILS, type(problem).__name__)),
        )
    answers: dict[str, Answer] = {engine: ask(protocol, cores) for engine, ask in engines_of(protocol).items()}
    return Row(mutant.name, mutant.of, mutant.rule, answers)


def digests(protocol: Protocol) -> dict[str, str]:
    """What the matrix is a function of."""
    replay = sorted(path for one in REPLAY for path in (ROOT / "conformance").glob(f"{one}.py"))
    return {
        "statement": protocol.digest(),
        "cores": _digest(ROOT / source(one).path for one in MODULES[protocol.name]),
        "vectors": _digest(sorted(vectors_of(protocol).rglob("*.itf.json"))),
        "replay": _digest(replay),
    }


def _digest(paths: Iterable[Path]) -> str:
    found = hashlib.sha256()
    for path in paths:
        found.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]
