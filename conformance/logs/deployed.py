"""Records logs for benchmarks on a real broker: NCM and DPM as services, and many agents that send packets as fast as possible.

Agents are those of `conformance.logs.broker_agents`: real cores in one thread, each with its own topics. Pods move, leave and
return; packets are delivered, held, refused and dropped; routes are evicted; agents and NCM restart.
"""

from __future__ import annotations

import math
import random
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

from conformance.logs.broker_agents import Agent, Fleet, Tally, by_pool
from conformance.logs.fleet import HOSTS_OF_A_VPC, CountedFile, Recorded, fleet_of
from impl.broker import topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.broker.hosts import registration_number
from impl.core import Effects, Event
from impl.errors import EnvironmentProblem
from impl.events.event_schema import MESSAGE_QUEUE, ON_DEMAND
from impl.events.message_queue import MessageQueueAcaProjection
from impl.events.on_demand import OnDemandAcaProjection
from impl.events.recorder import Projection, Recorder
from impl.messages import Kind, Pod, Registered
from impl.roles.timing import Timing
from impl.service.dpm import DpmService
from impl.service.loop import Service
from impl.service.ncm import NcmService
from impl.storage.store import SqliteStore
from impl.transport.interface import Letter
from impl.transport.pulsar import PulsarConnection
from impl.wire.codec import encode

AGENTS: Final = 100

HELD_MAX: Final = 60
"""Packets of all agents that wait for NCM's answer: more would only wait longer."""

PACKETS_OF_A_ROUND: Final = 60
"""Packets between two polls of the agents' inboxes."""

PACKETS_OF_A_CHANGE: Final = 60
"""Packets per change that DPM decides."""

UNDER_WAY_MAX: Final = 30
"""Changes whose outcome DPM does not know yet."""

NCM_STARTS: Final = 3
"""Number of restarts of NCM."""

TIMING: Final = Timing(remind_every=5.0, resend_every=10.0, confirm_max=120.0)

WAIT_SECONDS_MAX: Final = 300.0
"""Timeout for greeting all hosts, and for pending changes to end."""

AGENTS_TIMING: Final = replace(TIMING, answer_max=20.0, refusal_pause=2.0, idle_max=math.inf)
"""Routes are evicted at random."""

Progress = Callable[[int, str], None]


