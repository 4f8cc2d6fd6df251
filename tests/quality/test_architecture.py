"""The layout of the repository is part of the design: who may import whom, and what must not be there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("spec", "model", "impl", "conformance")
ALLOWED = {
    "spec": {"spec"},
    "model": {"model", "spec"},
    "impl": {"impl"},
    "conformance": {"conformance", "model", "impl", "spec"},
}
"""Imports go one way. The implementation and the specification are two readings that only `conformance` brings together."""

Z3_USERS = {
    "model/proof/symbolic.py",
    "model/proof/prove.py",
    "model/proof/finite_models.py",
    "model/proof/propositions.py",
    "model/proof/unrolled.py",
    "model/proof/bounded.py",
}
"""The provers. Everything else works without a solver."""


def modules(room: str) -> list[Path]:
    """The Python files of a room."""
    return sorted((ROOT / room).rglob("*.py"))


def statements(path: Path) -> Iterator[ast.AST]:
    """All of a file but what only type checkers follow."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            yield node
            waiting += ast.iter_child_nodes(node)


def imported(path: Path) -> Iterator[str]:
    """The full names of the modules that a file imports, wherever in it."""
    for node in statements(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports by full name only"
            yield str(node.module)


def wrong_imports(room: str, names: set[str]) -> set[str]:
    """The imports that this room may not have."""
    return {name for name in names if name.split(".")[0] in ROOMS and name.split(".")[0] not in ALLOWED[room]}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_one_way(room: str) -> None:
    files = modules(room)
    assert files
    for path in files:
        assert not wrong_imports(room, set(imported(path))), path


def test_a_wrong_import_is_noticed() -> None:
    assert wrong_imports("impl", {"spec.on_demand.ncm", "impl.on_demand.ncm", "json"}) == {"spec.on_demand.ncm"}
    assert wrong_imports("model", {"impl.on_demand.ncm"}) == {"impl.on_demand.ncm"}


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as found:
        return list(found.args[1])
    return []


def test_no_modules_import_each_other() -> None:
    files = [path for room in ROOMS for path in modules(room)]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}
    graph = {
        name: {item for item in imported(path) if item in names} | _from_packages(path, names)
        for name, path in names.items()
    }
    assert sum(map(len, graph.values())) > len(names)
    assert circle(graph) == []


def _from_packages(path: Path, names: Mapping[str, Path]) -> set[str]:
    """Modules that are imported as names of their package: `from spec import ncm`."""
    return {
        f"{node.module}.{alias.name}"
        for node in statements(path)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if f"{node.module}.{alias.name}" in names
    }


def test_a_circle_is_noticed() -> None:
    assert circle({"one": {"other"}, "other": {"one"}})


def test_only_the_provers_touch_z3() -> None:
    users = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in modules(room)
        if any(name.split(".")[0] == "z3" for name in imported(path))
    }
    assert users == Z3_USERS


@pytest.mark.parametrize("word", ["Host", "Pod", "NCM", "DPM", "ACA", "Vpc"])
def test_engines_do_not_know_the_protocol(word: str) -> None:
    for path in modules("model"):
        names = {
            node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)
        }
        assert word not in names, path


def test_no_module_is_dead() -> None:
    """Every module is imported by another, is a command, or is run by make."""
    everything = {path for room in ROOMS for path in modules(room)}
    used = {name for path in [*everything, *(ROOT / "tests").rglob("*.py")] for name in imported(path)}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in everything:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        entry = name.startswith("conformance.cli") or name == "conformance.cli.main" or f"-m {name}" in makefile
        parent, _, last = name.rpartition(".")
        from_parent = parent in used and re.search(
            rf"\bimport\b[^\n]*\b{last}\b|^    {last},$", _sources(), re.MULTILINE
        )
        assert entry or name in used or from_parent or path.name == "__init__.py", f"{name} is imported by nobody"


def _sources() -> str:
    files = [path for room in (*ROOMS, "tests") for path in (ROOT / room).rglob("*.py")]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_modules_fit_in_the_head() -> None:
    for room in ROOMS:
        for path in modules(room):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            assert lines <= 500 or path.name.endswith("_pb2.py"), f"{path} has {lines} lines"
