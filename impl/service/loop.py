"""The loop of all services: receive, call the core, make durable, publish, acknowledge; in this order, in one thread.

A crash at any point repeats messages and loses none: an input is acknowledged only after its effects are durable and published.
Effects without a durable change are not stored, since the same input produces them again; such an input is acknowledged only after
the store has confirmed that no other instance had taken it over by then. (An instance that was paused and has been deposed since
could find nothing to do in a message that its successor, which knows more, has to act on.) Input that cannot be read is set aside
in the dead-letter topic, so that one bad message stops nothing. When the broker does not answer, the service waits with growing
pauses, logs it, and continues where it was. A failure to store ends the service: its core is then ahead of its store, and must not
continue. The same holds when another instance has taken over the store.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import groupby
from typing import Any, Final

from impl.broker.topics import dead_letters
from impl.core import ADMINISTRATION, Effects, Event, IllegalInput, Send
from impl.errors import BadDeployment, NotAllowed, StandsBy, Unreachable
from impl.events.recorder import Recorder
from impl.messages import Message, Published
from impl.service.timing import Timing
from impl.storage.store import Outgoing, Store
from impl.transport.interface import Connection, Delivery, Letter, Session
from impl.wire.codec import MalformedMessage, decode, encode

MARKS_MAX: Final = 100
"""Published messages that are not yet marked as sent; after a crash this many may be published again."""

OWED_MAX: Final = 100
"""Inputs that changed nothing and are not yet acknowledged; after a crash they are delivered again."""

TICK_SECONDS: Final = 0.05
"""The longest wait for an input before timers are checked."""

SET_ASIDE_BYTES_MAX: Final = 1_000_000
"""The part of a message that is set aside: the largest possible input would not fit beside the reason, and would add no
information."""

COMMANDS_MAX: Final = 10_000
"""Commands that wait for the service's thread; a faster caller has to wait."""


