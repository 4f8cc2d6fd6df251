"""NCM as a service: it listens to a host as soon as the host is registered, sends reminders, and reports overdue changes as
failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from impl.broker import topics
from impl.core import Effects, Send
from impl.errors import NotAllowed
from impl.events.event_schema import ON_DEMAND
from impl.events.on_demand import OnDemandNcmProjection
from impl.events.recorder import Recorder, Sink
from impl.messages import Deregistered, Message, Pod, Registered
from impl.on_demand.ncm import Channel, Ncm
from impl.service.loop import Service
from impl.service.timing import Timing
from impl.storage.store import Store
from impl.transport.interface import Connection, Delivery


class NcmService(Service):
    """Runs NCM's core."""

    def __init__(
        self,
        store: Store,
        connect: Callable[[], Connection],
        timing: Timing | None = None,
        events: Sink | None = None,
    ) -> None:
        """`events`: the sink of the event log; None: no event log."""
        self.ncm = Ncm()
        super().__init__("ncm", self.ncm, store, connect, subscription="ncm", timing=timing)
        if events is not None:
            self.recorder = Recorder("ncm", {ON_DEMAND: OnDemandNcmProjection(self.ncm)}, events)
        self._since: dict[tuple[Pod, int], float] = {}
        """When a change was first seen to be pending."""
        self._reminded: dict[tuple[str, Pod], float] = {}

    def topics(self) -> list[str]:
        return [topics.GOAL_STATES, topics.HOSTS]

    def listening(self) -> None:
        for host in self.ncm.hosts():
            self._listen_to(host)

    def undeliverable(self, send: Send, problem: NotAllowed) -> None:
        """The host was withdrawn or registered again; it does not need messages for its earlier registration."""
        if send.topic == topics.OUTCOMES:
            raise problem
        self._log.warning(
            "drops a %s for %s, which no longer exists: %s", type(send.message).__name__, send.topic, problem
        )

    def take(self, message: Message, delivery: Delivery) -> Effects:
        effects = self.ncm.receive(message, channel_of(delivery.topic))
        if isinstance(message, Registered | Deregistered) and effects.record is not None:
            # After a new registration, the host's topic is a different one of the same name.
            self.session.stop_listening(topics.requests(message.host))
            if message.host in self.ncm.hosts():
                self._listen_to(message.host)
        return effects

    def _listen_to(self, host: str) -> None:
        try:
            self._retried(lambda: self.session.listen(topics.requests(host)))
        except NotAllowed as problem:
            # Withdrawn while NCM was away: its deregistration will arrive.
            self._log.warning("cannot listen to %s: %s", host, problem)

    def tick(self, now: float) -> Iterator[Effects]:
        for change in self.ncm.due():
            yield self.ncm.report(*change)
        yield from self._given_up(now)
        yield from self._reminders(now)

    def _given_up(self, now: float) -> Iterator[Effects]:
        pending = self.ncm.pending()
        self._since = {change: self._since.get(change, now) for change in pending}
        late = [change for change, since in self._since.items() if now - since >= self.timing.confirm_max]
        for change in late:
            yield self.ncm.fail(*change)

    def _reminders(self, now: float) -> Iterator[Effects]:
        waited_for = self.ncm.unconfirmed()
        self._reminded = {pair: self._reminded.get(pair, now) for pair in waited_for}
        for pair, last in list(self._reminded.items()):
            if now - last >= self.timing.remind_every and self.ncm.was_met(pair[0]):
                self._reminded[pair] = now
                yield self.ncm.remind(*pair)


def channel_of(topic: str) -> Channel:
    """The authenticated sender of a topic's messages: only that host may write to its topic, only DPM to the others."""
    host = topic.removeprefix("requests-")
    return Channel("host", host) if host != topic else Channel("dpm")
