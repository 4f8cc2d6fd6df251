"""The demonstration: one NCM, one test controller in DPM's place, two hosts with a pod each, on a real broker, free-running.

It shows what the protocol is about: host 1 knows nothing of pod 2 until a pod of its own sends to it; the first packet is held,
asked for and released; and neither agent receives what is the other's.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from impl import messages as m
from impl.broker.deployment import Deployment
from impl.broker.topics import prepare
from impl.core import Effects, Event
from impl.errors import EnvironmentProblem
from impl.hosts import AgentFile, add_host
from impl.messages import Pod
from impl.service.aca import AcaService
from impl.service.dpm import DpmService
from impl.service.loop import Service
from impl.service.ncm import NcmService
from impl.store import SqliteStore
from impl.transport.pulsar import PulsarConnection

WAIT_SECONDS_MAX: Final = 30.0
"""For anything that the demonstration waits for; it takes milliseconds."""

POD_1: Final = Pod("red", "10.0.0.1")
POD_2: Final = Pod("red", "10.0.0.2")


@dataclass(frozen=True)
class Demonstration:
    """What was seen."""

    knew_before: list[str]
    """Pods that host 1 knew before the first packet."""
    knows_after: list[str]
    first_packet_ms: float
    """From the packet to its release, in milliseconds."""
    second_packet_ms: float
    """A packet over the route that is known now."""
    received: dict[str, list[str]]
    """The messages that each agent received, in order."""

    @property
    def holds(self) -> bool:
        """Host 1 learned of pod 2 on demand only, and neither agent received what is the other's."""
        other = {"h1": "h2", "h2": "h1"}
        leaked = any(other[host] in text.split()[1] for host, texts in self.received.items() for text in texts)
        about_pod_1 = any("10.0.0.1" in text for text in self.received["h2"])
        return str(POD_2) not in self.knew_before and str(POD_2) in self.knows_after and not leaked and not about_pod_1


class System:
    """Services of one deployment, each in a thread of its own, with stores in a temporary folder."""

    def __init__(self, deployment: Deployment, folder: Path) -> None:
        self.deployment = deployment
        self._folder = folder
        self._threads: list[tuple[Service, threading.Thread]] = []
        self.problems: list[BaseException] = []

    def start(self, service: Service) -> None:
        """Runs a service, and waits until it is ready."""

        def run() -> None:
            try:
                service.run()
            except BaseException as problem:
                self.problems.append(problem)
                raise

        thread = threading.Thread(target=run, name=service.process)
        thread.start()
        self._threads.append((service, thread))
        wait_until(service.ready.is_set, f"{service.process} to be ready", self.problems)

    def store(self, process: str) -> SqliteStore:
        """A store for a process."""
        return SqliteStore(self._folder / f"{process}.sqlite", process)

    def role(self, role: str) -> Callable[[], PulsarConnection]:
        """How DPM or NCM connects."""
        return lambda: PulsarConnection(self.deployment, self.deployment.token(role))

    def agent(self, file: AgentFile) -> Callable[[], PulsarConnection]:
        """How an agent connects: with nothing but its own file."""
        return lambda: PulsarConnection(file.deployment(), file.token)

    def stop(self) -> None:
        """Stops all services, the last one first."""
        for service, thread in reversed(self._threads):
            service.stop()
            thread.join(WAIT_SECONDS_MAX)


@contextmanager
def running(deployment: Deployment) -> Iterator[System]:
    """A system for the length of a block."""
    prepare(deployment)
    with tempfile.TemporaryDirectory(prefix="ondemand-demo-") as folder:
        system = System(deployment, Path(folder))
        try:
            yield system
        finally:
            system.stop()


def wait_until(condition: Callable[[], bool], what: str, problems: list[BaseException]) -> None:
    """Waits for a condition, with a limit and a name."""
    end = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        if problems:
            raise problems[0]
        if time.monotonic() > end:
            raise EnvironmentProblem(f"Waited {WAIT_SECONDS_MAX:g} s for {what}; see that the broker runs")
        time.sleep(0.002)


class Watched(AcaService):
    """An agent whose released packets can be waited for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.ended = threading.Event()
        self.ended_at = 0.0
        self.ended_with = ""

    def happened(self, event: Event) -> None:
        super().happened(event)
        if event.name in ("release", "deliver", "give up", "drop"):
            self.ended_at = time.perf_counter()
            self.ended_with = event.name
            self.ended.set()

    def send(self, source: Pod, destination: Pod) -> float:
        """Sends a packet, and waits until it is on its way; returns the seconds that took."""
        self.ended.clear()
        started = time.perf_counter()
        self.packet(source, destination)
        if not self.ended.wait(WAIT_SECONDS_MAX):
            raise EnvironmentProblem(
                f"Waited {WAIT_SECONDS_MAX:g} s for the packet to {destination}; see that the broker runs"
            )
        return self.ended_at - started

    def knows(self) -> list[str]:
        """The pods that the agent knows."""
        known: list[str] = []

        def look() -> Effects:
            known.extend(sorted(map(str, self.aca.observe()["known"])))
            return Effects()

        self.submit(look).result(WAIT_SECONDS_MAX)
        return known


def demonstrate(deployment: Deployment, say: Callable[[str], None]) -> Demonstration:
    """Runs the demonstration; `say` is told what happens."""
    with running(deployment) as system:
        ncm = NcmService(system.store("ncm"), system.role("ncm"))
        dpm = DpmService(system.store("dpm"), system.role("dpm"))
        system.start(ncm)
        system.start(dpm)
        agents: dict[str, Watched] = {}
        for host in ("h1", "h2"):
            file = add_host(deployment, host)
            agents[host] = Watched(host, system.store(host), system.agent(file))
            agents[host].keep_received = True
            system.start(agents[host])
            say(f"Host {host} is registered, and its agent has started.")
        dpm.place(POD_1, "h1").result(WAIT_SECONDS_MAX)
        dpm.place(POD_2, "h2").result(WAIT_SECONDS_MAX)
        say(f"The controller has placed {POD_1} at h1 and {POD_2} at h2.")
        wait_until(lambda: str(POD_1) in agents["h1"].knows(), f"h1 to know {POD_1}", system.problems)
        wait_until(lambda: str(POD_2) in agents["h2"].knows(), f"h2 to know {POD_2}", system.problems)
        wait_until(lambda: not dpm.dpm.pending(), "all changes to be confirmed", system.problems)
        say("Both changes are confirmed, and reported done.")
        before = agents["h1"].knows()
        say(f"Host h1 knows {', '.join(before)}: nothing of {POD_2}.")
        first = agents["h1"].send(POD_1, POD_2)
        say(f"The first packet to {POD_2} was held, asked for and released: {first * 1000:.2f} ms.")
        second = agents["h1"].send(POD_1, POD_2)
        say(f"The second one went straight: {second * 1000:.2f} ms.")
        after = agents["h1"].knows()
        received = {host: [_said(message) for message in agent.received] for host, agent in agents.items()}
    return Demonstration(before, after, first * 1000, second * 1000, received)


def _said(message: m.Message) -> str:
    """A message in a line: what it is, for whom, and about what."""
    host = getattr(message, "host", "")
    rest = {
        name: getattr(message, name)
        for name in type(message).__dataclass_fields__
        if name != "host" and getattr(message, name) is not None
    }
    return f"{type(message).__name__} {host} " + ", ".join(f"{name}={value}" for name, value in rest.items())
