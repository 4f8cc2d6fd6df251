"""The user's own specification, in place of the one that comes with the engines: a folder, or a file with one protocol.

Only the statement is the user's; its language belongs to the engines. A folder is a copy of `spec`, of the same version, with the
user's changes. A file declares one protocol, which is named after the file.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from impl.cli.exits import Exit, Problem
from model import language
from model.language import Protocol
from model.language.declaration import Misdeclared
from model.language.protocol import declared_at

PACKAGE: Final = "spec"
MODULE: Final = "specification_file"
"""The name of a file's module: one that hides no other."""

BYTES_MAX: Final = 1_000_000
"""The maximum size of a module; the largest one of ours has a fortieth of it."""

FROM_A_FILE: Final = ("prove", "explore", "bounded", "live", "simulate", "step", "show")
"""The commands that take a file. The others need an implementation, or what is generated from a protocol."""

_given: dict[Path, Protocol] = {}
"""The file that is in use, with its protocol; empty: a folder is."""


def use(given: Path) -> None:
    """Makes every later import take the specification in this folder or file. No specification may have been imported before.

    Raises:
        Problem: there is no specification, or an incomplete one, or one that cannot be loaded.
    """
    if given.is_file():
        _given[given] = _of_file(given)
    else:
        _use_folder(given)


def file_in_use() -> Path | None:
    """The file that is in use; None: a folder is."""
    return next(iter(_given), None)


# ------------------------------------------------------------------------------------------------------------ a folder


def _use_folder(given: Path) -> None:
    ours = _INSTALLED
    try:
        folder = given.resolve()
    except RuntimeError as problem:  # a loop of links
        raise _problem(f"--spec {given}: cannot be read ({problem}); name a folder or a file") from problem
    if folder == ours:
        return
    assert PACKAGE not in sys.modules, "a specification is in use already"
    if not (folder / "__init__.py").is_file():
        raise Problem(
            f"--spec {given}: not a specification; name a copy of the folder {ours}, or a Python file with one protocol",
            Exit.BAD_INPUT,
        )
    for file in sorted(item.relative_to(ours) for item in ours.rglob("*.py")):
        if not (folder / file).is_file():
            raise Problem(
                f"{given / file} is missing; copy all of {ours} again, and make your changes in the copy",
                Exit.BAD_INPUT,
            )
    for path in sorted(folder.rglob("*.py")):
        within = path.relative_to(folder).with_suffix("").parts
        _compiled(path, ".".join([PACKAGE, *within]))
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


def _ours() -> Path:
    """The folder of the specification that comes with the engines, as long as no other one is in use."""
    found = importlib.util.find_spec(PACKAGE)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).resolve().parent


_INSTALLED: Final = _ours()


def stated(protocols: Sequence[Protocol]) -> tuple[Protocol, ...]:
    """The protocols in use: that of the file, or these of the folder.

    Raises:
        Problem: a module of the folder has two protocols, or one of another name, or a name is taken.
    """
    if _given:
        (own,) = _given.values()
        if own.name in [protocol.name for protocol in protocols]:
            raise _problem(f"{file_in_use()}: the name {own.name} is taken by a protocol of ours; rename the file")
        return (own,)
    for module in [found for name, found in sys.modules.items() if re.fullmatch(rf"{PACKAGE}\.\w+\.protocol", name)]:
        file, name = os.path.relpath(str(module.__file__)), str(module.__name__).split(".")[1].replace("_", "-")
        held = vars(module).get("PROTOCOL")
        if not isinstance(held, Protocol) or held.name != name:
            raise _problem(f"{file}: PROTOCOL is not the protocol {name}; collect it with Protocol.of({name!r}, ...)")
        for attribute, value in vars(module).items():
            if isinstance(value, Protocol) and all(value is not protocol for protocol in protocols):
                raise _problem(f"{file}: {attribute} is a second protocol, and a module has one; delete it")
    seen: set[str] = set()
    for variant in (variant for protocol in protocols for variant in protocol.variants):
        if variant.name in seen:
            assert variant.source is not None, "a function declares it"
            place = f"{os.path.relpath(variant.source.file)}, line {variant.source.line}"
            raise _problem(f"{place}: the name {variant.name} is taken by a variant of another protocol; rename it")
        seen.add(variant.name)
    folder = Path(str(sys.modules[PACKAGE].__file__)).resolve().parent
    if folder != _INSTALLED:
        for sentence in left_out(folder, protocols):
            raise _problem(sentence)
    return tuple(protocols)


