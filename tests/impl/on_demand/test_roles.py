"""What roles do by the clock alone, which the statement leaves open, so that replays do not cover it."""

from __future__ import annotations

import pytest

from impl.core import Effects
from impl.messages import Granted, Message, Pod, Registered, Route
from impl.on_demand.aca import Aca
from impl.roles.on_demand_roles import AcaRole
from impl.roles.timing import Timing
from impl.timers import Timer

POD = Pod("red", "10.0.0.1")


@pytest.mark.parametrize(
    ("message", "is_heard"),
    [
        (Route("h1", 2, POD, 1, "h1"), True),
        (Route("h1", 1, POD, 1, "h1"), False),
        (Route("h2", 2, POD, 1, "h1"), False),
        (Registered("h1"), False),
    ],
    ids=["its epoch", "an earlier epoch", "another agent", "another kind"],
)
def test_an_agent_greets_again_until_a_message_shows_that_it_was_met(message: Message, is_heard: bool) -> None:
    role = AcaRole(Aca("h1"), Timing(hello_every=1.0))
    role.begin()
    role.begin()
    assert list(role.due(0.0)) == []
    role.take(message, "inbox-h1")
    assert list(role.due(1.0)) == ([] if is_heard else [Timer("say_hello")])
    assert list(role.due(1.5)) == []
    assert list(role.due(2.5)) == ([] if is_heard else [Timer("say_hello")])


@pytest.mark.parametrize("uses", ["a packet", "a newer version", "nothing"])
def test_a_route_in_use_is_not_evicted(uses: str) -> None:
    role = AcaRole(Aca("h1"), Timing(idle_max=10.0, hello_every=100.0))
    other, core = Pod("red", "10.0.0.2"), role.core

    def done(effects: Effects) -> None:
        for event in effects.events:
            role.happened(event)

    done(role.begin())
    done(core.receive(Route("h1", 1, POD, 1, "h1")))
    done(core.packet(1, POD, other))
    done(core.receive(Granted("h1", 1, 1, other, 1, "h2")))
    assert list(role.due(0.0)) == []
    if uses == "a packet":
        done(core.packet(2, POD, other))
    elif uses == "a newer version":
        done(core.receive(Route("h1", 1, other, 2, "h3")))
    assert list(role.due(8.0)) == []
    evicted = [Timer("evict", (other,))]
    assert list(role.due(10.0)) == (evicted if uses == "nothing" else [])
    assert list(role.due(18.0)) == ([] if uses == "nothing" else evicted)
