"""The topology with slots: no claim is vacuous, its eventualities are decided, and its known weaknesses are shown."""

from __future__ import annotations

import pytest

from conformance import configurations
from model.explore.explore import Exploration, explore
from model.explore.live import live
from model.language import Deviation, Eventuality
from model.reference.configuration import Configuration
from spec.slots.protocol import PROTOCOL

NAMES = configurations.names(PROTOCOL)


def configuration(name: str) -> Configuration:
    """A named configuration."""
    return configurations.find(name, PROTOCOL)


def test_every_state_keeps_every_promise_and_nothing_is_vacuous() -> None:
    found: list[Exploration] = [explore(PROTOCOL, configuration(name)) for name in NAMES]
    assert [(one.configuration, one.verdict, one.violated) for one in found if one.verdict != "holds"] == []
    assert set().union(*(one.actions for one in found)) == {action.name for action in PROTOCOL.actions}
    assert set().union(*(one.reached for one in found)) == {claim.name for claim in PROTOCOL.sometimes}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_promised_eventually_happens(name: str) -> None:
    decided = live(PROTOCOL, configuration(name))
    assert decided.verdict == "holds"
    assert all(outcome.occurred == outcome.goals for outcome in decided.outcomes)
    # With a Byzantine host, only promises hold that do not depend on the correctness of all; without a correct one, of any.
    of_dpm = {"asking_ends", "no_slot_stays_unattended"}
    of_each = of_dpm | {"leaving_ends", "what_is_applied_is_confirmed"}
    assert {outcome.eventuality.name for outcome in decided.outcomes if outcome.occurred} == {
        "starts-twice": of_dpm,
        "two-topics-of-a-stranger": of_dpm,
        "eavesdropper": of_each,
        "a-spy": of_each,
    }.get(name, {one.name for one in PROTOCOL.eventualities})


@pytest.mark.parametrize("weakness", ["a_stranger_reads", "a_stranger_swallows", "a_stranger_confirms"])
def test_a_slot_is_no_isolation(weakness: str) -> None:
    """The known weakness: one Byzantine agent can read, swallow and forge, and no rule for slots prevents it."""
    assert explore(PROTOCOL, configuration("eavesdropper")).reached[weakness] > 0
    assert weakness not in explore(PROTOCOL, configuration("two-slots")).reached


def test_every_eventuality_has_a_variant_that_breaks_it() -> None:
    broken = {one for variant in PROTOCOL.variants for one in variant.breaks if isinstance(one, Eventuality)}
    assert broken == set(PROTOCOL.eventualities)
    assert {variant.kind for variant in PROTOCOL.variants} == set(Deviation)
