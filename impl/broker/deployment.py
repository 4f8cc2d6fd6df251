"""The broker in use, and its secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from impl.broker.tokens import mint, read_key, read_token
from impl.errors import BadDeployment

NAMES = ("PULSAR_URL", "PULSAR_ADMIN_URL", "PULSAR_ADMIN_TOKEN_FILE", "PULSAR_SIGNING_KEY_FILE")
"""The environment variables: the addresses of the broker and its admin interface, and files with the secrets."""


@dataclass(frozen=True)
class Deployment:
    """A broker, and the secrets for setting it up. Printing it shows no secret."""

    service_url: str
    admin_url: str
    admin_token: str = field(repr=False)
    signing_key: bytes = field(repr=False)
    namespace: str = "alcor/on-demand"

    def token(self, role: str) -> str:
        """A token for a role."""
        return mint(self.signing_key, role)

    def topic(self, name: str) -> str:
        """The full name of a topic of this deployment."""
        return f"persistent://{self.namespace}/{name}"


def from_environment(environment: Mapping[str, str] | None = None) -> Deployment | None:
    """The broker that `$PULSAR_URL` names; None if it is not set.

    Raises:
        BadDeployment: a setting is missing, or a file cannot be read.
    """
    given = os.environ if environment is None else environment
    if not given.get("PULSAR_URL"):
        return None
    for name in NAMES:
        if not given.get(name):
            raise BadDeployment(f"PULSAR_URL is set and {name} is not; set all of {', '.join(NAMES)}")
    token = read_token(Path(given["PULSAR_ADMIN_TOKEN_FILE"]))
    key = read_key(Path(given["PULSAR_SIGNING_KEY_FILE"]))
    namespace = given.get("PULSAR_NAMESPACE", "alcor/on-demand")
    return Deployment(given["PULSAR_URL"], given["PULSAR_ADMIN_URL"], token, key, namespace)
