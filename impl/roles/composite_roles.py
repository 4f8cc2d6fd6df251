"""DPM and an agent that run both protocols in one process."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from impl.broker import topics
from impl.composite import CompositeAca, CompositeDpm, of_message_queue
from impl.core import Effects, Event, Send
from impl.messages import Deregistered, Message, Published, Push, Registered, Subscribe
from impl.outputs import Answer, Listen, Role, Work, answered
from impl.roles import message_queue_roles, on_demand_roles
from impl.roles.timing import Timing
from impl.timers import Timer


class DpmRole(Role):
    """What a host says to DPM, and its registration, is for the message queue."""

    core: CompositeDpm

    def __init__(self, core: CompositeDpm, timing: Timing) -> None:
        self.core = core
        self._on_demand = on_demand_roles.DpmRole(core.dpm, timing)
        self._message_queue = message_queue_roles.DpmRole(core.message_queue, timing)

    def topics(self) -> list[str]:
        return [*self._on_demand.topics(), *self._message_queue.topics()]

    def listening(self) -> Iterator[Listen]:
        return self._message_queue.listening()

    def take(self, message: Message, topic: str) -> Answer:
        registers = topic == topics.HOSTS and isinstance(message, Registered | Deregistered)
        if registers or topics.speaker(topic):
            return _stored(self._message_queue.take(message, topic))
        return self._on_demand.take(message, topic)

    def happened(self, event: Event) -> None:
        self._message_queue.happened(event)

    def due(self, now: float) -> Iterator[Timer]:
        return chain(self._on_demand.due(now), self._message_queue.due(now))

    def fire(self, timer: Timer) -> Answer:
        return self._on_demand.fire(timer) if timer.action == "resend" else _stored(self._message_queue.fire(timer))

    def may_be_lost(self, send: Send) -> bool:
        return self._on_demand.may_be_lost(send)


def _stored(answer: Answer) -> Work:
    return of_message_queue((yield from answered(answer)))


class AcaRole(Role):
    """Revisions and requests to subscribe are for the message queue."""

    core: CompositeAca

    def __init__(self, core: CompositeAca, timing: Timing) -> None:
        self.core = core
        self._on_demand = on_demand_roles.AcaRole(core.aca, timing)
        self.message_queue = message_queue_roles.AcaRole(core.message_queue, timing)

    def topics(self) -> list[str]:
        return self._on_demand.topics()

    def listening(self) -> Iterator[Listen]:
        return self.message_queue.listening()

    def begin(self) -> Effects:
        self._on_demand.begun()
        return self.core.start()

    def take(self, message: Message, topic: str) -> Answer:
        is_shared = isinstance(message, Push | Published | Subscribe)
        return (self.message_queue if is_shared else self._on_demand).take(message, topic)

    def happened(self, event: Event) -> None:
        self._on_demand.happened(event)

    def due(self, now: float) -> Iterator[Timer]:
        return chain(self.message_queue.due(now), self._on_demand.due(now))

    def fire(self, timer: Timer) -> Answer:
        is_shared = timer.action in ("subscribe", "decline")
        return (self.message_queue if is_shared else self._on_demand).fire(timer)
