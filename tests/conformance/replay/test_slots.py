"""The topology with slots, in lock-step on the real broker: every action happens there, and a wrong core is noticed."""

from __future__ import annotations

from functools import cache

import pytest

from conformance import configurations
from conformance.replay.slots import Cores, Diverges, Driver, run_with
from impl.broker.deployment import Deployment
from impl.core import Send
from impl.messages import Told
from impl.slots.aca import SlotsAca
from impl.slots.dpm import SlotsDpm
from model.reference.state import Trace
from spec.slots.protocol import PROTOCOL

MORE = 12
"""Random steps after the action that a run is for."""

RUNS = [
    ("two-slots", "look_ahead"),
    ("two-slots", "hand_back"),
    ("two-slots", "pass_over"),
    ("lost-consumers", "dismiss"),
    ("lost-consumers", "reattach"),
    ("lost-consumers", "crash"),
    ("lost-consumers", "acknowledge"),
    ("lost-consumers", "hear_leaving"),
    ("one-slot", "be_refused"),
    ("one-slot", "release"),
    ("one-slot", "restart_dpm"),
    ("eavesdropper", "hear_refusal"),
    ("eavesdropper", "swallow"),
    ("eavesdropper", "spy"),
    ("eavesdropper", "forge_applied"),
]
"""A configuration, and the action that a run in it is for; together they have every action."""


@cache
def run(name: str, action: str) -> Trace:
    """A run of a configuration with the action in it."""
    return run_with(PROTOCOL, configurations.find(name, PROTOCOL), action, RUNS.index((name, action)), MORE)


def replay(trace: Trace, deployment: Deployment, cores: Cores | None = None) -> int:
    """Makes it happen on the broker."""
    driver = Driver(trace, deployment, cores)
    try:
        return driver.run()
    finally:
        driver.close()


def test_the_runs_have_every_action() -> None:
    taken = {step.action for name, action in RUNS for step in run(name, action).steps}
    assert taken == {action.name for action in PROTOCOL.actions}


@pytest.mark.parametrize(("name", "action"), RUNS)
def test_a_run_happens_on_the_broker_as_it_is_stated(name: str, action: str, deployment: Deployment) -> None:
    trace = run(name, action)
    assert replay(trace, deployment) == len(trace.steps) >= MORE


class ForgetsWhatItHandsBack(SlotsDpm):
    """The filler keeps the topic moving, and what it was handed is gone."""

    def _newest(self, vpc: str, host: str) -> tuple[Send, ...]:
        return ()


class PublishesToAll(SlotsDpm):
    """Who was never asked is published to."""

    def _by_topic(self, vpc: str, host: str) -> bool:
        return True


class AppliesTheOlder(SlotsAca):
    """What comes again is applied again."""

    def _is_newer(self, revision: int, known: int) -> bool:
        return True


class AcknowledgesAnything(SlotsAca):
    """Every message is acknowledged, and none applied."""

    def _is_newer(self, revision: int, known: int) -> bool:
        return False

    def may_acknowledge(self, message: Told) -> bool:
        return True


WRONG = [
    (Cores(dpm=ForgetsWhatItHandsBack), ("two-slots", "hand_back"), "goal: expected"),
    (Cores(dpm=PublishesToAll), ("lost-consumers", "dismiss"), "goal: expected"),
    (Cores(aca=AppliesTheOlder), ("two-slots", "pass_over"), "known: expected"),
    (Cores(aca=AcknowledgesAnything), ("two-slots", "pass_over"), "known: expected"),
]


@pytest.mark.parametrize(("cores", "run_of", "said"), WRONG, ids=["forgets", "publishes", "older", "acknowledges"])
def test_a_wrong_core_is_noticed(cores: Cores, run_of: tuple[str, str], said: str, deployment: Deployment) -> None:
    with pytest.raises(Diverges, match=said):
        replay(run(*run_of), deployment, cores)
