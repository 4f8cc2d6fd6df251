"""A log in a topic of the broker: what cannot be published at once is left out, and never waited for."""

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
"""Lines that wait to be published, some eight megabytes; what comes beyond them is lost, and leaves a gap in the sequence."""

RETRY_SECONDS: Final = 1.0
"""Between two attempts to reach the broker."""

CLOSE_SECONDS_MAX: Final = 10.0
"""For what was taken to be published, when the process ends."""

JOIN_SECONDS: Final = 0.5
"""Between two looks at whether that has come to its end."""

_END: Final = b""


class TopicSink:
    """Publishes lines to a process's event topic, in a thread of its own, in batches and in order.

    Raises:
        NotAllowed: the topic is not there, or not for this token. (A broker that does not answer is waited for, in the background.)
    """

    def __init__(
        self, deployment: Deployment, token: str, process: str, prepare: Callable[[], None] | None = None
    ) -> None:
        """`process`: a role, or a host. `prepare`: makes sure that the topic is there; raises `Unreachable` if it cannot now."""
        self.lost = 0
        """Lines that were not taken, or not published."""
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
            raise BadDeployment(f"{deployment.service_url!r} is no broker's address: {problem}") from problem
        try:
            self._producer: Any = self._open()
        except Unreachable as problem:
            self._log.warning("%s; events wait meanwhile, %d at most", problem, WAITING_LINES_MAX)
            self._producer = None
        except NotAllowed as problem:
            self._client.close()
            raise NotAllowed(f"{problem}; `ondemand record` prepares the topics of event logs") from problem
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
                send_timeout_millis=0,  # what waits is published once the broker is back, in its order
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
            self._log.warning("the broker does not take the event log as fast as it is written; it has a gap")
        self.lost += 1
        return False

    def close(self) -> None:
        """See `impl.events.recorder.Sink`."""
        self._closing.set()
        if self._producer is None:
            self._end()  # and the attempt to reach the broker
        end = time.monotonic() + CLOSE_SECONDS_MAX
        while self._thread.is_alive() and time.monotonic() < end:
            with suppress(queue.Full):
                self._lines.put_nowait(_END)
            self._thread.join(JOIN_SECONDS)
        self.lost += sum(line != _END for line in self._lines.queue)
        if self.lost:
            self._log.warning("%d lines of the event log are lost", self.lost)
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
                    return  # of a client that is closed
                self._producer = opened
            except Unreachable:
                if self._closing.wait(RETRY_SECONDS):
                    return
            except BadDeployment as problem:
                self._log.warning("%s; keeps no event log", problem)
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
