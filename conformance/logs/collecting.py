"""Reads event logs of a running deployment from the topics that its processes write to.

Readers consume nothing: any number of them see all lines, from the beginning or from some time on. Lines of one process keep their
order; lines of different processes are ordered only by their message ids.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final, Self

import pulsar

from impl.broker import event_topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.transport.pulsar import OPERATION_SECONDS_MAX, translated

LINES_AT_ONCE: Final = 1_000
"""Lines read from one process per turn."""

FETCHED_MAX: Final = 2_000
"""Lines of one topic that the client prefetches."""

READ_MILLISECONDS: Final = 5_000
"""Timeout for a line that is known to be available."""


class Collector:
    """Reads the event logs of a deployment. `since`: only lines written from then on, in seconds since 1970.

    `behind`: by topic, the message after which reading starts.
    """

    def __init__(
        self, deployment: Deployment, since: float | None = None, behind: Mapping[str, pulsar.MessageId] | None = None
    ) -> None:
        self._events = event_topics.namespace(deployment)
        self._since = since
        self._behind = behind or {}
        self._readers: dict[str, Any] = {}
        self._client = pulsar.Client(
            deployment.service_url,
            authentication=pulsar.AuthenticationToken(deployment.admin_token),
            operation_timeout_seconds=OPERATION_SECONDS_MAX,
            logger=pulsar.FileLogger(pulsar.LoggerLevel.Error, os.devnull),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes all readers."""
        with translated("close", quietly=True):
            self._client.close()

    def look(self) -> list[str]:
        """Looks for new topics and opens readers on them. Returns the names of all topics.

        Raises:
            EnvironmentProblem: the broker does not answer.
        """
        with Admin(self._events) as admin:
            names = admin.topics() if admin.has_namespace() else []
        for name in names:
            if name not in self._readers:
                with translated(f"read {name}"):
                    self._readers[name] = self._opened(name)
        return sorted(self._readers)

    def _opened(self, name: str) -> Any:
        start = self._behind.get(name, pulsar.MessageId.earliest)
        reader = self._client.create_reader(self._events.topic(name), start, receiver_queue_size=FETCHED_MAX)
        if self._since is not None and name not in self._behind:
            reader.seek(int(self._since * 1_000))
        return reader

    def reader(self, name: str) -> Any:
        """The reader of a topic that `look` returned."""
        return self._readers[name]

    def lines(self) -> Iterator[bytes]:
        """All available lines that were not read before, each with its newline.

        Raises:
            Unreachable: the broker does not answer.
        """
        found = True
        while found:
            found = False
            for name, reader in sorted(self._readers.items()):
                for line in self._some(name, reader):
                    found = True
                    yield line

    def _some(self, name: str, reader: Any) -> Iterator[bytes]:
        for _ in range(LINES_AT_ONCE):
            with translated(f"read {name}"):
                if not reader.has_message_available():
                    return
                data: bytes = reader.read_next(READ_MILLISECONDS).data()
            yield data + b"\n"
