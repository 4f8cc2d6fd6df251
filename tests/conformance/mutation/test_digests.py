"""A table is stale if anything that its verdicts depend on changed, and only then: a docstring is no rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.mutation import digests
from conformance.mutation.digests import (
    CORES_BY,
    ENGINES,
    LOGS,
    LOGS_BY,
    REPLAYS,
    STATEMENT_BY,
    inputs_of_cores,
    inputs_of_statement,
    modules,
    of_source,
)
from spec.on_demand.protocol import PROTOCOL
from spec.small_networks.protocol import PROTOCOL as SMALL_NETWORKS


def test_the_engines_are_the_modules_that_make_the_table() -> None:
    names = {path.relative_to(digests.ROOT).as_posix() for path in modules(STATEMENT_BY, ENGINES)}
    assert {
        "conformance/mutation/statement.py",
        "model/mutation/rules.py",
        "model/proof/prove.py",
        "model/explore/kernel/search.py",
        "model/language/terms.py",
    } <= names
    assert not any(name.startswith(("impl/", "conformance/cli/")) for name in names)
    assert "model/machines/simulate.py" not in names


def test_statements_have_digests_of_their_own() -> None:
    mine, other = inputs_of_statement(PROTOCOL), inputs_of_statement(SMALL_NETWORKS)
    assert mine["engines"] == other["engines"]
    assert mine["statement"] != other["statement"]
    assert mine["configurations"] != other["configurations"]
    assert ("vectors" in mine, "vectors" in other) == (True, False)


def test_of_cores_everything_that_decides_counts() -> None:
    assert set(inputs_of_cores(PROTOCOL)) == {"statement", "cores", "vectors", "replays", "logs"}
    cores = {f"impl/on_demand/{role}.py" for role in ("dpm", "ncm", "aca")}
    assert set(inputs_of_cores(PROTOCOL)["cores"]) == {*cores, "impl/timers.py", "impl/roles/on_demand_roles.py"}
    replays = {path.relative_to(digests.ROOT).as_posix() for path in modules(CORES_BY, REPLAYS)}
    assert {
        "conformance/replay/lockstep.py",
        "conformance/bindings/on_demand.py",
        "conformance/replay/enabledness.py",
        "conformance/mutation/cores/engines.py",
        "impl/storage/store.py",
        "model/reference/interpreter.py",
    } <= replays
    logs = {path.relative_to(digests.ROOT).as_posix() for path in modules(LOGS_BY, LOGS)}
    assert {"conformance/logs/causal_order.py", "model/matching/fast.py", "impl/events/recorder.py"} <= logs


def test_a_change_to_an_engine_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model" / "engine.py"
    file.parent.mkdir()
    (tmp_path / "model" / "__init__.py").touch()
    file.write_text("from model import other\n", encoding="utf-8")
    (tmp_path / "model" / "other.py").write_text("LIMIT = 1\n", encoding="utf-8")
    monkeypatch.setattr(digests, "ROOT", tmp_path)
    before = digests.of_modules(modules("model.engine", ENGINES))
    (tmp_path / "model" / "other.py").write_text("LIMIT = 2\n", encoding="utf-8")
    after = digests.of_modules(modules("model.engine", ENGINES))
    assert list(digests.changes({"engines": before}, {"engines": after})) == ["engines changed (model/other.py)"]
    (tmp_path / "model" / "third.py").write_text("LIMIT = 3\n", encoding="utf-8")
    file.write_text("from model import other, third\n", encoding="utf-8")
    assert "model/third.py" in digests.of_modules(modules("model.engine", ENGINES)), (
        "an import that is added is followed"
    )


SOURCE = '"""A module."""\n\nLIMIT = 1\n"""A bound."""\n\n\ndef act(x):\n    """An action."""\n    return x > LIMIT\n'


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("A module.", "Something else.", True),
        ("A bound.", "Another sentence,\nover two lines.", True),
        ('    """An action."""\n', "", True),
        ("LIMIT = 1", "# why\nLIMIT = 1  # so many", True),
        ("x > LIMIT", "(x > LIMIT)", True),
        ("x > LIMIT", "x >= LIMIT", False),
        ("LIMIT = 1", "LIMIT = 2", False),
        ("return x > LIMIT", 'return "An action."', False),
    ],
)
def test_prose_and_positions_are_no_part_of_a_digest(old: str, new: str, same: bool) -> None:
    assert old in SOURCE
    assert (of_source(SOURCE.replace(old, new)) == of_source(SOURCE)) is same


CONFIGURATION = 'doc = "Two hosts."\nshows = ["restart"]\n\n[bounds]\nVersion = 2\n'


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("Two hosts.", "Two hosts, and a pod.", True),
        ('["restart"]', '["restart", "place"]', True),
        ("[bounds]", "# so many\n[bounds]", True),
        ("Version = 2", "Version = 3", False),
        ("[bounds]", 'without = ["place"]\n[bounds]', False),
    ],
)
def test_what_a_configuration_is_for_is_no_part_of_a_digest(old: str, new: str, same: bool, tmp_path: Path) -> None:
    assert old in CONFIGURATION
    path = tmp_path / "two-hosts.toml"
    found = []
    for text in (CONFIGURATION, CONFIGURATION.replace(old, new)):
        path.write_text(text, encoding="utf-8")
        found.append(digests.of_files([path]))
    assert (found[0] == found[1]) is same
