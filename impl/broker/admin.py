"""The part of the broker's admin interface that is needed: tenants, namespaces, topics, subscriptions, permissions."""

from __future__ import annotations

import ssl
from functools import cache
from types import TracebackType
from typing import Any, Final, Self

import httpx

from impl.broker.deployment import Deployment
from impl.errors import BadDeployment, EnvironmentProblem

ANSWER_SECONDS_MAX: Final = 30.0

GRANTS_MAX: Final = 20
"""Attempts at a grant: the permissions of a namespace are one record of the broker, which rejects concurrent changes."""

_EARLIEST: Final = {"ledgerId": -1, "entryId": -1, "partitionIndex": -1}
"""The position before the first message, so that messages published before the first reader are not lost."""

_EXISTS: Final = 409
_UNKNOWN: Final = 404
_NOTHING_TO_REVOKE: Final = 412
_FAILED: Final = 500
_NOT_ALLOWED: Final = (401, 403)


@cache
def _authorities() -> ssl.SSLContext:
    """The certificates that are trusted, read once: that takes longer than a request."""
    return httpx.create_ssl_context()


class Admin:
    """A client with the administrator's rights. Every call is complete when it returns, and may be repeated."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        headers = {"Authorization": f"Bearer {deployment.admin_token}"}
        self._client = httpx.Client(
            base_url=f"{deployment.admin_url}/admin/v2",
            headers=headers,
            timeout=ANSWER_SECONDS_MAX,
            verify=_authorities(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def create_namespace(self, namespace: str) -> None:
        """Creates the namespace and its tenant."""
        tenant = namespace.split("/")[0]
        clusters = {"allowedClusters": self._call("GET", "/clusters").json()}
        self._create(f"/tenants/{tenant}", json=clusters)
        self._create(f"/namespaces/{namespace}")

    def _create(self, path: str, **options: Any) -> None:
        # Where two clients create the same at once, the broker says to one of them that it has failed itself.
        if self._call("PUT", path, accept=(_EXISTS, _FAILED), **options).status_code == _FAILED:
            self._call("GET", path)

    def has_namespace(self) -> bool:
        """Whether the deployment's namespace exists."""
        return self._call("GET", f"/namespaces/{self._deployment.namespace}", accept=(_UNKNOWN,)).is_success

    def retain(self, minutes: int) -> None:
        """Keeps everything published in the namespace for this long, whether anybody reads it or not; -1: forever."""
        policy = {"retentionTimeInMinutes": minutes, "retentionSizeInMB": -1}
        self._call("POST", f"/namespaces/{self._deployment.namespace}/retention", json=policy)

    def delete_namespace(self) -> None:
        """Removes the deployment's namespace with all its topics."""
        for topic in self.topics():
            self.delete_topic(topic)
        self._call("DELETE", f"/namespaces/{self._deployment.namespace}", accept=(_UNKNOWN,))

    def create_topic(self, topic: str) -> None:
        """Creates a topic, given by its short name in the deployment's namespace."""
        self._call("PUT", self._path(topic), accept=(_EXISTS,))

    def delete_topic(self, topic: str) -> None:
        """Removes a topic with everything in it, even while it is in use."""
        self._call("DELETE", self._path(topic), params={"force": "true"}, accept=(_UNKNOWN,))

    def create_subscription(self, topic: str, subscription: str) -> None:
        """Creates a subscription that starts with the first message."""
        self._call("PUT", f"{self._path(topic)}/subscription/{subscription}", json=_EARLIEST, accept=(_EXISTS,))

    def grant(self, topic: str, role: str, *actions: str) -> None:
        """Lets a role `produce` to a topic, `consume` from it, or both; this replaces earlier grants to the role."""
        self._permit("POST", topic, role, json=list(actions))

    def revoke(self, topic: str, role: str) -> None:
        """Revokes all of a role's permissions for a topic. Existing readers are not disconnected by that."""
        self._permit("DELETE", topic, role, accept=(_UNKNOWN, _NOTHING_TO_REVOKE))

    def reserve_subscription(self, subscription: str, role: str) -> None:
        """Only this role may read by a subscription of this name, on any topic."""
        path = f"/namespaces/{self._deployment.namespace}/permissions/subscription/{subscription}"
        self._changed("POST", path, json=[role])

    def _permit(self, method: str, topic: str, role: str, *, accept: tuple[int, ...] = (), **options: Any) -> None:
        self._changed(method, f"{self._path(topic)}/permissions/{role}", accept=accept, **options)

    def _changed(self, method: str, path: str, *, accept: tuple[int, ...] = (), **options: Any) -> None:
        # The permissions of a namespace are one record of the broker, so concurrent changes collide.
        for _ in range(GRANTS_MAX):
            if self._call(method, path, accept=(_EXISTS, *accept), **options).status_code != _EXISTS:
                return
        raise BadDeployment(f"{path}: other clients keep changing permissions; try again")

    def permissions(self, topic: str) -> dict[str, list[str]]:
        """The permissions of each role for a topic; empty if the topic does not exist."""
        answer = self._call("GET", f"{self._path(topic)}/permissions", accept=(_UNKNOWN,))
        found: dict[str, list[str]] = answer.json() if answer.is_success else {}
        return found

    def subscriptions(self, topic: str) -> list[str]:
        """The names of a topic's subscriptions; empty if the topic does not exist."""
        answer = self._call("GET", f"{self._path(topic)}/subscriptions", accept=(_UNKNOWN,))
        names: list[str] = answer.json() if answer.is_success else []
        return sorted(names)

    def delete_subscription(self, topic: str, subscription: str) -> None:
        """Removes a subscription with its backlog, and disconnects its readers."""
        path = f"{self._path(topic)}/subscription/{subscription}"
        self._call("DELETE", path, params={"force": "true"}, accept=(_UNKNOWN,))

    def unload(self, topic: str) -> None:
        """Disconnects all clients from a topic; those with permission reconnect."""
        self._call("PUT", f"{self._path(topic)}/unload")

    def compact(self, topic: str) -> None:
        """Begins to compact a topic to the last message of each key; does nothing if a compaction is running."""
        self._call("PUT", f"{self._path(topic)}/compaction", accept=(_EXISTS,))

    def is_compacted(self, topic: str) -> bool:
        """Whether the last compaction has ended."""
        return bool(self._call("GET", f"{self._path(topic)}/compaction").json()["status"] == "SUCCESS")

    def move_subscription(self, topic: str, subscription: str, ledger: int, entry: int) -> None:
        """Moves the subscription to this message; the broker may discard earlier messages that no subscription needs."""
        position = {"ledgerId": ledger, "entryId": entry, "partitionIndex": -1}
        self._call("POST", f"{self._path(topic)}/subscription/{subscription}/resetcursor", json=position)

    def topics(self) -> list[str]:
        """The short names of all topics."""
        names: list[str] = self._call("GET", f"/persistent/{self._deployment.namespace}").json()
        return sorted(name.rsplit("/", 1)[1] for name in names)

    def _path(self, topic: str) -> str:
        return f"/persistent/{self._deployment.namespace}/{topic}"

    def _call(self, method: str, path: str, *, accept: tuple[int, ...] = (), **options: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **options)
        except httpx.TransportError as problem:
            raise EnvironmentProblem(
                f"Cannot reach the broker's admin interface at {self._deployment.admin_url} ({problem}); "
                "check that the broker runs, and that PULSAR_ADMIN_URL names it"
            ) from problem
        if answer.is_success or answer.status_code in accept:
            return answer
        said = f"{method} {path}: the broker answered {answer.status_code}"
        if answer.status_code in _NOT_ALLOWED:
            raise BadDeployment(f"{said}; check that PULSAR_ADMIN_TOKEN_FILE names the administrator's token")
        raise BadDeployment(f"{said} ({' '.join(answer.text[:300].split())})")
