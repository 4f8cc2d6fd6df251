"""What a mutation table depends on, as digests: the statement, the engines, the configurations, the vectors, the logs.

The engines are the modules that make the table, found by following imports, and the solver's version. Digests of modules are
taken of their syntax trees without docstrings, comments and positions: a typo in a sentence makes no table stale.
"""

from __future__ import annotations

import ast
import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from conformance import configurations
from conformance.evidence.lassos import folder_of
from conformance.mutation.cores.modules import MODULES
from conformance.protocols import DRIVEN, REPLAYED
from conformance.replay.replays import vectors_of
from conformance.vectors.scenario import SUFFIX
from model.language import Protocol
from model.language.declaration import content

ROOT: Final = Path(__file__).parents[2]
DIGITS: Final = 16
"""Hexadecimal digits of a digest; 64 bits are enough to notice a change."""

SOLVER: Final = "z3-solver"

LEFT_OUT: Final = ("impl.broker.launcher.", "impl.broker.jars.", "impl.cli.")
"""What starts a broker, and what commands print: no mutant is asked there."""

Inputs = Mapping[str, Mapping[str, str]]
"""By kind of input (`engines`), the digests of its parts by name (`model/proof/prove.py`)."""

STATEMENT_BY: Final = "conformance.mutation.statement"
ENGINES: Final = ("model.", "conformance.mutation.")
CLAIMS_BY: Final = "conformance.mutation.claims.claim_rows"
CORES_BY: Final = "conformance.mutation.cores.rows"
REPLAYS: Final = (
    *("conformance.replay.", "conformance.bindings.", "conformance.mutation.", "conformance.vectors."),
    *("conformance.logs.recorded.", "model.", "impl."),
)
LOGS_BY: Final = "conformance.mutation.logs"
LOGS: Final = ("conformance.logs.", "impl.", "model.matching.")
"""Where following imports begins, and which modules count. The others read files and options, and affect no verdict."""


def inputs_of_statement(protocol: Protocol) -> Inputs:
    """What the table of a statement's mutants depends on."""
    found: dict[str, Mapping[str, str]] = {
        "statement": {"": protocol.digest()[:DIGITS]},
        "engines": {**of_modules(modules(STATEMENT_BY, ENGINES)), SOLVER: version(SOLVER)},
        "configurations": of_files(configurations.path_of(name, protocol) for name in configurations.names(protocol)),
    }
    if protocol.name in REPLAYED:
        found["vectors"] = of_vectors(protocol)
    if protocol.name in DRIVEN:
        found["logs"] = of_modules(modules(LOGS_BY, LOGS))
    return found


def inputs_of_claims(protocol: Protocol) -> Inputs:
    """What the table of the mutants of a protocol's claims depends on."""
    return {
        "statement": {"": protocol.digest()[:DIGITS]},
        "variants": _variants(protocol),
        "engines": {**of_modules(modules(CLAIMS_BY, (*ENGINES, "conformance.evidence."))), SOLVER: version(SOLVER)},
        "vectors": _together(_vectors(protocol)),
        "lassos": _together(folder_of(protocol).glob("*.itf.json")),
    }


def inputs_of_cores(protocol: Protocol) -> Inputs:
    """What the table of the mutants of a protocol's cores depends on."""
    cores = [file_of(module) for module in MODULES[protocol.name]]
    return {
        "statement": {"": protocol.digest()[:DIGITS]},
        "cores": of_modules(path for path in cores if path is not None),
        "vectors": of_vectors(protocol),
        "replays": of_modules(modules(CORES_BY, REPLAYS)),
        "logs": of_modules(modules(LOGS_BY, LOGS)),
    }


def _variants(protocol: Protocol) -> dict[str, str]:
    """The digest of what the variants of a protocol do, and of what they break."""
    said = "\n".join(content(each) for variant in protocol.variants for each in (variant, variant.action))
    return {"": hashlib.sha256(said.encode()).hexdigest()[:DIGITS]}


def of_vectors(protocol: Protocol) -> dict[str, str]:
    """The digest of the vectors."""
    return _together(_vectors(protocol))


def _vectors(protocol: Protocol) -> Iterator[Path]:
    """The files that the vectors are computed from, besides the statement."""
    yield from vectors_of(protocol).rglob(f"*{SUFFIX}")
    yield from configurations.folder(protocol).rglob("*.toml")


def changes(kept: Inputs, now: Inputs) -> Iterator[str]:
    """A sentence for each input that is different: which it is, and which of its parts changed."""
    for name in dict.fromkeys([*kept, *now]):
        was, is_now = kept.get(name, {}), now.get(name, {})
        parts = [part for part in dict.fromkeys([*was, *is_now]) if was.get(part) != is_now.get(part)]
        if parts:
            more = f" and {len(parts) - 1} more" if len(parts) > 1 else ""
            yield f"{name} changed ({parts[0]}{more})" if parts[0] else f"{name} changed"


def modules(start: str, followed: tuple[str, ...]) -> list[Path]:
    """The files of a module and of those that it imports, directly or not, within the modules that count."""
    found: dict[str, Path] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        path = file_of(name)
        if name in found or path is None:
            continue
        found[name] = path
        imports = [f"{imported}." for imported in _imported(path)]
        waiting += [name[:-1] for name in imports if name.startswith(followed) and not name.startswith(LEFT_OUT)]
    return sorted(found.values())


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(_code(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(module: str) -> Path | None:
    """The file of a module; none: it is not ours."""
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def of_modules(paths: Iterable[Path]) -> dict[str, str]:
    """The digest of each module's syntax tree, by its path in the repository."""
    return {path.relative_to(ROOT).as_posix(): of_source(path.read_text(encoding="utf-8")) for path in sorted(paths)}


def of_source(text: str) -> str:
    """The digest of a module's syntax tree, without docstrings, comments and positions."""
    return hashlib.sha256(ast.dump(_code(text)).encode()).hexdigest()[:DIGITS]


@cache
def _code(text: str) -> ast.Module:
    """A module's syntax tree without docstrings; parsed once for its imports and its digest."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                setattr(node, name, [each for each in statements if not _is_prose(each)])
    return tree


def _is_prose(statement: ast.AST) -> bool:
    """Whether a statement is a sentence for readers: a docstring, of a module, class, function or attribute."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


UNASKED: Final = ("doc", "shows")
"""Entries of a configuration that no mutant is asked about: what it is for."""


def of_files(paths: Iterable[Path]) -> dict[str, str]:
    """The digest of each file's content, by its path in the repository, or its name where it stands elsewhere."""
    return {_name(path): hashlib.sha256(_said(path)).hexdigest()[:DIGITS] for path in sorted(paths)}


def _said(path: Path) -> bytes:
    """What a file says; of a configuration without comments and what it is for."""
    if path.suffix != ".toml":
        return path.read_bytes()
    given = tomllib.loads(path.read_text(encoding="utf-8"))
    return repr([each for each in given.items() if each[0] not in UNASKED]).encode()


def _together(paths: Iterable[Path]) -> dict[str, str]:
    """One digest of many files."""
    return {"": hashlib.sha256(repr(of_files(paths)).encode()).hexdigest()[:DIGITS]}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
