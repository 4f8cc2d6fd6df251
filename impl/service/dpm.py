"""DPM as a service: decisions arrive as commands; reports, registrations and the agents' messages arrive as messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import asdict
from typing import Final

from impl.broker import topics
from impl.broker.vpc_topics import Administration
from impl.composite import CompositeDpm, of_message_queue
from impl.core import Effects, Event, Send
from impl.errors import NotAllowed
from impl.events.event_schema import MESSAGE_QUEUE, ON_DEMAND
from impl.events.message_queue import MessageQueueDpmProjection
from impl.events.on_demand import OnDemandDpmProjection
from impl.events.recorder import Projection, Recorder, Sink
from impl.message_queue.dpm import MessageQueueDpm
from impl.message_queue.thresholds import NEVER_LARGE, Thresholds
from impl.messages import Administrative, Deregistered, Kind, Message, Notice, Pod, Registered
from impl.on_demand.dpm import Dpm
from impl.service.loop import Service
from impl.service.timing import Timing
from impl.storage.store import Store
from impl.transport.interface import Connection, Delivery

DECISIONS_MAX: Final = 50
"""Decisions about channels between two reads of the input; some of them take the broker's administration a while."""


class DpmService(Service):
    """Issues versions and revisions, receives their outcomes, and resends those without an outcome.

    Without `administration` there are no topics: every VPC is served directly, however large.
    """

    def __init__(
        self,
        store: Store,
        connect: Callable[[], Connection],
        timing: Timing | None = None,
        *,
        administration: Administration | None = None,
        decision: Thresholds | None = None,
        events: Sink | None = None,
    ) -> None:
        """`events`: the sink of the event log; None: no event log."""
        self.dpm = Dpm()
        self.message_queue = MessageQueueDpm(decision if administration is not None else NEVER_LARGE)
        self.composite = CompositeDpm(self.dpm, self.message_queue)
        super().__init__("dpm", self.composite, store, connect, subscription="dpm", timing=timing)
        if events is not None:
            projections: dict[str, Projection] = {
                ON_DEMAND: OnDemandDpmProjection(self.dpm),
                MESSAGE_QUEUE: MessageQueueDpmProjection(self.message_queue),
            }
            self.recorder = Recorder("dpm", projections, events, about=asdict(self.message_queue.decision))
        self._administration = administration
        self._resent: dict[tuple[Pod, int], float] = {}
        self._asked: dict[tuple[str, str], tuple[float, int]] = {}
        """By host and VPC: when it was asked to subscribe, and how often in a row."""
        self._unconfirmed: dict[str, list[str]] = {}
        """By VPC: the hosts to remind."""
        self._reminded: dict[tuple[str, str], float] = {}
        self._unreported: dict[str, dict[int, float]] = {}
        """By VPC: revisions sent that have no outcome, and when that was first seen."""

    def place(self, pod: Pod, host: str) -> Future[Effects]:
        """Creates the pod at the host, or moves it there."""
        return self.submit(lambda: self.composite.place(pod, host))

    def remove(self, pod: Pod) -> Future[Effects]:
        """Removes the pod."""
        return self.submit(lambda: self.composite.remove(pod))

    def revise(self, vpc: str, kind: Kind, data: bytes) -> Future[Effects]:
        """Changes the shared state of a VPC."""
        return self.submit(lambda: of_message_queue(self.message_queue.revise(vpc, kind, data)))

    def regroup(self, vpc: str, largest: int) -> Future[Effects]:
        """Sets the number of ports in the VPC's largest security group."""
        return self.submit(lambda: of_message_queue(self.message_queue.regroup(vpc, largest)))

    def hear(self, notice: Notice, speaker: str) -> Future[Effects]:
        """Takes a host's reply to one of DPM's calls, as if it had arrived on the host's topic."""
        return self.submit(lambda: of_message_queue(self.message_queue.receive(notice, speaker)))

    def topics(self) -> list[str]:
        return [topics.OUTCOMES, topics.HOSTS]

    def listening(self) -> None:
        for host in self.message_queue.hosts():
            self._listen_to(host)

    def begin(self) -> Effects:
        # The start of a request is not stored; after a restart every host has its whole time again.
        for vpc in self.message_queue.vpcs():
            for host, tries in self.message_queue.asked(vpc).items():
                self._asked[host, vpc] = (time.monotonic(), tries)
        return Effects()

    def undeliverable(self, send: Send, problem: NotAllowed) -> None:
        """The host was withdrawn or registered again, or the topic was closed, after this was stored."""
        if send.topic == topics.GOAL_STATES:
            raise problem
        self._log.warning(
            "drops a %s for %s, which no longer exists: %s", type(send.message).__name__, send.topic, problem
        )

    def administer(self, work: Message) -> None:
        if self._administration is None:
            super().administer(work)
            return
        assert isinstance(work, Administrative)
        self._administration.perform(work)

    def take(self, message: Message, delivery: Delivery) -> Effects:
        speaker = topics.speaker(delivery.topic)
        if speaker:
            return of_message_queue(self.message_queue.receive(message, speaker))
        if delivery.topic == topics.HOSTS and isinstance(message, Registered | Deregistered):
            return self._take_part(message)
        return self.dpm.receive(message)

    def _take_part(self, message: Registered | Deregistered) -> Effects:
        match message:
            case Registered():
                effects = of_message_queue(self.message_queue.register(message))
            case Deregistered():
                effects = of_message_queue(self.message_queue.deregister(message))
        if effects.record is not None:
            # After a new registration, the host's topic is a different one of the same name.
            self.session.stop_listening(topics.notices(message.host))
            if message.host in self.message_queue.hosts():
                self._listen_to(message.host)
        return effects

    def _listen_to(self, host: str) -> None:
        try:
            self._retried(lambda: self.session.listen(topics.notices(host)))
        except NotAllowed as problem:
            # Withdrawn while DPM was away: its deregistration will arrive.
            self._log.warning("cannot listen to %s: %s", host, problem)

    def happened(self, event: Event) -> None:
        if event.name == "ask":
            self._asked[event.fields["host"], event.fields["vpc"]] = (time.monotonic(), event.fields["tries"])

    def tick(self, now: float) -> Iterator[Effects]:
        yield from self._resends(now)
        for vpc in sorted(self.message_queue.stirred()):
            yield from map(of_message_queue, self._decided(vpc))
            self._unconfirmed[vpc] = self.message_queue.unconfirmed(vpc)
            seen = self._unreported.get(vpc, {})
            self._unreported[vpc] = {item: seen.get(item, now) for item in self.message_queue.unreported(vpc)}
        yield from map(of_message_queue, self._unanswered(now))
        yield from map(of_message_queue, self._reminders(now))
        yield from map(of_message_queue, self._failed(now))

    def _resends(self, now: float) -> Iterator[Effects]:
        pending = self.dpm.pending()
        for change in pending:
            if now - self._resent.setdefault(change, now) >= self.timing.resend_every:
                self._resent[change] = now
                yield self.dpm.resend(*change)
        if len(self._resent) > len(pending):
            self._resent = {change: self._resent[change] for change in pending}

    def _decided(self, vpc: str) -> Iterator[Effects]:
        """Takes decisions about a VPC, a limited number at a time: each marks the VPC as changed, so that the next round
        continues."""
        for _, operation in zip(range(DECISIONS_MAX), self.message_queue.due(vpc), strict=False):
            yield operation()

    def _unanswered(self, now: float) -> Iterator[Effects]:
        for (host, vpc), (since, tries) in list(self._asked.items()):
            again, no_more = self.message_queue.may_ask_again(host, vpc), self.message_queue.may_give_up(host, vpc)
            if not again and not no_more:
                del self._asked[host, vpc]
            elif now - since >= min(self.timing.asked_first * 2 ** (tries - 1), self.timing.asked_max):
                yield self.message_queue.ask_again(host, vpc) if again else self.message_queue.give_up(host, vpc)

    def _reminders(self, now: float) -> Iterator[Effects]:
        waited_for = {(host, vpc) for vpc, hosts in self._unconfirmed.items() for host in hosts}
        self._reminded = {pair: self._reminded.get(pair, now) for pair in waited_for}
        for pair, last in list(self._reminded.items()):
            if now - last >= self.timing.remind_every and self.message_queue.may_remind(*pair):
                self._reminded[pair] = now
                yield self.message_queue.remind(*pair)

    def _failed(self, now: float) -> Iterator[Effects]:
        for vpc, since in self._unreported.items():
            for revision, first in list(since.items()):
                if now - first >= self.timing.confirm_max and self.message_queue.may_report_failed(vpc, revision):
                    yield self.message_queue.report_failed(vpc, revision)
