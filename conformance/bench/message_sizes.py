"""Sizes of messages on the wire, in the implementation's encoding and with names of usual length."""

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
"""What a host has to learn about a new pod: the same bytes in every design, as a message or as the content of one."""

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
"""Sample messages by protocol, and by the statement's name of the message or of the topic that it is published to."""


def bytes_of(protocol: str, kind: str) -> int:
    """The size of one message in bytes."""
    return len(encode(SAMPLES[protocol][kind]))
