"""DPM as a service: decisions arrive as commands; reports, registrations and the agents' messages arrive as messages."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict

from impl.broker.vpc_topics import Administration
from impl.composite import CompositeDpm, of_message_queue
from impl.core import Effects
from impl.events.event_schema import MESSAGE_QUEUE, ON_DEMAND
from impl.events.message_queue import MessageQueueDpmProjection
from impl.events.on_demand import OnDemandDpmProjection
from impl.events.recorder import Projection, Recorder, Sink
from impl.message_queue.dpm import MessageQueueDpm
from impl.message_queue.thresholds import NEVER_LARGE, Thresholds
from impl.messages import Administrative, Kind, Message, Notice, Pod
from impl.on_demand.dpm import Dpm
from impl.roles.composite_roles import DpmRole
from impl.roles.timing import DEFAULT, Timing
from impl.service.loop import Service
from impl.storage.store import Store
from impl.transport.interface import Connection


class DpmService(Service):
    """Issues versions and revisions, receives their outcomes, and resends those without an outcome.

    Without `administration` there are no topics: every VPC is served directly, however large.
    """

    def __init__(
        self,
        store: Store,
        connect: Callable[[], Connection],
        timing: Timing = DEFAULT,
        *,
        administration: Administration | None = None,
        decision: Thresholds | None = None,
        events: Sink | None = None,
    ) -> None:
        """`events`: the sink of the event log; None: no event log."""
        self.dpm = Dpm()
        self.message_queue = MessageQueueDpm(decision if administration is not None else NEVER_LARGE)
        self.composite = CompositeDpm(self.dpm, self.message_queue)
        super().__init__("dpm", DpmRole(self.composite, timing), store, connect, subscription="dpm", timing=timing)
        if events is not None:
            projections: dict[str, Projection] = {
                ON_DEMAND: OnDemandDpmProjection(self.dpm),
                MESSAGE_QUEUE: MessageQueueDpmProjection(self.message_queue),
            }
            self.recorder = Recorder("dpm", projections, events, about=asdict(self.message_queue.decision))
        self._administration = administration

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

    def administer(self, work: Message) -> None:
        if self._administration is None:
            super().administer(work)
            return
        assert isinstance(work, Administrative)
        self._administration.perform(work)
