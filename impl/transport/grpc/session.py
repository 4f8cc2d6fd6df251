"""The session that both gateways offer their services: deliveries are created on demand, on the service's thread.

An incoming call is queued as a generator. The service's thread runs it, one delivery at a time: the next is created only after the
core has handled the one before, so that it can use what the core knows by then.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Iterator

from impl.messages import Message
from impl.transport.interface import Delivery, Slots
from impl.wire.codec import encode


class Inbox:
    """The receiving half of a session: see `impl.transport.interface`."""

    def __init__(self) -> None:
        self._inputs: queue.SimpleQueue[Callable[[], Iterator[Delivery]] | None] = queue.SimpleQueue()
        self._at_hand: Iterator[Delivery] = iter(())

    def put(self, translate: Callable[[], Iterator[Delivery]]) -> None:
        """Schedules this on the service's thread. From any thread; never waits."""
        self._inputs.put(translate)

    def listen(self, topic: str, subscription: str = "", slots: Slots = ()) -> None:
        """Does nothing: every permitted caller is listened to."""

    def stop_listening(self, topic: str, slots: Slots = ()) -> None:
        """Does nothing: every permitted caller is listened to."""

    def receive(self, seconds: float) -> Delivery | None:
        """The next delivery; None if nothing arrived within this time."""
        end = time.monotonic() + seconds
        while True:
            delivery = next(self._at_hand, None)
            if delivery is not None:
                return delivery
            try:
                translate = self._inputs.get(timeout=max(end - time.monotonic(), 0))
            except queue.Empty:
                return None
            if translate is None:
                return None
            self._at_hand = translate()

    def wake(self) -> None:
        """Makes a `receive` that waits in another thread return at once."""
        self._inputs.put(None)

    def is_connected(self) -> bool:
        """True: the server is up; whether peers are reachable shows when they are called."""
        return True

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        """Notifies those who wait that the core has handled these."""
        for delivery in deliveries:
            if delivery.handle is not None:
                delivery.handle()


def delivery(topic: str, message: Message, handled: Callable[[], None] | None = None) -> Delivery:
    """A message as if it had arrived on this topic; `handled` is called after the core has handled it."""
    return Delivery(topic, encode(message), "", "", time.time(), handled)
