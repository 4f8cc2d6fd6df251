"""Answers that engines gave before, so that a question about a mutant is asked once.

An answer is kept under the digest of everything that it depends on: the statement, the code that finds it, Python and the installed
packages, the mutant, and what the mutant is compared with. So it is what asking again would find, and a table is the same with and
without. Answers are kept in the user's cache folder, beside compiled code, and never in the tree.

Only processes that make tables keep answers, and only answers that were found while no file of the tree changed: else the code that
found an answer might not be the code that it is kept under.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

from conformance.mutation.cores.modules import MODULES
from conformance.mutation.digests import ROOT, file_of, modules, of_modules
from model import cache

KIND: Final = "answers"
"""In the user's cache folder."""

CORES: Final = "conformance.mutation.cores.rows"
LOGS: Final = "conformance.mutation.logs"
VECTORS: Final = "conformance.mutation.vectors"
STATEMENT: Final = "conformance.mutation.statement"
CLAIMS: Final = "conformance.mutation.claims.claim_rows"

_OURS: Final = ("conformance.", "model.", "impl.")
CODES: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys((CORES, LOGS, VECTORS, CLAIMS), _OURS),
    STATEMENT: ("model.",),
}
"""The modules that engines begin in, with the imports that are followed from there: `spec` is in the digest of the statement, and
what the statement's table asks of vectors and logs has code of its own."""

_TREE: Final = ("conformance", "model", "impl", "spec")


@dataclass(frozen=True)
class Keeping:
    """That this process keeps answers."""

    anew: bool = False
    """Answers that are kept are not used, and replaced."""
    began: int = field(default_factory=time.time_ns)
    """Before any code was loaded that finds answers."""
    codes: Mapping[str, str] = field(default_factory=lambda: {start: code_of(start) for start in CODES})
    """The digest of the code by the module that it begins in."""


_keeping: Keeping | None = None


def keep(keeping: Keeping | None) -> None:
    """This process keeps answers from now on, or no more."""
    global _keeping
    _keeping = keeping


def once(asked: Mapping[str, Any], ask: Callable[[], Any]) -> Any:
    """The answer to a question, as JSON has it: kept, or found now."""
    answer = get(asked)
    if answer is None:
        answer = ask()
        put(asked, answer)
    return answer


def get(asked: Mapping[str, Any]) -> Any:
    """The answer that is kept, as JSON has it; none: there is none. `asked`: all that it depends on, as plain data."""
    if _keeping is None or _keeping.anew:
        return None
    kept = cache.read(KIND, digest_of(asked))
    return None if kept is None else json.loads(kept)


def put(asked: Mapping[str, Any], answer: Any) -> None:
    """Keeps an answer, if this process keeps any."""
    if _keeping is not None and not _changed_since(_keeping.began):
        cache.write(KIND, digest_of(asked), json.dumps(answer).encode())


def code(start: str) -> str:
    """The digest of the code of an engine, found before anything was asked."""
    return _keeping.codes[start] if _keeping is not None else ""


def code_of(start: str) -> str:
    """The digest of a module and those that it imports, with Python and the installed packages. Cores that are mutated are not in
    the code that asks them."""
    cores = {file_of(name) for names in MODULES.values() for name in names} if start == CORES else set()
    files = [path for path in modules(start, CODES[start]) if path not in cores]
    return digest_of([of_modules(files), _installed()])


def digest_of(given: Any) -> str:
    """The digest of plain data."""
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


@functools.cache
def _installed() -> list[str]:
    packages = {f"{one.metadata['Name']} {one.version}" for one in distributions()}
    return [sys.version, sys.platform, *sorted(packages)]


@functools.cache
def _files() -> list[Path]:
    """What the code and its data are in."""
    found: Iterable[Path] = (path for folder in _TREE for path in (ROOT / folder).rglob("*"))
    return [path for path in found if path.is_file() and path.suffix not in (".pyc", ".md")]


def _changed_since(nanoseconds: int) -> bool:
    """Whether a file was written, or put in another's place, since then."""
    with suppress(FileNotFoundError):
        return any(path.stat().st_ctime_ns > nanoseconds for path in _files())
    return True
