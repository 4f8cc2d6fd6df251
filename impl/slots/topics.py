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

from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.errors import BadDeployment
from impl.messages import VPC_NAME

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


def prepare_vpc(deployment: Deployment, vpc: str) -> None:
    """The topics of a VPC, with their subscriptions: what is published before anybody listens is not lost. May be repeated.

    Raises:
        BadDeployment: no VPC can be called so.
    """
    if not VPC_NAME.fullmatch(vpc):
        raise BadDeployment(
            f"{vpc!r} is no name for a VPC: use letters, digits, dots and hyphens, 127 at most, not ending like a partition"
        )
    with Admin(deployment) as admin:
        admin.create_topic(unicast(vpc))
        admin.grant(unicast(vpc), DPM, "produce", "consume")
        admin.create_subscription(unicast(vpc), SUBSCRIPTION)
        admin.create_topic(acknowledgments(vpc))
        admin.grant(acknowledgments(vpc), DPM, "consume")
        admin.create_subscription(acknowledgments(vpc), DPM)


def admit(deployment: Deployment, vpc: str, role: str) -> None:
    """An agent's role may take part in a VPC: read the one topic, and write to the other."""
    with Admin(deployment) as admin:
        admin.grant(unicast(vpc), role, "consume")
        admin.grant(acknowledgments(vpc), role, "produce")
