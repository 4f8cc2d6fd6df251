"""The topics of a deployment, and who may do what with them: the least that each role needs.

| topic | written by | read by |
|---|---|---|
| `goal-states` | dpm | ncm |
| `hosts` | dpm | ncm |
| `outcomes` | ncm | dpm |
| `requests-<host>` | that host | ncm |
| `inbox-<host>` | ncm | that host |
| `journal-ncm`, `journal-dpm` | that role, one instance at a time | that role |
| `dead-letters-ncm`, `dead-letters-dpm`, `dead-letters-<host>` | who set it aside | nobody but the administrator |

A host's topics are its own: the name of the topic, not the payload, says who asks. A host's role carries a number that is new
with every registration, so that the token of an earlier one opens nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.errors import BadDeployment
from impl.messages import HOST_NAME

GOAL_STATES: Final = "goal-states"
HOSTS: Final = "hosts"
OUTCOMES: Final = "outcomes"

ADMINISTRATOR: Final = "administrator"
"""The subscription for dead letters. Without one the broker would throw them away in time."""

KEEPER: Final = "keeper"
"""The subscription of a journal, which nobody reads by: without one the broker would throw the journal away in time."""


@dataclass(frozen=True)
class Credentials:
    """What an agent needs to connect: its host's name, and its token."""

    host: str
    role: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its short name, who may write and who may read it, and the reader's subscription."""

    name: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    subscription: str


def requests(host: str) -> str:
    """The topic of a host's requests and confirmations."""
    return f"requests-{host}"


def inbox(host: str) -> str:
    """The topic of what NCM sends to a host."""
    return f"inbox-{host}"


def dead_letters(process: str) -> str:
    """The topic of what a process could not read."""
    return f"dead-letters-{process}"


def journal(role: str) -> str:
    """The topic in which a role keeps its state."""
    return f"journal-{role}"


FIXED: Final = (
    Topic(GOAL_STATES, ("dpm",), ("ncm",), "ncm"),
    Topic(HOSTS, ("dpm",), ("ncm",), "ncm"),
    Topic(OUTCOMES, ("ncm",), ("dpm",), "dpm"),
    Topic(journal("ncm"), ("ncm",), ("ncm",), KEEPER),
    Topic(journal("dpm"), ("dpm",), ("dpm",), KEEPER),
    Topic(dead_letters("ncm"), ("ncm",), (), ADMINISTRATOR),
    Topic(dead_letters("dpm"), ("dpm",), (), ADMINISTRATOR),
)


def prepare(deployment: Deployment) -> None:
    """Namespace and fixed topics. May be repeated."""
    with Admin(deployment) as admin:
        admin.create_namespace(deployment.namespace)
        _create(admin, FIXED)


def checked_host_name(host: str) -> str:
    """The name, if hosts may be called so.

    Raises:
        BadDeployment: the name is not lower-case letters, digits and hyphens, 63 at most.
    """
    if not HOST_NAME.fullmatch(host):
        raise BadDeployment(f"{host!r} is no name for a host: use lower-case letters, digits and hyphens, 63 at most")
    return host


def provision_host(deployment: Deployment, host: str) -> Credentials:
    """Topics, permissions and a token of a host. If it was provisioned before, the earlier token opens nothing any more."""
    checked_host_name(host)
    role = f"host-{host}-{secrets.token_hex(8)}"
    topics = (
        Topic(requests(host), (role,), ("ncm",), "ncm"),
        Topic(inbox(host), ("ncm",), (role,), "aca"),
        Topic(dead_letters(host), (role,), (), ADMINISTRATOR),
    )
    with Admin(deployment) as admin:
        _delete(admin, host)
        _create(admin, topics)
    return Credentials(host, role, deployment.token(role))


def withdraw_host(deployment: Deployment, host: str) -> None:
    """Removes a host's topics with everything in them, permissions included."""
    with Admin(deployment) as admin:
        _delete(admin, checked_host_name(host))


def _delete(admin: Admin, host: str) -> None:
    for name in (requests(host), inbox(host), dead_letters(host)):
        admin.delete_topic(name)


def _create(admin: Admin, topics: Iterable[Topic]) -> None:
    # One after the other: the permissions of a namespace are one record of the broker, and grants at once would meet.
    for topic in topics:
        admin.create_topic(topic.name)
        for role in sorted({*topic.writers, *topic.readers}):
            may = {"produce": topic.writers, "consume": topic.readers}
            admin.grant(topic.name, role, *(action for action, roles in may.items() if role in roles))
        admin.create_subscription(topic.name, topic.subscription)
