"""The topics of a VPC whose hosts have slots, at the broker: made, with the least permissions that this topology allows."""

from __future__ import annotations

from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.errors import BadDeployment
from impl.messages import VPC_NAME
from impl.slots.topics import DPM, SUBSCRIPTION, acknowledgments, unicast


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
