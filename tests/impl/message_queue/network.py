"""The message-queue cores with a small simulated broker between them; the test decides what is delivered, and when."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from impl.core import ADMINISTRATION, Effects
from impl.message_queue.aca import MessageQueueAca
from impl.message_queue.dpm import MessageQueueDpm
from impl.message_queue.thresholds import Thresholds
from impl.messages import (
    CloseTopic,
    EndSubscription,
    Kind,
    Message,
    OpenTopic,
    Permit,
    Published,
    Push,
    Registered,
    Subscribe,
)
from impl.wire.codec import decode, encode

SMALL = Thresholds(many_ports=5, many_in_a_group=5, patience=2)
"""The smallest possible thresholds: five ports are large, three are small, and four are neither."""

SETTLE_STEPS_MAX = 2_000
"""Enough for a few hosts to become idle; a run that needs more does not terminate."""


@dataclass
class Broker:
    """Topics, their permitted readers, and the backlogs."""

    topics: set[str] = field(default_factory=set)
    permitted: set[tuple[str, str]] = field(default_factory=set)
    kept: dict[tuple[str, str], list[Published]] = field(default_factory=dict)
    """By host and VPC: a subscription, with its unacknowledged messages."""
    refused: set[tuple[str, str]] = field(default_factory=set)
    """Hosts that cannot subscribe although they are permitted."""

    def administer(self, message: Message) -> None:
        """Executes DPM's administrative requests."""
        match message:
            case OpenTopic(vpc):
                self.topics.add(vpc)
            case CloseTopic(vpc):
                self.topics.discard(vpc)
                for key in [key for key in self.kept if key[1] == vpc]:
                    del self.kept[key]
            case Permit(host, vpc):
                assert vpc in self.topics
                self.permitted.add((host, vpc))
            case EndSubscription(host, vpc):
                self.permitted.discard((host, vpc))
                self.kept.pop((host, vpc), None)
            case _:
                raise AssertionError(message)

    def subscribe(self, host: str, vpc: str) -> bool:
        """Creates a durable subscription from here on, unless there is one; returns whether the host may have it."""
        if (host, vpc) not in self.permitted - self.refused or vpc not in self.topics:
            return False
        self.kept.setdefault((host, vpc), [])
        return True


