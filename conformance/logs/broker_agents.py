"""Many agents in one thread (subscribe requests in a pool): real cores, each with its own inbox and subscriptions at the broker.

Differences from `impl.service.aca`: the agents share a connection (and so the administrator's identity), and they keep their epoch
in memory only.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from impl.broker import topics
from impl.broker.deployment import Deployment
from impl.composite import CompositeAca
from impl.core import Effects, Event
from impl.message_queue.aca import MessageQueueAca
from impl.messages import Pod, Subscribe
from impl.on_demand.aca import Aca
from impl.outputs import Acknowledge, Listen, Output, Publish, SetAside, Work, run
from impl.process import Process
from impl.roles.composite_roles import AcaRole
from impl.roles.timing import Timing
from impl.storage.store import Outgoing
from impl.transport.interface import Connection, Delivery, Letter, Session
from impl.transport.pulsar import PulsarConnection
from impl.wire.codec import MalformedMessage, decode

AT_ONCE: Final = 16
"""Concurrent requests to the broker; one at a time would mostly wait."""

LOOK_SECONDS: Final = 0.05
"""The longest wait before timers are checked."""

LOSES_NOTHING: Final = Timing(answer_max=math.inf, idle_max=math.inf, hello_every=math.inf)
"""For a broker that runs: no request is repeated after a timeout, and none is given up."""

NAP_SECONDS: Final = 0.001
"""Pause between two polls of the inboxes when all were empty."""


class Tally:
    """Number and payload bytes of published messages, by kind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.messages: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def note(self, letters: Iterable[Letter]) -> None:
        """Counts published messages."""
        with self._lock:
            for letter in letters:
                kind = type(decode(letter.data)).__name__
                self.messages[kind] += 1
                self.bytes[kind] += len(letter.data)

    def take(self) -> tuple[dict[str, int], int]:
        """The messages by kind and the total bytes since the last call; resets both."""
        with self._lock:
            messages, total = dict(self.messages), sum(self.bytes.values())
            self.messages.clear()
            self.bytes.clear()
        return messages, total


class CountingConnection:
    """A connection that counts published messages."""

    def __init__(self, connection: Connection, tally: Tally) -> None:
        self._connection = connection
        self._tally = tally

    def publish(self, letters: Sequence[Letter]) -> None:
        """See `impl.transport.interface.Connection`."""
        self._connection.publish(letters)
        self._tally.note(letters)

    def open_session(self, subscription: str, names: Sequence[str]) -> Session:
        """See `impl.transport.interface.Connection`."""
        return self._connection.open_session(subscription, names)

    def close(self) -> None:
        """See `impl.transport.interface.Connection`."""
        self._connection.close()


class Agent:
    """One host's agent."""

    def __init__(self, host: str, session: Session, timing: Timing) -> None:
        self.host = host
        self.session = session
        self.aca = Aca(host)
        self.message_queue = MessageQueueAca(host)
        self.role = AcaRole(CompositeAca(self.aca, self.message_queue), timing)
        self.received: Counter[str] = Counter()
        """Messages by kind."""
        self.released: dict[Pod, float] = {}
        """By destination: when the held packet was released, in seconds of `perf_counter`."""
        self.runner = Process(self.role, told=self._happened)
        self.outbox: list[Letter] = []
        """What is to be published, together with what other agents send."""
        self.settled: list[Delivery] = []
        """What is to be acknowledged behind that."""
        self.on_event: Callable[[Agent, Event], None] | None = None

    def do(self, work: Work) -> None:
        """Performs the outputs of an input. Nothing is stored: the epoch ends with the fleet."""
        run(work, self._perform)

    def _perform(self, output: Output) -> Sequence[Outgoing]:
        match output:
            case Publish():
                self.outbox += output.letters()
            case Acknowledge(deliveries):
                self.settled += deliveries
            case Listen(topic, subscription):
                self.session.listen(topic, subscription)
            case SetAside(_, reason):
                raise MalformedMessage(reason)
        return ()

    def _happened(self, event: Event) -> None:
        if event.name == "release":
            self.released[event.fields["destination"]] = time.perf_counter()
        if self.on_event is not None:
            self.on_event(self, event)


