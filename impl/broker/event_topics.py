"""The topics of event logs: one for each process, in a separate namespace, retained whether anybody reads them or not.

| topic | written by | read by |
|---|---|---|
| `events-dpm`, `events-ncm` | that role | nobody but the administrator |
| `events-<host>` | that host | nobody but the administrator |

They exist once they have been requested (`prepare`); from then on a host gets its topic when it is registered. A host's log
outlives the host: a host that is deregistered or registered again can no longer write to it, and its content stays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from impl.broker import topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment

ROLES: Final = ("dpm", "ncm")
FOR_EVER: Final = -1

_PREFIX: Final = "events-"


def namespace(deployment: Deployment) -> Deployment:
    """The deployment with the namespace of its event logs instead of its own."""
    return replace(deployment, namespace=f"{deployment.namespace}-events")


def topic(process: str) -> str:
    """The topic of a process: a role, or a host."""
    return f"{_PREFIX}{process}"


def prepare(deployment: Deployment, minutes: int | None = None) -> None:
    """Creates namespace and topics, for the roles and for all registered hosts. May be repeated.

    `minutes`: how long lines are kept; None: unchanged, and initially forever.
    """
    with Admin(deployment) as admin:
        hosts = [
            each_topic.removeprefix(topics.requests(""))
            for each_topic in admin.topics()
            if each_topic.startswith(topics.requests(""))
        ]
        writers = {host: _present_role(admin, host) for host in hosts}
    with Admin(namespace(deployment)) as admin:
        if minutes is not None or not admin.has_namespace():
            admin.create_namespace(namespace(deployment).namespace)
            admin.retain(FOR_EVER if minutes is None else minutes)
        for role in ROLES:
            admin.create_topic(topic(role))
            admin.grant(topic(role), role, "produce")
        for host, writer in writers.items():
            if writer is not None:
                _hand_over(admin, host, writer)


def admit(deployment: Deployment, host: str, role: str | None) -> None:
    """From now on only this role may write the host's event log; None: no role may.

    Does nothing if no event logs are kept.
    """
    with Admin(namespace(deployment)) as admin:
        if admin.has_namespace():
            _hand_over(admin, host, role)


def remove(deployment: Deployment) -> None:
    """Removes all event logs of the deployment."""
    with Admin(namespace(deployment)) as admin:
        if admin.has_namespace():
            admin.delete_namespace()


def _present_role(admin: Admin, host: str) -> str | None:
    writers = admin.permissions(topics.requests(host))
    return next((role for role, may in writers.items() if topics.host_of(role) == host and "produce" in may), None)


def _hand_over(admin: Admin, host: str, role: str | None) -> None:
    name = topic(host)
    if role is not None:
        admin.create_topic(name)
    for earlier in admin.permissions(name):
        if topics.host_of(earlier) == host and earlier != role:
            admin.revoke(name, earlier)
    if role is not None:
        admin.grant(name, role, "produce")
