"""The rows of configurations that show less, and the engines that notice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from conformance import configurations
from conformance.evidence import reviewed
from conformance.evidence.shown import not_asked, shown
from conformance.mutation.table import Answer, Check, Kill, Row
from model.explore.explore import explore
from model.explore.live import live
from model.language import Protocol
from model.mutation.smaller import ACTION, CHOICE, EVENTUALLY, ConfigurationMutant, configuration_mutants

STATES_MAX: Final = 100_000
"""The states of a configuration whose mutants are explored: seconds for each, since it has a kernel of its own.

An action that does not occur is compared with what the configuration is for, and so is whatever a larger one leaves out.
"""

UNREAD: Final = {configurations.LIVE: (), configurations.SCENARIOS: (ACTION, CHOICE, EVENTUALLY)}
"""Rules about what an engine does not read of a configuration, by its folder; exploration reads no eventualities."""


def of_configurations(protocol: Protocol) -> Iterator[Row]:
    """The rows of smaller configurations."""
    agreed = reviewed.read(reviewed.file_of(protocol))
    for name, path in configurations.paths(protocol).items():
        for mutant in configuration_mutants(protocol, configurations.find(name, protocol)):
            if mutant.rule in UNREAD.get(path.parent.name, (EVENTUALLY,)):
                continue
            kill = _purpose_lost(protocol, mutant)
            answers: dict[str, Answer] = {"purpose": kill or "survives"}
            if kill is None:
                pinned_anew = replace(mutant.configuration, pinned=mutant.original.pinned)
                said = reviewed.of_configuration(pinned_anew, protocol)
                is_listed = said != agreed.get(("configuration", name))
                answers["listed"] = Kill(Check("reviewed", name)) if is_listed else "survives"
            yield Row(mutant.name, name, mutant.rule, answers)


def _purpose_lost(protocol: Protocol, mutant: ConfigurationMutant) -> Kill | None:
    """What the configuration is for, and the mutant does not show."""
    original, smaller = mutant.original, mutant.configuration
    if mutant.about in original.shows:
        return Kill(Check("configuration", original.name), mutant.about)
    if mutant.rule in (ACTION, EVENTUALLY):
        return None
    if original.name in configurations.live_names(protocol):
        decided = live(protocol, smaller)
        unlike = [each.eventuality.name for each in decided.outcomes if each.verdict != "holds"]
        unlike += [name for name in not_asked(decided, smaller) if not unlike]
        return Kill(Check("configuration", original.name), unlike[0]) if unlike else None
    if 0 < original.pinned.get("distinct", 0) <= STATES_MAX:
        found = shown(explore(protocol, smaller), protocol, smaller)
        if found.verdict == "violated":
            return Kill(Check("configuration", original.name), found.violated)
    return None
