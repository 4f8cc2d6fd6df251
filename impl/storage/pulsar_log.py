"""A log in a topic of a broker. Its writer holds the topic by an exclusive producer.

The producer that is held has the mode `Exclusive`, because of what each mode does after the broker closes it (a topic is moved, a
connection breaks) and another instance has come in between. An exclusive producer is then refused, as it should be. One that *waits
for* exclusiveness would queue up to lead again with its outdated state; and one that *fences* would, on reconnecting, knock out the
instance that has deposed it. So the mode `WaitForExclusive` is used only to find out that the topic is free, and
`ExclusiveWithFencing` only to depose, each for a moment.

An instance that is deposed by force is not informed: the broker drops its producer silently, and never answers what it sends.
Unloading the topic afterwards makes the broker refuse it at once.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pulsar

from impl.broker import topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.errors import Deposed, StandsBy, Unreachable
from impl.storage.log import Entry
from impl.transport.pulsar import translated

WAIT_SECONDS_MAX: Final = 2
"""The wait for the leader's end, each time that a standby tries, and for any other request to the broker."""

SEND_SECONDS_MAX: Final = 10
"""The time for the broker to accept an entry; a healthy one takes a millisecond or two."""

_HELD: Final = (pulsar.ProducerFenced, pulsar.ProducerBusy)
_DEPOSED: Final = (pulsar.Result.ProducerFenced, pulsar.Result.ProducerBusy)


class PulsarLog:
    """See `impl.storage.log.Log`. The token gives the identity; the deployment's administrator compacts and deposes."""

    def __init__(self, deployment: Deployment, token: str, topic: str, *, take_over: bool = False) -> None:
        self.name = topic
        self._deployment = deployment
        self._topic = deployment.topic(topic)
        self._take_over = take_over
        self._client = pulsar.Client(
            deployment.service_url,
            authentication=pulsar.AuthenticationToken(token),
            operation_timeout_seconds=WAIT_SECONDS_MAX,
            logger=pulsar.FileLogger(pulsar.LoggerLevel.Error, os.devnull),  # errors that matter arrive as exceptions
        )
        self._producer: Any = None
        self._last: Any = None
        """The broker's name for the last appended entry."""
        self._compacted: Any = None
        """The last appended entry when the last compaction began."""

    def lead(self) -> None:
        if self._producer is not None:
            return  # an earlier attempt succeeded; if it was deposed since, appending reports it
        if self._take_over:
            self._depose()
        if self._hold():
            return
        with translated(f"wait for {self.name}"):
            try:
                self._create(pulsar.ProducerAccessMode.WaitForExclusive).close()
            except (pulsar.Timeout, *_HELD):
                raise StandsBy(f"Another instance leads {self.name}") from None
        if not self._hold():
            raise StandsBy(f"Another instance leads {self.name}; it took the lead first")

    def _depose(self) -> None:
        with translated(f"take {self.name} over"):
            self._create(pulsar.ProducerAccessMode.ExclusiveWithFencing).close()
        with Admin(self._deployment) as admin:
            admin.unload(self.name)

    def _hold(self) -> bool:
        with translated(f"write {self.name}"):
            try:
                self._producer = self._create(pulsar.ProducerAccessMode.Exclusive)
            except _HELD:
                return False
        return True

    def _create(self, mode: pulsar.ProducerAccessMode) -> Any:
        return self._client.create_producer(
            self._topic,
            access_mode=mode,
            batching_enabled=False,  # batches would delay each entry, and are harder to compact
            block_if_queue_full=True,
            send_timeout_millis=SEND_SECONDS_MAX * 1000,
        )

    def append(self, entries: Sequence[Entry]) -> None:
        answers: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()
        with translated(f"write {self.name}"):
            for entry in entries:
                self._producer.send_async(
                    entry.data, lambda result, identity: answers.put((result, identity)), partition_key=entry.key
                )
            results = [answers.get() for _ in entries]
        for result, _ in results:
            if result in _DEPOSED:
                raise Deposed(
                    f"{self.name}: another instance has taken over, and this one has stopped; restart it to stand by"
                )
            if result != pulsar.Result.Ok:
                raise Unreachable(f"The broker did not answer when asked to write {self.name} ({result})")
        self._last = results[-1][1]

    def append_soon(self, entry: Entry) -> None:
        with translated(f"write {self.name}", quietly=True):
            self._producer.send_async(entry.data, lambda result, identity: None, partition_key=entry.key)

    def read(self) -> Iterator[Entry]:
        with translated(f"read {self.name}"):
            reader = self._client.create_reader(self._topic, pulsar.MessageId.earliest, is_read_compacted=True)
            try:
                while self._last is not None or reader.has_message_available():
                    message = reader.read_next(SEND_SECONDS_MAX * 1000)
                    yield Entry(message.partition_key(), message.data())
                    if self._last is not None and message.message_id() >= self._last:
                        return
            finally:
                reader.close()

    def compact(self) -> None:
        with Admin(self._deployment) as admin:
            # The broker discards what the keeper's subscription has passed and compaction has replaced.
            if self._compacted is not None and admin.is_compacted(self.name):
                position = (self._compacted.ledger_id(), self._compacted.entry_id())
                admin.move_subscription(self.name, topics.KEEPER, *position)
            self._compacted = self._last
            admin.compact(self.name)

    def close(self) -> None:
        with translated("close", quietly=True):
            if self._producer is not None:
                self._producer.flush()
        with translated("close", quietly=True):
            self._client.close()


def open_log(deployment: Deployment, role: str, *, take_over: bool = False) -> PulsarLog:
    """The journal of a role, `ncm` or `dpm`, for one more instance of it."""
    return PulsarLog(deployment, deployment.token(role), topics.journal(role), take_over=take_over)
