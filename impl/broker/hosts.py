"""Registration of hosts: topics, permissions and a token first, then a message to NCM, which listens at once."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from impl.broker import event_topics, topics
from impl.broker.deployment import Deployment
from impl.broker.tokens import write_secret
from impl.errors import BadDeployment
from impl.messages import Deregistered, Registered
from impl.transport.interface import Letter
from impl.transport.pulsar import PulsarConnection
from impl.wire.codec import encode


@dataclass(frozen=True)
class AgentFile:
    """An agent's configuration: its host, the broker's address, and its token. It gives no access to other hosts' topics."""

    host: str
    service_url: str
    namespace: str
    token: str = field(repr=False)

    def deployment(self) -> Deployment:
        """The broker without the administrator's secrets, for an agent."""
        return Deployment(self.service_url, "", "", b"", self.namespace)


def add_host(deployment: Deployment, host: str) -> AgentFile:
    """Registers a host. A repeated registration revokes the earlier token, and epochs begin again."""
    credentials = topics.provision_host(deployment, host)
    event_topics.admit(deployment, host, credentials.role)
    _tell_ncm(deployment, Registered(host, registration_number()))
    return AgentFile(host, deployment.service_url, deployment.namespace, credentials.token)


def remove_host(deployment: Deployment, host: str) -> None:
    """Deregisters a host, and removes its topics with everything in them."""
    _tell_ncm(deployment, Deregistered(topics.checked_host_name(host), registration_number()))
    topics.withdraw_host(deployment, host)
    event_topics.admit(deployment, host, None)


def registration_number() -> int:
    """A number larger than those before it, on any machine: the microseconds of the clock."""
    return time.time_ns() // 1_000


def _tell_ncm(deployment: Deployment, message: Registered | Deregistered) -> None:
    connection = PulsarConnection(deployment, deployment.token("dpm"))
    try:
        connection.publish([Letter(topics.HOSTS, encode(message), message.host)])
    finally:
        connection.close()


def write_agent_file(agent: AgentFile, path: Path) -> None:
    """Writes an agent's file, readable by its owner only."""
    fields = {
        "host": agent.host,
        "service_url": agent.service_url,
        "namespace": agent.namespace,
        "token": agent.token,
    }
    try:
        write_secret(path, json.dumps(fields, indent=1) + "\n")
    except OSError as problem:
        raise BadDeployment(f"{path}: cannot be written ({problem.strerror}); name another file") from problem


def read_agent_file(path: Path) -> AgentFile:
    """Reads an agent's file.

    Raises:
        BadDeployment: it cannot be read, or a field is missing.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        agent = AgentFile(*(str(fields[name]) for name in ("host", "service_url", "namespace", "token")))
    except OSError as problem:
        raise BadDeployment(
            f"{path}: cannot be read ({problem.strerror}); write it with `ondemand host add`"
        ) from problem
    except (ValueError, KeyError, TypeError) as problem:
        raise BadDeployment(
            f"{path}: is not an agent's file ({type(problem).__name__}: {problem}); write it with `ondemand host add`"
        ) from problem
    topics.checked_host_name(agent.host)
    return agent
