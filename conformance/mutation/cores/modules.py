"""The modules that a protocol's processes are made of, cores and roles; each comes after those that it imports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

MODULES: Final[Mapping[str, Sequence[str]]] = {
    "on-demand": (
        *("impl.on_demand.dpm", "impl.on_demand.ncm", "impl.on_demand.aca"),
        *("impl.timers", "impl.roles.on_demand_roles"),
    ),
    "message-queue": (
        *(
            "impl.message_queue.thresholds",
            "impl.message_queue.cache",
            "impl.message_queue.rules",
            "impl.message_queue.decisions",
        ),
        *("impl.message_queue.dpm", "impl.message_queue.aca", "impl.roles.message_queue_roles"),
    ),
}
"""By protocol."""
