"""DPM with its filler, and agents, in threads on a real broker: messages at the wrong slot, and messages that are handed back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from conformance.logs.system import System, running, wait_until
from impl.broker.deployment import Deployment
from impl.broker.hosts import add_host
from impl.core import Effects
from impl.messages import Goal, Message, Told
from impl.roles.timing import Timing
from impl.service.slots import SlotsAcaService, SlotsDpmService
from impl.slots.dpm import Member, Stage
from impl.slots.hashing import key_for
from impl.slots.topics import unicast
from impl.storage.store import MemoryStore
from impl.transport.interface import Letter
from impl.transport.pulsar import PulsarConnection
from impl.wire.codec import encode
from tests.impl.intercepting import intercept

WAIT = 20.0
QUICK = Timing(asked_first=1.0, subscribe_max=0.5)


class Recording(SlotsAcaService):
    """An agent that keeps what it receives."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.got: list[Message] = []
        intercept(self, lambda message, topic: self.got.append(message))


@dataclass
class Scene:
    """DPM, and two hosts of VPC red that attend their slots."""

    system: System
    dpm: SlotsDpmService
    agents: dict[str, Recording] = field(default_factory=dict)
    applied: dict[str, list[int]] = field(default_factory=dict)

    def member(self, host: str) -> Member:
        """The state of a host in the VPC, as seen by DPM's own thread."""
        found: list[Member] = []

        def look() -> Effects:
            found.append(self.dpm.dpm.member("red", host))
            return Effects()

        self.dpm.submit(look).result(WAIT)
        return found[0]

    def until_attending(self, host: str) -> None:
        """Waits until a host attends its slot."""
        self.until(lambda: self.member(host).stage == Stage.SUBSCRIBED.value, f"{host} to attend its slot")

    def until(self, condition: object, what: str) -> None:
        """Waits for a condition, with a name and a limit."""
        assert callable(condition)
        wait_until(lambda: bool(condition()), what, self.system.problems)


@pytest.fixture
def scene(deployment: Deployment) -> Iterator[Scene]:
    """Both hosts attend their slots: h1 the first, h2 the second."""
    with running(deployment) as system:

        def as_dpm() -> PulsarConnection:
            return PulsarConnection(deployment, deployment.token("dpm"))

        made = Scene(system, SlotsDpmService(MemoryStore(), as_dpm, deployment, QUICK))
        system.start(made.dpm)
        for host in ("h1", "h2"):
            file, applied = add_host(deployment, host), made.applied.setdefault(host, [])
            made.agents[host] = Recording(
                host,
                MemoryStore(),
                lambda token=file.token: PulsarConnection(deployment, token),
                lambda _vpc, revision, _data, applied=applied: applied.append(revision),
                QUICK,
            )
            system.start(made.agents[host])
            made.dpm.join("red", host).result(WAIT)
        for host in made.agents:
            made.until_attending(host)
        yield made


def test_each_host_is_told_by_its_own_slot(scene: Scene) -> None:
    for host in scene.agents:
        scene.dpm.tell("red", host, host.encode()).result(WAIT)
    scene.until(lambda: [scene.member(host).confirmed for host in ("h1", "h2")] == [1, 2], "both to confirm")
    assert scene.applied == {"h1": [1], "h2": [2]}
    told = {host: [item for item in agent.got if isinstance(item, Told | Goal)] for host, agent in scene.agents.items()}
    assert told == {"h1": [Told("h1", "red", 1, b"h1")], "h2": [Told("h2", "red", 2, b"h2")]}


def test_what_comes_to_anothers_slot_is_not_applied_but_handed_back_and_told_to_its_host(scene: Scene) -> None:
    scene.dpm.tell("red", "h2", b"one").result(WAIT)
    scene.until(lambda: scene.member("h2").confirmed == 1, "h2 to confirm")
    misled = Letter(unicast("red"), encode(Told("h2", "red", 1, b"one")), key_for(1))
    dpm = scene.system.role("dpm")()
    dpm.publish([misled])
    dpm.close()
    scene.until(lambda: scene.member("h1").turn >= 3, "h1 to have been lost and asked again")
    scene.until_attending("h1")
    scene.until(lambda: Goal("h2", 1, "red", 1, b"one") in scene.agents["h2"].got, "h2 to be told directly")
    assert scene.applied["h1"] == []
    scene.dpm.tell("red", "h1", b"two").result(WAIT)
    scene.until(lambda: scene.member("h1").confirmed == 2, "h1 to confirm")
    assert scene.applied == {"h1": [2], "h2": [1]}