class _RecordedFleet(Fleet):
    """Agents that keep logs and, while `busy`, send packets spontaneously."""

    def __init__(
        self, deployment: Deployment, hosts: Sequence[str], pods: Sequence[Pod], folder: Path, seed: int
    ) -> None:
        super().__init__(deployment, hosts, Tally(), AGENTS_TIMING)
        self.busy = False
        self.packets = 0
        self._chance = random.Random(seed)
        self._numbers = count(1)
        self._pods: dict[str, list[Pod]] = {}
        for pod in pods:
            self._pods.setdefault(pod.vpc, []).append(pod)
        self.sinks = {host: CountedFile(folder / f"{host}.ndjson") for host in hosts}
        self._own: dict[str, dict[Pod, None]] = {host: {} for host in hosts}
        self._held: set[tuple[str, int, int]] = set()
        for host in hosts:
            self._begin(self.agents[host])

    def _begin(self, agent: Agent) -> None:
        projections: dict[str, Projection] = {
            ON_DEMAND: OnDemandAcaProjection(agent.aca),
            MESSAGE_QUEUE: MessageQueueAcaProjection(agent.message_queue),
        }
        recorder = Recorder(f"aca/{agent.host}", projections, self.sinks[agent.host], host=agent.host)
        recorder.begin()
        agent.runner.recorder = recorder
        agent.on_event = self._happened
        self._own[agent.host].clear()

    def close(self) -> None:
        super().close()
        for host, agent in self.agents.items():
            if agent.runner.recorder is not None:
                agent.runner.recorder.end()
            self.sinks[host].close()

    def _happened(self, agent: Agent, event: Event) -> None:
        fields = event.fields
        match event.name:
            case "learn":
                self._own[agent.host].pop(fields["pod"], None)
                if fields["place"] == agent.host:
                    self._own[agent.host][fields["pod"]] = None
            case "ask":
                self._held.add((agent.host, fields["epoch"], fields["request"]))
            case "release" | "give up":
                self._held.discard((agent.host, fields["epoch"], fields["request"]))

    # ------------------------------------------------------------------------------------------ spontaneous actions

    def _round(self) -> bool:
        if self.busy:
            for _ in range(PACKETS_OF_A_ROUND):
                if len(self._held) >= HELD_MAX:
                    break
                self.submit(self._act)
        return super()._round()

    def _act(self) -> list[tuple[Agent, Effects]]:
        agent = self._chance.choice(list(self.agents.values()))
        own = list(self._own[agent.host])
        if not own:
            return []
        source = self._chance.choice(own)
        pods = self._pods[source.vpc]
        draw = self._chance.random()
        self.packets += 1
        if draw < 0.0002:
            return self._restart(agent)
        if draw < 0.01:
            pod = self._chance.choice(pods)
            return [(agent, agent.aca.evict(pod))] if agent.aca.may_evict(pod) else []
        stranger = Pod(source.vpc, f"192.168.0.{self._chance.randrange(20)}")
        destination = stranger if draw < 0.012 else self._chance.choice(pods[: len(pods) // 2] if draw < 0.9 else pods)
        return [(agent, agent.aca.packet(next(self._numbers), source, destination))]

    def _restart(self, agent: Agent) -> list[tuple[Agent, Effects]]:
        self._held = {item for item in self._held if item[0] != agent.host}
        self._begin(agent)
        return [(agent, agent.role.begin())]


class _Deployed:
    """DPM, NCM and a fleet."""

    def __init__(self, deployment: Deployment, folder: Path, stores: Path, agents: int, seed: int) -> None:
        self.deployment = deployment
        self.hosts, self.placed = fleet_of(agents)
        self.pods = list(self.placed)
        self._stores = stores
        self._chance = random.Random(seed)
        self._threads: dict[str, tuple[Service, threading.Thread]] = {}
        self.problems: list[BaseException] = []
        topics.prepare(deployment)
        with Admin(deployment) as admin:
            by_pool(
                admin.create_topic,
                [name(host) for host in self.hosts for name in (topics.inbox, topics.requests, topics.notices)],
            )
        self.sinks = {name: CountedFile(folder / f"{name}.ndjson") for name in ("dpm", "ncm")}
        self.fleet = _RecordedFleet(deployment, self.hosts, self.pods, folder, seed)
        self.ncm = self._ncm()
        self.dpm = DpmService(self._store("dpm"), self._connect, TIMING, events=self.sinks["dpm"])
        self._run(self.ncm)
        self._run(self.dpm)

    def _connect(self) -> PulsarConnection:
        return PulsarConnection(self.deployment, self.deployment.admin_token)

    def _store(self, name: str) -> SqliteStore:
        return SqliteStore(self._stores / f"{name}.sqlite", name)

    def _ncm(self) -> NcmService:
        return NcmService(self._store("ncm"), self._connect, TIMING, self.sinks["ncm"])

    def _run(self, service: Service) -> None:
        def run() -> None:
            try:
                service.run()
            except BaseException as problem:
                self.problems.append(problem)
                raise

        thread = threading.Thread(target=run, name=service.process)
        thread.start()
        self._threads[service.process] = (service, thread)

    def _stop(self, name: str) -> None:
        service, thread = self._threads.pop(name)
        service.stop()
        thread.join()

    @property
    def lines(self) -> int:
        """Lines written by all processes so far."""
        return sum(sink.lines for sink in (*self.sinks.values(), *self.fleet.sinks.values()))

    def wait(self, what: str, done: Callable[[], bool]) -> None:
        """Waits for a condition."""
        end = time.monotonic() + WAIT_SECONDS_MAX
        while not done():
            self.check()
            if time.monotonic() > end:
                raise EnvironmentProblem(f"Waited {WAIT_SECONDS_MAX:g} s for {what}; use fewer agents")
            time.sleep(0.01)

    def check(self) -> None:
        """Raises the exception that ended a service or the fleet, if any."""
        problem = self.fleet.problem or next(iter(self.problems), None)
        if problem is not None:
            raise problem

    def begin(self) -> None:
        """Registers and greets all hosts, and places all pods."""
        connection = self._connect()
        registered = [Registered(host, registration_number()) for host in self.hosts]
        connection.publish([Letter(topics.HOSTS, encode(item), item.host) for item in registered])
        connection.close()
        self.wait("hosts to be registered", lambda: len(self.ncm.ncm.hosts()) == len(self.hosts))
        self.wait("hosts to be registered with DPM", lambda: len(self.dpm.message_queue.hosts()) == len(self.hosts))
        self.fleet.start()
        self.wait("agents to be greeted", lambda: all(self.ncm.ncm.was_met(host) for host in self.hosts))
        for pod, host in self.placed.items():
            self.dpm.place(pod, host).result(WAIT_SECONDS_MAX)
        self._until_quiet()

    def _until_quiet(self) -> None:
        self.wait("changes to end", lambda: not self._pending())

    def _pending(self) -> int:
        found: list[int] = []

        def look() -> Effects:
            found.append(len(self.dpm.dpm.pending()))
            return Effects()

        self.dpm.submit(look).result(WAIT_SECONDS_MAX)
        return found[0]

    def work(self, events: int, progress: Progress) -> None:
        """Sends packets and decides changes until `events` lines are written."""
        self.fleet.busy = True
        changes, looked, restarts = 0, 0, [events * (item + 1) // (NCM_STARTS + 1) for item in range(NCM_STARTS)]
        while (lines := self.lines) < events:
            self.check()
            progress(lines, f"of {events:,}")
            if restarts and lines >= restarts[0]:
                restarts.pop(0)
                self._stop("ncm")
                self.ncm = self._ncm()
                self._run(self.ncm)
            if changes * PACKETS_OF_A_CHANGE > self.fleet.packets or (
                changes - looked >= UNDER_WAY_MAX and self._pending() > UNDER_WAY_MAX
            ):
                time.sleep(0.005)
                continue
            looked = changes if changes - looked >= UNDER_WAY_MAX else looked
            changes += 1
            self._change()
        self.fleet.busy = False
        self._until_quiet()

    def _change(self) -> None:
        pod = self._chance.choice(self.pods)
        draw = self._chance.random()
        if draw < 0.03:
            self.dpm.revise(pod.vpc, Kind.SUBNET, b"10.0.0.0/8").result(WAIT_SECONDS_MAX)
        elif draw < 0.15 and pod in self.placed:
            del self.placed[pod]
            self.dpm.remove(pod).result(WAIT_SECONDS_MAX)
        else:
            number = int(pod.vpc.removeprefix("vpc-"))
            hosts = self.hosts[number * HOSTS_OF_A_VPC : (number + 1) * HOSTS_OF_A_VPC]
            host = self._chance.choice([each_host for each_host in hosts if each_host != self.placed.get(pod)])
            self.placed[pod] = host
            self.dpm.place(pod, host).result(WAIT_SECONDS_MAX)

    def close(self) -> None:
        """Stops everything and deletes the namespace."""
        for name in list(self._threads):
            self._stop(name)
        self.fleet.close()
        for sink in self.sinks.values():
            sink.close()
        with Admin(self.deployment) as admin:
            by_pool(admin.delete_topic, admin.topics())
            admin.delete_namespace()


@contextmanager
def _deployed(deployment: Deployment, folder: Path, agents: int, seed: int) -> Iterator[_Deployed]:
    tenant = deployment.namespace.split("/")[0]
    own = replace(deployment, namespace=f"{tenant}/logs-{secrets.token_hex(6)}")
    with tempfile.TemporaryDirectory(prefix="ondemand-logs-") as stores:
        made = _Deployed(own, folder, Path(stores), agents, seed)
        try:
            yield made
        finally:
            made.close()


def record_on_broker(
    deployment: Deployment,
    folder: Path,
    events: int,
    *,
    agents: int = AGENTS,
    seed: int = 1,
    progress: Progress = lambda done, text: None,
) -> Recorded:
    """Writes logs of at least `events` lines into a folder, one file per process, from a deployment on this broker.

    Raises:
        EnvironmentProblem: the broker does not answer, or is too slow for so many agents.
    """
    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    with _deployed(deployment, folder, agents, seed) as deployed:
        deployed.begin()
        deployed.work(events, progress)
    sinks = [*deployed.sinks.values(), *deployed.fleet.sinks.values()]
    return Recorded(
        [sink.path for sink in sinks],
        sum(sink.lines for sink in sinks),
        sum(sink.bytes for sink in sinks),
        time.perf_counter() - started,
    )
