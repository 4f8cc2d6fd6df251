"""What all services do: receive, hand to the core, make durable, publish, acknowledge; in this order, in one thread.

A crash anywhere repeats messages and loses none: an input is acknowledged only after its effects are durable and published. What
changes nothing durable is not stored, since it comes about again when its input comes again; and its input is acknowledged only
once the store has confirmed that nobody else had taken it over by then. (An instance that was paused, and has been deposed since,
could find nothing to do in a message that its successor, which knows more, has to act upon.) What cannot be read is set aside in
the dead-letter topic, so that one bad message stops nobody. When the broker does not answer, the service waits
with growing pauses, says so, and goes on where it was. What cannot be stored ends the service: its core is ahead of its store then,
and must not go on. Nor must one whose store another instance has taken over.
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
"""Published messages that are not yet marked as sent; after a crash so many may be published again."""

OWED_MAX: Final = 100
"""Inputs that changed nothing and are not yet acknowledged; after a crash they come again."""

TICK_SECONDS: Final = 0.05
"""Between two looks at what time demands."""

SET_ASIDE_BYTES_MAX: Final = 1_000_000
"""Of a message that is set aside: the largest that come in would not fit with the reason beside them, and tell nobody more."""

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
        self.standing_by = threading.Event()
        """Set while another instance leads."""
        self.counted: Counter[str] = Counter()
        """Messages that were ignored or refused, by reason."""
        self.received: list[Message] = []
        """What the last messages were, for demonstrations; only if `keep_received` is set."""
        self.keep_received = False
        self.recorder: Recorder | None = None
        """Keeps the event log; none is kept without."""
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
        """Inputs that changed nothing durable, to be acknowledged."""
        self._published: dict[str, Published] = {}
        """What VPCs' topics delivered and is not yet acknowledged, while an event log is kept."""
        self._lost_since: float | None = None
        """When the session was first seen without a connection; none: it has one."""
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

    def listening(self) -> None:
        """Told whenever the service has begun to listen, at the start and after the connection was lost."""

    def undeliverable(self, send: Send, problem: NotAllowed) -> None:
        """A message cannot be published, however often it is tried. Goes on if it returns."""
        raise problem

    def administer(self, work: Message) -> None:
        """Has the broker's administration do something. Raises `Unreachable` if it may be tried again."""
        raise BadDeployment(
            f"{self.process} has no administrator's rights, and its store asks for work that needs them"
        )

    def tick(self, now: float) -> Iterator[Effects]:
        """What time demands. `now` is monotonic. Each is made durable before the next is asked for."""
        yield from ()

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
                    self._mind_the_connection(now)
                    for effects in self.tick(now):
                        self._perform(effects)
            self._settle()
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
        self._owed = []  # they come again
        self._published.clear()
        self._session = self._retried(lambda: self._connected.open_session(self._subscription, self.topics()))
        self.listening()

    def _mind_the_connection(self, now: float) -> None:
        """A lost connection mends itself, or else is made anew; that also finds out that the token has been withdrawn."""
        if self.session.is_connected():
            self._lost_since = None
        elif self._lost_since is None:
            self._lost_since = now
        elif now - self._lost_since >= self.timing.lost_max:
            self._log.warning("the connection to the broker is lost; connecting anew")
            self._retried(self._store.confirm)  # it may have been taken away
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
        """What the service listens with."""
        assert self._session is not None, "the service has not connected yet"
        return self._session

    def _work(self) -> None:
        """One delivery and all waiting commands."""
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
        """Does what may wait for a quiet moment."""
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
        """The caller's duties of `impl.core`. `taken`: the id of the message that brought this about, in its sender's event log."""
        changed = effects.record is not None
        outgoing = self._retried(lambda: self._store.append(effects, self.core)) if changed else []
        origins = self.recorder.note(effects, taken) if self.recorder is not None else ()
        # What happened is durable now; a released packet need not wait until its confirmation is published.
        for event in effects.events:
            self._note(event)
            self.happened(event)
        self._publish(effects.sends, origins)
        self._unmarked += outgoing
        if len(self._unmarked) >= MARKS_MAX or self._is_marked_at_once(effects.sends):
            self._mark()

    def _is_marked_at_once(self, sends: Sequence[Send]) -> bool:
        """Administrative work must not be done again once anything has been built upon it: a subscription that is there again would
        end. So it is marked before anything else can be stored, and a mark is as durable as whatever is stored behind it."""
        return any(send.topic == ADMINISTRATION for send in sends)

    def _note(self, event: Event) -> None:
        if event.name in ("ignore", "refuse"):
            what = f"{event.name}: {event.fields['reason']}"
            self.counted[what] += 1
            if self.counted[what] == 1 and event.name == "refuse":
                self._log.info("%s (the first of its kind; others are only counted)", what)
        if self._log.isEnabledFor(logging.DEBUG):
            self._log.debug("%s: %s", event.name, ", ".join(f"{name} {value}" for name, value in event.fields.items()))

    def _mark(self) -> None:
        self._store.mark_sent(self._unmarked)
        self._unmarked = []

    def _publish(self, sends: Sequence[Send], origins: Sequence[str] = ()) -> None:
        """Publishes messages, and has administrative work done, in their order. `origins`: the messages' ids, if a log is kept."""
        named = zip(sends, origins or [""] * len(sends), strict=True)
        for is_administrative, group in groupby(named, key=lambda item: item[0].topic == ADMINISTRATION):
            if not is_administrative:
                self._publish_messages(list(group))
                continue
            for send, _ in group:
                # Others may have taken over while this one was paused, and what they have withdrawn must not be granted once more.
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
            for item in named:  # those before and after the refused one are published all the same
                self._publish_messages([item])

    def _retried(self, attempt: Callable[[], Any]) -> Any:
        """Tries until the broker answers; with growing pauses, and a word about each."""
        pause = self.timing.retry_first
        while True:
            try:
                return attempt()
            except StandsBy as problem:
                if not self.standing_by.is_set():
                    self._log.info("%s; standing by", problem)
                    self.standing_by.set()
                if self._stopping.is_set():
                    raise _Stopped("it was asked to, while it stood by") from problem
            except Unreachable as problem:
                if not self._stopping.is_set():
                    self._log.warning("%s; trying again in %.1f s", problem, pause)
                if self._stopping.wait(pause):
                    raise _Stopped(f"it was asked to, while it waited: {problem}") from problem
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
        """Nobody is there any more to run the commands that are left."""
        while True:
            try:
                _, future = self._commands.get_nowait()
            except queue.Empty:
                return
            future.set_exception(RuntimeError(f"{self.process} has stopped"))


class _Stopped(Exception):
    """The service was asked to leave while it waited for the broker."""
