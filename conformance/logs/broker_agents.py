"""Many agents in one process: real cores, each with an inbox and subscriptions of its own at the broker, in one thread.

What differs from `impl.service.aca`: the agents share a connection (and so an identity, the administrator's), they keep their epoch
in memory only, and nothing is asked again in time, since nothing is lost while the broker stays.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from impl.broker import topics
from impl.broker.deployment import Deployment
from impl.composite import CompositeAca
from impl.core import Effects
from impl.message_queue.aca import MessageQueueAca
from impl.messages import Message, Pod, Published, Push, Subscribe
from impl.on_demand.aca import Aca
from impl.transport.interface import Delivery, Letter, Session
from impl.transport.pulsar import PulsarConnection
from impl.wire.codec import decode, encode

AT_ONCE: Final = 16
"""Requests to the broker that are under way together, where one after the other would wait most of the time."""

NAP_SECONDS: Final = 0.001
"""Between two looks at the inboxes when all were empty."""


class Tally:
    """What was published, by kind of message: how often, and how many bytes of payload."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.messages: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def note(self, letters: Iterable[Letter]) -> None:
        """Counts what is published."""
        with self._lock:
            for letter in letters:
                kind = type(decode(letter.data)).__name__
                self.messages[kind] += 1
                self.bytes[kind] += len(letter.data)

    def take(self) -> tuple[dict[str, int], int]:
        """The messages by kind and the bytes of all since this was last asked."""
        with self._lock:
            messages, total = dict(self.messages), sum(self.bytes.values())
            self.messages.clear()
            self.bytes.clear()
        return messages, total


class CountingConnection:
    """A connection whose messages are counted."""

    def __init__(self, connection: PulsarConnection, tally: Tally) -> None:
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

    def __init__(self, host: str, session: Session) -> None:
        self.host = host
        self.session = session
        self.aca = Aca(host)
        self.channel = MessageQueueAca(host)
        self.whole = CompositeAca(self.aca, self.channel)
        self.received: Counter[str] = Counter()
        """Messages by kind."""
        self.released: dict[Pod, float] = {}
        """When a held packet to a pod went on its way."""

    def take(self, message: Message, delivery: Delivery) -> Effects:
        """What `impl.service.aca` does with a message."""
        self.received[type(message).__name__] += 1
        match message:
            case Push() | Published():
                return self.channel.receive(message, delivery.topic)
            case Subscribe():
                if not self.channel.is_to_subscribe(message):
                    return self.channel.pass_over(message)
                self.session.listen(topics.multicast(message.vpc), topics.reader(self.host))
                return self.channel.accept(message)
            case _:
                return self.aca.receive(message)


Command = Callable[[], list[tuple[Agent, Effects]]]
"""What is done with agents, of their own accord."""


class Fleet:
    """The agents of these hosts. Their topics have to be there."""

    def __init__(self, deployment: Deployment, hosts: Sequence[str], tally: Tally) -> None:
        self._connection = CountingConnection(PulsarConnection(deployment, deployment.admin_token), tally)
        self._pool = ThreadPoolExecutor(AT_ONCE, "fleet")
        opened = self._pool.map(lambda host: self._connection.open_session("aca", [topics.inbox(host)]), hosts)
        self.agents = {host: Agent(host, session) for host, session in zip(hosts, opened, strict=True)}
        self._commands: list[Command] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="fleet")

    def start(self) -> None:
        """All agents begin their first epoch."""
        self._thread.start()
        self.submit(lambda: [(agent, agent.whole.start()) for agent in self.agents.values()])

    def packet(self, host: str, number: int, source: Pod, destination: Pod) -> None:
        """A pod of the host sends to another; the number is new."""
        agent = self.agents[host]
        self.submit(lambda: [(agent, agent.aca.packet(number, source, destination))])

    def close(self) -> None:
        """Ends all agents."""
        self._stopping.set()
        self._thread.join()
        list(self._pool.map(lambda agent: agent.session.close(), self.agents.values()))
        self._pool.shutdown()
        self._connection.close()

    def submit(self, command: Command) -> None:
        """Has the fleet's thread run something on the agents' cores."""
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
        """All commands, and what is in the inboxes; everything that follows is published together."""
        with self._lock:
            commands, self._commands = self._commands, []
        # What an agent has done is noted before it does anything else: who keeps a log looks at its core then.
        letters = [letter for command in commands for entry in command() for letter in self.letters(*entry)]
        taken: list[tuple[Agent, Delivery]] = []
        for agent in self.agents.values():
            delivery = agent.session.receive(0)
            if delivery is not None:
                taken.append((agent, delivery))
        messages = [decode(delivery.data) for _, delivery in taken]
        # Subscribing waits for the broker; the others are quick.
        together = self._pool.map if any(isinstance(message, Subscribe) for message in messages) else map
        effects = together(lambda item: item[0][0].take(item[1], item[0][1]), list(zip(taken, messages, strict=True)))
        for (agent, delivery), one in zip(taken, effects, strict=True):
            letters += self.letters(agent, one, delivery.origin)
        self._connection.publish(letters)
        for agent, delivery in taken:
            agent.session.acknowledge([delivery])
        return bool(commands or taken)

    def letters(self, agent: Agent, effects: Effects, taken: str = "") -> list[Letter]:
        """Notes what an agent has done, and what it sends for it. `taken`: the id of the message that brought it about."""
        now = time.perf_counter()
        for event in effects.events:
            if event.name == "release":
                agent.released[event.fields["destination"]] = now
        return [Letter(send.topic, encode(send.message), send.key) for send in effects.sends]


def by_pool(work: Callable[[Any], object], items: Iterable[Any], done: Callable[[int], None] | None = None) -> None:
    """Does something with each item, several at a time."""
    with ThreadPoolExecutor(AT_ONCE, "scale") as pool:
        for number, _ in enumerate(pool.map(work, items), 1):
            if done is not None:
                done(number)
