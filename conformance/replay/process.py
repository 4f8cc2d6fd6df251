"""One process in a lock-step replay: a core with its store and its session, fed by hand."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from conformance.replay.targets import Target
from impl.core import ADMINISTRATION, Effects, IllegalInput, Send
from impl.errors import BadDeployment, EnvironmentProblem
from impl.messages import Administrative, Message
from impl.storage.store import Outgoing, Store
from impl.transport.interface import Delivery, Letter
from impl.wire.codec import MalformedMessage, decode, encode

Hand = Callable[[Any, Message, str], Effects]
"""Hands a message that came by a topic to a core."""


class CoreFailed(Exception):
    """A core raised what no core may raise; the text says what, and where."""


class _Calling:
    """See `calling`; `only_to_say`: there is nothing to refuse. A class, since a replay asks at every step many times."""

    __slots__ = ("_core", "_only_to_say")

    def __init__(self, core: Any, *, only_to_say: bool) -> None:
        self._core = core
        self._only_to_say = only_to_say

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if problem is None or isinstance(problem, CoreFailed | EnvironmentProblem | BadDeployment):
            return
        if isinstance(problem, IllegalInput):
            if self._only_to_say:
                raise CoreFailed(f"{type(self._core).__name__} refuses to say: {problem}") from problem
        elif isinstance(problem, Exception):
            place = traceback.extract_tb(problem.__traceback__)[-1]
            said = f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
            where = f"{place.filename}, line {place.lineno}"
            raise CoreFailed(f"{type(self._core).__name__} raised {said} ({where})") from problem


def calling(core: Any) -> AbstractContextManager[None]:
    """Around every call of a core: that it refuses is an answer; anything else that it raises is a fault of its own.

    What its surroundings raise is neither, where a store calls it.
    """
    return _Calling(core, only_to_say=False)


def querying(core: Any) -> AbstractContextManager[None]:
    """Around what a core is only asked about: there is nothing to refuse."""
    return _Calling(core, only_to_say=True)


def answered(core: Any, effects: Any) -> Effects:
    """What a core has answered.

    Raises:
        CoreFailed: that is no effects.
    """
    if not isinstance(effects, Effects):
        raise CoreFailed(f"{type(core).__name__} answered {effects!r}, and no effects")
    return effects


class Process:
    """A core with its store and session. A Byzantine host has no core: the trace speaks in its place."""

    def __init__(self, name: str, target: Target, make: Callable[[], Any] | None, hand: Hand, tag: str) -> None:
        self.name = name
        self.core: Any = make() if make else None
        self._make = make
        self._hand = hand
        self._target = target
        self._tag = tag
        self._connection = target.connection(name)
        self._store: Store | None = target.store(name) if make else None
        if self._store is not None and self.core is not None:
            with calling(self.core):
                self._store.load(self.core)
        self.session = target.session(name)
        self.held: dict[Message, list[Delivery]] = {}
        """What has arrived and is not acknowledged."""
        self.arrived: dict[Message, str] = {}
        """All that ever arrived, in order, each with the topic that it came by."""
        self._new: list[Message] = []
        self.unpublished: list[Outgoing] = []
        self.down = False

    def receive(self, message: Message) -> Effects:
        """Hands a message that has arrived to the core."""
        with calling(self.core):
            return answered(self.core, self._hand(self.core, message, self.arrived[message]))

    def newly_arrived(self) -> list[Message]:
        """What has arrived for the first time since this was last asked."""
        new, self._new = self._new, []
        return new

    def perform(self, effects: Effects, crash: str) -> list[Send]:
        """The caller's duties of `impl.core`, up to the point where the process crashes. Returns what was published."""
        if crash == "idle" and effects.record is None and not effects.sends:
            return []
        assert self._store is not None
        with calling(self.core):
            outgoing = self._store.append(effects, self.core)
        self.down = crash in ("stored", "published")
        if crash == "stored":
            self.unpublished = outgoing
            return []
        self.publish([item.send for item in outgoing])
        if crash != "published":
            self._store.mark_sent(outgoing)
        return [item.send for item in outgoing]

    def publish(self, sends: Sequence[Send]) -> None:
        """Puts messages on their way, in this process's name, and has the broker's administration do its part, all in order."""
        letters: list[Letter] = []
        for send in sends:
            if send.topic != ADMINISTRATION:
                letters.append(Letter(send.topic, encode(send.message), send.key, self._tag))
                continue
            assert isinstance(send.message, Administrative)
            self._connection.publish(letters)
            letters = []
            self._target.administration.perform(send.message)
        self._connection.publish(letters)

    def acknowledge(self, message: Message) -> None:
        """The message does not come again."""
        self.session.acknowledge(self.held.pop(message, []))

    def restart(self) -> list[Send]:
        """Crashes, if it has not yet, and starts anew. Returns what was published again."""
        assert self._store is not None
        assert self._make is not None
        self.session.close()
        self._store.close()
        self.held, self.unpublished, self.down = {}, [], False
        self.core = self._make()
        self._store = self._target.store(self.name)
        with calling(self.core):
            outgoing = self._store.load(self.core)
        self.session = self._target.session(self.name)
        self.publish([item.send for item in outgoing])
        self._store.mark_sent(outgoing)
        return [item.send for item in outgoing]

    def observed(self) -> dict[str, Any]:
        """What the core says of its state."""
        with querying(self.core):
            seen: dict[str, Any] = self.core.observe()
        return seen

    def forget(self, topic: str) -> None:
        """Gives back what came by a topic that is listened to no more."""
        for message in [item for item in self.held if self.arrived[item] == topic]:
            del self.held[message]

    def take(self, seconds: float) -> Message | None:
        """Fetches one delivery; those of other runs are thrown away.

        Raises:
            MalformedMessage: what came does not parse.
        """
        delivery = self.session.receive(seconds)
        if delivery is None:
            return None
        if delivery.tag != self._tag:
            self.session.acknowledge([delivery])
            return None
        try:
            message = decode(delivery.data)
        except MalformedMessage:
            self.session.acknowledge([delivery])
            raise
        self.held.setdefault(message, []).append(delivery)
        if message not in self.arrived:
            self.arrived[message] = delivery.topic
            self._new.append(message)
        return message

    def finish(self) -> None:
        """Acknowledges everything and gives the session back."""
        for message in list(self.held):
            self.acknowledge(message)
        self._target.keep(self.name, self.session)
        if self._store is not None:
            self._store.close()
