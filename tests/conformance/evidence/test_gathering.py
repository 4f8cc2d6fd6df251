"""How much evidence a check gathers: less of it would be as green."""

from __future__ import annotations

from conformance.evidence import gathering
from conformance.evidence.gathering import Evidence
from conformance.protocols import named
from conformance.replay.targets import TARGETS


def test_random_runs_take_most_actions() -> None:
    """What no run does is not tried: half as many runs take 9 of 14 actions, and one run takes 1."""
    found = Evidence(named("failover"), ())
    gathering._simulate(found, lambda what, done, total, word: None)
    assert found.simulation is not None
    assert len(found.simulation.actions) >= 12


def test_the_implementation_runs_in_memory_and_on_a_broker() -> None:
    """In memory nothing is lost, and no client library is in use."""
    assert TARGETS == ("memory", "pulsar")
