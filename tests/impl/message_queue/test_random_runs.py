"""In any order of events, no host misses a revision, and none receives anything of a VPC in which it has no port.

Each run consists of added and removed ports, revisions, lost, late and repeated messages, silent and restarting agents, refusals,
and restarts of DPM. Invariants are checked after every step, and at the end everything must become idle. The runs detect
implementations with one rule changed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from conformance.mutation.faulty import cores_of
from impl.core import Effects
from impl.message_queue.aca import MessageQueueAca
from impl.message_queue.dpm import MessageQueueDpm
from impl.message_queue.thresholds import Thresholds
from impl.messages import Message, Published, Push, Subscribe
from tests.impl.message_queue.network import Network
from tests.impl.message_queue.wrong import WRONG

HOSTS = ["h1", "h2", "h3"]
VPCS = ["red", "blue"]
STEPS = 250
RUNS = 60
DECISION = Thresholds(many_ports=15, many_in_a_group=2, patience=2)
"""Groups decide more often than ports do, since they may change at once."""


class Broken(Exception):
    """An invariant is violated."""


def demand(holds: bool, what: str) -> None:
    """Raises with the name of the violated invariant."""
    if not holds:
        raise Broken(what)


class Run:
    """One run, given by a seed."""

    def __init__(
        self,
        seed: int,
        dpm: Callable[[Thresholds], MessageQueueDpm] = MessageQueueDpm,
        aca: Callable[[str], MessageQueueAca] = MessageQueueAca,
    ) -> None:
        self.generator = random.Random(seed)
        self.network = Network(HOSTS, DECISION, dpm, aca)
        self.had_ports: set[tuple[str, str]] = set()
        self.handled: dict[str, int] = {}
        self.ended: set[object] = set()
        self.channels: list[str] = []
        """The channel after each switch."""

    def go(self) -> None:
        """Takes all steps, checks after each, and then becomes idle."""
        network = self.network
        for vpc in VPCS:
            network.perform(network.dpm.add_vpc(vpc))
        for _ in range(STEPS):
            before = network.dpm.observe()["channel"]
            self.step()
            self.channels += [after for vpc, after in network.dpm.observe()["channel"].items() if after != before[vpc]]
            self.look()
        network.silent.clear()
        for inbox in network.inboxes.values():
            inbox.clear()  # messages in flight are lost: reminders and repeated requests must make up for it
        network.start()
        network.settle(self.generator)
        self.look()
        self.rests()

    def step(self) -> None:
        """Takes a random step."""
        network, choose = self.network, self.generator.choice
        host, vpc = choose(HOSTS), choose(VPCS)
        weighted: list[tuple[int, Callable[[], object]]] = [
            (3, partial(self._port, host, vpc, came=True)),
            (2, partial(self._port, host, vpc, came=False)),
            (2, partial(network.revise, vpc, self.generator.randbytes(3))),
            (
                3,
                lambda: network.perform(network.dpm.regroup(vpc, min(choose([0, 2, 3, 3]), network.dpm.vpc(vpc).size))),
            ),
            (1, partial(network.start, host)),
            (1, network.crash_dpm),
            (1, partial(self._silence, host)),
            (1, partial(self._refuse, host, vpc)),
            (14, partial(self._one_of, lambda: list(network.deliveries()))),
            (12, partial(self._one_of, lambda: [partial(self._decide, decision) for decision in network.decisions()])),
            (2, partial(self._one_of, lambda: [partial(self._decide, timer) for timer in network.timers()])),
            (2, partial(self._again_or_never, host)),
        ]
        weights = [weight for weight, _ in weighted]
        self.generator.choices([what for _, what in weighted], weights)[0]()

    def _one_of(self, possible: Callable[[], list[Callable[[], object]]]) -> None:
        found = possible()
        if found:
            self.generator.choice(found)()

    def _decide(self, operation: Callable[[], Effects]) -> None:
        self.network.perform(operation())

    def _port(self, host: str, vpc: str, *, came: bool) -> None:
        if came:
            self.network.add(vpc, **{host: 1})
            self.had_ports.add((host, vpc))
        elif self.network.dpm.observe()["ports"].get((host, vpc)):
            self.network.remove(vpc, **{host: 1})

    def _silence(self, host: str) -> None:
        self.network.silent ^= {host}

    def _refuse(self, host: str, vpc: str) -> None:
        self.network.broker.refused ^= {(host, vpc)}

    def _again_or_never(self, host: str) -> None:
        inbox = self.network.inboxes[host]
        if inbox:
            one = self.generator.choice(inbox)
            inbox.append(one) if self.generator.random() < 0.5 else inbox.remove(one)

    # ---------------------------------------------------------------------------------------------- invariants

    def look(self) -> None:
        """Checks the invariants."""
        seen = self.network.dpm.observe()
        for vpc in VPCS:
            self._one_decision(vpc, seen)
        for (host, vpc), ports in seen["ports"].items():
            subscription = seen["subscription"][host, vpc]
            if subscription == "none":
                demand((host, vpc) not in self.network.broker.kept, f"{host} still has a subscription to {vpc}")
                demand((host, vpc) not in self.network.broker.permitted, f"{host} is still permitted to read {vpc}")
            if ports and seen["met"][host] and seen["confirmed"][host, vpc] < seen["sent"][vpc]:
                demand(self._is_coming(host, vpc, seen), f"{host} misses revision {seen['sent'][vpc]} of {vpc}")
        for (host, vpc), confirmed in seen["confirmed"].items():
            agent = self.network.agents[host]
            if agent.epoch == seen["met"][host]:
                demand(confirmed <= agent.known(vpc), f"{host} counts as having applied what it has not")
        for (vpc, revision), outcome in seen["outcome"].items():
            if outcome == "done" and (vpc, revision) not in self.ended:
                self._done(vpc, revision, seen)
        for host, messages in self.network.received.items():
            for message in messages[self.handled.get(host, 0) :]:
                self._addressed(host, message)
            self.handled[host] = len(messages)

    def _done(self, vpc: str, revision: int, seen: dict[str, Any]) -> None:
        self.ended.add((vpc, revision))
        demand(revision <= seen["sent"][vpc], f"revision {revision} of {vpc} ended before it went out")
        for host, agent in self.network.agents.items():
            if seen["ports"].get((host, vpc)) and agent.epoch == seen["met"][host]:
                demand(
                    agent.known(vpc) >= revision, f"revision {revision} of {vpc} is done, and {host} does not know it"
                )

    def _one_decision(self, vpc: str, seen: dict[str, Any]) -> None:
        dpm = self.network.dpm
        leaving = any(said == "leaving" and key[1] == vpc for key, said in seen["subscription"].items())
        news = seen["sent"][vpc] < seen["rules"][vpc]
        possible = [dpm.may_open(vpc), dpm.may_close(vpc), dpm.may_send_directly(vpc), dpm.may_publish(vpc)]
        if news and not leaving:
            demand(sum(possible) == 1, f"{sum(possible)} decisions about a revision of {vpc} that is to go out")

    def _is_coming(self, host: str, vpc: str, seen: dict[str, Any]) -> bool:
        """The newest revision was sent to the host's epoch, is in its subscription, or is known."""
        network, sent, met = self.network, seen["sent"][vpc], seen["met"][host]
        agent = network.agents[host]
        pushed = any(
            isinstance(item, Push) and (item.host, item.epoch, item.vpc, item.revision) == (host, met, vpc, sent)
            for item in network.ever
        )
        kept = network.broker.kept.get((host, vpc), [])
        subscribed = seen["subscription"][host, vpc] in ("asked", "subscribed")
        by_topic = subscribed and any(entry.revision == sent for entry in kept)
        return pushed or by_topic or (agent.epoch > met or agent.known(vpc) >= sent)

    def _addressed(self, host: str, message: Message) -> None:
        assert isinstance(message, Push | Subscribe | Published)
        if not isinstance(message, Published):
            demand(message.host == host, f"{host} received what is for {message.host}")
        demand((host, message.vpc) in self.had_ports, f"{host} heard of {message.vpc}, where it never had a port")

    def rests(self) -> None:
        """Nothing is left to do: all revisions were sent and have ended, and every channel is the one for its size."""
        seen = self.network.dpm.observe()
        demand(seen["sent"] == seen["rules"], "something never went out")
        demand("pending" not in seen["outcome"].values(), "a revision was never reported")
        demand(set(seen["channel"].values()) <= {"grpc", "mq"}, "a switch was never completed")
        for vpc, channel in seen["channel"].items():
            large = seen["size"][vpc] >= 15 or seen["group"][vpc] >= 2
            small = seen["size"][vpc] < 12 and seen["group"][vpc] < 2
            demand(not (large and channel == "grpc"), f"{vpc} is large and on no topic")
            demand(not (small and channel == "mq"), f"{vpc} is small and on a topic")
        for (host, vpc), ports in seen["ports"].items():
            subscription, on_topic = seen["subscription"][host, vpc], seen["channel"][vpc] == "mq"
            refused = (host, vpc) in self.network.broker.refused
            expected = "subscribed" if ports and on_topic and not refused else "none"
            demand(subscription == expected, f"{host} is {subscription} at {vpc}, and should be {expected}")
            if ports:
                known = self.network.agents[host].known(vpc)
                demand(known == seen["sent"][vpc], f"{host} knows revision {known} of {vpc}")