Command = Callable[[], list[tuple[Agent, Effects]]]
"""Spontaneous actions of agents, with their effects."""


class Fleet:
    """The agents of these hosts, whose topics must exist."""

    def __init__(
        self, deployment: Deployment, hosts: Sequence[str], tally: Tally, timing: Timing = LOSES_NOTHING
    ) -> None:
        self._connection = CountingConnection(PulsarConnection(deployment, deployment.admin_token), tally)
        self._pool = ThreadPoolExecutor(AT_ONCE, "fleet")
        opened = self._pool.map(lambda host: self._connection.open_session("aca", [topics.inbox(host)]), hosts)
        self.agents = {host: Agent(host, session, timing) for host, session in zip(hosts, opened, strict=True)}
        self._commands: list[Command] = []
        self._next_look = 0.0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="fleet")

    def start(self) -> None:
        """Starts all agents in their first epoch."""
        self._thread.start()
        self.submit(lambda: [(agent, agent.role.begin()) for agent in self.agents.values()])

    def packet(self, host: str, number: int, source: Pod, destination: Pod) -> None:
        """A pod of the host sends a packet to another; `number` must be new."""
        agent = self.agents[host]
        self.submit(lambda: [(agent, agent.aca.packet(number, source, destination))])

    def close(self) -> None:
        """Stops all agents."""
        self._stopping.set()
        self._thread.join()
        list(self._pool.map(lambda agent: agent.session.close(), self.agents.values()))
        self._pool.shutdown()
        self._connection.close()

    def submit(self, command: Command) -> None:
        """Runs a command on the agents' cores, in the fleet's thread."""
        with self._lock:
            self._commands.append(command)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                if not self._round():
                    time.sleep(NAP_SECONDS)
        except BaseException as problem:
            self.problem = problem
            raise

    def _round(self) -> bool:
        """Runs all commands and one delivery of each inbox; publishes the results together. Returns whether there was any work."""
        with self._lock:
            commands, self._commands = self._commands, []
        for command in commands:
            for agent, effects in command():
                agent.do(agent.runner.command(partial(_same, effects)))
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            for agent in self.agents.values():
                agent.do(agent.runner.time(now))
        taken: list[tuple[Agent, Delivery]] = []
        for agent in self.agents.values():
            delivery = agent.session.receive(0)
            if delivery is not None:
                taken.append((agent, delivery))
        # Subscribing waits for the broker, so several agents do it at a time; other messages are handled quickly.
        slow: list[tuple[Agent, Delivery]] = []
        for agent, delivery in taken:
            if isinstance(decode(delivery.data), Subscribe):
                slow.append((agent, delivery))
            else:
                _take((agent, delivery))
        list(self._pool.map(_take, slow))
        self._connection.publish([letter for agent in self.agents.values() for letter in agent.outbox])
        for agent in self.agents.values():
            agent.session.acknowledge(agent.settled)
            agent.outbox, agent.settled = [], []
        return bool(commands or taken)


def _same(effects: Effects) -> Effects:
    return effects


def _take(item: tuple[Agent, Delivery]) -> None:
    agent, delivery = item
    agent.received[type(decode(delivery.data)).__name__] += 1
    agent.do(agent.runner.deliver(delivery))
    agent.do(agent.runner.settle())


def by_pool(work: Callable[[Any], object], items: Iterable[Any], done: Callable[[int], None] | None = None) -> None:
    """Applies `work` to each item, `AT_ONCE` at a time; `done` receives the number of finished items."""
    with ThreadPoolExecutor(AT_ONCE, "scale") as pool:
        for number, _ in enumerate(pool.map(work, items), 1):
            if done is not None:
                done(number)
