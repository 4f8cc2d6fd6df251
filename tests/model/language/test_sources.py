"""Every declaration knows its source line, for readers of a build's output; no statement depends on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conformance.protocols import PROTOCOLS
from model.language import Protocol, Source
from spec.on_demand.protocol import PROTOCOL


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda one: one.name)
def test_every_claim_and_action_stands_where_it_says(protocol: Protocol) -> None:
    declared = (*protocol.promises, *protocol.eventualities, *protocol.actions, *protocol.messages, *protocol.variants)
    lines: dict[str, list[str]] = {}
    for item in declared:
        source = item.source
        assert source is not None, item
        text = lines.setdefault(source.file, Path(source.file).read_text(encoding="utf-8").splitlines())
        assert text[source.line - 1].startswith(f"def {item.name}("), (item, source)
        assert protocol.declaration(item.name) in (item, None)


def test_the_changed_action_of_a_variant_stands_with_the_variant() -> None:
    for variant in PROTOCOL.variants:
        (changed,) = (action for action in PROTOCOL.with_variant(variant).actions if action is variant.action)
        assert changed.source == variant.source != variant.replaces.source


def test_a_name_that_is_not_declared_is_none() -> None:
    assert PROTOCOL.declaration("deadlock") is None
    relation = PROTOCOL.declaration("told")
    assert relation is not None
    assert relation.source is None, "a relation is made by no function"


def test_where_a_declaration_stands_is_no_part_of_the_statement() -> None:
    (action, *others) = PROTOCOL.actions
    moved = replace(action)
    object.__setattr__(moved, "name", action.name)
    object.__setattr__(moved, "_begins", Source("elsewhere.py", 7))
    assert moved.source == Source("elsewhere.py", 7), (
        "of a file that cannot be read the first line is all that is known"
    )
    assert replace(PROTOCOL, actions=(moved, *others)).digest() == PROTOCOL.digest()
