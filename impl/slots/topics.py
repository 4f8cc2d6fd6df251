"""The topics of a VPC whose hosts have slots, and who may do what with them: the least that this topology allows.

| topic | written by | read by |
|---|---|---|
| `unicast-<vpc>` | dpm | dpm (the filler), and every host of the VPC, each its slot |
| `acknowledgments-<vpc>` | every host of the VPC | dpm |

**The least is much.** Permissions of the broker are for a whole topic. Whoever may consume from the first one may attend any slot
that is free, or read all of it by a subscription of his own; whoever may write to the second one may confirm in another's name.
The topology with an inbox for each host has neither weakness.
"""

from __future__ import annotations

from typing import Final

SUBSCRIPTION: Final = "hosts"
"""The one that all hosts of a VPC share."""

DPM: Final = "dpm"


def unicast(vpc: str) -> str:
    """The topic of what is for single hosts of a VPC."""
    return f"unicast-{vpc}"


def acknowledgments(vpc: str) -> str:
    """The topic on which all hosts of a VPC confirm."""
    return f"acknowledgments-{vpc}"


def direct(receiver: str) -> str:
    """The name under which what goes by no topic, but directly, leaves a core: to a host, or from one to `dpm`."""
    return f"direct-{receiver}"
