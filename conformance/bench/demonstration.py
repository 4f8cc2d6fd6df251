"""The demonstration: one NCM, one test controller in place of DPM, and two hosts with a pod each, on a real broker.

It shows the core of the protocol: host 1 has no route to pod 2 until one of its pods sends to it; the first packet is held while
the agent asks, then released; and neither agent receives messages meant for the other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from conformance.logs.system import WAIT_SECONDS_MAX, running, wait_until
from impl.broker.deployment import Deployment
from impl.broker.hosts import add_host
from impl.core import Effects, Event
from impl.errors import EnvironmentProblem
from impl.events.recorder import Sink
from impl.messages import Granted, Message, Pod, Refused, Route, ToAgent
from impl.service.aca import AcaService
from impl.service.dpm import DpmService
from impl.service.ncm import NcmService
from impl.transport.interface import Delivery
from impl.wire.codec import decode

POD_1: Final = Pod("red", "10.0.0.1")
POD_2: Final = Pod("red", "10.0.0.2")


HOME: Final = {"h1": POD_1, "h2": POD_2}


@dataclass(frozen=True)
class Demonstration:
    """What was observed."""

    knew_before: list[Pod]
    """Pods that host 1 knew before the first packet."""
    knows_after: list[Pod]
    became: list[str]
    """The agent's events for the first packet, in order."""
    first_packet_ms: float
    """From the packet to its release, in milliseconds."""
    second_packet_ms: float
    """The same for a second packet, over the known route."""
    received: dict[str, list[ToAgent]]
    """The messages that each agent received, in order."""

    @property
    def learned_on_demand(self) -> bool:
        """Whether host 1 learned of pod 2 only after a packet was held and the agent asked."""
        return (self.knew_before, self.knows_after) == ([POD_1], [POD_1, POD_2]) and self.became == HELD_AND_RELEASED

    @property
    def neither_received_the_others(self) -> bool:
        """Whether each agent received only messages about its own pod or answers to its own requests."""
        return all(
            message.host == host and (isinstance(message, Granted) or _subject(message) == HOME[host])
            for host, messages in self.received.items()
            for message in messages
        )

    @property
    def holds(self) -> bool:
        """Whether everything was observed that the demonstration is meant to show."""
        return self.learned_on_demand and self.neither_received_the_others

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        return {
            "verdict": "holds" if self.holds else "violated",
            "knew_before": [str(pod) for pod in self.knew_before],
            "knows_after": [str(pod) for pod in self.knows_after],
            "became": self.became,
            "first_packet_ms": round(self.first_packet_ms, 3),
            "second_packet_ms": round(self.second_packet_ms, 3),
            "received": {
                host: [described(message) for message in messages] for host, messages in self.received.items()
            },
        }


HELD_AND_RELEASED: Final = ["ask", "learn", "release"]
"""The agent's events: it holds the packet and asks, learns where the pod is, and releases the packet."""


class Watched(AcaService):
    """An agent that can wait for the end of a packet."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.became: list[str] = []
        """The names of the agent's events since the last packet was sent."""
        self.ended = threading.Event()
        self.ended_at = 0.0
        self.ended_with = ""

    def happened(self, event: Event) -> None:
        super().happened(event)
        self.became.append(event.name)
        if event.name in ("release", "deliver", "give up", "drop"):
            self.ended_at = time.perf_counter()
            self.ended_with = event.name
            self.ended.set()

    def send(self, source: Pod, destination: Pod) -> float:
        """Sends a packet and waits until it is released or dropped; returns the seconds that took."""
        self.submit(Effects).result(WAIT_SECONDS_MAX)  # all work for earlier packets is done after this
        self.ended.clear()
        self.became.clear()
        started = time.perf_counter()
        self.packet(source, destination)
        if not self.ended.wait(WAIT_SECONDS_MAX):
            raise EnvironmentProblem(
                f"Waited {WAIT_SECONDS_MAX:g} s for the packet to {destination}; check that the broker runs"
            )
        return self.ended_at - started

    def knows(self) -> list[Pod]:
        """The pods that the agent knows."""
        known: list[Pod] = []

        def look() -> Effects:
            known.extend(sorted(self.aca.observe()["known"]))
            return Effects()

        self.submit(look).result(WAIT_SECONDS_MAX)
        return known


def demonstrate(deployment: Deployment, say: Callable[[str], None], events: Sink | None = None) -> Demonstration:
    """Runs the demonstration; `say` receives each sentence of the narration, and `events` the services' event logs."""
    with running(deployment) as system:
        ncm = NcmService(system.store("ncm"), system.role("ncm"), events=events)
        dpm = DpmService(system.store("dpm"), system.role("dpm"), events=events)
        system.start(ncm)
        system.start(dpm)
        say("NCM and a test controller in place of DPM have started.")
        agents: dict[str, Watched] = {}
        for host in HOME:
            file = add_host(deployment, host)
            agents[host] = Watched(host, system.store(host), system.agent(file), events=events)
            agents[host].received = []
            system.start(agents[host])
            say(f"Host {host} is registered, and its agent has started with its own token.")
        for host, pod in HOME.items():
            dpm.place(pod, host).result(WAIT_SECONDS_MAX)
            say(f"The controller has placed pod {pod} at {host}.")
        for host, pod in HOME.items():
            wait_until(partial(_knows, agents[host], pod), f"{host} to know {pod}", system.problems)
        wait_until(lambda: not dpm.dpm.pending(), "all changes to be confirmed", system.problems)
        say("Both agents have confirmed, and NCM has reported both changes as done.")
        before = agents["h1"].knows()
        say(f"Host h1 knows {_listed(before)}. It does not know {POD_2}.")
        first = agents["h1"].send(POD_1, POD_2)
        became = list(agents["h1"].became)
        happened = "held until NCM answers, then released" if became == HELD_AND_RELEASED else ", ".join(became)
        say(f"{POD_1} sends its first packet to {POD_2}. It is {happened}: {first * 1000:.2f} ms.")
        second = agents["h1"].send(POD_1, POD_2)
        say(f"The second packet goes directly to h2 over the route that h1 has now: {second * 1000:.2f} ms.")
        after = agents["h1"].knows()
        say(f"Host h1 knows {_listed(after)}. Host h2 knows {_listed(agents['h2'].knows())}: it has not asked.")
        received = {
            host: [item for item in map(_message, agent.received or ()) if isinstance(item, ToAgent)]
            for host, agent in agents.items()
        }
    return Demonstration(before, after, became, first * 1000, second * 1000, received)


def _knows(agent: Watched, pod: Pod) -> bool:
    return pod in agent.knows()


def _listed(pods: Sequence[Pod]) -> str:
    return " and ".join(map(str, pods)) or "no pod"


def _subject(message: ToAgent) -> Pod | None:
    return None if isinstance(message, Refused) else message.pod


def described(message: ToAgent) -> str:
    """A message as one line: its kind, receiver and content."""
    match message:
        case Route(host, epoch, pod, version, place):
            return f"Route for {host} (epoch {epoch}): {pod} version {version} is {_where(place)}"
        case Granted(host, epoch, request, pod, version, place):
            return f"Granted to {host} (epoch {epoch}, request {request}): {pod} version {version} is {_where(place)}"
        case Refused(host, epoch, request, reason):
            return f"Refused to {host} (epoch {epoch}, request {request}): {reason.value}"


def _where(place: str | None) -> str:
    return "gone" if place is None else f"at {place}"


def _message(delivery: Delivery) -> Message:
    return decode(delivery.data)
