"""An agent as a service: packets arrive as commands from the dataplane; answers, revisions and subscribe requests arrive as
messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any, Final, Protocol

from impl.broker import topics
from impl.composite import CompositeAca
from impl.core import Effects, Event, IllegalInput
from impl.errors import NotAllowed, Unreachable
from impl.events.event_schema import MESSAGE_QUEUE, ON_DEMAND
from impl.events.message_queue import MessageQueueAcaProjection
from impl.events.on_demand import OnDemandAcaProjection
from impl.events.recorder import Projection, Recorder, Sink
from impl.message_queue.aca import MessageQueueAca
from impl.messages import VPC_NAME, Confirmed, Kind, Message, Part, Pod, Published, Push, Subscribe
from impl.on_demand.aca import Aca
from impl.service.loop import Service
from impl.service.timing import Timing
from impl.storage.store import Store
from impl.transport.interface import Connection, Delivery
from impl.wire.codec import encode

NOT_HEARD = ("of another epoch", "not for this agent")
"""Reasons for ignoring a message that do not show that NCM has seen the agent's present epoch."""


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
        timing: Timing | None = None,
        handlers: Handlers = NO_HANDLERS,
        events: Sink | None = None,
    ) -> None:
        """`events`: the sink of the event log; None: no event log."""
        self.aca = Aca(host)
        self.message_queue = MessageQueueAca(host)
        self.composite = CompositeAca(self.aca, self.message_queue)
        super().__init__(host, self.composite, store, connect, subscription="aca", timing=timing)
        if events is not None:
            projections: dict[str, Projection] = {
                ON_DEMAND: OnDemandAcaProjection(self.aca),
                MESSAGE_QUEUE: MessageQueueAcaProjection(self.message_queue),
            }
            self.recorder = Recorder(f"aca/{host}", projections, events, host=host)
        self._dataplane = dataplane or Quiet()
        self._handlers = handlers
        self._subscribing: dict[str, tuple[Subscribe, float]] = {}
        """By VPC: the subscribe request in progress, and since when."""
        self._askers: dict[str, list[Future[bool | None]]] = {}
        """By VPC: calls that wait for its result."""
        self._called: set[tuple[str, int]] = set()
        """VPCs and attempts requested by a call, whose reply is the answer."""
        self._numbers = count(1)
        self._asked: dict[int, float] = {}
        """When each held packet was requested."""
        self._refused: dict[tuple[Pod, Pod], float] = {}
        self._used: dict[Pod, float] = {}
        """When each remote route was last used, or installed."""
        self._unheard_since: float | None = None
        """When NCM was last greeted; None: a message from NCM has arrived since."""

    def packet(self, source: Pod, destination: Pod) -> Future[Effects]:
        """A pod of this host sends to another."""
        return self.submit(lambda: self.aca.packet(next(self._numbers), source, destination))

    def subscribe(self, vpc: str, epoch: int | None = None, attempt: int | None = None) -> Future[bool | None]:
        """A caller requests a subscription to the VPC's topic. The result says whether it exists, and is the answer.

        With an epoch and an attempt, the agent's own rule decides whether the request is outdated; the result is then None. Without
        them, the request is for the present epoch, and newer than any other.
        """
        answer: Future[bool | None] = Future()

        def ask() -> Effects:
            if not VPC_NAME.fullmatch(vpc):
                raise IllegalInput(f"ACA {self.message_queue.host}: invalid VPC name {vpc!r}: subscribe")
            host, present, newest = self.message_queue.host, self.message_queue.epoch, self.message_queue.heard(vpc)
            message = Subscribe(host, epoch or present, vpc, attempt or newest + 1)
            if not self.message_queue.is_to_subscribe(message):
                answer.set_result(None)
                return self.message_queue.pass_over(message)
            self._askers.setdefault(vpc, []).append(answer)
            self._called.add((vpc, message.attempt))
            return self.take(message, self._by_call(message))

        self.submit(ask).add_done_callback(partial(_failed, answer))
        return answer

    def push(self, message: Push) -> Future[int]:
        """DPM calls with a revision. The result is the revision that the agent has now applied, and confirms it: the same, or a
        newer one, which is also reported on DPM's topic; 0: neither, because the call is for another epoch."""
        answer: Future[int] = Future()
        confirmed = 0

        def take() -> Effects:
            nonlocal confirmed
            effects = self.take(message, self._by_call(message))
            said = {send: send.message.revision for send in effects.sends if isinstance(send.message, Confirmed)}
            confirmed = max(said.values(), default=0)
            return replace(effects, sends=tuple(send for send in effects.sends if said.get(send) != message.revision))

        def applied(done: Future[Effects]) -> None:
            _failed(answer, done)
            if not answer.done():
                answer.set_result(confirmed)

        self.submit(take).add_done_callback(applied)
        return answer

    def _by_call(self, message: Message) -> Delivery:
        """A delivery as if the message had arrived on the agent's own inbox."""
        return Delivery(topics.inbox(self.aca.host), encode(message), "", "", time.time(), None)

    def unsubscribe(self, vpc: str) -> Future[Effects]:
        """A client other than DPM requests that the VPC's topic be read no more."""

        def stop() -> Effects:
            self._subscribing.pop(vpc, None)
            self.session.stop_listening(topics.multicast(vpc))
            return self.message_queue.stop_reading(vpc)

        return self.submit(stop)

    def topics(self) -> list[str]:
        return [topics.inbox(self.aca.host)]

    def listening(self) -> None:
        for vpc in self.message_queue.consumers():
            try:
                self._retried(
                    partial(self.session.listen, topics.multicast(vpc), topics.reader(self.message_queue.host))
                )
            except NotAllowed as problem:
                self._log.info("no longer reads %s: %s", topics.multicast(vpc), problem)

    def begin(self) -> Effects:
        self._unheard_since = time.monotonic()
        return self.composite.start()

    def take(self, message: Message, delivery: Delivery) -> Effects:
        if isinstance(message, Push | Published):
            return self.message_queue.receive(message, delivery.topic)
        if isinstance(message, Subscribe):
            if not self.message_queue.is_to_subscribe(message):
                return self.message_queue.pass_over(message)
            return self._subscribe(message, time.monotonic())
        effects = self.aca.receive(message)
        if not any(event.fields.get("reason") in NOT_HEARD for event in effects.events):
            self._unheard_since = None
        return effects

    def _subscribe(self, message: Subscribe, since: float) -> Effects:
        """Tries to subscribe, and answers; or does neither, if the subscription may become available a little later.

        It subscribes again even if a subscription exists: only the broker knows whether a reader that was cut off still reads.
        """
        topic = topics.multicast(message.vpc)
        self._subscribing.pop(message.vpc, None)
        self.session.stop_listening(topic)
        try:
            self.session.listen(topic, topics.reader(self.message_queue.host))
        except NotAllowed as problem:
            self._log.info("declines to subscribe: %s", problem)
            return self._answer(message, self.message_queue.decline(message))
        except Unreachable as problem:
            if time.monotonic() - since >= self.timing.subscribe_max:
                self._log.info("declines to subscribe: %s", problem)
                return self._answer(message, self.message_queue.decline(message))
            self._subscribing[message.vpc] = (message, since)
            return Effects()
        return self._answer(message, self.message_queue.accept(message))

    def _answer(self, asked: Subscribe, answered: Effects) -> Effects:
        """An answer given in reply to a call is not also sent by the topic."""
        was_called = (asked.vpc, asked.attempt) in self._called
        self._called = {(vpc, attempt) for vpc, attempt in self._called if vpc != asked.vpc or attempt > asked.attempt}
        return replace(answered, sends=()) if was_called else answered

    def tick(self, now: float) -> Iterator[Effects]:
        timing = self.timing
        for message, since in list(self._subscribing.values()):
            if self.message_queue.is_to_subscribe(message):
                yield self._subscribe(message, since)
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
                self._note_use(fields["pod"], now)  # a local pod that moves away may have had a route before
            case "accept" | "decline":
                for asker in self._askers.pop(fields["vpc"], []):
                    if not asker.done():
                        asker.set_result(event.name == "accept")
            case "apply":
                self._handlers.apply(fields["vpc"], fields["revision"], fields["parts"])
            case "drop":
                self._dataplane.drop(fields["source"], fields["destination"], fields["reason"])

    def _note_use(self, pod: Pod, now: float) -> None:
        if self.aca.may_evict(pod):
            self._used[pod] = now
