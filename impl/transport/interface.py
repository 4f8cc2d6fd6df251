"""The contract of a transport: it moves bytes between processes, authenticates the channel, and decides nothing.

There are two parts: a *connection* belongs to one process identity and is long-lived; a *session* is what a process listens with.
Closing a session without acknowledging looks like a crash from outside: unacknowledged messages are redelivered in the next
session.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Letter:
    """Bytes to publish on a topic, given by its short name. Letters of one topic and key keep their order."""

    topic: str
    data: bytes
    key: str = ""
    tag: str = ""
    """Transported without being interpreted; a replay marks its own letters with it."""
    origin: str = ""
    """The message's id in the sender's event log; empty: it has none."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Received bytes. The topic is authenticated by the transport; everything else is the sender's claim."""

    topic: str
    data: bytes
    tag: str
    identity: str
    """The transport's name for the message; a redelivery has the same one."""
    published: float
    """When the transport accepted it, in seconds since the epoch."""
    handle: Any = field(repr=False, compare=False)
    """The transport's handle for the acknowledgment."""
    origin: str = ""
    """The `origin` of the letter."""


Slots = Sequence[tuple[int, int]]
"""Ranges of slots that keys hash to, inclusive at both ends. An empty sequence means the whole topic, exclusively."""


class Session(Protocol):
    """What one process listens with, under one subscription name."""

    def listen(self, topic: str, subscription: str = "", slots: Slots = ()) -> None:
        """Also receives from this topic, by the session's subscription or by another one.

        The session's subscription starts with the first message. Another one starts with the next message, unless it exists
        already.

        With `slots`, it receives only messages whose keys hash to these, and others may attend the rest.

        Raises `Unreachable`, `NotAllowed`, or `SlotTaken`: another consumer attends one of the slots.
        """

    def stop_listening(self, topic: str, slots: Slots = ()) -> None:
        """Stops receiving from this topic, or these slots of it; its unacknowledged messages are given back."""

    def receive(self, seconds: float) -> Delivery | None:
        """The next delivery; None if nothing arrived within this time."""

    def wake(self) -> None:
        """Makes a `receive` that waits in another thread return at once."""

    def is_connected(self) -> bool:
        """Whether the broker can deliver at the moment. If not, the session resumes by itself once the broker is back."""

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        """These are not redelivered. An acknowledgment may get lost; an unacknowledged message never does."""

    def close(self) -> None:
        """Ends the session. Unacknowledged messages are redelivered in the next one."""


class Connection(Protocol):
    """One identity's connection to the broker."""

    def publish(self, letters: Sequence[Letter]) -> None:
        """Returns when the broker has stored all letters.

        Raises:
            Unreachable: the broker did not answer for all; any of them may have been published.
            NotAllowed: a topic does not exist, or this identity has no access; any of the others may have been published.
        """

    def open_session(self, subscription: str, topics: Sequence[str]) -> Session:
        """Starts listening. Raises `Unreachable` or `NotAllowed`."""

    def close(self) -> None:
        """Ends the connection with all its sessions."""
