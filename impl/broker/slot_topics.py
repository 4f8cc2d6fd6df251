"""The topics of a VPC whose hosts have slots, created at the broker with the smallest permissions that this topology allows."""

from __future__ import annotations

from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.errors import BadDeployment
from impl.messages import VPC_NAME
from impl.slots.topics import DPM, SUBSCRIPTION, acknowledgments, unicast


def prepare_vpc(deployment: Deployment, vpc: str) -> None:
    """Creates the topics of a VPC with their subscriptions, so that messages published before the first reader are not lost. May be
    repeated.

    Raises:
        BadDeployment: the VPC's name is invalid.
    """
    if not VPC_NAME.fullmatch(vpc):
        raise BadDeployment(
            f"Invalid VPC name {vpc!r}: use letters, digits, dots and hyphens, 127 at most, not ending like a partition"
        )
    with Admin(deployment) as admin:
        admin.create_topic(unicast(vpc))
        admin.grant(unicast(vpc), DPM, "produce", "consume")
        admin.create_subscription(unicast(vpc), SUBSCRIPTION)
        admin.create_topic(acknowledgments(vpc))
        admin.grant(acknowledgments(vpc), DPM, "consume")
        admin.create_subscription(acknowledgments(vpc), DPM)


def admit(deployment: Deployment, vpc: str, role: str) -> None:
    """Lets an agent's role take part in a VPC: read the one topic, and write to the other."""
    with Admin(deployment) as admin:
        admin.grant(unicast(vpc), role, "consume")
        admin.grant(acknowledgments(vpc), role, "produce")
