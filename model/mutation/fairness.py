"""Mutants of fairness: an obligation that is dropped, or one that nobody has."""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.language import Action, Protocol


@dataclass(frozen=True)
class FairnessMutant:
    """An action that is fair and should not be, or is not and should."""

    name: str
    """Unique within the protocol: `action: what is wrong`."""
    original: Action
    action: Action
    rule: str
    """`unfair` or `fair`."""


def fairness_mutants(protocol: Protocol) -> list[FairnessMutant]:
    """One for each action that the protocol does not share with one that it extends."""
    inherited = protocol.extends.actions if protocol.extends else ()
    found = []
    for original in protocol.actions:
        if original not in inherited:
            action = replace(original, fair=not original.fair)
            object.__setattr__(action, "name", original.name)
            words, rule = ("need not be taken", "unfair") if original.fair else ("has to be taken", "fair")
            found.append(FairnessMutant(f"{original.name}: {words}", original, action, rule))
    return found


def with_fairness(protocol: Protocol, mutant: FairnessMutant) -> Protocol:
    """The protocol with the mutant in place of the action."""
    actions = tuple(mutant.action if action is mutant.original else action for action in protocol.actions)
    return replace(protocol, actions=actions)