class Service:
    """Runs a core. Subclasses define the topics that it reads, and how inputs reach the core."""

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
        self.standing_by = threading.Event()
        """Set while another instance leads."""
        self.counted: Counter[str] = Counter()
        """Messages that were ignored or refused, by reason."""
        self.received: list[Message] = []
        """The messages received, for demonstrations; only if `keep_received` is set."""
        self.keep_received = False
        self.recorder: Recorder | None = None
        """Writes the event log; None: no event log."""
        self._store = store
        self._connect = connect
        self._subscription = subscription
        self._connection: Connection | None = None
        self._session: Session | None = None
        self._stopping = threading.Event()
        self._left = threading.Event()
        self._commands: queue.Queue[tuple[Callable[[], Effects], Future[Effects]]] = queue.Queue(COMMANDS_MAX)
        self._unmarked: list[Outgoing] = []
        self._owed: list[Delivery] = []
        """Inputs without a durable change, to be acknowledged."""
        self._published: dict[str, Published] = {}
        """Unacknowledged deliveries from VPCs' topics, while an event log is written."""
        self._lost_since: float | None = None
        """When the session was first seen without a connection; None: it is connected."""
        self._log = logging.getLogger(f"ondemand.{process}")

    # ------------------------------------------------------------------------------------------ for subclasses

    def topics(self) -> list[str]:
        """The topics that are read from the start."""
        raise NotImplementedError

    def take(self, message: Message, delivery: Delivery) -> Effects:
        """Passes a message to the core."""
        raise NotImplementedError

    def begin(self) -> Effects:
        """The first step of the service after it has connected."""
        return Effects()

    def listening(self) -> None:
        """Called whenever the service has begun to listen: at the start, and after the connection was lost."""

    def undeliverable(self, send: Send, problem: NotAllowed) -> None:
        """A message cannot be published, and a retry does not help. The service continues if this returns."""
        raise problem

    def administer(self, work: Message) -> None:
        """Executes a request to the broker's administration. Raises `Unreachable` if it can be retried."""
        raise BadDeployment(
            f"{self.process} has no administrator's rights, but its store contains work that needs them"
        )

    def tick(self, now: float) -> Iterator[Effects]:
        """Timer-driven effects. `now` is monotonic. Each is made durable before the next is requested."""
        yield from ()

    def happened(self, event: Event) -> None:
        """Called for every event of the core."""

    # ------------------------------------------------------------------------------------------------- running

    def run(self) -> None:
        """Runs until `stop` is called, then finishes the current work, and ends."""
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
                    self._mind_the_connection(now)
                    for effects in self.tick(now):
                        self._perform(effects)
            self._settle()
        except _Stopped:
            pass
        finally:
            self._leave()

    def stop(self) -> None:
        """Asks the service to end; safe to call from any thread, more than once."""
        self._stopping.set()
        if self._session is not None:
            self._session.wake()

    def submit(self, command: Callable[[], Effects]) -> Future[Effects]:
        """Runs a command on the core in the service's thread; the result is available when its effects are durable and
        published."""
        future: Future[Effects] = Future()
        self._commands.put((command, future))
        if self._left.is_set():
            self._turn_away()
        if self._session is not None:
            self._session.wake()
        return future

    def _open(self) -> None:
        unpublished = self._retried(lambda: self._store.load(self.core))
        if self.recorder is not None:
            self.recorder.begin()
        self.standing_by.clear()
        self._connection = self._retried(self._connect)
        self._listen()
        if unpublished:
            self._log.info("publishes %d messages that were stored before the last stop", len(unpublished))
            self._publish([item.send for item in unpublished])
            self._store.mark_sent(unpublished)
        self._perform(self.begin())

    def _listen(self) -> None:
        self._owed = []  # they are delivered again
        self._published.clear()
        self._session = self._retried(lambda: self._connected.open_session(self._subscription, self.topics()))
        self.listening()

    def _mind_the_connection(self, now: float) -> None:
        """A lost connection recovers by itself, or is replaced; replacing it also detects a withdrawn token."""
        if self.session.is_connected():
            self._lost_since = None
        elif self._lost_since is None:
            self._lost_since = now
        elif now - self._lost_since >= self.timing.lost_max:
            self._log.warning("the connection to the broker is lost; reconnecting")
            self._retried(self._store.confirm)  # another instance may have taken over
            self.session.close()
            self._listen()
            self._lost_since = None
            self._log.info("connected again")

    @property
    def _connected(self) -> Connection:
        assert self._connection is not None, "the service has not connected yet"
        return self._connection

    @property
    def session(self) -> Session:
        """The session that the service listens with."""
        assert self._session is not None, "the service has not connected yet"
        return self._session

    def _work(self) -> None:
        """Handles one delivery and all waiting commands."""
        delivery = self.session.receive(TICK_SECONDS)
        if delivery is not None:
            self._handle(delivery)
        else:
            self._settle()
        while True:
            try:
                command, future = self._commands.get_nowait()
            except queue.Empty:
                return
            self._obey(command, future)

    def _obey(self, command: Callable[[], Effects], future: Future[Effects]) -> None:
        try:
            effects = command()
            self._perform(effects)
        except IllegalInput as problem:
            future.set_exception(problem)
        except BaseException as problem:
            future.set_exception(RuntimeError(f"{self.process} has stopped: {problem}"))
            raise
        else:
            future.set_result(effects)

    def _handle(self, delivery: Delivery) -> None:
        changed = False
        try:
            message = decode(delivery.data)
        except MalformedMessage as problem:
            self._log.warning("sets aside a message from %s: %s", delivery.topic, problem)
            data, reason = delivery.data[:SET_ASIDE_BYTES_MAX], f"{delivery.topic}: {problem}"
            letter = Letter(dead_letters(self.process), data, tag=reason)
            self._retried(lambda: self._connected.publish([letter]))
            if self.recorder is not None:
                self.recorder.set_aside(reason)
        else:
            if self.keep_received:
                self.received.append(message)
            effects = self.take(message, delivery)
            self._perform(effects, delivery.origin)
            changed = effects.record is not None
            if self.recorder is not None and isinstance(message, Published):
                self._published[delivery.identity] = message
        if changed:
            self._acknowledge([delivery])
            return
        self._owed.append(delivery)
        if len(self._owed) >= OWED_MAX:
            self._settle()

    def _settle(self) -> None:
        """Does the work that waits for an idle moment."""
        if self._unmarked:
            self._mark()
        if self._owed:
            self._retried(self._store.confirm)
            self._acknowledge(self._owed)
            self._owed = []

    def _acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        if self.recorder is not None:
            for delivery in deliveries:
                published = self._published.pop(delivery.identity, None)
                if published is not None:
                    self.recorder.consumed(published)
        self.session.acknowledge(deliveries)

    def _perform(self, effects: Effects, taken: str = "") -> None:
        """Performs the caller's duties of `impl.core`. `taken`: the id of the input message in its sender's event log."""
        changed = effects.record is not None
        outgoing = self._retried(lambda: self._store.append(effects, self.core)) if changed else []
        origins = self.recorder.note(effects, taken) if self.recorder is not None else ()
        # The events are durable now; a released packet need not wait until its confirmation is published.
        for event in effects.events:
            self._note(event)
            self.happened(event)
        self._publish(effects.sends, origins)
        self._unmarked += outgoing
        if len(self._unmarked) >= MARKS_MAX or self._is_marked_at_once(effects.sends):
            self._mark()

    def _is_marked_at_once(self, sends: Sequence[Send]) -> bool:
        """Administrative work must not be repeated after anything depends on it: a subscription that has been created again
        would be deleted. So it is marked before anything else can be stored, and the mark is as durable as the record that
        follows it."""
        return any(send.topic == ADMINISTRATION for send in sends)

    def _note(self, event: Event) -> None:
        if event.name in ("ignore", "refuse"):
            what = f"{event.name}: {event.fields['reason']}"
            self.counted[what] += 1
            if self.counted[what] == 1 and event.name == "refuse":
                self._log.info("%s (logged once; further ones are only counted)", what)
        if self._log.isEnabledFor(logging.DEBUG):
            self._log.debug("%s: %s", event.name, ", ".join(f"{name} {value}" for name, value in event.fields.items()))

    def _mark(self) -> None:
        self._store.mark_sent(self._unmarked)
        self._unmarked = []

    def _publish(self, sends: Sequence[Send], origins: Sequence[str] = ()) -> None:
        """Publishes messages and executes administrative work, in their order. `origins`: the messages' ids, if an event log is
        written."""
        named = zip(sends, origins or [""] * len(sends), strict=True)
        for is_administrative, group in groupby(named, key=lambda item: item[0].topic == ADMINISTRATION):
            if not is_administrative:
                self._publish_messages(list(group))
                continue
            for send, _ in group:
                # Another instance may have taken over while this one was paused; permissions that it has revoked must
                # not be granted again.
                self._retried(self._store.confirm)
                self._retried(partial(self.administer, send.message))

    def _publish_messages(self, named: Sequence[tuple[Send, str]]) -> None:
        letters = [Letter(send.topic, encode(send.message), send.key, origin=origin) for send, origin in named]
        try:
            self._retried(lambda: self._connected.publish(letters))
        except NotAllowed as problem:
            if len(named) == 1:
                self.undeliverable(named[0][0], problem)
                return
            for item in named:  # those before and after the refused one are still published
                self._publish_messages([item])

    def _retried(self, attempt: Callable[[], Any]) -> Any:
        """Retries until the broker answers, with growing pauses, and logs each failure."""
        pause = self.timing.retry_first
        while True:
            try:
                return attempt()
            except StandsBy as problem:
                if not self.standing_by.is_set():
                    self._log.info("%s; standing by", problem)
                    self.standing_by.set()
                if self._stopping.is_set():
                    raise _Stopped("it was asked to stop while it stood by") from problem
            except Unreachable as problem:
                if not self._stopping.is_set():
                    self._log.warning("%s; trying again in %.1f s", problem, pause)
                if self._stopping.wait(pause):
                    raise _Stopped(f"it was asked to stop while it waited: {problem}") from problem
                pause = min(2 * pause, self.timing.retry_max)

    def _leave(self) -> None:
        self._left.set()
        self._turn_away()
        if self._session is not None:
            self._session.close()
        if self._connection is not None:
            self._connection.close()
        self._mark()
        self._store.close()
        if self.recorder is not None and self.recorder.run:
            self.recorder.end()
        if self.counted:
            self._log.info("%s", ", ".join(f"{what}: {count}" for what, count in sorted(self.counted.items())))
        self._log.info("stopped")

    def _turn_away(self) -> None:
        """Fails the remaining commands, which nothing runs any more."""
        while True:
            try:
                _, future = self._commands.get_nowait()
            except queue.Empty:
                return
            future.set_exception(RuntimeError(f"{self.process} has stopped"))


class _Stopped(Exception):
    """The service was asked to end while it waited for the broker."""
