"""How many bytes a message has on the wire: those of the implementation's own encoding, for names of the usual length."""

from __future__ import annotations

from typing import Final

from impl.messages import (
    Applied,
    Config,
    Confirmed,
    Granted,
    Kind,
    Message,
    Outcome,
    Part,
    Pod,
    Published,
    Push,
    Report,
    Request,
    Route,
    Told,
)
from impl.wire.codec import encode

_HOST, _VPC = "host-0001", "red"
_POD, _OTHER = Pod(_VPC, "10.1.2.3"), Pod(_VPC, "10.4.5.6")
_CONFIG: Final = Config(_POD, 1, _HOST)
PLACEMENT: Final = encode(_CONFIG)
"""What a pod's coming is to a host: the same bytes in every design, be they a message or the content of one."""

SAMPLES: Final[dict[str, dict[str, Message]]] = {
    "on-demand": {
        "config": _CONFIG,
        "report": Report(_POD, 1, Outcome.DONE),
        "route": Route(_HOST, 1, _POD, 1, _HOST),
        "request": Request(_HOST, 1, 1, _OTHER, _POD),
        "granted": Granted(_HOST, 1, 1, _POD, 1, _HOST),
        "applied": Applied(_HOST, 1, _POD, 1),
    },
    "slots": {
        "logged": Told(_HOST, _VPC, 1, PLACEMENT),
        "applied": Confirmed(_HOST, 1, _VPC, 1),
    },
    "message-queue": {
        "backlog": Published(_VPC, 1, (Part(Kind.SUBNET, PLACEMENT),)),
        "push": Push(_HOST, 1, _VPC, 1, (Part(Kind.SUBNET, PLACEMENT),)),
        "applied": Confirmed(_HOST, 1, _VPC, 1),
    },
}
"""What the implementation sends, by protocol, and by what the statement calls the message or the topic that it is published to."""


def bytes_of(protocol: str, kind: str) -> int:
    """The size of one message."""
    return len(encode(SAMPLES[protocol][kind]))
