"""The structure of the repository is part of the design: who may import whom, and what must not be there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("spec", "model", "impl", "conformance")
PROTOCOLS = ("on_demand", "message_queue", "slots", "failover", "small_networks")

ALLOWED = {
    "spec.*": ["spec.*", "model.language.*"],
    "model.*": ["model.*"],
    "impl.*": ["impl.*"],
    "conformance.*": ["conformance.*", "model.*", "impl.*", "spec.*"],
}
"""Imports go one way. The implementation and the specification are two readings that only `conformance` compares."""

CORES = {
    "impl.core": ["impl.messages", "impl.core"],
    "impl.messages": ["impl.messages"],
    **{
        f"impl.{name}.*": ["impl.core", "impl.messages", "impl.errors", f"impl.{name}.*"]
        for name in ("on_demand", "message_queue", "slots")
    },
}
"""A core has no I/O, so it imports nothing that has any."""

PARTS = {
    "impl.storage.*": [
        "impl.storage.*",
        "impl.core",
        "impl.errors",
        "impl.wire.*",
        "impl.broker.*",
        "impl.transport.pulsar",
    ],
    "impl.events.*": [
        "impl.events.*",
        "impl.core",
        "impl.messages",
        "impl.errors",
        "impl.on_demand.*",
        "impl.message_queue.*",
        "impl.broker.*",
        "impl.transport.pulsar",
    ],
    "impl.wire.*": ["impl.wire.*", "impl.messages", "impl.errors"],
    "conformance.report.*": [
        "conformance.report.*",
        "conformance.logs.*",
        "conformance.replay.*",
        "conformance.vectors.*",
        "conformance.shrink.*",
        "conformance.mutation.*",
        "model.*",
        "impl.*",
        "spec.*",
    ],
}
"""What a part of a room may import."""

CORES_USED_BY = [
    "impl.*",
    "conformance.bindings.*",
    "conformance.replay.*",
    "conformance.mutation.*",
    "conformance.logs.fleet",
    "conformance.logs.deployed",
    "conformance.logs.broker_agents",
    "conformance.bench.*",
]
"""Who may import a core. In `conformance` these drive cores; everybody else reads what they report."""

BENCH_USED_BY = ["conformance.bench.*", "conformance.cli.*"]

Z3_USERS = {
    "model.proof.spent",
    "model.proof.symbolic",
    "model.proof.prove",
    "model.proof.used",
    "model.proof.finite_models",
    "model.proof.propositions",
    "model.proof.unrolled",
    "model.proof.bounded",
    "model.agreement.z3_terms",
}
"""The provers, and what evaluates their terms. Everything else works without a solver."""

LINES_MAX = 500


def name_of(path: Path) -> str:
    """The dotted name of a module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def modules() -> Mapping[str, Path]:
    """Every module of the rooms."""
    return {name_of(path): path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))}


