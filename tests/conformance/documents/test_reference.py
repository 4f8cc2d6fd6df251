"""The reference documents agree with the specification."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import docs
from conformance.documents import reference
from conformance.protocols import PROTOCOLS
from model.language import Protocol
from spec.on_demand.protocol import PROTOCOL


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_the_document_is_current(protocol: Protocol) -> None:
    file = reference.document_of(protocol)
    assert reference.is_current(file, reference.document(protocol)), "the document is stale. Run `ondemand docs`."


def test_a_stale_document_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = tmp_path / "spec" / "protocol.md"
    stale.parent.mkdir()
    stale.write_text(reference.document(PROTOCOL).replace("Newer", "Older").replace("newer", "older"))
    where = reference.document_of
    monkeypatch.setattr(docs, "document_of", lambda protocol: stale if protocol is PROTOCOL else where(protocol))
    result = CliRunner().invoke(docs.docs, ["--check"], standalone_mode=False)
    assert result.return_value == 1
    assert "stale" in result.output


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_every_action_and_promise_is_in_the_document(protocol: Protocol) -> None:
    text = reference.document(protocol)
    for declared in (
        *protocol.actions,
        *protocol.promises,
        *protocol.eventualities,
        *protocol.messages,
        *protocol.variants,
    ):
        shared = vars(protocol.extends).values() if protocol.extends else ()
        inherited = any(declared in group for group in shared if isinstance(group, tuple))
        assert inherited or f"`{declared.name}" in text
