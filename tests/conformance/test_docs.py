"""The reference document says what the specification says."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance import docs
from conformance.commands.docs import docs as command
from spec.on_demand import PROTOCOL


def test_the_document_is_current() -> None:
    assert docs.is_current(PROTOCOL), "spec/protocol.md is stale; write it anew with `ondemand docs`"


def test_a_stale_document_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = tmp_path / "spec" / "protocol.md"
    stale.parent.mkdir()
    stale.write_text(docs.document(PROTOCOL).replace("Newer", "Older").replace("newer", "older"))
    monkeypatch.setattr(docs, "DOCUMENT", stale)
    monkeypatch.setattr("conformance.commands.docs.DOCUMENT", stale)
    result = CliRunner().invoke(command, ["--check"], standalone_mode=False)
    assert result.return_value == 1
    assert "stale" in result.output


def test_every_action_and_promise_stands_in_it() -> None:
    text = docs.document(PROTOCOL)
    for declared in (*PROTOCOL.actions, *PROTOCOL.promises, *PROTOCOL.messages, *PROTOCOL.variants):
        assert f"`{declared.name}" in text
