"""A table is of today's statement and engines, or it is said to be of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.mutation import digests
from conformance.mutation.digests import MADE_BY, digests_of, modules
from spec.failover.protocol import PROTOCOL as FAILOVER
from spec.on_demand.protocol import PROTOCOL


def test_the_engines_are_the_modules_that_make_the_table() -> None:
    names = {path.relative_to(digests.ROOT).as_posix() for path in modules(MADE_BY)}
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
    mine, other = digests_of(PROTOCOL), digests_of(FAILOVER)
    assert mine["engines"] == other["engines"]
    assert mine["statement"] != other["statement"]
    assert mine["configurations"] != other["configurations"]
    assert ("vectors" in mine, "vectors" in other) == (True, False)


def test_a_change_to_an_engine_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model" / "engine.py"
    file.parent.mkdir()
    (tmp_path / "model" / "__init__.py").touch()
    file.write_text("from model import other\n", encoding="utf-8")
    (tmp_path / "model" / "other.py").write_text("LIMIT = 1\n", encoding="utf-8")
    monkeypatch.setattr(digests, "ROOT", tmp_path)
    before = digests.of_files(modules("model.engine"))
    (tmp_path / "model" / "other.py").write_text("LIMIT = 2\n", encoding="utf-8")
    assert digests.of_files(modules("model.engine")) != before
