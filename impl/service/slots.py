"""DPM and agents as services for hosts with slots of their VPC's topic. Messages that go by no VPC's topic go by inboxes.

A slot is handed to its host once DPM's filler has it and no message is in flight to it; the filler soon takes a slot that no
consumer attends, and its host is told to leave. Messages handed to the filler go to their host directly. An agent whose slot
another consumer attends retries for a while, then declines.

**A slot does not isolate hosts.** Every host of a VPC may read all of its topic, attend another host's slot while that is free, and
confirm in another host's name. Hosts that must be isolated from each other need inboxes: `impl.service`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from impl.broker import topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.broker.slot_topics import admit, prepare_vpc
from impl.core import Effects, Event, IllegalInput
from impl.errors import BadDeployment, EnvironmentProblem
from impl.roles.slots_roles import SlotsAcaRole, SlotsDpmRole
from impl.roles.timing import DEFAULT, Timing
from impl.service.loop import Service
from impl.slots.aca import SlotsAca
from impl.slots.dpm import SlotsDpm
from impl.slots.topics import DPM, direct
from impl.storage.store import Store
from impl.transport.interface import Letter, Session
from impl.transport.pulsar import PulsarConnection

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
        timing: Timing = DEFAULT,
    ) -> None:
        self.dpm = SlotsDpm()
        self._role = SlotsDpmRole(self.dpm, timing)
        super().__init__("dpm", self._role, store, lambda: ByInbox(connect()), subscription=DPM, timing=timing)
        self._deployment = deployment

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
        return self.submit(partial(self._role.join, vpc, host))

    def tell(self, vpc: str, host: str, data: bytes) -> Future[Effects]:
        """Sends the next revision of the VPC to this host."""

        def say() -> Effects:
            if host not in self.dpm.allotment.hosts(vpc):
                raise IllegalInput(f"DPM: {host} takes no part in {vpc}: join {vpc} {host} first")
            return self.dpm.say(vpc, host, data)

        return self.submit(say)


class SlotsAcaService(Service):
    """Attends its slots, and applies the state for its host."""

    def __init__(
        self,
        host: str,
        store: Store,
        connect: Callable[[], PulsarConnection],
        handler: Handler,
        timing: Timing = DEFAULT,
    ) -> None:
        self.aca = SlotsAca(host)
        role = SlotsAcaRole(self.aca, timing)
        super().__init__(host, role, store, lambda: ByInbox(connect(), host), subscription="aca", timing=timing)
        self._handler = handler

    def happened(self, event: Event) -> None:
        if event.name == "apply":
            fields = event.fields
            self._handler(fields["vpc"], fields["revision"], bytes.fromhex(fields["data"]))
