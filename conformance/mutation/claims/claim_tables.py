"""Making the mutation tables of claims: each kind of claim of each protocol in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from typing import Final

from conformance.evidence import reviewed
from conformance.mutation.claims.claim_rows import ENGINES, KINDS, checks_of
from conformance.mutation.digests import inputs_of_claims
from conformance.mutation.kept import CLAIMS as CLAIMS_CODE
from conformance.mutation.kept import Keeping, code, once
from conformance.mutation.processes import processes
from conformance.mutation.table import CLAIMS, Matrix, Row, row_json, row_of
from conformance.protocols import named
from model.language import Protocol

SLOWEST: Final = ("fairness", "promises", "definitions", "configurations")
"""The kinds that take longest, which begin first."""


def made(protocols: Sequence[Protocol], progress: Callable[[int, str], None], keeping: Keeping) -> list[Matrix]:
    """The mutation tables of claims, made again. `progress`: how many kinds of claims are done, and the last one."""
    tasks = [(protocol.name, kind) for protocol in protocols for kind in KINDS]
    rows: dict[tuple[str, str], list[Row]] = {}
    with processes(keeping, tasks_max=1) as pool:
        running = {pool.submit(_rows, *task): task for task in sorted(tasks, key=lambda task: task[1] not in SLOWEST)}
        for done, item in enumerate(as_completed(running)):
            rows[running[item]] = item.result()
            progress(done + 1, " ".join(running[item]))
    return [_matrix(protocol, [row for kind in KINDS for row in rows[protocol.name, kind]]) for protocol in protocols]


def _rows(name: str, kind: str) -> list[Row]:
    protocol = named(name)
    listed = reviewed.file_of(protocol).read_text(encoding="utf-8")
    asked = {"claims": code(CLAIMS_CODE), "kind": kind, "of": inputs_of_claims(protocol), "listed": listed}
    return [row_of(row) for row in once(asked, lambda: [row_json(row) for row in KINDS[kind](protocol)])]


def _matrix(protocol: Protocol, rows: Sequence[Row]) -> Matrix:
    return Matrix(protocol.name, CLAIMS, ENGINES, inputs_of_claims(protocol), checks_of(protocol, rows), tuple(rows))
