"""What is kept of a crash: a file that says what ran, on what, and where it failed, for whoever is to mend it."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

PACKAGES: Final = (
    "alcor-on-demand",
    "z3-solver",
    "numba",
    "hypothesis",
    "pulsar-client",
    "protobuf",
    "grpcio",
    "click",
)
"""Those whose versions may matter."""

INPUT_BYTES_MAX: Final = 100_000_000
"""A larger input has no digest."""

FRAMES_MAX: Final = 60
"""Frames of a deep recursion that are kept, half of them from either end."""


def keep(problem: BaseException, arguments: Sequence[str]) -> Path | None:
    """Writes a report into the folder for temporary files, readable by its owner only; None: that is not possible.

    `arguments`: those of the command line, with a seed if one was given. They name files and never hold secrets.
    """
    text = "\n".join(_lines(problem, arguments)) + "\n"
    try:
        handle, name = tempfile.mkstemp(prefix="ondemand-crash-", suffix=".txt", text=True)
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError:
        return None
    return Path(name)


def _lines(problem: BaseException, arguments: Sequence[str]) -> Iterator[str]:
    yield f"command: {' '.join(arguments)}"
    yield f"python: {platform.python_version()} on {platform.platform()}"
    for package in PACKAGES:
        try:
            yield f"{package}: {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            yield f"{package}: not installed"
    for argument in arguments:
        digest = _digest(Path(argument))
        if digest:
            yield f"sha256 of {argument}: {digest}"
    yield ""
    frames = traceback.format_exception(problem)
    if len(frames) > FRAMES_MAX:
        frames[FRAMES_MAX // 2 : -FRAMES_MAX // 2] = [f"  ... {len(frames) - FRAMES_MAX} more ...\n"]
    yield "".join(frames)


def _digest(path: Path) -> str:
    """Of a file's content; empty: it is no file, or too large."""
    try:
        if not path.is_file() or path.stat().st_size > INPUT_BYTES_MAX:
            return ""
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError):
        return ""


def sentence(problem: BaseException, arguments: Sequence[str] | None = None) -> str:
    """What a command says of its crash: what failed, where, and which file to send."""
    frames = traceback.extract_tb(problem.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    said = " ".join(str(problem).split())[:200]
    kept = keep(problem, sys.argv if arguments is None else arguments)
    rest = f"send {kept} with the report" if kept else "no file could be written"
    return (
        f"Crashed: {type(problem).__name__}{f': {said}' if said else ''}{where}; this is a bug of the program, {rest}."
    )
