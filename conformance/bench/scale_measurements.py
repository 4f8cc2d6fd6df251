"""The same changes on a real broker with DPM, NCM and up to a thousand agents, and their cost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from conformance.logs.broker_agents import CountingConnection, Fleet, Tally
from conformance.logs.system import FleetSystem, Progress, apart
from impl.broker.deployment import Deployment
from impl.broker.vpc_topics import MulticastTopics
from impl.core import Event
from impl.message_queue.thresholds import Thresholds
from impl.messages import Kind, Outcome, Pod
from impl.roles.timing import Timing
from impl.service.dpm import DpmService
from impl.service.ncm import NcmService
from impl.transport.interface import Connection

AGENTS: Final = (10, 30, 100, 300, 1_000)
"""Numbers of agents."""

PODS: Final = 10
"""Pods of each host."""

REPEATED: Final = 5
"""Changes of each kind; the figures are their means."""

VPC: Final = "red"
PATIENT: Final = Timing(
    remind_every=600, confirm_max=600, resend_every=600, hello_every=600, asked_first=600, asked_max=600
)
"""No message is repeated, so that only the messages of a change are counted."""

NEVER: Final = 2**63 - 1
LARGE_GROUP: Final = 1
"""A group of one port is large here, so that a VPC of any size can be moved to its topic."""

REVISION: Final = b"\x0a\x0b10.0.0.0/16" * 4 + b"\x00"
"""The content of a revision: some dozen bytes, about as many as the place of a pod."""


@dataclass(frozen=True)
class Change:
    """The cost of one change, as the mean of several."""

    messages: Mapping[str, float]
    """Published messages by kind."""
    bytes: float
    """Bytes of their payloads."""
    received: float
    """Messages received by all agents together."""
    seconds: float
    """Until the change was reported done, or the packet was released."""


@dataclass(frozen=True)
class Measured:
    """The measurements of one network: its size, and its changes by design."""

    agents: int
    pods: int
    setup_seconds: float
    changes: Mapping[str, Change]

    def as_json(self) -> dict[str, Any]:
        """The form in the data file."""
        return asdict(self)


class _Dpm(DpmService):
    """A DPM that counts its events by name in its own thread: its state must not be read from another one."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.seen: Counter[str] = Counter()
        self.done: set[int] = set()
        """Revisions whose outcome is done."""

    def happened(self, event: Event) -> None:
        super().happened(event)
        self.seen[event.name] += 1
        if event.name == "revision ended" and event.fields["outcome"] == Outcome.DONE.value:
            self.done.add(event.fields["revision"])
        if event.name == "switch":
            self.seen[f"to {event.fields['channel']}"] += 1


class _System(FleetSystem):
    """DPM, NCM and a fleet whose messages are counted."""

    def __init__(self, deployment: Deployment, folder: Path, agents: int, progress: Progress) -> None:
        self.tally = Tally()
        super().__init__(deployment, folder, [f"host-{number:04}" for number in range(agents)], progress)
        self.administration = MulticastTopics(deployment)
        self.ncm = NcmService(self.store("ncm"), self.connect, PATIENT)
        self.dpm: _Dpm = _Dpm(
            self.store("dpm"),
            self.connect,
            PATIENT,
            administration=self.administration,
            decision=Thresholds(NEVER, LARGE_GROUP),
        )
        self.fleet = Fleet(deployment, self.hosts, self.tally)
        self.start(self.ncm)
        self.start(self.dpm)

    def connect(self) -> Connection:
        return CountingConnection(super().connect(), self.tally)

    def begin(self) -> None:
        """Registers and greets all hosts, and places all pods."""
        super().begin()
        self.wait("agents greeted by DPM", len(self.hosts), lambda: self.dpm.seen["greet"])
        placed = [
            self.dpm.place(_pod(number, index), host) for number in range(PODS) for index, host in enumerate(self.hosts)
        ]
        self.wait("pods placed", len(placed), lambda: self.dpm.seen["complete"])

    def received(self) -> int:
        """Messages that the agents have received."""
        return sum(agent.received.total() for agent in self.fleet.agents.values())

    def mean(self, change: Callable[[int], float]) -> Change:
        """The mean of several changes. `change` receives its number and returns the seconds that it took."""
        time.sleep(0.3)  # lets confirmations and reports of the last change arrive
        self.tally.take()
        before = self.received()
        seconds = [change(number) for number in range(REPEATED)]
        time.sleep(0.3)
        messages, total = self.tally.take()
        return Change(
            {kind: count / REPEATED for kind, count in sorted(messages.items())},
            total / REPEATED,
            (self.received() - before) / REPEATED,
            sum(seconds) / REPEATED,
        )

    def place_another(self, number: int) -> float:
        """Places a pod and waits for all confirmations; returns the seconds."""
        before, started = self.dpm.seen["complete"], time.perf_counter()
        self.dpm.place(_pod(PODS, number), self.hosts[number % len(self.hosts)])
        self.wait("a pod placed", before + 1, lambda: self.dpm.seen["complete"])
        return time.perf_counter() - started

    def learn_a_route(self, number: int) -> float:
        """Sends a packet to a pod that its host has not sent to before; returns the seconds until it is released."""
        here, there = number, (number + 1) % len(self.hosts)
        source, remote = _pod(0, here), _pod(0, there)
        agent = self.fleet.agents[self.hosts[here]]
        started = time.perf_counter()
        self.fleet.packet(agent.host, number + 1, source, remote)
        self.wait("a packet released", 1, lambda: int(remote in agent.released))
        return agent.released[remote] - started

    def revise(self, number: int) -> float:
        """Publishes a revision of the shared configuration and waits for all confirmations; returns the seconds."""
        started = time.perf_counter()
        effects = self.dpm.revise(VPC, Kind.SUBNET, REVISION[:-1] + bytes([number])).result()
        revision = effects.events[0].fields["revision"]
        self.wait("a revision confirmed", 1, lambda: int(revision in self.dpm.done))
        return time.perf_counter() - started

    def open_topic(self) -> None:
        """Moves the VPC to its topic, with all its hosts."""
        self.dpm.regroup(VPC, LARGE_GROUP).result()
        self.wait("hosts subscribed", 1, lambda: self.dpm.seen["to mq"])

    def stop(self) -> None:
        super().stop()
        self.administration.close()


def _pod(number: int, index: int) -> Pod:
    """The pod with this number at the host with this index."""
    return Pod(VPC, f"10.{number}.{index >> 8}.{index & 255}")


def measure(deployment: Deployment, agents: int, progress: Progress) -> Measured:
    """Measures a network with `agents` agents."""
    started = time.perf_counter()
    with apart(deployment, "scale") as (own, folder):
        system = _System(own, folder, agents, progress)
        try:
            system.begin()
            setup = time.perf_counter() - started
            changes = {
                "on demand": system.mean(system.place_another),
                "a route learned": system.mean(system.learn_a_route),
            }
            system.revise(0)  # the first one creates the producers
            changes["push to all"] = system.mean(system.revise)
            system.open_topic()
            system.revise(0)
            changes["queue as corrected"] = system.mean(system.revise)
        finally:
            system.stop()
    return Measured(agents, PODS, setup, changes)
