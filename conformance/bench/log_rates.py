"""Rates of log validation, and the time to explain the first line that does not fit.

No figure fails for being slow; but the verdicts must be the expected ones, or the figures mean nothing.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from conformance.logs.deployed import record_on_broker
from conformance.logs.explanation import explain
from conformance.logs.fleet import record_in_memory
from conformance.logs.names import LOGGED
from conformance.logs.one_pass import validate
from conformance.logs.reading import LogFile
from impl.broker.deployment import Deployment
from impl.cli.exits import Exit, Problem
from impl.events.event_schema import ON_DEMAND
from impl.events.line import decoded, encoded

Progress = Callable[[int, str], None]


@dataclass(frozen=True)
class Figure:
    """A row of the table."""

    name: str
    what: str
    measured: str
    to_reach: str
    data: Mapping[str, Any]
    """The figures for scripts."""

    @property
    def row(self) -> tuple[str, str, str]:
        """The row as it is printed."""
        return self.what, self.measured, self.to_reach


EXPLAINED_AGENTS: Final = 1_000
EXPLAINED_EVENTS: Final = 100_000
"""Lines of the deployment in whose NCM log a fault is planted, near the end."""


def explanation(progress: Progress) -> Figure:
    """Time to explain a grant of a version that was never issued, in the logs of a large deployment."""
    with tempfile.TemporaryDirectory() as name:
        recorded = record_in_memory(Path(name), EXPLAINED_EVENTS, agents=EXPLAINED_AGENTS, progress=progress)
        _plant(next(path for path in recorded.files if path.stem == "ncm"))
        protocol = next(item for item in LOGGED if item.name == ON_DEMAND)
        verdict = validate([LogFile(path) for path in recorded.files], protocols=[protocol])
        if verdict.verdict != "diverges" or verdict.divergence is None:
            raise Problem(f"the planted fault was not found: {verdict.verdict}", Exit.VIOLATED)
        tables = verdict.divergence.tables
        entries = sum(len(tables.table(symbol)) for symbol in tables.layout.kept)
        found = explain(verdict.divergence)
    return Figure(
        "explanation",
        f"explain the first line that does not fit, in logs of {EXPLAINED_AGENTS:,} agents: after {verdict.events:,} events, "
        f"with {entries:,} entries of state; the edit is tried on the {found.edits[0].fits:,} lines that follow",
        f"{found.seconds:.1f} s",
        "at most 10 s",
        {
            "agents": EXPLAINED_AGENTS,
            "events": verdict.events,
            "entries": entries,
            "seconds": round(found.seconds, 3),
            "edits": [edit.as_json() for edit in found.edits],
        },
    )


def _plant(path: Path) -> None:
    """Changes one of the last grants to a version that was never issued."""
    lines = path.read_bytes().splitlines()
    grants = [place for place, line in enumerate(lines) if b'"on-demand.grant"' in line]
    place = grants[len(grants) * 9 // 10]
    line = decoded(lines[place])
    version = int(line.attributes["version"]) + 1_000
    attributes = {**line.attributes, "version": version}
    sent = tuple((*item[:-1], version) for item in line.sent or ())
    lines[place] = encoded(msgspec.structs.replace(line, attributes=attributes, sent=sent))
    path.write_bytes(b"\n".join(lines) + b"\n")


VALIDATED_AGENTS: Final = 100
VALIDATED_EVENTS: Final = 1_000_000
VALIDATED_TIMES: Final = 3
"""The fastest run counts: other load only makes runs slower."""


def validation(deployment: Deployment, progress: Progress, *, events: int = VALIDATED_EVENTS) -> Figure:
    """Validation rate for the logs of all processes of a deployment on a broker, including reading, on one core in a separate
    process."""
    with tempfile.TemporaryDirectory() as name:
        recorded = record_on_broker(deployment, Path(name), events, agents=VALIDATED_AGENTS, progress=progress)
        progress(events, "recorded, validating")
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            verdict, validated, seconds, by_the_clock = pool.submit(_validated, recorded.files).result()
    if verdict != "conforms":
        raise Problem(f"expected the recorded logs to conform, found {verdict}", Exit.VIOLATED)
    return Figure(
        "validation",
        f"validate the logs of a deployment on the broker, of {VALIDATED_AGENTS} agents, DPM and NCM, a file for each, both "
        f"protocols: {validated:,} events, {recorded.bytes / 1e6:,.0f} MB, the fastest of {VALIDATED_TIMES} times, in seconds "
        "of the processor, and by the clock",
        f"{validated / seconds:,.0f} events/s, {validated / by_the_clock:,.0f} by the clock",
        "100,000 events/s",
        {
            "agents": VALIDATED_AGENTS,
            "events": validated,
            "bytes": recorded.bytes,
            "seconds": round(seconds, 3),
            "seconds_by_the_clock": round(by_the_clock, 3),
        },
    )


def _validated(files: Sequence[Path]) -> tuple[str, int, float, float]:
    """The verdict on these logs, the number of events, and the seconds: of the processor, and by the clock."""
    validate([LogFile(files[0])])  # compiles what all validations share
    found = []
    for _ in range(VALIDATED_TIMES):
        began, of_the_processor = time.perf_counter(), time.process_time()
        verdict = validate([LogFile(path) for path in files])
        found.append((time.process_time() - of_the_processor, time.perf_counter() - began))
        if verdict.verdict != "conforms":
            break
    return verdict.verdict, verdict.events, *min(found)
