"""What the three roles say to each other. Every message is immutable, and says all there is to say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

HOST_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""What a host may be called. The name becomes part of its topics' names, and must not lead to another's."""


@dataclass(frozen=True, slots=True, order=True)
class Pod:
    """A pod: an address in a VPC."""

    vpc: str
    address: str

    def __str__(self) -> str:
        return f"{self.vpc}/{self.address}"


VPC_NAME: Final = re.compile(r"(?!.*-partition-\d+$)[A-Za-z0-9][A-Za-z0-9._-]{0,126}")
"""What a VPC may be called whose name becomes part of a topic's. (The broker takes what ends in the forbidden way for a part of
another topic.)"""

FIRST_SLOT: Final = 1
LAST_SLOT: Final = 65_535
"""The slots of a topic that keys can go to. The broker counts from 0, and no key goes there."""

PAYLOAD_BYTES_MAX: Final = 12_288
"""Of all parts of a revision together: it fits into a message beside the names, with room."""


class Kind(Enum):
    """What a part of a VPC's shared state is about, and so which of an agent's handlers applies it."""

    SUBNET = "subnet"
    GROUP_RULES = "group-rules"


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of what all hosts of a VPC share, as a whole: not a change to it."""

    kind: Kind
    data: bytes


class Reason(Enum):
    """Why a request is refused. No member consents, and none stands for zero on the wire."""

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
    """From 1 on."""
    place: str | None
    """The host it is at from now on; none: it is gone."""


@dataclass(frozen=True, slots=True)
class Report:
    """NCM to DPM: how a change ended."""

    pod: Pod
    version: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Registered:
    """The operator to NCM: a host takes part from now on, with credentials of its own, and starts from nothing."""

    host: str
    registration: int = 1
    """Grows with every registration of the host, so that a message about an earlier one, come late or again, does nothing."""


@dataclass(frozen=True, slots=True)
class Deregistered:
    """The operator to NCM: a host takes part no more."""

    host: str
    registration: int = 1
    """The newest that this ends."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Agent to NCM: the agent has started, and knows nothing."""

    host: str
    epoch: int
    """Counts the starts of the agent, from 1 on."""


@dataclass(frozen=True, slots=True)
class Request:
    """Agent to NCM: where is the destination? A packet from the source waits for it."""

    host: str
    epoch: int
    request: int
    """Tells the questions of one host and epoch apart."""
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
    """The epoch that NCM speaks to; an agent of another epoch does not listen."""
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
    """DPM to one agent: what all hosts of the VPC share has this revision."""

    host: str
    epoch: int
    """The epoch that DPM speaks to; an agent of another epoch does not listen."""
    vpc: str
    revision: int
    """From 1 on."""
    parts: tuple[Part, ...]
    """All that is shared as of this revision, each kind once, in the order of `Kind`."""


@dataclass(frozen=True, slots=True)
class Published:
    """DPM to all hosts that subscribe to the VPC's topic: what they share has this revision."""

    vpc: str
    revision: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Subscribe:
    """DPM to an agent: subscribe to the VPC's topic, and say whether you could."""

    host: str
    epoch: int
    vpc: str
    attempt: int
    """Tells the askings of one host and VPC apart; it grows for ever."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Agent to DPM: its subscription to the VPC's topic is there."""

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
    """DPM to the broker's administration: the VPC's topic is to be there."""

    vpc: str


@dataclass(frozen=True, slots=True)
class CloseTopic:
    """DPM to the broker's administration: the VPC's topic is to be gone, with everything in it."""

    vpc: str


@dataclass(frozen=True, slots=True)
class Permit:
    """DPM to the broker's administration: the host may read the VPC's topic."""

    host: str
    vpc: str


@dataclass(frozen=True, slots=True)
class EndSubscription:
    """DPM to the broker's administration: the host may not read the VPC's topic, and its subscription is to be gone."""

    host: str
    vpc: str


@dataclass(frozen=True, slots=True)
class Told:
    """DPM to one host, by the topic that it shares with all hosts of its VPC: what is for it has this revision."""

    host: str
    vpc: str
    revision: int
    """From 1 on; counted for each VPC."""
    data: bytes
    """All there is to say to the host: not a change to it."""


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
    """DPM to an agent: attend this slot of the VPC's topic, and say whether you could."""

    host: str
    epoch: int
    vpc: str
    turn: int
    """Counts what DPM tells the host of its coming and going, in its epoch."""
    slot: int


@dataclass(frozen=True, slots=True)
class Leave:
    """DPM to an agent: attend no slot of the VPC's topic any more, and say so."""

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


ToNcm = Config | Registered | Deregistered | Hello | Request | Applied
ToAgent = Route | Granted | Refused
Shared = Push | Published
"""What brings a revision to an agent."""
Notice = Hello | Accepted | Declined | Confirmed
"""What an agent says to DPM."""
Administrative = OpenTopic | CloseTopic | Permit | EndSubscription
"""What DPM has the broker's administration do. Kept with the messages that it belongs between, and never published."""
BySlot = Told | Goal | Attend | Leave | Left
"""What is said where hosts have slots of their VPC's topic; answers and confirmations are as with any topic."""
Message = ToNcm | ToAgent | Report | Shared | Subscribe | Notice | Administrative | BySlot
