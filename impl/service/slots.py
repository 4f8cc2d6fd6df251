"""DPM and agents as services for hosts with slots of their VPC's topic. Messages that go by no VPC's topic go by inboxes.

DPM checks the broker on behalf of its core: a slot is handed to its host once the filler has it and no message is in flight to it;
the filler soon takes a slot that no consumer attends, and its host is told to leave. Messages handed to the filler go to their host
directly. An agent whose slot another consumer attends retries for a while, then declines.

**A slot does not isolate hosts.** Every host of a VPC may read all of its topic, attend another host's slot while that is free, and
confirm in another host's name. Hosts that must be isolated from each other need inboxes: `impl.service`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from impl.broker import topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.broker.slot_topics import admit, prepare_vpc
from impl.core import Effects, Event, IllegalInput, Send
from impl.errors import BadDeployment, EnvironmentProblem, NotAllowed
from impl.messages import Message, Told
from impl.outputs import Answer, Listen, Role, Work
from impl.roles.slots_roles import SlotsAcaRole
from impl.roles.timing import Timing
from impl.service.loop import Service
from impl.service.slot_filler import MARK, Filler
from impl.slots.aca import SlotsAca
from impl.slots.dpm import SlotsDpm, Stage
from impl.slots.topics import DPM, acknowledgments, direct
from impl.storage.store import Store
from impl.timers import Timer, Timers
from impl.transport.interface import Delivery, Letter, Session
from impl.transport.pulsar import PulsarConnection
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
        timing = timing or Timing()
        role = _DpmRole(self, self.dpm, timing)
        super().__init__("dpm", role, store, self._connect_to(connect), subscription=DPM, timing=timing)
        self._deployment = deployment
        self._broker: PulsarConnection | None = None
        self.fillers: dict[str, Filler] = {}
        """By VPC."""

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

    def _join(self, vpc: str, host: str) -> Work:
        try:
            effects = self.dpm.allot(vpc, host)
        except BadDeployment as problem:
            raise IllegalInput(str(problem)) from problem
        slot = self.dpm.allotment.slot(vpc, host)
        assert slot is not None
        with suppress(NotAllowed):  # withdrawn in the meantime
            yield Listen(topics.notices(host))
        yield Listen(acknowledgments(vpc))
        if vpc not in self.fillers:
            self.attend(vpc)
        elif effects.record is not None:
            self.fillers[vpc].step_aside(slot)
        return effects

    def tell(self, vpc: str, host: str, data: bytes) -> Future[Effects]:
        """Sends the next revision of the VPC to this host."""

        def say() -> Effects:
            if host not in self.dpm.allotment.hosts(vpc):
                raise IllegalInput(f"DPM: {host} takes no part in {vpc}: join {vpc} {host} first")
            return self.dpm.say(vpc, host, data)

        return self.submit(say)

    def attend(self, vpc: str) -> None:
        """Has the VPC's filler, which attends the slots without agents."""
        if vpc not in self.fillers:
            assert self._broker is not None, "the service has not connected yet"
            held = self.dpm.allotment.hosts(vpc).values()
            self.fillers[vpc] = self._retried(partial(Filler, self._broker, vpc, held))

    def attend_anew(self) -> None:
        """Opens all fillers, after the service has connected."""
        for vpc in list(self.fillers):
            self.fillers.pop(vpc).close()
        for vpc in self.dpm.allotment.vpcs():
            self.attend(vpc)

    def _leave(self) -> None:
        for filler in self.fillers.values():
            filler.close()
        super()._leave()


class _DpmRole(Role):
    """Looks after its slots: what it finds at the broker is what its core is told."""

    core: SlotsDpm

    def __init__(self, service: SlotsDpmService, core: SlotsDpm, timing: Timing) -> None:
        self.core = core
        self._service = service
        self._timing = timing
        self._timers = Timers()
        self._look_at = 0.0

    def topics(self) -> list[str]:
        return []

    def listening(self) -> Iterator[Listen]:
        self._service.attend_anew()
        allotment = self.core.allotment
        for vpc in allotment.vpcs():
            yield Listen(acknowledgments(vpc))
            for host in allotment.hosts(vpc):
                yield Listen(topics.notices(host))

    def take(self, message: Message, topic: str) -> Answer:
        speaker = topics.speaker(topic)
        return self.core.hear(message, speaker) if speaker else self.core.confirm(message)

    def may_be_lost(self, send: Send) -> bool:
        """The host has been withdrawn since this was stored."""
        return True

    def due(self, now: float) -> Iterator[Timer]:
        fillers = self._service.fillers
        for filler in fillers.values():
            for _ in range(HANDED_MAX):
                delivery = filler.receive(0.0)
                if delivery is None:
                    break
                yield from _handed_back(filler, delivery)
        stages = {(vpc, host): self.core.member(vpc, host).stage for vpc in fillers for host in self._hosts(vpc)}
        asked = [pair for pair, stage in stages.items() if stage == Stage.ASKED.value]
        yield from self._timers.waiting("give_up", asked, self._timing.asked_first, now)
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        for vpc, host in stages:
            if self.core.member(vpc, host).stage != Stage.ASKED.value:
                yield from self._look(vpc, host, self._hosts(vpc)[host], fillers[vpc])

    def _hosts(self, vpc: str) -> Mapping[str, int]:
        return self.core.allotment.hosts(vpc)

    def _look(self, vpc: str, host: str, slot: int, filler: Filler) -> Iterator[Timer]:
        """Checks a slot at the broker, and reacts to the result."""
        if not filler.fill(slot):
            return
        yield Timer("lost", (vpc, host))
        if not self.core.may_ask(vpc, host):
            return
        on_the_way = filler.drain(slot)
        for delivery in on_the_way or ():
            yield from _handed_back(filler, delivery)
        if on_the_way is not None:
            filler.step_aside(slot)
            yield Timer("ask", (vpc, host))


def _handed_back(filler: Filler, delivery: Delivery) -> Iterator[Timer]:
    """The delivery is acknowledged only once it is on its way to its host."""
    if not delivery.tag.startswith(MARK):
        told = decode(delivery.data)
        if isinstance(told, Told):
            yield Timer("hand_back", (told,))
    filler.acknowledge(delivery)


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
        timing = timing or Timing()
        role = SlotsAcaRole(self.aca, timing)
        super().__init__(host, role, store, lambda: ByInbox(connect(), host), subscription="aca", timing=timing)
        self._handler = handler

    def happened(self, event: Event) -> None:
        if event.name == "apply":
            fields = event.fields
            self._handler(fields["vpc"], fields["revision"], bytes.fromhex(fields["data"]))
