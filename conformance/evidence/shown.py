"""What explorations have shown: nothing that was not reached, and nothing that was not asked, is green.

What is promised of a claim that is never reached, or of an action that is never taken, holds of nothing. All named configurations
of a protocol together can tell, or the one in the user's file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from conformance import configurations
from impl.cli.console import listed
from model.explore.explore import Exploration
from model.explore.liveness import Liveness
from model.language import Protocol
from model.language.checks import unwritten
from model.proof.spent import always_spent
from model.reference.configuration import Configuration


def unreached(protocol: Protocol, explorations: Sequence[Exploration]) -> list[str]:
    """What must be reachable, and was not reached; what a smaller protocol declares is asked there."""
    inherited = protocol.extends.sometimes if protocol.extends else ()
    reached = {name for exploration in explorations for name in exploration.reached}
    return [one.name for one in protocol.sometimes if one.name not in reached and one not in inherited]


def untaken(protocol: Protocol, explorations: Sequence[Exploration]) -> list[str]:
    """The actions that were never taken."""
    inherited = protocol.extends.actions if protocol.extends else ()
    taken = {name for exploration in explorations for name in exploration.actions}
    return [action.name for action in protocol.actions if action.name not in taken and action not in inherited]


def leaves_out(configuration: Configuration, action: str) -> bool:
    """Whether a configuration says that an action does not occur in it."""
    return action in configuration.without or configuration.only.get(action) == ()


def promises_nothing(protocol: Protocol) -> list[str]:
    """A sentence, if a protocol promises nothing that holds in states or steps, and for each promise of what cannot occur."""
    if not any(not promise.lemma for promise in protocol.promises):
        sentence = "states no promise about states or steps, so none was checked; declare one with @always."
        return [f"{protocol.name} {sentence}"]
    sentences = list(unwritten(protocol))
    for message in always_spent(protocol):
        said = "is spent in every state, so what is promised of it while it is unspent holds of nothing"
        sentences.append(f"{message} {said}: correct the condition under which it is spent.")
    return sentences


def unasked(protocol: Protocol, explorations: Sequence[Exploration]) -> list[str]:
    """A sentence for each reason why these explorations say nothing, whatever others show."""
    idle = [exploration.configuration for exploration in explorations if not exploration.actions]
    if not idle:
        return promises_nothing(protocol)
    sentence = f"No action is taken in {listed(idle)}, so only the initial state was visited: allow what is left out."
    return [*promises_nothing(protocol), sentence]


def vacuous(protocol: Protocol, explorations: Sequence[Exploration]) -> list[str]:
    """A sentence for each claim and action for which these explorations, which are all that there are, say nothing."""
    where = listed(exploration.configuration for exploration in explorations)
    alone = None
    if len(explorations) == 1:
        alone = configurations.find(configurations.given(explorations[0].configuration), protocol)
    sentences = unasked(protocol, explorations)
    for name in unreached(protocol, explorations):
        sentences.append(
            f"{name} must be reachable, and is not reached in {where}: enlarge a configuration, or correct the claim or an action."
        )
    for name in untaken(protocol, explorations):
        if alone is None or not leaves_out(alone, name):
            said = "its guard" if alone is None else f"its guard, or say without = [{name!r}]"
            sentences.append(f"{name} is never taken in {where}: enlarge a configuration, or correct {said}.")
    return sentences


def shown(exploration: Exploration, protocol: Protocol, configuration: Configuration) -> Exploration:
    """The exploration; violated, if the configuration does not show what it says that it is for."""
    if exploration.verdict != "holds":
        return exploration
    hopes = {eventuality.name for eventuality in protocol.eventualities}
    variants = {variant.name: variant for variant in protocol.variants}
    seen = {*exploration.actions, *exploration.reached, *hopes}  # eventualities are for `live`
    missing = [name for name in configuration.shows if name not in seen and name not in variants]
    for variant in (variants[name] for name in configuration.shows if name in variants):
        # Imported here: it brings the implementation and all that replays it, which most explorations do not need.
        from conformance.evidence.variants import promises_of, refuted_by_exploration

        if not promises_of(variant) or refuted_by_exploration(variant, protocol, configuration).trace is None:
            missing.append(variant.name)
    return replace(exploration, verdict="violated", violated=_missing(missing)) if missing else exploration


def not_asked(liveness: Liveness, configuration: Configuration) -> dict[str, str]:
    """The eventualities that a configuration is for and that nothing asks for in it, each with a sentence."""
    if not liveness.complete:
        return {}
    hopes = {outcome.eventuality.name: outcome.occurred for outcome in liveness.outcomes}
    missing = [name for name in configuration.shows if hopes.get(name) == 0]
    return {name: f"{configuration.name}: {_missing([name])}: the premise is never true." for name in missing}


def _missing(names: Sequence[str]) -> str:
    return f"does not show {listed(names)}, for which it is there"
