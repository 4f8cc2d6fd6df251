"""A configuration that shows less is noticed by what it is for, or by the reviewed list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import pytest

from conformance import configurations
from conformance.evidence import reviewed
from conformance.mutation.claims import configuration_rows
from conformance.mutation.claims.configuration_rows import of_configurations
from conformance.protocols import PROTOCOLS
from model.explore.explore import explore
from model.language import Protocol
from model.mutation.smaller import configuration_mutants
from model.reference.configuration import Configuration
from spec.failover.protocol import PROTOCOL as FAILOVER
from spec.small_networks.protocol import PROTOCOL as SMALL_NETWORKS


def every(protocol: Protocol) -> Iterator[tuple[str, str, str]]:
    """Name, rule and original of all mutants."""
    for name in configurations.paths(protocol):
        for mutant in configuration_mutants(protocol, configurations.find(name, protocol)):
            yield mutant.name, mutant.rule, name


def test_every_rule_makes_mutants_and_each_has_a_name_of_its_own() -> None:
    assert {rule for protocol in PROTOCOLS for _, rule, _ in every(protocol)} == {
        *("bound", "member", "constant", "choice", "action", "eventually")
    }
    for protocol in PROTOCOLS:
        names = [name for name, _, _ in every(protocol)]
        assert len(set(names)) == len(names)


def test_smaller_configurations_have_fewer_states() -> None:
    original = configurations.find("two-tenants", SMALL_NETWORKS)
    counts = {
        mutant.name: explore(SMALL_NETWORKS, mutant.configuration).distinct
        for mutant in configuration_mutants(SMALL_NETWORKS, original)
        if mutant.rule not in ("action", "eventually")
    }
    assert len(counts) == 7
    assert max(counts.values()) < original.pinned["distinct"]


def test_what_a_configuration_is_for_is_lost_with_a_pod() -> None:
    rows = {row.name: row for row in of_configurations(SMALL_NETWORKS) if row.of == "two-tenants"}
    kill = rows["two-tenants: without the Pod p3"].kills["purpose"]
    assert kill.where == "does not show tells_another_pod_in_advance, for which it is there"


def test_what_the_reviewed_list_does_not_state_could_shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration_rows, "_purpose_lost", lambda protocol, mutant: None)
    assert {row.fate for row in of_configurations(FAILOVER)} == {"killed"}
    others = [each for each in fields(Configuration) if each.name != "bounds"]
    before = {row.name for row in of_configurations(FAILOVER) if row.rule == "bound"}
    monkeypatch.setattr(reviewed, "fields", lambda _: others)
    without = {
        ("configuration", name): reviewed.of_configuration(configurations.find(name, FAILOVER), FAILOVER)
        for name in configurations.paths(FAILOVER)
    }
    monkeypatch.setattr(reviewed, "read", lambda _: without)
    assert {row.name for row in of_configurations(FAILOVER) if row.fate == "survives"} == before
