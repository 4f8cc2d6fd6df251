"""The process runner: what a process does with an input, as a sequence of outputs. It has no threads and, apart from the event log,
no I/O and no clock.

An input is a delivery, a command (a call of the core: an operator's decision, a packet), or the time, at which timers fire. For
each there is a generator of outputs, which an adapter performs one after the other: a service on a broker, a lock-step replay, a
fleet in one thread. What the process is, its role says: a core, the topics that it reads, and its timers. The order is the same
everywhere:

| output | what it does | the adapter answers |
|---|---|---|
| `Listen`, `StopListening` | begins or ends to receive from a topic | |
| `Append` | makes the change of state and the messages that go with it durable, together | what is to be marked as sent |
| `Publish`, `Administer` | sends messages, has the broker's administration do its part, in the order of the core's sends | |
| `Acknowledge` | these inputs do not come again | |
| `MarkSent` | these need not be published again after a crash | |
| `Confirm` | returns only if nobody else had taken the store over | |
| `SetAside` | keeps what cannot be read, so that one bad message stops nothing | |

Marks wait for a quiet moment, or until there are many; administrative work is marked at once. A crash is possible between any two
outputs. It repeats messages and loses none: an input is acknowledged only after its effects are durable and published. Effects
without a durable change are not stored, since the same input produces them again; such an input is acknowledged only after the
store has confirmed that no other instance had taken it over by then, at the latest before a `StopListening` gives it back. (An
instance that was paused and has been deposed since could find nothing to do in a message that its successor, which knows more, has
to act on.)

An adapter that may not perform `Publish` or `Listen` throws `NotAllowed` into the generator, and `Unreachable` for a `Listen` that
does not wait for the broker; every other problem ends the process, which starts again from its store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Final

from impl.core import ADMINISTRATION, Effects, Event, Send
from impl.errors import NotAllowed, SlotTaken
from impl.events.recorder import Recorder
from impl.messages import Published
from impl.outputs import (
    Acknowledge,
    Administer,
    Answer,
    Append,
    Confirm,
    MarkSent,
    Publish,
    Role,
    SetAside,
    StopListening,
    Work,
    preceded,
)
from impl.storage.store import Outgoing
from impl.transport.interface import Delivery
from impl.wire.codec import MalformedMessage, decode

_LOG: Final = logging.getLogger("ondemand.process")

MARKS_MAX: Final = 100
"""Published messages that are not yet marked as sent; after a crash this many may be published again."""

OWED_MAX: Final = 100
"""Inputs that changed nothing and are not yet acknowledged; after a crash they are delivered again."""


class Process:
    """One process: a core with the bookkeeping of what it still owes."""

    def __init__(
        self, role: Role, recorder: Recorder | None = None, told: Callable[[Event], None] | None = None
    ) -> None:
        """`told`: is called for every event of the core, once the effects are durable."""
        self.recorder = recorder
        """Writes the event log; None: no event log."""
        self._role = role
        self._told = told
        self._unmarked: list[Outgoing] = []
        self._owed: list[Delivery] = []
        """Inputs that changed nothing durable, to be acknowledged."""
        self._published: dict[str, Published] = {}
        """Deliveries from VPCs' topics that are not yet acknowledged, while an event log is kept."""

    def recover(self, unpublished: Sequence[Outgoing]) -> Work:
        """After a start: publishes again what was stored and not marked as sent."""
        if unpublished:
            yield from self._publish([outgoing.send for outgoing in unpublished])
            yield MarkSent(tuple(unpublished))
        return Effects()

    def connected(self) -> Work:
        """A session has begun: what was not acknowledged in an earlier one is delivered again."""
        self._owed = []
        self._published.clear()
        for listen in self._role.listening():
            with suppress(NotAllowed, SlotTaken):
                yield listen
        return Effects()

    def deliver(self, delivery: Delivery) -> Work:
        """One delivery."""
        effects = Effects()
        try:
            message = decode(delivery.data)
        except MalformedMessage as problem:
            reason = f"{delivery.topic}: {problem}"
            yield SetAside(delivery, reason)
            if self.recorder is not None:
                self.recorder.set_aside(reason)
        else:
            effects = yield from self._answered(self._role.take(message, delivery.topic))
            yield from self._perform(effects, delivery.origin)
            if self.recorder is not None and isinstance(message, Published):
                self._published[delivery.identity] = message
        if effects.record is not None:
            yield from self._acknowledge([delivery])
            return effects
        self._owed.append(delivery)
        if len(self._owed) >= OWED_MAX:
            yield from self.settle()
        return effects

    def command(self, call: Callable[[], Answer]) -> Work:
        """One call of the core."""
        effects = yield from self._answered(call())
        yield from self._perform(effects)
        return effects

    def time(self, now: float) -> Work:
        """What time brings: everything that a timer does is done before the next one fires."""
        effects = Effects()
        for timer in self._role.due(now):
            effects = yield from self._answered(self._role.fire(timer))
            yield from self._perform(effects)
        return effects

    def settle(self) -> Work:
        """What may wait for a quiet moment."""
        if self._unmarked:
            yield from self._mark()
        if self._owed:
            yield Confirm()
            owed, self._owed = self._owed, []
            yield from self._acknowledge(owed)
        return Effects()

    def leave(self) -> Work:
        """Before the process ends: nothing that was published is published again after the next start."""
        if self._unmarked:
            yield from self._mark()
        return Effects()

    def _answered(self, answer: Answer) -> Work:
        """The outputs of a role, and its effects. What is owed is acknowledged before a consumer ends, which would give it back."""
        return preceded(
            answer, lambda output: self.settle() if self._owed and isinstance(output, StopListening) else ()
        )

    def _perform(self, effects: Effects, taken: str = "") -> Work:
        """The caller's duties of `impl.core`. `taken`: the input message's id in its sender's event log."""
        outgoing: Sequence[Outgoing] = (yield Append(effects)) if effects.record is not None else ()
        origins = self.recorder.note(effects, taken) if self.recorder is not None else ()
        # The events are durable now, so a released packet need not wait until its confirmation is published.
        for event in effects.events:
            self._role.happened(event)
            if self._told is not None:
                self._told(event)
        yield from self._publish(effects.sends, origins)
        self._unmarked += outgoing
        # Administrative work must not be repeated once something is built on it: a subscription that was created again would end.
        # So it is marked before anything else can be stored, and a mark is as durable as whatever is stored after it.
        administered = any(send.topic == ADMINISTRATION for send in effects.sends)
        if self._unmarked and (administered or len(self._unmarked) >= MARKS_MAX):
            yield from self._mark()
        return effects

    def _publish(self, sends: Sequence[Send], origins: Sequence[str] = ()) -> Work:
        named = list(zip(sends, origins or [""] * len(sends), strict=True))
        for is_administrative, group in groupby(named, key=lambda item: item[0].topic == ADMINISTRATION):
            if not is_administrative:
                yield from self._publish_messages(list(group))
                continue
            for send, _ in group:
                # Another instance may have taken over while this one was paused, and must not have its withdrawals undone.
                yield Confirm()
                yield Administer(send.message)
        return Effects()

    def _publish_messages(self, named: Sequence[tuple[Send, str]]) -> Work:
        sends, origins = zip(*named, strict=True)
        try:
            yield Publish(sends, origins)
        except NotAllowed as problem:
            if len(named) == 1:
                if not self._role.may_be_lost(sends[0]):
                    raise
                kind, topic = type(sends[0].message).__name__, sends[0].topic
                _LOG.warning("drops a %s for %s, which no longer exists: %s", kind, topic, problem)
                return Effects()
            for item in named:  # the messages before and after the refused one are published all the same
                yield from self._publish_messages([item])
        return Effects()

    def _mark(self) -> Work:
        outgoing, self._unmarked = tuple(self._unmarked), []
        yield MarkSent(outgoing)
        return Effects()

    def _acknowledge(self, deliveries: Sequence[Delivery]) -> Work:
        if self.recorder is not None:
            for delivery in deliveries:
                published = self._published.pop(delivery.identity, None)
                if published is not None:
                    self.recorder.consumed(published)
        yield Acknowledge(tuple(deliveries))
        return Effects()
