"""What a process is, and what is done for it: its role, and the outputs that a runner asks for (`impl.process`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from impl.core import Effects, Event, Send
from impl.errors import NotAllowed, Unreachable
from impl.messages import Message
from impl.storage.store import Outgoing
from impl.timers import Timer, Timers
from impl.transport.interface import Delivery, Letter, Slots
from impl.wire.codec import encode


@dataclass(frozen=True, slots=True)
class Append:
    """Store these effects. The adapter answers with what is to be marked as sent."""

    effects: Effects


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish these messages, in order."""

    sends: tuple[Send, ...]
    origins: tuple[str, ...]
    """The id of each message in the event log; empty if no log is kept."""

    def letters(self, tag: str = "") -> list[Letter]:
        """The messages as a transport takes them."""
        named = zip(self.sends, self.origins, strict=True)
        return [Letter(send.topic, encode(send.message), send.key, tag, origin) for send, origin in named]


@dataclass(frozen=True, slots=True)
class Administer:
    """Have the broker's administration do this. It may be done again, as long as nothing else has been stored since."""

    work: Message


@dataclass(frozen=True, slots=True)
class MarkSent:
    """Mark these as sent."""

    outgoing: tuple[Outgoing, ...]


@dataclass(frozen=True, slots=True)
class Confirm:
    """Make sure that nobody else had taken the store over."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Acknowledge these inputs."""

    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class SetAside:
    """Keep an input that cannot be read, with the reason."""

    delivery: Delivery
    reason: str


@dataclass(frozen=True, slots=True)
class Listen:
    """Receive from this topic too: by a subscription of its own if one is named, else by the process's."""

    topic: str
    subscription: str = ""
    waits: bool = True
    """Whether the broker is waited for; if not, and it does not answer, the role is told."""
    slots: Slots = ()
    """Receive only messages whose keys hash to these slots. `SlotTaken`: another consumer attends one of them."""


@dataclass(frozen=True, slots=True)
class StopListening:
    """Receive no more from this topic, or these slots of it; what is not acknowledged is given back."""

    topic: str
    slots: Slots = ()


Output = Append | Publish | Administer | MarkSent | Confirm | Acknowledge | SetAside | Listen | StopListening
Work = Generator[Output, Any, Effects]
"""The outputs of one input; its result is what the core answered."""

Answer = Effects | Work
"""What a role answers: effects, or outputs that come first and then effects."""


class Role(ABC):
    """What a process is: a core, the topics that it reads, and its timers. It has no clock; `now` is in seconds from any start."""

    core: Any
    """Answers inputs, and is restored from the process's store."""
    timers: Timers
    """Those that wait for a time. A role that is made of others has none of its own."""

    @abstractmethod
    def topics(self) -> list[str]:
        """The topics that are read from the start."""

    def listening(self) -> Iterator[Listen]:
        """The topics that are read besides, by the state of the core. One that is not allowed any more is left out."""
        return iter(())

    def begin(self) -> Effects:
        """The first step after each start."""
        return Effects()

    @abstractmethod
    def take(self, message: Message, topic: str) -> Answer:
        """Hands a message that arrived on this topic to the core."""

    def happened(self, event: Event) -> None:  # noqa: B027 # most roles need not know
        """Called for every event of the core, once the effects are durable."""

    def due(self, now: float) -> Iterator[Timer]:
        """The timers that fire now. Each is fired before the next is asked for."""
        return iter(())

    def fire(self, timer: Timer) -> Answer:
        """Has the core do what a timer is for: a core's methods have the names of actions."""
        effects: Effects = getattr(self.core, timer.action)(*timer.about)
        return effects

    def may_be_lost(self, send: Send) -> bool:
        """Whether the process goes on without a message that can never be published, since its reader may be gone."""
        return False


def answered(answer: Answer) -> Work:
    """The outputs of an answer, and its effects."""
    return answer if isinstance(answer, Effects) else (yield from answer)


def preceded(answer: Answer, before: Callable[[Output], Iterable[Output]]) -> Work:
    """The outputs of an answer, each after those that come `before` it, and its effects."""
    if isinstance(answer, Effects):
        return answer
    reply: Any = None
    problem: NotAllowed | Unreachable | None = None
    while True:
        try:
            output = answer.send(reply) if problem is None else answer.throw(problem)
        except StopIteration as ended:
            effects: Effects = ended.value
            return effects
        yield from before(output)
        reply = problem = None
        try:
            reply = yield output
        except (NotAllowed, Unreachable) as raised:
            problem = raised


def listen_anew(topic: str, *, is_registered: bool) -> Work:
    """After a registration the host's topic is a different one of the same name; after a withdrawal nobody reads it."""
    yield StopListening(topic)
    if is_registered:
        with suppress(NotAllowed):  # withdrawn in the meantime: its deregistration will arrive
            yield Listen(topic)
    return Effects()


def run(work: Work, perform: Callable[[Output], Any]) -> Effects:
    """Performs all outputs of an input, and returns what the core answered. What is not allowed, or a broker that does not answer,
    is the runner's to deal with."""
    answer: Any = None
    refused: NotAllowed | Unreachable | None = None
    while True:
        try:
            output = work.send(answer) if refused is None else work.throw(refused)
        except StopIteration as ended:
            effects: Effects = ended.value
            return effects
        answer, refused = None, None
        try:
            answer = perform(output)
        except (NotAllowed, Unreachable) as problem:
            refused = problem
