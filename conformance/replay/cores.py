"""What processes under test are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from impl.message_queue.aca import MessageQueueAca
from impl.message_queue.dpm import MessageQueueDpm
from impl.message_queue.thresholds import Thresholds
from impl.on_demand.aca import Aca
from impl.on_demand.dpm import Dpm
from impl.on_demand.ncm import Ncm
from impl.outputs import Role
from impl.process import Process


@dataclass(frozen=True)
class Cores:
    """The factories of cores, the roles and the runner; a test replaces one to see that replays notice it."""

    dpm: Callable[[], Dpm] = Dpm
    ncm: Callable[[], Ncm] = Ncm
    aca: Callable[[str], Aca] = Aca
    message_queue_dpm: Callable[[Thresholds], MessageQueueDpm] = MessageQueueDpm
    message_queue_aca: Callable[[str], MessageQueueAca] = MessageQueueAca
    runner: type[Process] = Process
    roles: Mapping[type[Role], type[Role]] = field(default_factory=dict)
    """Instead of these roles."""

    def role(self, kind: type[Role]) -> Callable[..., Role]:
        """What makes this kind of role."""
        return self.roles.get(kind, kind)