@cache
def imports(path: Path) -> frozenset[str]:
    """The full names that a file imports anywhere, for type checkers too; of modules of ours, the modules."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports by full name only"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in modules() else str(node.module))
    return frozenset(found)


@cache
def graph() -> dict[str, set[str]]:
    """Each module of ours with those that it imports."""
    return {name: {found for found in imports(path) if found in modules()} for name, path in modules().items()}


def matches(name: str, patterns: list[str]) -> bool:
    """Whether a module is one of these, or in one of these packages."""
    return any(fnmatch(name, pattern) or name == pattern.removesuffix(".*") for pattern in patterns)


def forbidden(imported: Mapping[str, set[str]], rules: Mapping[str, list[str]]) -> set[tuple[str, str]]:
    """The imports that the rules do not allow."""
    return {
        (name, other)
        for name, others in imported.items()
        for pattern, allowed in rules.items()
        if matches(name, [pattern])
        for other in others
        if not matches(other, allowed)
    }


@pytest.mark.parametrize("rules", [ALLOWED, CORES, PARTS], ids=["rooms", "cores", "parts"])
def test_imports_go_one_way(rules: Mapping[str, list[str]]) -> None:
    assert all(any(matches(name, [pattern]) for name in modules()) for pattern in rules)
    assert forbidden(graph(), rules) == set()


def test_a_forbidden_import_is_noticed() -> None:
    wrong = {
        "impl.on_demand.ncm": {"spec.on_demand.ncm", "impl.core", "impl.storage.store"},
        "model.proof.prove": {"spec"},
    }
    assert forbidden(wrong, ALLOWED) == {("impl.on_demand.ncm", "spec.on_demand.ncm"), ("model.proof.prove", "spec")}
    assert ("impl.on_demand.ncm", "impl.storage.store") in forbidden(wrong, CORES)


def users(patterns: list[str]) -> set[str]:
    """Who imports one of these modules."""
    return {name for name, others in graph().items() if any(matches(other, patterns) for other in others)}


def test_only_what_drives_cores_imports_them() -> None:
    cores = [f"impl.{name}.{role}" for name in PROTOCOLS for role in ("aca", "dpm", "ncm")]
    assert {name for name in users(cores) if not matches(name, CORES_USED_BY)} == set()


def test_only_commands_use_benchmarks() -> None:
    assert {name for name in users(["conformance.bench.*"]) if not matches(name, BENCH_USED_BY)} == set()


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as found:
        return list(found.args[1])
    return []


def test_no_modules_import_each_other_not_even_for_types() -> None:
    assert sum(map(len, graph().values())) > len(modules())
    assert circle(graph()) == []


def test_a_circle_is_noticed() -> None:
    assert circle({"one": {"other"}, "other": {"one"}})


def test_only_the_provers_touch_z3() -> None:
    assert {
        name for name, path in modules().items() if "z3" in {found.split(".")[0] for found in imports(path)}
    } == Z3_USERS


@pytest.mark.parametrize("word", ["Host", "Pod", "NCM", "DPM", "ACA", "Vpc"])
def test_engines_do_not_know_the_protocol(word: str) -> None:
    for name, path in modules().items():
        if name.startswith("model"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert word not in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}, name


def dead(imported: Mapping[str, set[str]], entries: list[str]) -> set[str]:
    """The modules that nothing but tests would use: not imported, and no entry point."""
    used = set().union(*imported.values())
    packages = {name for name in imported if any(other.startswith(f"{name}.") for other in imported)}
    return {name for name in imported if name not in used and name not in packages and not matches(name, entries)}


def test_no_module_is_dead() -> None:
    """A test is no user."""
    commands = ["conformance.cli.*", "impl.cli.*"]
    assert dead(graph(), commands) == set()
    assert dead({"model.one": set(), "model.two": {"model.one"}}, commands) == {"model.two"}


def confusable(imported: Mapping[str, set[str]]) -> set[tuple[str, str]]:
    """A folder, and a basename under which its files import several modules, so that a reader cannot tell which is meant.

    The modules of a protocol's folder are told apart by the protocol, and nobody imports commands.
    """
    found: dict[tuple[str, str], set[str]] = {}
    for name, others in imported.items():
        for other in (name, *others):
            *folders, last = other.split(".")
            if folders and folders[-1] not in (*PROTOCOLS, "cli") and modules().get(other, ROOT).name != "__init__.py":
                found.setdefault((name.rpartition(".")[0], last), set()).add(other)
    return {key for key, reached in found.items() if len(reached) > 1}


def test_no_folder_meets_two_modules_of_one_name() -> None:
    assert confusable({**graph(), "impl.service.toy": {"impl.storage.store"}}) == set()
    assert confusable({"model.a.x": {"model.b.y", "model.c.y"}}) == {("model.a", "y")}


def test_modules_fit_in_the_head() -> None:
    for name, path in modules().items():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= LINES_MAX or path.name.endswith("_pb2.py"), f"{name} has {lines} lines"


OLD_NAMES = (
    *(
        f"conformance/{name}"
        for name in ("commands", "matrix", "mutants", "kills", "queue", "outputs", "show", "watching")
    ),
    *("impl/channel", "impl/recording", "impl/journal", "impl/direct", "impl/alcor", "spec/language", "spec/terms.py"),
    *("ondemand permissive", "--double ", "--dishonest", "kill matrix of"),
)
"""What the tree, its texts and its commands were called; nothing is left under these names."""


def texts() -> Iterator[tuple[Path, str]]:
    """Every text of the repository that people read or write."""
    folders = [ROOT / name for name in (*ROOMS, "tests", "docs", ".ci")]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".md", ".toml", ".yml")]
    for path in [*files, *ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"]:
        if path != Path(__file__) and path.name != "CHANGELOG.md":
            yield path, path.read_text(encoding="utf-8")


def test_nothing_is_left_under_an_old_name() -> None:
    old = re.compile("|".join(map(re.escape, OLD_NAMES)))
    assert [(path.relative_to(ROOT).as_posix(), old.search(text)) for path, text in texts() if old.search(text)] == []


def test_no_text_names_a_registry_or_a_path_of_a_machine() -> None:
    hosts = re.compile(r"https?://[^\s\"']*(pypi|pythonhosted|maven|npmjs|crates\.io|golang)|[^.\w](/work|/root)/")
    assert [
        (path.relative_to(ROOT).as_posix(), hosts.search(text)) for path, text in texts() if hosts.search(text)
    ] == []


PERFORMERS = {
    "impl.process": "says what is to be performed",
    "impl.service.loop": "performs it with a thread, a store and a broker",
    "impl.service.slots": "addresses letters to inboxes",
    "impl.broker.hosts": "an operator's registration",
    "conformance.replay.held_process": "performs it up to the place of a crash",
    "conformance.bindings.message_queue": "what a Byzantine agent acknowledges",
    "conformance.bindings.on_demand": "hands a registration to NCM",
    "conformance.replay.driver": "lets go of a message behind its last use",
    "conformance.bindings.acting_process": "performs it, one whole input at a time",
    "conformance.bindings.slots": "tells the broker, and what a Byzantine agent acknowledges",
    "conformance.bindings.failover": "performs it when the run says so, and is the peer",
    "conformance.logs.broker_agents": "performs it for many agents together",
    "conformance.logs.system": "an operator's registrations",
    "conformance.bench.first_packet": "the raw exchange beside the first packet",
}
"""Who stores, publishes, marks or acknowledges, and why. Every other module leaves that to a process runner."""

DUTIES = {"publish": "letters", "acknowledge": "deliveries", "mark_sent": "outgoing", "append": "effects"}


def performers() -> set[str]:
    """The modules that call a store, a connection or a session to perform the duties of a process."""
    found = set()
    for name, path in modules().items():
        if matches(
            name,
            ["impl.storage.*", "impl.transport.*", "impl.on_demand.*", "impl.message_queue.*", "spec.*", "model.*"],
        ):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DUTIES:
                receiver = ast.unparse(node.func.value)
                wanted = "store" if node.func.attr in ("append", "mark_sent") else ""
                core = receiver.endswith(("core", "super()", "channel", "_topics"))
                if wanted in receiver and not core:
                    found.add(name)
    return found


def test_only_adapters_of_the_process_runner_store_publish_and_acknowledge() -> None:
    assert performers() - PERFORMERS.keys() == set()
    assert {"impl.service.loop", "conformance.replay.held_process", "conformance.logs.broker_agents"} <= performers()
