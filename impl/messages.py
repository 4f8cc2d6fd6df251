"""The messages between the three roles. Every message is immutable and self-contained."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

HOST_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""A valid host name. It becomes part of topic names, and must not produce the name of another host's topic."""


@dataclass(frozen=True, slots=True, order=True)
class Pod:
    """A pod: an address in a VPC."""

    vpc: str
    address: str

    def __str__(self) -> str:
        return f"{self.vpc}/{self.address}"


VPC_NAME: Final = re.compile(r"(?!.*-partition-\d+$)[A-Za-z0-9][A-Za-z0-9._-]{0,126}")
"""A VPC name that is valid in a topic's name. (The broker takes a name with the excluded ending for a partition of another
topic.)"""

FIRST_SLOT: Final = 1
LAST_SLOT: Final = 65_535
"""The slots of a topic that a key can map to. The broker counts from 0, but maps no key to slot 0."""

PAYLOAD_BYTES_MAX: Final = 12_288
"""The limit for all parts of a revision together: they fit into one message beside the names, with some room."""


class Kind(Enum):
    """The subject of one part of a VPC's shared state; it selects the agent's handler that applies the part."""

    SUBNET = "subnet"
    GROUP_RULES = "group-rules"


@dataclass(frozen=True, slots=True)
class Part:
    """The complete content of one kind of state that all hosts of a VPC share, not a change to it."""

    kind: Kind
    data: bytes


class Reason(Enum):
    """Why a request is refused. No member means consent, and none has the value zero on the wire."""

    NOT_YOUR_SOURCE = "not your source"
    OTHER_VPC = "other VPC"
    UNKNOWN = "unknown"
    GONE = "gone"
    NOT_YOUR_CHANNEL = "not your channel"


class Outcome(Enum):
    """How a change ended."""

    DONE = "done"
    SUPERSEDED = "superseded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Config:
    """DPM to NCM: a new version of a pod."""

    pod: Pod
    version: int
    """Counts from 1."""
    place: str | None
    """The pod's host as of this version; None: the pod is removed."""


@dataclass(frozen=True, slots=True)
class Report:
    """NCM to DPM: how a change ended."""

    pod: Pod
    version: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Registered:
    """Operator to NCM: the host takes part from now on, with its own credentials and with empty state."""

    host: str
    registration: int = 1
    """Grows with every registration of the host, so that a late or repeated message about an earlier one has no effect."""


@dataclass(frozen=True, slots=True)
class Deregistered:
    """Operator to NCM: the host no longer takes part."""

    host: str
    registration: int = 1
    """The newest registration that this ends."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Agent to NCM: the agent has started and knows nothing."""

    host: str
    epoch: int
    """Counts the starts of the agent, from 1."""


@dataclass(frozen=True, slots=True)
class Request:
    """Agent to NCM: where is the destination? A packet from the source waits for it."""

    host: str
    epoch: int
    request: int
    """Distinguishes the requests of one host and epoch."""
    source: Pod
    destination: Pod


@dataclass(frozen=True, slots=True)
class Applied:
    """Agent to NCM: the agent knows this version of the pod."""

    host: str
    epoch: int
    pod: Pod
    version: int


@dataclass(frozen=True, slots=True)
class Route:
    """NCM to an agent: the pod has this version."""

    host: str
    epoch: int
    """The epoch that NCM addresses; an agent of another epoch ignores the message."""
    pod: Pod
    version: int
    place: str | None


@dataclass(frozen=True, slots=True)
class Granted:
    """NCM to an agent: the answer to a request is this version of the destination."""

    host: str
    epoch: int
    request: int
    pod: Pod
    version: int
    place: str


