"""The same changes on a real broker with DPM, NCM and up to a thousand agents, and their cost."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from conformance.logs.broker_agents import CountingConnection, Fleet, Tally, by_pool
from impl.broker import topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.broker.hosts import registration_number
from impl.broker.vpc_topics import MulticastTopics
from impl.core import Event
from impl.errors import EnvironmentProblem
from impl.message_queue.thresholds import Thresholds
from impl.messages import Kind, Outcome, Pod, Registered
from impl.roles.timing import Timing
from impl.service.dpm import DpmService
from impl.service.loop import Service
from impl.service.ncm import NcmService
from impl.storage.store import SqliteStore
from impl.transport.interface import Letter
from impl.transport.pulsar import PulsarConnection
from impl.wire.codec import encode

AGENTS: Final = (10, 30, 100, 300, 1_000)
"""Numbers of agents."""

PODS: Final = 10
"""Pods of each host."""

REPEATED: Final = 5
"""Changes of each kind; the figures are their means."""

VPC: Final = "red"
WAIT_SECONDS_MAX: Final = 300.0
"""Timeout for greeting all hosts and for placing all pods."""

PATIENT: Final = Timing(
    remind_every=600, confirm_max=600, resend_every=600, hello_every=600, asked_first=600, asked_max=600
)
"""No message is repeated, so that only the messages of a change are counted."""

NEVER: Final = 2**63 - 1
LARGE_GROUP: Final = 1_000_000
REVISION: Final = b"\x0a\x0b10.0.0.0/16" * 4 + b"\x00"
"""The content of a revision: some dozen bytes, about as many as the place of a pod."""

Progress = Callable[[int, str], None]


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


class _Ncm(NcmService):
    """An NCM that counts its events by name."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.seen: Counter[str] = Counter()

    def happened(self, event: Event) -> None:
        super().happened(event)
        self.seen[event.name] += 1


class _System:
    """DPM, NCM and a fleet, in their own namespace."""

    def __init__(self, deployment: Deployment, agents: int, folder: Path, progress: Progress) -> None:
        self.tally = Tally()
        self.hosts = [f"host-{number:04}" for number in range(agents)]
        self.deployment = deployment
        self._threads: list[tuple[Service, threading.Thread]] = []
        self.problems: list[BaseException] = []
        topics.prepare(deployment)
        with Admin(deployment) as admin:
            names = [name(host) for host in self.hosts for name in (topics.inbox, topics.requests, topics.notices)]
            by_pool(admin.create_topic, names, lambda done: progress(done, "topics"))
        progress(0, "services")
        self.administration = MulticastTopics(deployment)
        self.ncm = _Ncm(SqliteStore(folder / "ncm.sqlite", "ncm"), self._connect, PATIENT)
        self.dpm = _Dpm(
            SqliteStore(folder / "dpm.sqlite", "dpm"),
            self._connect,
            PATIENT,
            administration=self.administration,
            decision=Thresholds(NEVER, LARGE_GROUP),
        )
        self.fleet = Fleet(deployment, self.hosts, self.tally)
        for service in (self.ncm, self.dpm):
            thread = threading.Thread(target=self._run, args=(service,), name=service.process)
            thread.start()
            self._threads.append((service, thread))
        self._progress = progress

    def _connect(self) -> CountingConnection:
        return CountingConnection(PulsarConnection(self.deployment, self.deployment.admin_token), self.tally)

    def _run(self, service: Service) -> None:
        try:
            service.run()
        except BaseException as problem:
            self.problems.append(problem)
            raise

    def wait(self, what: str, goal: int, done: Callable[[], int]) -> None:
        """Waits until `done` reaches the goal."""
        end = time.monotonic() + WAIT_SECONDS_MAX
        while (now := done()) < goal:
            problem = self.fleet.problem or next(iter(self.problems), None)
            if problem is not None:
                raise problem
            if time.monotonic() > end:
                found = f"{now} of {goal} after {WAIT_SECONDS_MAX:g} s"
                raise EnvironmentProblem(f"Waited for {what} ({found}); use fewer --agents")
            self._progress(now, what)
            time.sleep(0.002)

    def set_up(self) -> None:
        """Registers and greets all hosts, and places all pods."""
        connection = self._connect()
        registered = [Registered(host, registration_number()) for host in self.hosts]
        connection.publish([Letter(topics.HOSTS, encode(item), item.host) for item in registered])
        connection.close()
        count = len(self.hosts)
        self.wait("hosts registered", count, lambda: self.ncm.seen["register"])
        self.wait("hosts registered with DPM", count, lambda: self.dpm.seen["register"])
        self.fleet.start()
        self.wait("agents greeted", count, lambda: min(self.ncm.seen["greet"], self.dpm.seen["greet"]))
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

    def close(self) -> None:
        """Stops everything and deletes the namespace."""
        for service, thread in self._threads:
            service.stop()
            thread.join()
        self.fleet.close()
        self.administration.close()
        with Admin(self.deployment) as admin:
            by_pool(admin.delete_topic, admin.topics())
            admin.delete_namespace()


def _pod(number: int, index: int) -> Pod:
    """The pod with this number at the host with this index."""
    return Pod(VPC, f"10.{number}.{index >> 8}.{index & 255}")


@contextmanager
def _system(deployment: Deployment, agents: int, progress: Progress) -> Iterator[_System]:
    tenant = deployment.namespace.split("/")[0]
    own = replace(deployment, namespace=f"{tenant}/scale-{secrets.token_hex(6)}")
    with tempfile.TemporaryDirectory(prefix="ondemand-scale-") as folder:
        system = _System(own, agents, Path(folder), progress)
        try:
            yield system
        finally:
            system.close()


def measure(deployment: Deployment, agents: int, progress: Progress) -> Measured:
    """Measures a network with `agents` agents."""
    started = time.perf_counter()
    with _system(deployment, agents, progress) as system:
        system.set_up()
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
    return Measured(agents, PODS, setup, changes)
