"""What all services do: receive, hand to the core, make durable, publish, acknowledge; in this order, in one thread.

A crash anywhere repeats messages and loses none: an input is acknowledged only after its effects are durable and published. What
changes nothing durable is not stored, since it comes about again when its input comes again. What cannot be read is set aside in
the dead-letter topic and acknowledged, so that one bad message stops nobody. When the broker does not answer, the service waits
with growing pauses, says so, and goes on where it was.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

from impl.broker.topics import dead_letters
from impl.core import Effects, Event, Send
from impl.messages import Message
from impl.service.timing import Timing
from impl.store import Outgoing, Store
from impl.transport.interface import Connection, Delivery, Letter, Session, Unreachable
from impl.wire.codec import MalformedMessage, decode, encode

MARKS_MAX: Final = 100
"""Published messages that are not yet marked as sent; after a crash so many may be published again."""

TICK_SECONDS: Final = 0.05
"""Between two looks at what time demands."""

COMMANDS_MAX: Final = 10_000
"""Commands that wait for the service's thread; a caller that is faster has to wait itself."""


class Service:
    """A core in the world. Subclasses say which topics it reads, and what the core is fed with."""

    def __init__(
        self,
        process: str,
        core: Any,
        store: Store,
        connect: Callable[[], Connection],
        *,
        subscription: str,
        timing: Timing | None = None,
    ) -> None:
        self.process = process
        self.core = core
        self.timing = timing or Timing()
        self.ready = threading.Event()
        """Set once the service has connected and caught up with its store."""
        self.received: list[Message] = []
        """What the last messages were, for demonstrations; only if `keep_received` is set."""
        self.keep_received = False
        self._store = store
        self._connect = connect
        self._subscription = subscription
        self._connection: Connection | None = None
        self._session: Session | None = None
        self._stopping = threading.Event()
        self._commands: queue.Queue[tuple[Callable[[], Effects], Future[Effects]]] = queue.Queue(COMMANDS_MAX)
        self._unmarked: list[Outgoing] = []
        self._log = logging.getLogger(f"ondemand.{process}")

    # ------------------------------------------------------------------------------------- what subclasses say

    def topics(self) -> list[str]:
        """What is read from the start."""
        raise NotImplementedError

    def take(self, message: Message, delivery: Delivery) -> Effects:
        """Hands a message to the core."""
        raise NotImplementedError

    def begin(self) -> Effects:
        """What the service does first, once connected."""
        return Effects()

    def tick(self, now: float) -> list[Effects]:
        """What time demands. `now` is monotonic."""
        return []

    def happened(self, event: Event) -> None:
        """Told of everything that the core says."""

    # ------------------------------------------------------------------------------------------------- running

    def run(self) -> None:
        """Works until `stop` is called, then finishes what it is at, and leaves."""
        try:
            self._open()
            self._log.info("ready")
            self.ready.set()
            next_tick = time.monotonic()
            while not self._stopping.is_set():
                self._work()
                now = time.monotonic()
                if now >= next_tick:
                    next_tick = now + TICK_SECONDS
                    for effects in self.tick(now):
                        self._perform(effects)
        except _Stopped:
            pass
        finally:
            self._leave()

    def stop(self) -> None:
        """Asks the service to leave; safe to call from anywhere, more than once."""
        self._stopping.set()
        if self._session is not None:
            self._session.wake()

    def submit(self, command: Callable[[], Effects]) -> Future[Effects]:
        """Has the service's thread run a command on the core; the result comes when its effects are durable and published."""
        future: Future[Effects] = Future()
        self._commands.put((command, future))
        if self._session is not None:
            self._session.wake()
        return future

    def _open(self) -> None:
        unpublished = self._store.load(self.core)
        self._connection = self._retried(self._connect)
        self._session = self._retried(lambda: self._connected.open_session(self._subscription, self.topics()))
        if unpublished:
            self._log.info("publishes %d messages that were stored before the last stop", len(unpublished))
            self._publish([one.send for one in unpublished])
            self._store.mark_sent(unpublished)
        self._perform(self.begin())

    @property
    def _connected(self) -> Connection:
        assert self._connection is not None, "the service has not connected yet"
        return self._connection

    @property
    def session(self) -> Session:
        """What the service listens with."""
        assert self._session is not None, "the service has not connected yet"
        return self._session

    def _work(self) -> None:
        """One delivery and all waiting commands."""
        delivery = self.session.receive(TICK_SECONDS)
        if delivery is not None:
            self._handle(delivery)
        elif self._unmarked:
            self._mark()
        while True:
            try:
                command, future = self._commands.get_nowait()
            except queue.Empty:
                return
            try:
                effects = command()
                self._perform(effects)
            except _Stopped:
                future.set_exception(RuntimeError(f"{self.process} has stopped"))
                raise
            except Exception as problem:
                future.set_exception(problem)
            else:
                future.set_result(effects)

    def _handle(self, delivery: Delivery) -> None:
        try:
            message = decode(delivery.data)
        except MalformedMessage as problem:
            self._log.warning("sets aside a message from %s: %s", delivery.topic, problem)
            self._retried(lambda: self._connected.publish([Letter(dead_letters(self.process), delivery.data)]))
        else:
            if self.keep_received:
                self.received.append(message)
            self._perform(self.take(message, delivery))
        self.session.acknowledge([delivery])

    def _perform(self, effects: Effects) -> None:
        """The caller's duties of `impl.core`."""
        outgoing = self._store.append(effects, self.core) if effects.record is not None else []
        # What happened is durable now; a released packet need not wait until its confirmation is published.
        for event in effects.events:
            if event.name == "ignore":
                self._log.debug("ignores a message: %s", event.fields.get("reason", ""))
            self.happened(event)
        self._publish(effects.sends)
        self._unmarked += outgoing
        if len(self._unmarked) >= MARKS_MAX:
            self._mark()

    def _mark(self) -> None:
        self._store.mark_sent(self._unmarked)
        self._unmarked = []

    def _publish(self, sends: Sequence[Send]) -> None:
        if sends:
            letters = [Letter(send.topic, encode(send.message), send.key) for send in sends]
            self._retried(lambda: self._connected.publish(letters))

    def _retried(self, attempt: Callable[[], Any]) -> Any:
        """Tries until the broker answers; with growing pauses, and a word about each."""
        pause = self.timing.retry_first
        while True:
            try:
                return attempt()
            except Unreachable as problem:
                if self._stopping.is_set():
                    raise _Stopped from problem
                self._log.warning("%s; trying again in %.1f s", problem, pause)
                if self._stopping.wait(pause):
                    raise _Stopped from problem
                pause = min(2 * pause, self.timing.retry_max)

    def _leave(self) -> None:
        while not self._commands.empty():
            _, future = self._commands.get_nowait()
            future.set_exception(RuntimeError(f"{self.process} has stopped"))
        if self._session is not None:
            self._session.close()
        if self._connection is not None:
            self._connection.close()
        self._mark()
        self._store.close()
        self._log.info("stopped")


class _Stopped(Exception):
    """The service was asked to leave while it waited for the broker."""
