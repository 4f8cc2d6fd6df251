"""DPM and agents as services for hosts with slots of their VPC's topic. Messages that go by no VPC's topic go by inboxes.

DPM checks the broker on behalf of its core: a slot is handed to its host once the filler has it and no message is in flight to it;
the filler soon takes a slot that no consumer attends, and its host is told to leave. Messages handed to the filler go to their host
directly. An agent whose slot another consumer attends retries for a while, then declines.

**A slot does not isolate hosts.** Every host of a VPC may read all of its topic, attend another host's slot while that is free, and
confirm in another host's name. Hosts that must be isolated from each other need inboxes: `impl.service`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Final

from impl.broker import topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.broker.slot_topics import admit, prepare_vpc
from impl.core import Effects, Event, IllegalInput, Send
from impl.errors import BadDeployment, EnvironmentProblem, NotAllowed, SlotTaken, Unreachable
from impl.messages import Attend, Confirmed, Goal, Leave, Message, Told
from impl.service.loop import Service
from impl.service.slot_filler import MARK, Filler
from impl.service.timing import Timing
from impl.slots.aca import SlotsAca
from impl.slots.dpm import SlotsDpm, Stage
from impl.slots.topics import DPM, SUBSCRIPTION, acknowledgments, direct, unicast
from impl.storage.store import Store
from impl.transport.interface import Delivery, Letter, Session
from impl.transport.pulsar import PulsarConnection, PulsarSession
from impl.wire.codec import decode

LOOK_SECONDS: Final = 0.5
"""The interval at which a slot's consumer is checked; each check is a request to the broker."""

HANDED_MAX: Final = 100
"""Deliveries that a filler hands back before other work is checked."""

Handler = Callable[[str, int, bytes], None]
"""Applies the state for the host: the VPC, the revision, and the bytes. It may be called again with the same arguments."""


class ByInbox:
    """A connection that maps direct messages to topics: to hosts by their inboxes, to DPM by the host's notices."""

    def __init__(self, broker: PulsarConnection, host: str = "") -> None:
        self.broker = broker
        self._host = host

    def publish(self, letters: Sequence[Letter]) -> None:
        """See `impl.transport.interface.Connection`."""
        self.broker.publish([replace(letter, topic=self._topic(letter.topic)) for letter in letters])

    def _topic(self, name: str) -> str:
        receiver = name.removeprefix(direct(""))
        if receiver == name:
            return name
        return topics.notices(self._host) if receiver == DPM else topics.inbox(receiver)

    def open_session(self, subscription: str, topics: Sequence[str]) -> Session:
        """See `impl.transport.interface.Connection`."""
        return self.broker.open_session(subscription, topics)

    def close(self) -> None:
        """See `impl.transport.interface.Connection`."""
        self.broker.close()


