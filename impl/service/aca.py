"""An agent as a service: packets arrive as commands from the dataplane; answers, revisions and subscribe requests arrive as
messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any, Final, Protocol

from impl.broker import topics
from impl.composite import CompositeAca
from impl.core import Effects, Event, IllegalInput
from impl.events.event_schema import MESSAGE_QUEUE, ON_DEMAND
from impl.events.message_queue import MessageQueueAcaProjection
from impl.events.on_demand import OnDemandAcaProjection
from impl.events.recorder import Projection, Recorder, Sink
from impl.message_queue.aca import MessageQueueAca
from impl.messages import VPC_NAME, Confirmed, Kind, Part, Pod, Push, Subscribe
from impl.on_demand.aca import Aca
from impl.outputs import Answer, Work, answered
from impl.roles.composite_roles import AcaRole
from impl.roles.timing import DEFAULT, Timing
from impl.service.loop import Service
from impl.storage.store import Store
from impl.transport.interface import Connection


class Dataplane(Protocol):
    """The host's packet forwarding, as the agent uses it."""

    def forward(self, source: Pod, destination: Pod, place: str) -> None:
        """Sends the packet to the pod at this host."""

    def drop(self, source: Pod, destination: Pod, reason: str) -> None:
        """Drops the packet."""


Handler = Callable[[str, int, bytes], None]
"""Applies one kind of the state that the hosts of a VPC share: the VPC, the revision, and the bytes. It may be called again with
the same arguments. If it raises, the agent ends, and the revision is neither confirmed nor acknowledged."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """The handler of each kind."""

    subnet: Handler
    group_rules: Handler

    def apply(self, vpc: str, revision: int, parts: Iterable[Part]) -> None:
        """Passes each part to its handler."""
        for part in parts:
            match part.kind:
                case Kind.SUBNET:
                    self.subnet(vpc, revision, part.data)
                case Kind.GROUP_RULES:
                    self.group_rules(vpc, revision, part.data)


def _ignore(vpc: str, revision: int, data: bytes) -> None:
    """Does nothing."""


NO_HANDLERS: Final = Handlers(_ignore, _ignore)
"""For a host that forwards nothing."""


class Quiet:
    """A dataplane that forwards nothing."""

    def forward(self, source: Pod, destination: Pod, place: str) -> None:
        """Does nothing."""

    def drop(self, source: Pod, destination: Pod, reason: str) -> None:
        """Does nothing."""


def _failed(answer: Future[Any], asked: Future[Effects]) -> None:
    """If the request failed, passes its exception on to the answer."""
    problem = asked.exception()
    if problem is not None and not answer.done():
        answer.set_exception(problem)


class AcaService(Service):
    """Requests routes for the destinations of its pods, and evicts idle routes."""

    def __init__(
        self,
        host: str,
        store: Store,
        connect: Callable[[], Connection],
        dataplane: Dataplane | None = None,
        timing: Timing = DEFAULT,
        handlers: Handlers = NO_HANDLERS,
        events: Sink | None = None,
    ) -> None:
        """`events`: the sink of the event log; None: no event log."""
        self.aca = Aca(host)
        self.message_queue = MessageQueueAca(host)
        role = AcaRole(CompositeAca(self.aca, self.message_queue), timing)
        self._subscriber = role.message_queue
        super().__init__(host, role, store, connect, subscription="aca", timing=timing)
        if events is not None:
            projections: dict[str, Projection] = {
                ON_DEMAND: OnDemandAcaProjection(self.aca),
                MESSAGE_QUEUE: MessageQueueAcaProjection(self.message_queue),
            }
            self.recorder = Recorder(f"aca/{host}", projections, events, host=host)
        self._dataplane = dataplane or Quiet()
        self._handlers = handlers
        self._askers: dict[str, list[Future[bool | None]]] = {}
        """By VPC: calls that wait for the result of a request to subscribe."""
        self._numbers = count(1)

    def packet(self, source: Pod, destination: Pod) -> Future[Effects]:
        """A pod of this host sends to another."""
        return self.submit(lambda: self.aca.packet(next(self._numbers), source, destination))

    def subscribe(self, vpc: str, epoch: int | None = None, attempt: int | None = None) -> Future[bool | None]:
        """A caller requests a subscription to the VPC's topic. The result says whether it exists, and is the answer.

        With an epoch and an attempt, the agent's own rule decides whether the request is outdated; the result is then None. Without
        them, the request is for the present epoch, and newer than any other.
        """
        answer: Future[bool | None] = Future()
        inbox = topics.inbox(self.aca.host)

        def ask() -> Answer:
            if not VPC_NAME.fullmatch(vpc):
                raise IllegalInput(f"ACA {self.message_queue.host}: invalid VPC name {vpc!r}: subscribe")
            host, present, newest = self.message_queue.host, self.message_queue.epoch, self.message_queue.heard(vpc)
            message = Subscribe(host, epoch or present, vpc, attempt or newest + 1)
            if not self.message_queue.is_to_subscribe(message):
                answer.set_result(None)
                return self.message_queue.pass_over(message)
            self._askers.setdefault(vpc, []).append(answer)
            self._subscriber.called(message)
            return self.role.take(message, inbox)

        self.submit(ask).add_done_callback(partial(_failed, answer))
        return answer

    def push(self, message: Push) -> Future[int]:
        """DPM calls with a revision. The result is the revision that the agent has now applied, and confirms it: the same, or a
        newer one, which is also reported on DPM's topic; 0: neither, because the call is for another epoch."""
        answer: Future[int] = Future()
        confirmed, inbox = 0, topics.inbox(self.aca.host)

        def take() -> Work:
            nonlocal confirmed
            effects = yield from answered(self.role.take(message, inbox))
            said = {send: send.message.revision for send in effects.sends if isinstance(send.message, Confirmed)}
            confirmed = max(said.values(), default=0)
            return replace(effects, sends=tuple(send for send in effects.sends if said.get(send) != message.revision))

        def applied(done: Future[Effects]) -> None:
            _failed(answer, done)
            if not answer.done():
                answer.set_result(confirmed)

        self.submit(take).add_done_callback(applied)
        return answer

    def unsubscribe(self, vpc: str) -> Future[Effects]:
        """A client other than DPM requests that the VPC's topic be read no more."""
        return self.submit(lambda: self._subscriber.unsubscribe(vpc))

    def happened(self, event: Event) -> None:
        fields = event.fields
        match event.name:
            case "release" | "deliver":
                self._dataplane.forward(fields["source"], fields["destination"], fields["place"])
            case "give up" | "drop":
                self._dataplane.drop(fields["source"], fields["destination"], fields["reason"])
            case "accept" | "decline":
                for asker in self._askers.pop(fields["vpc"], []):
                    if not asker.done():
                        asker.set_result(event.name == "accept")
            case "apply":
                self._handlers.apply(fields["vpc"], fields["revision"], fields["parts"])
