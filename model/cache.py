"""What engines keep between runs, in the user's cache folder, each under the digest of everything that it depends on.

Compiled code is executed, and results are believed. So nothing is read that another user could have written, and nothing whose
checksum is wrong; the folder and its files belong to the user alone. A cache that is unusable, damaged or full costs time only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import platformdirs

OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def folder(kind: str) -> Path | None:
    """The folder for one kind of results, in `$ONDEMAND_CACHE` or the user's cache folder.

    None if it cannot be made, or if others can write it.
    """
    root = Path(os.environ.get("ONDEMAND_CACHE") or platformdirs.user_cache_dir("alcor-on-demand"))
    try:
        root.mkdir(parents=True, exist_ok=True)
        (root / kind).mkdir(mode=0o700, exist_ok=True)
        return root / kind if all(_is_mine(path.stat()) for path in (root, root / kind)) else None
    except OSError:
        return None


def _is_mine(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & OTHERS_WRITE


def read(kind: str, key: str) -> bytes | None:
    """What is kept under this key; None if there is nothing that can be trusted."""
    within = folder(kind)
    if within is None:
        return None
    try:
        with (within / key).open("rb") as file:
            if not _is_mine(os.fstat(file.fileno())):
                return None
            checksum, data = file.read(hashlib.sha256().digest_size), file.read()
    except OSError:
        return None
    return data if checksum == _checksum(key, data) else None


def write(kind: str, key: str, data: bytes) -> None:
    """Keeps data under this key. Of two processes that write at the same time the last one wins."""
    within = folder(kind)
    if within is None:
        return
    with contextlib.suppress(OSError):
        descriptor, name = tempfile.mkstemp(dir=within)  # for the user alone
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_checksum(key, data) + data)
            Path(name).replace(within / key)
        except OSError:
            Path(name).unlink(missing_ok=True)


def _checksum(key: str, data: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + data).digest()


def key_of(*parts: object) -> str:
    """The key for what depends on these parts, by their representation, and on the engines."""
    return hashlib.sha256(repr((engines(), *parts)).encode()).hexdigest()


@cache
def engines() -> tuple[str, ...]:
    """The engines' own text, and the versions of what they are built on."""
    here = Path(__file__).parent
    text = hashlib.sha256()
    for path in sorted(here.rglob("*.py")):
        text.update(f"{path.relative_to(here)}\0".encode() + path.read_bytes())
    return text.hexdigest(), sys.version, *(_version(name) for name in ("z3-solver", "llvmlite", "numba", "numpy"))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
