"""What a transport does: it moves bytes between processes, vouches for the channel, and decides nothing.

Two parts: a *connection* belongs to one process identity and lives long; a *session* is what a process is listening with. Closing a
session without acknowledging is what a crash looks like from outside: everything unacknowledged comes again in the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Letter:
    """Bytes to be published on a topic, by its short name. Letters of one topic and key keep their order."""

    topic: str
    data: bytes
    key: str = ""
    tag: str = ""
    """Travels along unread; a replay marks its own letters with it."""
    origin: str = ""
    """The message's id in the sender's event log; empty: it keeps none."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Bytes that came in. The topic is what the transport vouches for; the rest is the sender's word."""

    topic: str
    data: bytes
    tag: str
    identity: str
    """The transport's own name for the message: the same when it comes again."""
    published: float
    """When the transport took it, in seconds since the epoch."""
    handle: Any = field(repr=False, compare=False)
    """What the transport acknowledges it by."""
    origin: str = ""
    """As of the letter."""


class Session(Protocol):
    """What one process listens with, on behalf of one subscription name."""

    def listen(self, topic: str, subscription: str = "") -> None:
        """Receives from this topic too, by the session's subscription or one of another name.

        The session's begins with the first message. One of another name begins with the next, if it is not there yet.

        Raises `Unreachable` or `NotAllowed`.
        """

    def stop_listening(self, topic: str) -> None:
        """No more from this topic; what is unacknowledged of it is given back."""

    def receive(self, seconds: float) -> Delivery | None:
        """The next delivery; none if nothing came within this time."""

    def wake(self) -> None:
        """Makes a `receive` that waits in another thread return at once."""

    def is_connected(self) -> bool:
        """Whether the broker could deliver something now. If not, the session goes on by itself once it is back."""

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        """These do not come again. An acknowledgment may get lost, never its opposite."""

    def close(self) -> None:
        """Ends the session. What is not acknowledged comes again in the next one."""


class Connection(Protocol):
    """One identity's way to the broker."""

    def publish(self, letters: Sequence[Letter]) -> None:
        """Returns when the broker keeps all of them.

        Raises:
            Unreachable: the broker did not answer for all; any of them may have been published.
            NotAllowed: one of the topics is not there, or not for this identity; any of the others may have been published.
        """

    def open_session(self, subscription: str, topics: Sequence[str]) -> Session:
        """Starts listening. Raises `Unreachable` or `NotAllowed`."""

    def close(self) -> None:
        """Ends the connection with all its sessions."""