class SlotsDpmService(Service):
    """Assigns slots to hosts, and sends them their state: by the topic where they attend their slot, else directly."""

    def __init__(
        self,
        store: Store,
        connect: Callable[[], PulsarConnection],
        deployment: Deployment,
        timing: Timing | None = None,
    ) -> None:
        self.dpm = SlotsDpm()
        super().__init__("dpm", self.dpm, store, self._connect_to(connect), subscription=DPM, timing=timing)
        self._deployment = deployment
        self._broker: PulsarConnection | None = None
        self._fillers: dict[str, Filler] = {}
        """By VPC."""
        self._asked: dict[tuple[str, str], float] = {}
        """By VPC and host: since when it has been asked to attend."""
        self._look_at = 0.0

    def _connect_to(self, connect: Callable[[], PulsarConnection]) -> Callable[[], ByInbox]:
        def made() -> ByInbox:
            self._broker = connect()
            return ByInbox(self._broker)

        return made

    # ------------------------------------------------------------------------------------------------ decisions

    def join(self, vpc: str, host: str) -> Future[Effects]:
        """The host takes part in the VPC, with its own slot.

        Raises:
            IllegalInput: the VPC's name is invalid, the host is not registered, or the broker does not answer.
        """
        try:
            with Admin(self._deployment) as admin:
                roles = admin.permissions(topics.notices(topics.checked_host_name(host)))
            (role,) = [each_role for each_role in roles if topics.host_of(each_role) == host] or [""]
            if not role:
                raise IllegalInput(
                    f"DPM: {host} is not registered; register it with `ondemand host add {host}`: join {vpc}"
                )
            prepare_vpc(self._deployment, vpc)
            admit(self._deployment, vpc, role)
        except (BadDeployment, EnvironmentProblem) as problem:
            raise IllegalInput(f"DPM: {problem}: join") from problem
        return self.submit(partial(self._join, vpc, host))

    def _join(self, vpc: str, host: str) -> Effects:
        self._listen_to(host)
        try:
            effects = self.dpm.allot(vpc, host)
        except BadDeployment as problem:
            raise IllegalInput(str(problem)) from problem
        slot = self.dpm.allotment.slot(vpc, host)
        assert slot is not None
        if vpc not in self._fillers:
            self._attend(vpc)
        elif effects.record is not None:
            self._fillers[vpc].step_aside(slot)
        return effects

    def tell(self, vpc: str, host: str, data: bytes) -> Future[Effects]:
        """Sends the next revision of the VPC to this host."""

        def say() -> Effects:
            if host not in self.dpm.allotment.hosts(vpc):
                raise IllegalInput(f"DPM: {host} takes no part in {vpc}: join {vpc} {host} first")
            return self.dpm.say(vpc, host, data)

        return self.submit(say)

    # ---------------------------------------------------------------------------------------------------- input

    def topics(self) -> list[str]:
        return []

    def listening(self) -> None:
        for vpc in list(self._fillers):
            self._fillers.pop(vpc).close()
        for vpc in self.dpm.allotment.vpcs():
            self._attend(vpc)
            for host in self.dpm.allotment.hosts(vpc):
                self._listen_to(host)

    def _attend(self, vpc: str) -> None:
        def attend() -> None:
            assert self._broker is not None, "the service has not connected yet"
            if vpc not in self._fillers:
                self._fillers[vpc] = Filler(self._broker, vpc, self.dpm.allotment.hosts(vpc).values())
            self.session.listen(acknowledgments(vpc))

        self._retried(attend)

    def _listen_to(self, host: str) -> None:
        try:
            self._retried(lambda: self.session.listen(topics.notices(host)))
        except NotAllowed as problem:
            self._log.warning("cannot listen to %s: %s", host, problem)

    def take(self, message: Message, delivery: Delivery) -> Effects:
        speaker = topics.speaker(delivery.topic)
        return self.dpm.hear(message, speaker) if speaker else self.dpm.confirm(message)

    def undeliverable(self, send: Send, problem: NotAllowed) -> None:
        """The host has been withdrawn since this was stored."""
        self._log.warning("drops a %s for %s: %s", type(send.message).__name__, send.topic, problem)

    # ----------------------------------------------------------------------------------------------- timers

    def tick(self, now: float) -> Iterator[Effects]:
        for filler in self._fillers.values():
            yield from self._handed_back(filler)
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        for vpc, filler in self._fillers.items():
            for host, slot in self.dpm.allotment.hosts(vpc).items():
                yield from self._look(vpc, host, slot, filler, now)

    def _handed_back(self, filler: Filler) -> Iterator[Effects]:
        for _ in range(HANDED_MAX):
            delivery = filler.receive(0.0)
            if delivery is None:
                return
            yield from self._hand_back(filler, delivery)

    def _hand_back(self, filler: Filler, delivery: Delivery) -> Iterator[Effects]:
        """The delivery is acknowledged only once it is on its way to its host."""
        if not delivery.tag.startswith(MARK):
            told = decode(delivery.data)
            if isinstance(told, Told):
                yield self.dpm.hand_back(told)
        filler.acknowledge(delivery)

    def _look(self, vpc: str, host: str, slot: int, filler: Filler, now: float) -> Iterator[Effects]:
        """Checks a slot at the broker, and reacts to the result."""
        stage = self.dpm.member(vpc, host).stage
        if stage == Stage.ASKED.value:
            if now - self._asked.setdefault((vpc, host), now) >= self.timing.asked_first:
                del self._asked[vpc, host]
                yield self.dpm.give_up(vpc, host)
            return
        self._asked.pop((vpc, host), None)
        if not filler.fill(slot):
            return
        yield self.dpm.lost(vpc, host)
        if not self.dpm.may_ask(vpc, host):
            return
        on_the_way = filler.drain(slot)
        for delivery in on_the_way or ():
            yield from self._hand_back(filler, delivery)
        if on_the_way is not None:
            filler.step_aside(slot)
            yield self.dpm.ask(vpc, host)

    def _leave(self) -> None:
        for filler in self._fillers.values():
            filler.close()
        super()._leave()


