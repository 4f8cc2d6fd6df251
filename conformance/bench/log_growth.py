"""How validation grows with the logs: time and memory after an eighth, a quarter, a half and all of one deployment's lines.

They are validated in one run, so that each row goes on from the one before: linear time and constant memory are seen, or not.
"""

from __future__ import annotations

import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

from conformance.bench.log_rates import VALIDATED_AGENTS, Figure, Progress
from conformance.logs.fleet import record_in_memory
from conformance.logs.one_pass import PROGRESS_EVERY, validate
from conformance.logs.reading import LogFile
from impl.cli.exits import Exit, Problem

LINES: Final = 8_000_000
"""Of the whole run: eight times what one figure of validation is about."""

LINES_MIN: Final = 8 * PROGRESS_EVERY
"""Fewer would be over before a row is looked at."""

PARTS: Final = (8, 4, 2, 1)
"""A row after so manieth a part of the lines."""

BYTES_A_LINE: Final = 420
"""A line has 405 bytes on an average (`ondemand bench --only record`); some more, so that the disk is not filled."""

_STATUS: Final = Path("/proc/self/status")


def growth(progress: Progress, lines: int = LINES) -> list[Figure]:
    """How validation grows, one figure for each number of lines.

    Raises:
        Problem: the logs have no room in the folder for temporary files, or are not found to conform.
    """
    with tempfile.TemporaryDirectory(prefix="ondemand-growth-") as name:
        _check_room(Path(name), lines)
        recorded = record_in_memory(Path(name), lines, agents=VALIDATED_AGENTS, progress=progress)
        rows: list[Figure] = []
        left = [lines // part for part in PARTS]
        looks = 0
        began, of_the_processor = time.perf_counter(), time.process_time()

        def look(_: int) -> None:
            nonlocal looks
            done, looks = looks * PROGRESS_EVERY, looks + 1
            progress(done, "lines validated")
            if left and done >= left[0]:
                del left[0]
                rows.append(_figure(done, time.perf_counter() - began, time.process_time() - of_the_processor))

        verdict = validate([LogFile(path) for path in recorded.files], progress=look)
        if left:  # the last look was less than `PROGRESS_EVERY` lines before the end
            rows.append(_figure(verdict.events, time.perf_counter() - began, time.process_time() - of_the_processor))
    if verdict.verdict != "conforms":
        raise Problem(f"the logs of a deployment that follows the protocol: {verdict.verdict}", Exit.VIOLATED)
    return rows


def _figure(lines: int, seconds: float, of_the_processor: float) -> Figure:
    resident = _resident()
    return Figure(
        f"growth_{lines}",
        f"{lines:,} lines of {VALIDATED_AGENTS} agents, DPM and NCM validated",
        f"{seconds:.1f} s, {of_the_processor:.1f} s of the processor; {resident / 1e6:,.0f} MB resident",
        "linear time, constant memory",
        {
            "lines": lines,
            "seconds_by_the_clock": round(seconds, 3),
            "seconds": round(of_the_processor, 3),
            "resident_bytes": resident,
        },
    )


def _resident() -> int:
    """The bytes of memory that this process has now; where the system does not tell, the most that it had."""
    try:
        told = _STATUS.read_text(encoding="utf-8")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return next(int(line.split()[1]) * 1024 for line in told.splitlines() if line.startswith("VmRSS:"))


def _check_room(folder: Path, lines: int) -> None:
    needed, free = lines * BYTES_A_LINE, shutil.disk_usage(folder).free
    if free < needed:
        raise Problem(
            f"{folder.parent}: {needed / 1e9:.1f} GB are needed for the logs, and {free / 1e9:.1f} GB are free; "
            "set TMPDIR to a folder with matcher, or ask for fewer --lines",
            Exit.ENVIRONMENT,
        )
