"""Records logs for benchmarks on a real broker: NCM and DPM as services, and many agents that send packets as fast as possible.

Agents are those of `conformance.logs.broker_agents`: real cores in one thread, each with its own topics. Pods move, leave and
return; packets are delivered, held, refused and dropped; routes are evicted; agents and NCM restart.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

from conformance.logs.broker_agents import Agent, Fleet, Tally
from conformance.logs.fleet import HOSTS_OF_A_VPC, CountedFile, Recorded, fleet_of
from conformance.logs.system import WAIT_SECONDS_MAX, FleetSystem, Progress, apart
from impl.broker.deployment import Deployment
from impl.core import Effects, Event
from impl.events.event_schema import MESSAGE_QUEUE, ON_DEMAND
from impl.events.message_queue import MessageQueueAcaProjection
from impl.events.on_demand import OnDemandAcaProjection
from impl.events.recorder import Projection, Recorder
from impl.messages import Kind, Pod
from impl.roles.timing import Timing
from impl.service.dpm import DpmService
from impl.service.ncm import NcmService

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

AGENTS_TIMING: Final = replace(TIMING, answer_max=20.0, refusal_pause=2.0, idle_max=math.inf)
"""Routes are evicted at random."""


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


class _Deployed(FleetSystem):
    """DPM, NCM and a fleet that keep logs."""

    def __init__(self, deployment: Deployment, stores: Path, folder: Path, agents: int, seed: int, progress: Progress):
        hosts, self.placed = fleet_of(agents)
        super().__init__(deployment, stores, hosts, progress)
        self.pods = list(self.placed)
        self._chance = random.Random(seed)
        self.sinks = {name: CountedFile(folder / f"{name}.ndjson") for name in ("dpm", "ncm")}
        self.fleet: _RecordedFleet = _RecordedFleet(deployment, hosts, self.pods, folder, seed)
        self.dpm = DpmService(self.store("dpm"), self.connect, TIMING, events=self.sinks["dpm"])
        self._start_ncm()
        self.start(self.dpm)

    def _start_ncm(self) -> None:
        self.ncm = NcmService(self.store("ncm"), self.connect, TIMING, self.sinks["ncm"])
        self.start(self.ncm)

    @property
    def lines(self) -> int:
        """Lines written by all processes so far."""
        return sum(sink.lines for sink in (*self.sinks.values(), *self.fleet.sinks.values()))

    def begin(self) -> None:
        """Registers and greets all hosts, and places all pods."""
        super().begin()
        for pod, host in self.placed.items():
            self.dpm.place(pod, host).result(WAIT_SECONDS_MAX)
        self._until_quiet()

    def _until_quiet(self) -> None:
        self.wait("changes to end", 1, lambda: not self._pending())

    def _pending(self) -> int:
        return self.asked(self.dpm, lambda: len(self.dpm.dpm.pending()))

    def work(self, events: int) -> None:
        """Sends packets and decides changes until `events` lines are written."""
        self.fleet.busy = True
        changes, looked, restarts = 0, 0, [events * (item + 1) // (NCM_STARTS + 1) for item in range(NCM_STARTS)]
        while (lines := self.lines) < events:
            self.check()
            self._progress(lines, f"of {events:,}")
            if restarts and lines >= restarts[0]:
                restarts.pop(0)
                self.stop_one(self.ncm)
                self._start_ncm()
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

    def stop(self) -> None:
        super().stop()
        for sink in self.sinks.values():
            sink.close()


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
    with apart(deployment, "logs") as (own, stores):
        deployed = _Deployed(own, stores, folder, agents, seed, progress)
        try:
            deployed.begin()
            deployed.work(events)
        finally:
            deployed.stop()
    sinks = [*deployed.sinks.values(), *deployed.fleet.sinks.values()]
    return Recorded(
        [sink.path for sink in sinks],
        sum(sink.lines for sink in sinks),
        sum(sink.bytes for sink in sinks),
        time.perf_counter() - started,
    )
