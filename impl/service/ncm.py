"""NCM as a service."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from impl.events.event_schema import ON_DEMAND
from impl.events.on_demand import OnDemandNcmProjection
from impl.events.recorder import Recorder, Sink
from impl.on_demand.ncm import Ncm
from impl.roles.on_demand_roles import NcmRole
from impl.roles.timing import DEFAULT, Timing
from impl.service.loop import Service
from impl.storage.store import Store
from impl.transport.interface import Connection


class NcmService(Service):
    """Runs NCM's core."""

    kind: ClassVar[type[NcmRole]] = NcmRole

    def __init__(
        self,
        store: Store,
        connect: Callable[[], Connection],
        timing: Timing = DEFAULT,
        events: Sink | None = None,
    ) -> None:
        """`events`: the sink of the event log; None: no event log."""
        self.ncm = Ncm()
        super().__init__("ncm", self.kind(self.ncm, timing), store, connect, subscription="ncm", timing=timing)
        if events is not None:
            self.recorder = Recorder("ncm", {ON_DEMAND: OnDemandNcmProjection(self.ncm)}, events)