def test_no_host_misses_a_revision_whatever_happens() -> None:
    seen: Counter[str] = Counter()
    for seed in range(RUNS):
        run = Run(seed)
        run.go()
        seen.update(run.channels)
        seen.update(type(item).__name__ for item in run.network.ever)
    # The runs would be useless if these did not happen.
    assert all(seen[channel] >= RUNS / 2 for channel in ("opening", "mq", "closing", "grpc")), seen
    assert all(seen[name] >= RUNS / 2 for name in ("Published", "Accepted", "Declined", "EndSubscription")), seen


NOTICED = [
    "leaves_without_a_snapshot",
    "publishes_while_somebody_leaves",
    "keeps_the_subscription",
    "takes_any_answer",
    "pushes_to_all_hosts",
    "forgets_that_it_fell_back",
    "reports_before_they_confirm",
    "finishes_closing_early",
    "confirms_what_it_did_not_apply",
    "replays_over_newer",
    "message_queue.rules.Rules._tells_the_newcomer: another constant: True → False",
    "message_queue.decisions.Decisions.ask: drop a send: self._permission(host, vpc) → ()",
    "message_queue.rules.Rules._is_ready: drop a disjunct: member.barred → nothing",
    "message_queue.rules.Rules._asks_after_greeting: another constant: True → False",
]
"""Faulty implementations that random runs notice."""


@pytest.mark.parametrize("name", [*NOTICED, "publishes too early", "counts over a restart", "is never large"])
def test_a_wrong_implementation_is_noticed(name: str) -> None:
    cores = WRONG.get(name) or cores_of(name)
    assert any(_breaks(Run(seed, cores.message_queue_dpm, cores.message_queue_aca)) for seed in range(RUNS))


def _breaks(run: Run) -> bool:
    try:
        run.go()
    except (Broken, AssertionError):
        return True
    return False
