"""An event log in a topic of the broker: lines that cannot be published in time are dropped, and the service never waits."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import pulsar

from impl.broker import event_topics
from impl.broker.deployment import Deployment
from impl.errors import BadDeployment, NotAllowed, Unreachable
from impl.transport.pulsar import OPERATION_SECONDS_MAX, translated

WAITING_LINES_MAX: Final = 20_000
"""Lines that wait to be published, some 8 MB; further lines are dropped, and leave a gap in the sequence."""

RETRY_SECONDS: Final = 1.0
"""The pause between two attempts to reach the broker."""

CLOSE_SECONDS_MAX: Final = 10.0
"""The time to publish the accepted lines when the process ends."""

JOIN_SECONDS: Final = 0.5
"""The interval at which the end of publishing is checked."""

_END: Final = b""


class TopicSink:
    """Publishes lines to a process's event topic, in its own thread, in batches and in order.

    Raises:
        NotAllowed: the topic does not exist or the token has no access. (If the broker does not answer, retries in the background.)
    """

    def __init__(
        self, deployment: Deployment, token: str, process: str, prepare: Callable[[], None] | None = None
    ) -> None:
        """`process`: a role, or a host. `prepare`: creates the topic if it is missing; raises `Unreachable` if it cannot do so
        now."""
        self.lost = 0
        """Lines that were not accepted or not published."""
        self._topic = event_topics.namespace(deployment).topic(event_topics.topic(process))
        self._log = logging.getLogger(f"ondemand.{process}")
        self._lines: queue.Queue[bytes] = queue.Queue(WAITING_LINES_MAX)
        self._refused = False
        self._prepare = prepare
        self._closing = threading.Event()
        try:
            self._client = pulsar.Client(
                deployment.service_url,
                authentication=pulsar.AuthenticationToken(token),
                operation_timeout_seconds=OPERATION_SECONDS_MAX,
                logger=pulsar.FileLogger(pulsar.LoggerLevel.Error, os.devnull),
            )
        except ValueError as problem:
            raise BadDeployment(f"Invalid broker address {deployment.service_url!r}: {problem}") from problem
        try:
            self._producer: Any = self._open()
        except Unreachable as problem:
            self._log.warning("%s; up to %d events are buffered meanwhile", problem, WAITING_LINES_MAX)
            self._producer = None
        except NotAllowed as problem:
            self._client.close()
            raise NotAllowed(f"{problem}; run `ondemand record` to prepare the topics of event logs") from problem
        self._thread = threading.Thread(target=self._publish_all, name=f"events of {process}", daemon=True)
        self._thread.start()

    def _open(self) -> Any:
        if self._prepare is not None:
            self._prepare()
        with translated(f"publish to {self._topic}"):
            return self._client.create_producer(
                self._topic,
                batching_enabled=True,
                block_if_queue_full=True,
                send_timeout_millis=0,  # buffered lines are published in order once the broker is back
            )

    def write(self, line: bytes) -> bool:
        """See `impl.events.recorder.Sink`."""
        if not self._refused:
            try:
                self._lines.put_nowait(line)
            except queue.Full:
                pass
            else:
                return True
        if not self.lost:
            self._log.warning("the broker is slower than the event log is written; the log has a gap")
        self.lost += 1
        return False

    def close(self) -> None:
        """See `impl.events.recorder.Sink`."""
        self._closing.set()
        if self._producer is None:
            self._end()  # this also interrupts an attempt to connect
        end = time.monotonic() + CLOSE_SECONDS_MAX
        while self._thread.is_alive() and time.monotonic() < end:
            with suppress(queue.Full):
                self._lines.put_nowait(_END)
            self._thread.join(JOIN_SECONDS)
        self.lost += sum(line != _END for line in self._lines.queue)
        if self.lost:
            self._log.warning("%d lines of the event log were lost", self.lost)
        self._end()
        self._thread.join(JOIN_SECONDS)

    def _end(self) -> None:
        with translated("close", quietly=True):
            self._client.close()

    def _publish_all(self) -> None:
        while self._producer is None:
            try:
                opened = self._open()
                if self._closing.is_set():
                    return  # the client is already closed
                self._producer = opened
            except Unreachable:
                if self._closing.wait(RETRY_SECONDS):
                    return
            except BadDeployment as problem:
                self._log.warning("%s; no event log is written", problem)
                self._refused = True
                return
        while (line := self._lines.get()) != _END:
            try:
                self._producer.send_async(line.rstrip(b"\n"), self._published)
            except pulsar.PulsarException:
                self.lost += 1
        with translated("publish events", quietly=True):
            self._producer.flush()

    def _published(self, result: Any, identity: Any) -> None:
        self.lost += result != pulsar.Result.Ok
