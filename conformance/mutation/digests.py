"""What a table is a function of, as fingerprints: the statement, the engines, the configurations, the vectors, the logs.

The engines are the modules that make the table, found by following imports, and the solver's version. Everything is read from the
files, so that a change is seen whether or not somebody remembers it.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from conformance import configurations
from conformance.protocols import REPLAYED
from conformance.replay.replays import vectors_of
from model.language import Protocol

ROOT: Final = Path(__file__).parent.parent.parent
MADE_BY: Final = "conformance.mutation.statement"
"""Where following the imports begins."""

FOLLOWED: Final = ("model.", "conformance.mutation.")
"""Which modules count as engines. What else is imported reads files and options, and decides no answer."""

LOGS_BY: Final = "conformance.mutation.logs"
LOGS: Final = ("conformance.logs.", "impl.", "model.matching.")
"""Where following begins, and what counts, of making a fleet's logs and of holding them against a statement."""

SOLVER: Final = "z3-solver"


def digests_of(protocol: Protocol) -> dict[str, str]:
    """The fingerprints of today, by what they are of."""
    paths = [configurations.path_of(name, protocol) for name in configurations.names(protocol)]
    found = {
        "statement": protocol.digest(),
        "engines": of_files(modules(MADE_BY), version(SOLVER)),
        "configurations": of_files(paths),
    }
    if protocol.name in REPLAYED:
        found["vectors"] = of_files(vectors_of(protocol).rglob("*.itf.json"))
        found["logs"] = of_files(modules(LOGS_BY, LOGS))
    return found


def modules(start: str, followed: tuple[str, ...] = FOLLOWED) -> list[Path]:
    """The files of the modules that one imports, directly or not, itself included, as far as they are to be followed."""
    found: dict[str, Path] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        path = _file_of(name)
        if name in found or path is None:
            continue
        found[name] = path
        waiting += [item for item in _imported(path) if f"{item}.".startswith(followed)]
    return sorted(found.values())


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file_of(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    return next((item for item in (path.with_suffix(".py"), path / "__init__.py") if item.exists()), None)


def of_files(paths: Iterable[Path], *also: str) -> str:
    """The fingerprint of some files, with their names, and of what else counts."""
    found = hashlib.sha256("\n".join(also).encode())
    for path in sorted(paths):
        found.update(path.relative_to(ROOT).as_posix().encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()
