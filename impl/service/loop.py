"""The service: a process runner with a thread, a broker and a store.

What is done with an input, and in which order, is `impl.process`; here each output is performed. When the broker does not answer,
the service waits with growing pauses, logs it, and continues where it was. A failure to store ends the service: its core is then
ahead of its store, and must not continue. The same holds when another instance has taken over the store.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, ClassVar, Final

from impl.broker.topics import dead_letters
from impl.core import Effects, Event, IllegalInput
from impl.errors import BadDeployment, NotAllowed, SlotTaken, StandsBy, Unreachable
from impl.events.recorder import Recorder
from impl.messages import Message
from impl.outputs import (
    Acknowledge,
    Administer,
    Answer,
    Append,
    Confirm,
    Listen,
    MarkSent,
    Output,
    Publish,
    Role,
    SetAside,
    StopListening,
    Work,
    run,
)
from impl.process import Process
from impl.roles.timing import DEFAULT, Timing
from impl.storage.store import Store
from impl.transport.interface import Connection, Delivery, Letter, Session

TICK_SECONDS: Final = 0.05
"""The longest wait for an input before timers are checked."""

SET_ASIDE_BYTES_MAX: Final = 1_000_000
"""The part of a message that is set aside: the largest possible input would not fit beside the reason, and would add no
information."""

COMMANDS_MAX: Final = 10_000
"""Commands that wait for the service's thread; a faster caller has to wait."""


class Service:
    """Runs a role's core. Subclasses add the commands that it takes, and what is to be done about events."""

    runner: ClassVar[type[Process]] = Process
    """Decides what is done with an input, and in which order."""

    def __init__(
        self,
        process: str,
        role: Role,
        store: Store,
        connect: Callable[[], Connection],
        *,
        subscription: str,
        timing: Timing = DEFAULT,
    ) -> None:
        self.process = process
        self.role = role
        self.core = role.core
        self.timing = timing
        self.ready = threading.Event()
        """Set once the service has connected and caught up with its store."""
        self.standing_by = threading.Event()
        """Set while another instance leads."""
        self.counted: Counter[str] = Counter()
        """Messages that were ignored or refused, by reason."""
        self.received: list[Delivery] | None = None
        """What was received, for demonstrations; None: they are not kept."""
        self._process = self.runner(role, told=self._note)
        self._store = store
        self._connect = connect
        self._subscription = subscription
        self._connection: Connection | None = None
        self._session: Session | None = None
        self._stopping = threading.Event()
        self._left = threading.Event()
        self._commands: queue.Queue[tuple[Callable[[], Answer], Future[Effects]]] = queue.Queue(COMMANDS_MAX)
        self._lost_since: float | None = None
        """When the session was first seen without a connection; None: it is connected."""
        self._log = logging.getLogger(f"ondemand.{process}")

    # ------------------------------------------------------------------------------------------ for subclasses

    def administer(self, work: Message) -> None:
        """Executes a request to the broker's administration. Raises `Unreachable` if it can be retried."""
        raise BadDeployment(
            f"{self.process} has no administrator's rights, but its store contains work that needs them"
        )

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
                    self._do(self._process.time(now))
            self._do(self._process.settle())
        except _Stopped:
            pass
        finally:
            self._leave()

    def stop(self) -> None:
        """Asks the service to end; safe to call from any thread, more than once."""
        self._stopping.set()
        if self._session is not None:
            self._session.wake()

    def submit(self, command: Callable[[], Answer]) -> Future[Effects]:
        """Runs a command on the core in the service's thread; the result is available when its effects are durable and
        published."""
        future: Future[Effects] = Future()
        self._commands.put((command, future))
        if self._left.is_set():
            self._turn_away()
        if self._session is not None:
            self._session.wake()
        return future

    @property
    def recorder(self) -> Recorder | None:
        """Writes the event log; None: no event log."""
        return self._process.recorder

    @recorder.setter
    def recorder(self, recorder: Recorder) -> None:
        self._process.recorder = recorder

    def _open(self) -> None:
        unpublished = self._retried(lambda: self._store.load(self.core))
        if self.recorder is not None:
            self.recorder.begin()
        self.standing_by.clear()
        self._connection = self._retried(self._connect)
        self._listen()
        if unpublished:
            self._log.info("publishes %d messages that were stored before the last stop", len(unpublished))
        self._do(self._process.recover(unpublished))
        self._do(self._process.command(self.role.begin))

    def _listen(self) -> None:
        self._session = self._retried(lambda: self._connected.open_session(self._subscription, self.role.topics()))
        self._do(self._process.connected())

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
        """One delivery and all waiting commands."""
        delivery = self.session.receive(TICK_SECONDS)
        if delivery is not None and self.received is not None:
            self.received.append(delivery)
        self._do(self._process.settle() if delivery is None else self._process.deliver(delivery))
        while True:
            try:
                command, future = self._commands.get_nowait()
            except queue.Empty:
                return
            self._obey(command, future)

    def _obey(self, command: Callable[[], Answer], future: Future[Effects]) -> None:
        try:
            effects = self._do(self._process.command(command))
        except IllegalInput as problem:
            future.set_exception(problem)
        except BaseException as problem:
            future.set_exception(RuntimeError(f"{self.process} has stopped: {problem}"))
            raise
        else:
            future.set_result(effects)

    # ------------------------------------------------------------------------------------------------ outputs

    def _do(self, work: Work) -> Effects:
        return run(work, self._output)

    def _output(self, output: Output) -> Any:
        """Performs one output, as often as it takes until the broker answers."""
        match output:
            case Append(effects):
                return self._retried(lambda: self._store.append(effects, self.core))
            case Publish():
                return self._retried(lambda: self._connected.publish(output.letters()))
            case Administer(work):
                return self._retried(partial(self.administer, work))
            case Confirm():
                return self._retried(self._store.confirm)
            case MarkSent(outgoing):
                self._store.mark_sent(outgoing)
            case Acknowledge(deliveries):
                self.session.acknowledge(deliveries)
            case Listen():
                self._receive_from(output)
            case StopListening(topic, slots):
                self.session.stop_listening(topic, slots)
            case SetAside(delivery, reason):
                self._log.warning("sets aside a message from %s", reason)
                letter = Letter(dead_letters(self.process), delivery.data[:SET_ASIDE_BYTES_MAX], tag=reason)
                self._retried(lambda: self._connected.publish([letter]))
        return None

    def _receive_from(self, output: Listen) -> None:
        listen = partial(self.session.listen, output.topic, output.subscription, output.slots)
        try:
            self._retried(listen) if output.waits else listen()
        except SlotTaken:
            raise  # so it is with most slots, most of the time
        except (NotAllowed, Unreachable) as problem:
            self._log.info("cannot listen to %s: %s", output.topic, problem)
            raise

    def _note(self, event: Event) -> None:
        """Counts and logs an event."""
        if event.name in ("ignore", "refuse"):
            what = f"{event.name}: {event.fields['reason']}"
            self.counted[what] += 1
            if self.counted[what] == 1 and event.name == "refuse":
                self._log.info("%s (logged once; further ones are only counted)", what)
        if self._log.isEnabledFor(logging.DEBUG):
            self._log.debug("%s: %s", event.name, ", ".join(f"{name} {value}" for name, value in event.fields.items()))
        self.happened(event)

    def _retried(self, attempt: Callable[[], Any]) -> Any:
        """Retries until the broker answers, with growing pauses, and logs each failure."""
        pause = self.timing.retry_first
        while True:
            try:
                return attempt()
            except SlotTaken:
                raise  # the broker has answered
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
        self._do(self._process.leave())
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