@dataclass(frozen=True, slots=True)
class Refused:
    """NCM to an agent: the request is refused."""

    host: str
    epoch: int
    request: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Push:
    """DPM to one agent: the shared state of the VPC has this revision."""

    host: str
    epoch: int
    """The epoch that DPM addresses; an agent of another epoch ignores the message."""
    vpc: str
    revision: int
    """Counts from 1."""
    parts: tuple[Part, ...]
    """The complete shared state as of this revision: each kind once, in the order of `Kind`."""


@dataclass(frozen=True, slots=True)
class Published:
    """DPM to all hosts that subscribe to the VPC's topic: their shared state has this revision."""

    vpc: str
    revision: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Subscribe:
    """DPM to an agent: subscribe to the VPC's topic, and report whether that succeeded."""

    host: str
    epoch: int
    vpc: str
    attempt: int
    """Distinguishes the subscribe requests of one host and VPC; it only grows."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Agent to DPM: the subscription to the VPC's topic exists."""

    host: str
    epoch: int
    vpc: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Declined:
    """Agent to DPM: it could not subscribe to the VPC's topic."""

    host: str
    epoch: int
    vpc: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Agent to DPM: the agent has applied this revision."""

    host: str
    epoch: int
    vpc: str
    revision: int


@dataclass(frozen=True, slots=True)
class OpenTopic:
    """DPM to the broker's administration: create the VPC's topic."""

    vpc: str


@dataclass(frozen=True, slots=True)
class CloseTopic:
    """DPM to the broker's administration: delete the VPC's topic with everything in it."""

    vpc: str


@dataclass(frozen=True, slots=True)
class Permit:
    """DPM to the broker's administration: allow the host to read the VPC's topic."""

    host: str
    vpc: str


@dataclass(frozen=True, slots=True)
class EndSubscription:
    """DPM to the broker's administration: revoke the host's permission to read the VPC's topic, and delete its subscription."""

    host: str
    vpc: str


@dataclass(frozen=True, slots=True)
class Told:
    """DPM to one host, by the topic that all hosts of its VPC share: the host's state has this revision."""

    host: str
    vpc: str
    revision: int
    """Counts from 1 for each VPC."""
    data: bytes
    """The complete state for the host, not a change to it."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The same, directly, to one epoch of the host."""

    host: str
    epoch: int
    vpc: str
    revision: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Attend:
    """DPM to an agent: attend this slot of the VPC's topic, and report whether that succeeded."""

    host: str
    epoch: int
    vpc: str
    turn: int
    """Numbers the attend and leave requests to the host within its epoch."""
    slot: int


@dataclass(frozen=True, slots=True)
class Leave:
    """DPM to an agent: stop attending any slot of the VPC's topic, and confirm it."""

    host: str
    epoch: int
    vpc: str
    turn: int


@dataclass(frozen=True, slots=True)
class Left:
    """Agent to DPM: it attends no slot of the VPC's topic."""

    host: str
    epoch: int
    vpc: str
    turn: int


@dataclass(frozen=True, slots=True)
class Mark:
    """DPM to itself, by the slot of a host that is reached directly: once it is back, nothing is in flight there that preceded it.

    It names the state of the host in which it was published. While that state lasts, nothing else is published to the slot.
    """

    host: str
    epoch: int
    """0: the host was never seen."""
    vpc: str
    turn: int
    """That of the next request to the host."""
    slot: int


ToNcm = Config | Registered | Deregistered | Hello | Request | Applied
ToAgent = Route | Granted | Refused
Shared = Push | Published
"""The messages that carry a revision to an agent."""
Notice = Hello | Accepted | Declined | Confirmed
"""The messages from an agent to DPM."""
Administrative = OpenTopic | CloseTopic | Permit | EndSubscription
"""DPM's requests to the broker's administration. They are stored in their order among the messages, and never published."""
BySlot = Told | Goal | Attend | Leave | Left | Mark
"""The messages for hosts that have slots of their VPC's topic; answers and confirmations are the same as with any topic."""
Message = ToNcm | ToAgent | Report | Shared | Subscribe | Notice | Administrative | BySlot