class Network:
    """DPM, agents, and the messages in flight."""

    def __init__(
        self,
        hosts: list[str],
        decision: Thresholds = SMALL,
        dpm: Callable[[Thresholds], MessageQueueDpm] = MessageQueueDpm,
        aca: Callable[[str], MessageQueueAca] = MessageQueueAca,
    ) -> None:
        self._make, self._decision = dpm, decision
        self.dpm = dpm(decision)
        self.agents = {host: aca(host) for host in hosts}
        self.broker = Broker()
        self.inboxes: dict[str, list[Push | Subscribe]] = {host: [] for host in hosts}
        self.notices: list[tuple[str, Message]] = []
        self.ever: set[Message] = set()
        """Everything that was ever sent."""
        self.published: list[Published] = []
        self.received: dict[str, list[Message]] = {host: [] for host in hosts}
        self.confirmed: list[tuple[str, Message]] = []
        self.silent: set[str] = set()
        """Hosts whose agents do not run."""
        for host in hosts:
            self.perform(self.dpm.register(Registered(host)))

    # -------------------------------------------------------------------------------------------------- actions

    def perform(self, effects: Effects) -> Effects:
        """Sends the messages; every one is encoded and decoded."""
        for send in effects.sends:
            message = decode(encode(send.message))
            self.ever.add(message)
            if send.topic == ADMINISTRATION:
                self.broker.administer(message)
            elif send.topic.startswith("notices-"):
                self.notices.append((send.topic.removeprefix("notices-"), message))
            elif isinstance(message, Published):
                assert send.topic == f"multicast-{message.vpc}"
                assert message.vpc in self.broker.topics
                self.published.append(message)
                for (_, vpc), kept in self.broker.kept.items():
                    if vpc == message.vpc:
                        kept.append(message)
            else:
                assert isinstance(message, Push | Subscribe)
                self.inboxes[send.topic.removeprefix("inbox-")].append(message)
        return effects

    def start(self, *hosts: str) -> None:
        """Starts or restarts these agents."""
        for host in hosts or self.agents:
            self.perform(self.agents[host].start())

    def to_agent(self, host: str, message: Push | Subscribe) -> None:
        """An agent handles a message from its inbox."""
        agent = self.agents[host]
        self.received[host].append(message)
        if isinstance(message, Push):
            self.perform(agent.receive(message, f"inbox-{host}"))
        elif not agent.is_to_subscribe(message):
            self.perform(agent.pass_over(message))
        elif self.broker.subscribe(host, message.vpc):
            self.perform(agent.accept(message))
        else:
            self.perform(agent.decline(message))

    def from_topic(self, host: str, vpc: str) -> None:
        """An agent handles and acknowledges the oldest message in its backlog of the topic."""
        agent, kept = self.agents[host], self.broker.kept[host, vpc]
        self.received[host].append(kept[0])
        self.perform(agent.receive(kept[0], f"multicast-{vpc}"))
        assert agent.may_acknowledge(kept[0])
        del kept[0]

    def to_dpm(self, speaker: str, message: Message) -> None:
        """DPM handles a notice."""
        self.perform(self.dpm.receive(message, speaker))

    def crash_dpm(self) -> None:
        """DPM restarts from its stored state."""
        again = self._make(self._decision)
        again.restore(self.dpm.snapshot())
        assert again.observe() == self.dpm.observe()
        self.dpm = again

    # ------------------------------------------------------------------------------------------- enabled actions

    def deliveries(self) -> Iterator[Callable[[], None]]:
        """Everything that can be delivered now."""
        for host, inbox in self.inboxes.items():
            if host not in self.silent:
                yield from (lambda host=host, one=item: self._take(host, one) for item in inbox)
        for host, vpc in self.readable():
            yield lambda host=host, vpc=vpc: self.from_topic(host, vpc)  # type: ignore[misc]
        for notice in self.notices:
            yield lambda notice=notice: self._notice(notice)  # type: ignore[misc]

    def readable(self) -> list[tuple[str, str]]:
        """The hosts and VPCs for which a message can be read from the topic."""
        return [
            (host, vpc)
            for (host, vpc), kept in self.broker.kept.items()
            if kept and host not in self.silent and vpc in self.agents[host].observe()["consumer"]
        ]

    def _take(self, host: str, message: Push | Subscribe) -> None:
        self.inboxes[host].remove(message)
        self.to_agent(host, message)

    def _notice(self, notice: tuple[str, Message]) -> None:
        self.notices.remove(notice)
        self.to_dpm(*notice)

    def decisions(self) -> list[Callable[[], Effects]]:
        """The decisions that DPM would take now."""
        return [operation for vpc in self.dpm.observe()["channel"] for operation in self.dpm.due(vpc)]

    def timers(self) -> list[Callable[[], Effects]]:
        """The actions of DPM after waiting."""
        dpm, found = self.dpm, list[Callable[[], Effects]]()
        for vpc in dpm.observe()["channel"]:
            for host in dpm.asked(vpc):
                operation = dpm.ask_again if dpm.may_ask_again(host, vpc) else dpm.give_up
                found.append(lambda operation=operation, host=host, vpc=vpc: operation(host, vpc))  # type: ignore[misc]
            found += [lambda host=host, vpc=vpc: dpm.remind(host, vpc) for host in dpm.unconfirmed(vpc)]  # type: ignore[misc]
        return found

    def settle(self, generator: random.Random | None = None) -> None:
        """Delivers and decides until nothing is left to do; time passes only when nothing else happens."""
        for _ in range(SETTLE_STEPS_MAX):
            decisions, deliveries = self.decisions(), list(self.deliveries())
            if decisions:
                self.perform(decisions[0]())
            elif deliveries:
                (generator.choice(deliveries) if generator else deliveries[0])()
            else:
                waited = self.timers()
                if not waited or (self.silent and not any(map(self.dpm.asked, self.dpm.observe()["channel"]))):
                    return
                for operation in waited:
                    self.perform(operation())
        raise AssertionError("it goes round in circles")

    def revise(self, vpc: str, data: bytes = b"rules") -> None:
        """Changes the VPC's rules."""
        self.perform(self.dpm.revise(vpc, Kind.GROUP_RULES, data))

    def add(self, vpc: str, **ports: int) -> None:
        """Adds ports at hosts."""
        for host, count in ports.items():
            for _ in range(count):
                self.perform(self.dpm.add_port(host, vpc))

    def remove(self, vpc: str, **ports: int) -> None:
        """Removes ports from hosts."""
        for host, count in ports.items():
            for _ in range(count):
                self.perform(self.dpm.remove_port(host, vpc))

    def seen(self, what: str, vpc: str, host: str = "") -> object:
        """A part of DPM's state."""
        return self.dpm.observe()[what][(host, vpc) if host else vpc]
