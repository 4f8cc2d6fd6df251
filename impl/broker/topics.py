"""The topics of a deployment, and the permissions that each role needs at least.

| topic | written by | read by |
|---|---|---|
| `goal-states` | dpm | ncm |
| `hosts` | dpm | ncm, dpm |
| `outcomes` | ncm | dpm |
| `requests-<host>` | that host | ncm |
| `notices-<host>` | that host | dpm |
| `inbox-<host>` | ncm, dpm | that host |
| `multicast-<vpc>` | dpm | the hosts that DPM permits at the moment |
| `journal-ncm`, `journal-dpm` | that role, one instance at a time | that role |
| `dead-letters-ncm`, `dead-letters-dpm`, `dead-letters-<host>` | the process itself | nobody but the administrator |

Each host has its own topics: the name of the topic, not the payload, identifies the sender. A host's role contains a number that is
new with every registration, so that the token of an earlier one gives no access. A host's messages to DPM use a separate topic from
its requests: a client that may read a topic reads all of it, and neither NCM nor DPM needs the messages for the other.
"""

from __future__ import annotations

import re
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
"""The subscription for dead letters. Without one the broker would discard them in time."""

ROLE_BYTES: Final = 8
"""Random bytes in a host's role."""

KEEPER: Final = "keeper"
"""The subscription of a journal, which nobody reads: without one the broker would discard the journal in time."""


@dataclass(frozen=True)
class Credentials:
    """What an agent needs to connect: its host's name, and its token."""

    host: str
    role: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its short name, the roles that may write and read it, and the readers' subscriptions."""

    name: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    subscriptions: tuple[str, ...]


def requests(host: str) -> str:
    """The topic of a host's messages to NCM: its requests and confirmations."""
    return f"requests-{host}"


def notices(host: str) -> str:
    """The topic of a host's messages to DPM."""
    return f"notices-{host}"


def speaker(topic: str) -> str:
    """The host whose notices arrive on a topic; empty: it is not a notices topic."""
    host = topic.removeprefix("notices-")
    return host if host != topic else ""


def multicast(vpc: str) -> str:
    """The topic of the state that all hosts of a VPC share."""
    return f"multicast-{vpc}"


def inbox(host: str) -> str:
    """The topic of messages from NCM and DPM to a host."""
    return f"inbox-{host}"


def vpc_of(topic: str) -> str:
    """The VPC of a multicast topic; empty: it is not one."""
    vpc = topic.removeprefix("multicast-")
    return vpc if vpc != topic else ""


def reader(host: str) -> str:
    """The subscription by which a host reads a VPC's topic. No other role may use the name."""
    return f"host-{host}"


def dead_letters(process: str) -> str:
    """The topic of the messages that a process could not read."""
    return f"dead-letters-{process}"


def journal(role: str) -> str:
    """The topic in which a role keeps its state."""
    return f"journal-{role}"


FIXED: Final = (
    Topic(GOAL_STATES, ("dpm",), ("ncm",), ("ncm",)),
    Topic(HOSTS, ("dpm",), ("ncm", "dpm"), ("ncm", "dpm")),
    Topic(OUTCOMES, ("ncm",), ("dpm",), ("dpm",)),
    Topic(journal("ncm"), ("ncm",), ("ncm",), (KEEPER,)),
    Topic(journal("dpm"), ("dpm",), ("dpm",), (KEEPER,)),
    Topic(dead_letters("ncm"), ("ncm",), (), (ADMINISTRATOR,)),
    Topic(dead_letters("dpm"), ("dpm",), (), (ADMINISTRATOR,)),
)


def prepare(deployment: Deployment) -> None:
    """Creates the namespace and the fixed topics. May be repeated."""
    with Admin(deployment) as admin:
        admin.create_namespace(deployment.namespace)
        _create(admin, FIXED)


def prepare_journal(deployment: Deployment, role: str, name: str) -> None:
    """Creates an additional journal of a role, under another name. May be repeated."""
    with Admin(deployment) as admin:
        _create(admin, [Topic(name, (role,), (role,), (KEEPER,))])


def checked_host_name(host: str) -> str:
    """The name, if it is a valid host name.

    Raises:
        BadDeployment: the name is not lower-case letters, digits and hyphens, 63 at most, or ends like a partition of a topic.
    """
    if not HOST_NAME.fullmatch(host):
        raise BadDeployment(f"Invalid host name {host!r}: use lower-case letters, digits and hyphens, 63 at most")
    if re.search(r"-partition-\d+$", host):  # the broker refuses such topics, with its own error text
        raise BadDeployment(
            f"Invalid host name {host!r}: the broker takes a name that ends in -partition-NUMBER for a part of another topic"
        )
    return host


def provision_host(deployment: Deployment, host: str) -> Credentials:
    """Creates topics, permissions and a token of a host. If it was provisioned before, the earlier token no longer gives access."""
    checked_host_name(host)
    role = f"host-{host}-{secrets.token_hex(ROLE_BYTES)}"
    topics = (
        Topic(requests(host), (role,), ("ncm",), ("ncm",)),
        Topic(notices(host), (role,), ("dpm",), ("dpm",)),
        Topic(inbox(host), ("ncm", "dpm"), (role,), ("aca",)),
        Topic(dead_letters(host), (role,), (), (ADMINISTRATOR,)),
    )
    with Admin(deployment) as admin:
        _delete(admin, host)
        _create(admin, topics)
    return Credentials(host, role, deployment.token(role))


def host_of(role: str) -> str:
    """The host that has or had this role; empty: it is not a host's role."""
    found = re.fullmatch(rf"host-({HOST_NAME.pattern})-[0-9a-f]{{{2 * ROLE_BYTES}}}", role)
    return found[1] if found else ""


def withdraw_host(deployment: Deployment, host: str) -> None:
    """Removes a host's topics with everything in them, permissions included."""
    with Admin(deployment) as admin:
        _delete(admin, checked_host_name(host))


def _delete(admin: Admin, host: str) -> None:
    for name in (requests(host), notices(host), inbox(host), dead_letters(host)):
        admin.delete_topic(name)


def _create(admin: Admin, topics: Iterable[Topic]) -> None:
    # One after the other: the permissions of a namespace are one record of the broker, and concurrent grants would
    # collide.
    for topic in topics:
        admin.create_topic(topic.name)
        for role in sorted({*topic.writers, *topic.readers}):
            may = {"produce": topic.writers, "consume": topic.readers}
            admin.grant(topic.name, role, *(action for action, roles in may.items() if role in roles))
        for subscription in topic.subscriptions:
            admin.create_subscription(topic.name, subscription)
