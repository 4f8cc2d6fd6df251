"""Scaling of validation: time and memory after an eighth, a quarter, a half and all lines of one deployment.

All rows come from one run, so they show whether time is linear and memory constant.
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
"""Lines of the whole run: eight times those of the validation figure."""

LINES_MIN: Final = 8 * PROGRESS_EVERY
"""With fewer lines there would be no progress report before the first row."""

PARTS: Final = (8, 4, 2, 1)
"""Denominators of the fractions of the lines after which a row is taken."""

BYTES_A_LINE: Final = 420
"""A line has 405 bytes on average (`ondemand bench --only record`), rounded up so that the disk does not fill up."""

_STATUS: Final = Path("/proc/self/status")


def growth(progress: Progress, lines: int = LINES) -> list[Figure]:
    """One figure for each number of lines.

    Raises:
        Problem: the temporary folder has too little space for the logs, or they do not conform.
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
        raise Problem(f"expected the recorded logs to conform, found {verdict.verdict}", Exit.VIOLATED)
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
    """Current resident memory of this process in bytes; the peak where the system does not provide the current value."""
    try:
        status = _STATUS.read_text(encoding="utf-8")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


def _check_room(folder: Path, lines: int) -> None:
    needed, free = lines * BYTES_A_LINE, shutil.disk_usage(folder).free
    if free < needed:
        raise Problem(
            f"{folder.parent}: {needed / 1e9:.1f} GB are needed for the logs, and {free / 1e9:.1f} GB are free; "
            "set TMPDIR to a folder with enough space, or pass fewer --lines",
            Exit.ENVIRONMENT,
        )
