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
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import platformdirs

from model.language import Declaration, Protocol, Source
from model.language.terms import Enumeration, Value

OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH

_NO_PART: Final = frozenset({"doc", "modules", "variants", "extends", "alternatives"})
"""What a declaration or a protocol holds that no engine computes with."""


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


@cache
def statement(protocol: Protocol) -> str:
    """The digest of all that an engine may read of a protocol, in the order of declaration, under whatever name it goes."""
    text = "\n".join(line for name, value in vars(protocol).items() for line in _lines(name, value) if name != "name")
    return hashlib.sha256(text.encode()).hexdigest()


def _lines(name: str, value: object) -> Iterator[str]:
    """A field of a protocol."""
    if name in _NO_PART:
        return
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, Declaration):
            fields = {key: _shown(part) for key, part in sorted(vars(item).items()) if _is_part(key, part)}
            yield f"{name} {type(item).__name__} {fields}"
        else:
            members = item.names() if isinstance(item, type) and issubclass(item, Enumeration) else ()
            yield f"{name} {item} {members}"


def _is_part(name: str, value: object) -> bool:
    return name not in _NO_PART and not isinstance(value, Source) and (isinstance(value, type) or not callable(value))


def _shown(value: object) -> str:
    return repr(value.node if isinstance(value, Value) else value)
