"""Limits of an agent that no bounded configuration reaches, so that neither replays nor logs cover them."""

from __future__ import annotations

import pytest

from impl.messages import Applied, Pod, Route
from impl.on_demand import aca as module
from impl.on_demand.aca import PACKETS_HELD_MAX, Aca

SOURCE = Pod("red", "10.0.0.1")


@pytest.fixture
def agent() -> Aca:
    """An agent that has started, with one local pod."""
    started = Aca("h1")
    started.start()
    started.receive(Route("h1", 1, SOURCE, 1, "h1"))
    return started


def held(agent: Aca, count: int) -> None:
    """Makes this many packets wait, each for a different pod."""
    for number in range(count):
        effects = agent.packet(number, SOURCE, Pod("red", f"10.1.{number >> 8}.{number & 255}"))
        assert [event.name for event in effects.events] == ["ask"]


def test_no_more_packets_are_held_than_fit_and_the_next_is_dropped_with_the_reason(agent: Aca) -> None:
    held(agent, PACKETS_HELD_MAX)
    effects = agent.packet(PACKETS_HELD_MAX, SOURCE, Pod("red", "10.2.0.1"))
    (event,) = effects.events
    assert (event.name, event.fields["reason"]) == ("drop", "too many packets are held")
    assert (event.fields["source"], event.fields["destination"]) == (SOURCE, Pod("red", "10.2.0.1"))
    assert not effects.sends
    assert len(agent.observe()["waiting"]) == PACKETS_HELD_MAX == 10_000


def test_an_answer_makes_room(agent: Aca, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKETS_HELD_MAX", 2)
    held(agent, 2)
    agent.time_out(1)
    assert agent.packet(3, SOURCE, Pod("red", "10.2.0.1")).sends


def test_what_is_known_is_confirmed_again_since_ncm_repeats_only_what_it_has_not_heard(agent: Aca) -> None:
    effects = agent.receive(Route("h1", 1, SOURCE, 1, "h1"))
    assert effects.record is None
    assert [send.message for send in effects.sends] == [Applied("h1", 1, SOURCE, 1)]