class SlotsAcaService(Service):
    """Attends its slots, and applies the state for its host."""

    def __init__(
        self,
        host: str,
        store: Store,
        connect: Callable[[], PulsarConnection],
        handler: Handler,
        timing: Timing | None = None,
    ) -> None:
        self.aca = SlotsAca(host)
        super().__init__(host, self.aca, store, lambda: ByInbox(connect(), host), subscription="aca", timing=timing)
        self._handler = handler
        self._coming: dict[str, tuple[Attend, float]] = {}
        """By VPC: an attend request in progress, and since when."""
        self._attended: dict[str, int] = {}
        """By VPC: the slot at which this agent has a consumer."""

    def topics(self) -> list[str]:
        return [topics.inbox(self.aca.host)]

    def begin(self) -> Effects:
        return self.aca.start()

    def listening(self) -> None:
        """The filler may have taken a slot while the connection was lost; DPM then says so, and asks again."""
        for vpc, slot in list(self._attended.items()):
            self._retried(partial(self._attend_again, vpc, slot))

    def _attend_again(self, vpc: str, slot: int) -> None:
        try:
            self._attend(vpc, slot)
        except (SlotTaken, NotAllowed) as problem:
            del self._attended[vpc]
            self._log.info("no longer attends slot %d of %s: %s", slot, vpc, problem)

    def take(self, message: Message, delivery: Delivery) -> Effects:
        match message:
            case Attend() if self.aca.is_to_do(message):
                return self._come(message, time.monotonic())
            case Leave() if self.aca.is_to_do(message):
                self._go(message.vpc)
                return self.aca.leave(message)
            case Told() if delivery.topic == unicast(message.vpc):
                effects = self.aca.take(message)
                if not self.aca.may_acknowledge(message):
                    # It is for another host. Once this consumer is gone the filler has the slot, and hands the message
                    # to the right host.
                    self._go(message.vpc)
                return effects
            case Goal():
                return self.aca.take(message)
        return Effects(events=(Event("ignore", {"reason": "not to be done", "message": type(message).__name__}),))

    def _come(self, message: Attend, since: float) -> Effects:
        """Attends the slot, and answers; or does neither, if the slot may become free a little later."""
        self._coming.pop(message.vpc, None)
        self._go(message.vpc)
        try:
            self._attend(message.vpc, message.slot)
        except NotAllowed as problem:
            self._log.info("declines to attend: %s", problem)
            return self.aca.decline(message)
        except (SlotTaken, Unreachable) as problem:
            if time.monotonic() - since >= self.timing.subscribe_max:
                self._log.info("declines to attend: %s", problem)
                return self.aca.decline(message)
            self._coming[message.vpc] = (message, since)
            return Effects()
        return self.aca.accept(message)

    def _attend(self, vpc: str, slot: int) -> None:
        assert isinstance(self.session, PulsarSession)
        self.session.listen(unicast(vpc), SUBSCRIPTION, [(slot, slot)])
        self._attended[vpc] = slot

    def _go(self, vpc: str) -> None:
        self._coming.pop(vpc, None)
        slot = self._attended.pop(vpc, None)
        if slot is not None:
            assert isinstance(self.session, PulsarSession)
            self.session.stop_listening(unicast(vpc), [(slot, slot)])

    def tick(self, now: float) -> Iterator[Effects]:
        for message, since in list(self._coming.values()):
            if self.aca.is_to_do(message):
                yield self._come(message, since)

    def happened(self, event: Event) -> None:
        if event.name == "apply":
            fields = event.fields
            self._handler(fields["vpc"], fields["revision"], bytes.fromhex(fields["data"]))

    def undeliverable(self, send: Send, problem: NotAllowed) -> None:
        """A confirmation for a VPC in which the host no longer takes part."""
        if not isinstance(send.message, Confirmed):
            raise problem
        self._log.warning("cannot confirm in %s: %s", send.topic, problem)
