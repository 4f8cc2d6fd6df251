"""The topics of a VPC whose hosts have slots, and the smallest permissions that this topology allows.

| topic | written by | read by |
|---|---|---|
| `unicast-<vpc>` | dpm | dpm (the filler), and every host of the VPC, each its slot |
| `acknowledgments-<vpc>` | every host of the VPC | dpm |

**The smallest permissions are broad.** The broker grants permissions for a whole topic. A client that may consume from the first
topic may attend any free slot, or read everything through its own subscription; a client that may write to the second one may
confirm in another host's name. The topology with an inbox for each host has neither weakness.
"""

from __future__ import annotations

from typing import Final

SUBSCRIPTION: Final = "hosts"
"""The subscription that all hosts of a VPC share."""

DPM: Final = "dpm"


def unicast(vpc: str) -> str:
    """The topic for messages to single hosts of a VPC."""
    return f"unicast-{vpc}"


def acknowledgments(vpc: str) -> str:
    """The topic on which all hosts of a VPC confirm."""
    return f"acknowledgments-{vpc}"


def direct(receiver: str) -> str:
    """The destination name of a message that goes directly instead of by a topic: to a host, or from a host to `dpm`."""
    return f"direct-{receiver}"
