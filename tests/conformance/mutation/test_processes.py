"""Processes that tables are made in go through sets in one order, and this one is left as it was."""

from __future__ import annotations

import os

import pytest

from conformance.mutation.kept import Keeping
from conformance.mutation.processes import processes


@pytest.mark.parametrize("before", [None, "17"])
def test_hashes_are_the_same_in_all_of_them(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if before is None:
        monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    else:
        monkeypatch.setenv("PYTHONHASHSEED", before)
    with processes(Keeping(), tasks_max=1) as pool:
        hashes = set(pool.map(hash, ["a name", "a name"]))
    assert len(hashes) == 1
    assert os.environ.get("PYTHONHASHSEED") == before
