"""The lock pins every dependency with hashes, and names no address."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_dependency_is_pinned_with_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "//" not in lock
    pinned = re.findall(r"^([a-z0-9-]+)==\S+ .*\\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", lock, re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["check"], *extras["dev"]]
    assert f"{project['name']}[check]" in extras["dev"], "who develops can run the checks"
    for name in wanted:
        if name.startswith(project["name"]):
            continue
        assert name.replace("_", "-") in pinned, f"{name} is not pinned; type make lock"
