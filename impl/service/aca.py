"""An agent as a service: packets come as commands from the dataplane, answers as messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import count
from typing import Protocol

from impl.aca import Aca
from impl.broker import topics
from impl.core import Effects, Event
from impl.messages import Message, Pod
from impl.service.loop import Service
from impl.service.timing import Timing
from impl.store import Store
from impl.transport.interface import Connection, Delivery

NOT_HEARD = ("of another epoch", "not for this agent")
"""Why a message says nothing of whether NCM has met the agent in this epoch."""


class Dataplane(Protocol):
    """What an agent tells the host's packet forwarding."""

    def forward(self, source: Pod, destination: Pod, place: str) -> None:
        """The packet goes to the pod at this host."""

    def drop(self, source: Pod, destination: Pod, reason: str) -> None:
        """The packet is given up."""


class Quiet:
    """A dataplane that forwards nothing."""

    def forward(self, source: Pod, destination: Pod, place: str) -> None:
        """Nothing to do."""

    def drop(self, source: Pod, destination: Pod, reason: str) -> None:
        """Nothing to do."""


class AcaService(Service):
    """Asks for what its pods send to; forgets what is idle."""

    def __init__(
        self,
        host: str,
        store: Store,
        connect: Callable[[], Connection],
        dataplane: Dataplane | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.aca = Aca(host)
        super().__init__(host, self.aca, store, connect, subscription="aca", timing=timing)
        self._dataplane = dataplane or Quiet()
        self._numbers = count(1)
        self._asked: dict[int, float] = {}
        """When each held packet was asked for."""
        self._refused: dict[tuple[Pod, Pod], float] = {}
        self._used: dict[Pod, float] = {}
        """When each remote route was used last, or came to be."""
        self._unheard_since: float | None = None
        """When NCM was last told that the agent has started; none: NCM has been heard since."""

    def packet(self, source: Pod, destination: Pod) -> Future[Effects]:
        """A pod of this host sends to another."""
        return self.submit(lambda: self.aca.packet(next(self._numbers), source, destination))

    def topics(self) -> list[str]:
        return [topics.inbox(self.aca.host)]

    def begin(self) -> Effects:
        self._unheard_since = time.monotonic()
        return self.aca.start()

    def take(self, message: Message, delivery: Delivery) -> Effects:
        effects = self.aca.receive(message)
        if not any(event.fields.get("reason") in NOT_HEARD for event in effects.events):
            self._unheard_since = None
        return effects

    def tick(self, now: float) -> Iterator[Effects]:
        timing = self.timing
        if self._unheard_since is not None and now - self._unheard_since >= timing.hello_every:
            self._unheard_since = now
            yield self.aca.say_hello()
        for request in [one for one, since in self._asked.items() if now - since >= timing.answer_max]:
            del self._asked[request]
            yield self.aca.time_out(request)
        for pair in [one for one, since in self._refused.items() if now - since >= timing.refusal_pause]:
            del self._refused[pair]
            yield self.aca.resume(*pair)
        for pod in [one for one, since in self._used.items() if now - since >= timing.idle_max]:
            del self._used[pod]
            if self.aca.may_evict(pod):
                yield self.aca.evict(pod)

    def happened(self, event: Event) -> None:
        fields, now = event.fields, time.monotonic()
        match event.name:
            case "ask":
                self._asked[fields["request"]] = now
            case "release":
                self._asked.pop(fields["request"], None)
                self._note_use(fields["destination"], now)
                self._dataplane.forward(fields["source"], fields["destination"], fields["place"])
            case "deliver":
                self._note_use(fields["destination"], now)
                self._dataplane.forward(fields["source"], fields["destination"], fields["place"])
            case "give up":
                self._asked.pop(fields["request"], None)
                if self.aca.is_paused(fields["source"], fields["destination"]):
                    self._refused[fields["source"], fields["destination"]] = now
                self._note_use(fields["destination"], now)  # the route to a pod that is gone is installed too
                self._dataplane.drop(fields["source"], fields["destination"], fields["reason"])
            case "learn":
                self._note_use(fields["pod"], now)  # a local pod that moves away may have had a route before it came
            case "drop":
                self._dataplane.drop(fields["source"], fields["destination"], fields["reason"])

    def _note_use(self, pod: Pod, now: float) -> None:
        if self.aca.may_evict(pod):
            self._used[pod] = now