def left_out(folder: Path, protocols: Sequence[Protocol]) -> Iterator[str]:
    """A sentence for each module in a folder that declares something and is part of no protocol: nothing of it would be checked."""
    held = {Path(str(module.__file__)).resolve() for protocol in protocols for module in protocol.modules}
    for path in sorted(folder.rglob("*.py")):
        if path.resolve() in held:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if isinstance(node, ast.FunctionDef) and any(map(_declares, node.decorator_list)):
                place = f"{os.path.relpath(path)}, line {node.lineno}"
                yield f"{place}: {node.name} is declared in a module that no protocol has; name the module in a Protocol.of"
                break


def _declares(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Name) and called.id in language.__all__


# -------------------------------------------------------------------------------------------------------------- a file


def _of_file(given: Path) -> Protocol:
    """The protocol that a file declares, named after the file."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}\.py", given.name):
        sentence = (
            "its protocol is named after it, so call it by lower-case letters, digits and underscores, as in lock.py"
        )
        raise _problem(f"--spec {given}: {sentence}")
    path = given.resolve()
    module = ModuleType(MODULE)
    module.__file__ = str(path)
    sys.modules[MODULE] = module
    exec(_compiled(path, given.stem), vars(module))  # noqa: S102 # a statement is a program; its user has named it
    for name, value in vars(module).items():
        if isinstance(value, Protocol):
            sentence = f"{name} is a protocol: a file is one, collected from what it declares; leave Protocol.of out"
            raise Misdeclared(sentence, declared_at(name, module))
    try:
        protocol = Protocol.of(given.stem.replace("_", "-"), module)
    except TypeError as problem:
        if isinstance(problem, Misdeclared) and problem.source is not None:
            raise
        raise _problem(f"{given}: {problem}") from problem
    if not protocol.actions:
        raise _problem(f"{given}: declares no action, so it is no protocol; declare one with @action")
    if not any(not promise.lemma for promise in protocol.promises) and not protocol.eventualities:
        raise _problem(f"{given}: declares no promise, so nothing can be checked; declare one with @always")
    return protocol


def _compiled(path: Path, name: str) -> CodeType:
    """The code of a module of this name, which does not import itself.

    Raises:
        Problem: it is no Python, or too large, or imports itself.
        SyntaxError: it is not right Python.
    """
    shown = os.path.relpath(path)
    if not path.is_file() or path.stat().st_size > BYTES_MAX:
        raise _problem(f"{shown}: is no file of at most {BYTES_MAX:,} bytes; a module of a specification is one")
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        code = compile(tree, str(path), "exec")
    except (SyntaxError, ValueError, OSError) as problem:
        if isinstance(problem, SyntaxError) and problem.filename is not None:
            raise
        raise _problem(f"{shown}: is not Python ({problem})") from problem
    except (RecursionError, MemoryError) as problem:
        raise _problem(f"{shown}: is nested too deeply for Python; write it in parts") from problem
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and name in _imported(node, name):
            raise _problem(f"{shown}, line {node.lineno}: imports itself; delete the line")
    return code


def _imported(node: ast.Import | ast.ImportFrom, name: str) -> Iterator[str]:
    """The modules, and the names in modules, that a statement of the module of this name imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    above = name.split(".")[: -node.level] if node.level else []
    base = ".".join([*above, *([node.module] if node.module else [])])
    yield base
    yield from (f"{base}.{alias.name}" for alias in node.names)


# ----------------------------------------------------------------------------------------------------- what is wrong


def _problem(sentence: str) -> Problem:
    return Problem(sentence, Exit.BAD_INPUT)


def place_of(problem: BaseException) -> tuple[str, int] | None:
    """The file and line of the specification in use that cannot be loaded; None if the problem is elsewhere."""
    places: list[tuple[str, int]] = []
    if isinstance(problem, Misdeclared) and problem.source is not None:
        places = [(problem.source.file, problem.source.line)]
    elif isinstance(problem, SyntaxError) and problem.filename is not None:
        places = [(problem.filename, problem.lineno or 1)]
    elif isinstance(problem, ImportError) and problem.path is not None:
        places = [(problem.path, 1)]
    places += [(frame.filename, frame.lineno or 1) for frame in reversed(traceback.extract_tb(problem.__traceback__))]
    folder = Path(str(getattr(sys.modules.get(PACKAGE), "__file__", ""))).resolve().parent
    for file, line in places:
        path = Path(file).resolve()
        if path.is_relative_to(folder) or file == str(getattr(sys.modules.get(MODULE), "__file__", "")):
            return str(path), line
    return None


def said_by(problem: BaseException) -> str:
    """What is wrong, in one line."""
    if not isinstance(problem, Exception):
        return f"ends the program ({type(problem).__name__}); a specification only declares"
    if isinstance(problem, RecursionError):
        return "is nested too deeply, or calls itself"
    said = getattr(problem, "sentence", None) or getattr(problem, "msg", None) or str(problem)
    return " ".join(str(said).split()) or type(problem).__name__
