"""DPM and agents with their message-queue parts on a real broker, in threads; everything that an agent receives is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from conformance.logs.system import System, running, wait_until
from impl.broker import topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.broker.hosts import AgentFile, add_host
from impl.broker.vpc_topics import MulticastTopics
from impl.core import Effects
from impl.events.recorder import Sink
from impl.message_queue.thresholds import Thresholds
from impl.messages import Administrative, Kind, Message, Pod, Published, Push, Subscribe
from impl.roles.timing import Timing
from impl.service.aca import AcaService, Handlers
from impl.service.dpm import DpmService
from tests.impl.intercepting import intercept

SMALL = Thresholds(many_ports=5, many_in_a_group=5, patience=2)

QUICK = Timing(asked_first=0.3, asked_max=0.6, remind_every=0.5, resend_every=600.0, subscribe_max=0.5)
"""Waits too short to slow a test down. No answers for pods arrive, since no NCM runs."""

WAIT = 20.0


class Recording(AcaService):
    """An agent that keeps what it receives, and what it has applied."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.got: list[tuple[str, Message]] = []
        """Every message, with the topic that it arrived on."""
        self.applied: list[tuple[str, int, Kind, bytes]] = []
        self.deaf = False
        """Whether it ignores subscribe requests, as an agent that hangs."""
        handlers = Handlers(subnet=self._handler(Kind.SUBNET), group_rules=self._handler(Kind.GROUP_RULES))
        options["handlers"] = handlers
        super().__init__(*arguments, **options)
        intercept(self, self._got)

    def _handler(self, kind: Kind) -> Callable[[str, int, bytes], None]:
        return lambda vpc, revision, data: self.applied.append((vpc, revision, kind, data))

    def _got(self, message: Message, topic: str) -> Effects | None:
        self.got.append((topic, message))
        return Effects() if self.deaf and isinstance(message, Subscribe) else None

    def revisions(self, kind: type[Push] | type[Published]) -> list[int]:
        """The revisions that arrived this way."""
        return [one.revision for _, one in self.got if isinstance(one, kind)]


class Counting:
    """An administration that keeps its requests."""

    def __init__(self, deployment: Deployment) -> None:
        self.asked: list[Administrative] = []
        self._real = MulticastTopics(deployment)

    def perform(self, work: Administrative) -> None:
        """See `impl.broker.vpc_topics.Administration`."""
        self.asked.append(work)
        self._real.perform(work)

    def close(self) -> None:
        """See `impl.broker.vpc_topics.Administration`."""
        self._real.close()


class Scene:
    """A DPM, and registered hosts."""

    make_administration: type[Counting] = Counting

    def __init__(self, system: System, *hosts: str, timing: Timing = QUICK, events: Sink | None = None) -> None:
        """`events`: the sink of all event logs."""
        self.system, self.deployment, self.timing, self.events = system, system.deployment, timing, events
        self.files: dict[str, AgentFile] = {host: add_host(self.deployment, host) for host in hosts}
        self.agents: dict[str, Recording] = {}
        self.administration = self.make_administration(self.deployment)
        self.dpm = self.new_dpm()
        self._pods: dict[tuple[str, str], list[Pod]] = {}
        self._number = 0

    def new_dpm(self) -> DpmService:
        """A DPM on the scene's only store."""
        return DpmService(
            self.system.store("dpm"),
            self.system.role("dpm"),
            self.timing,
            administration=self.administration,
            decision=SMALL,
            events=self.events,
        )

    def start(self, *hosts: str) -> None:
        """Starts DPM and these agents."""
        self.system.start(self.dpm)
        for host in hosts:
            self.start_agent(host)
        self.until(lambda: all(self.seen("met", host) for host in hosts), "all agents to be met")

    def start_agent(self, host: str, *, deaf: bool = False) -> Recording:
        """A new agent of the host, on the host's store."""
        connect = self.system.agent(self.files[host])
        agent = Recording(host, self.system.store(host), connect, timing=self.timing, events=self.events)
        agent.deaf = deaf
        self.agents[host] = agent
        self.system.start(agent)
        return agent

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Waits for a condition, with a name and a limit."""
        wait_until(lambda: bool(condition()), what, self.system.problems)

    def seen(self, what: str, key: object) -> Any:
        """A part of the state of DPM's message-queue part, as seen by its own thread."""
        found: list[Any] = []

        def look() -> Effects:
            found.append(self.dpm.message_queue.observe()[what].get(key))
            return Effects()

        self.dpm.submit(look).result(WAIT)
        return found[0]

    def place(self, vpc: str, **counts: int) -> None:
        """Adds pods at hosts."""
        for host, count in counts.items():
            for _ in range(count):
                self._number += 1
                pod = Pod(vpc, f"p{self._number}")
                self.dpm.place(pod, host).result(WAIT)
                self._pods.setdefault((vpc, host), []).append(pod)

    def remove(self, vpc: str, **counts: int) -> None:
        """Removes pods."""
        for host, count in counts.items():
            for _ in range(count):
                self.dpm.remove(self._pods[vpc, host].pop()).result(WAIT)

    def revise(self, vpc: str, data: bytes) -> int:
        """Changes the VPC's rules; returns the revision."""
        effects = self.dpm.revise(vpc, Kind.GROUP_RULES, data).result(WAIT)
        revision: int = effects.events[0].fields["revision"]
        return revision

    def until_channel(self, vpc: str, channel: str) -> None:
        """Waits until the VPC is on this channel."""
        self.until(lambda: self.seen("channel", vpc) == channel, f"{vpc} to be on {channel}")

    def until_done(self, vpc: str, revision: int) -> None:
        """Waits until all hosts have confirmed."""
        self.until(lambda: self.seen("outcome", (vpc, revision)) == "done", f"revision {revision} of {vpc} to be done")

    def at_broker(self, vpc: str) -> tuple[list[str], set[str]]:
        """The subscriptions of the VPC's topic, and the hosts that may read it."""
        with Admin(self.deployment) as admin:
            topic = topics.multicast(vpc)
            roles = [role for role, may in admin.permissions(topic).items() if "consume" in may]
            return admin.subscriptions(topic), {topics.host_of(role) for role in roles}

    def backlog(self, vpc: str, host: str) -> int:
        """The host's backlog of the topic."""
        with Admin(self.deployment) as admin:
            path = f"/persistent/{self.deployment.namespace}/{topics.multicast(vpc)}/stats"
            stats = admin._call("GET", path, params={"getPreciseBacklog": True}).json()
        return int(stats["subscriptions"][topics.reader(host)]["msgBacklog"])

    def addressed(self) -> bool:
        """Whether every agent received only messages for its host, or of a VPC's topic."""
        return all(
            topic == topics.multicast(message.vpc)
            if isinstance(message, Published)
            else topic == topics.inbox(host) and getattr(message, "host", None) == host
            for host, agent in self.agents.items()
            for topic, message in agent.got
        )

    def vpcs_heard_of(self, host: str) -> set[str]:
        """The VPCs that an agent received anything about."""
        messages = [message for _, message in self.agents[host].got]
        return {message.vpc for message in messages if isinstance(message, Push | Published | Subscribe)}


@contextmanager
def scene(deployment: Deployment, *hosts: str, timing: Timing = QUICK, events: Sink | None = None) -> Iterator[Scene]:
    """A scene for the duration of a block."""
    with running(deployment) as system:
        made = Scene(system, *hosts, timing=timing, events=events)
        try:
            yield made
        finally:
            made.system.stop()
            made.administration.close()
