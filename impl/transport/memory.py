"""A transport within one process: topics are lists, and nothing survives the end of the program.

Safe to use from several threads. It follows the broker's rules that matter: every subscription sees every letter, in order, from
its creation on; unacknowledged letters are redelivered when their session closes. Sessions may share a subscription by slots: each
letter goes to the one that attends the slot of its key, and waits while there is none. Others overtake it, without a limit; the
broker stops at some number of waiting ones.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count

from impl.errors import NotAllowed, SlotTaken
from impl.slots.hashing import slot_of
from impl.transport.interface import Delivery, Letter, Slots

Place = tuple[str, str, Slots]
"""What is listened to at once: a topic, by a subscription, and its slots; all, if none are named."""


class MemoryBroker:
    """Topics with their subscriptions. Unlike a real broker it knows no identities: every caller may do anything."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._numbers = count(1)
        self._waiting: dict[tuple[str, str], deque[Delivery]] = {}
        self._readers: dict[str, set[str]] = {}
        """For topics with restricted access: the permitted subscriptions."""
        self._attended: set[Place] = set()
        """Those of slots; no two of a subscription overlap."""

    def subscribe(self, topic: str, subscription: str) -> None:
        """Keeps letters of this topic for this subscription from now on."""
        with self.changed:
            self._waiting.setdefault((topic, subscription), deque())

    def unsubscribe(self, topic: str) -> None:
        """Removes the topic with everything in it."""
        with self.changed:
            for key in [key for key in self._waiting if key[0] == topic]:
                del self._waiting[key]
            self._readers.pop(topic, None)

    def end_subscription(self, topic: str, subscription: str) -> None:
        """Removes one subscription with its backlog; its reader receives nothing more."""
        with self.changed:
            self._waiting.pop((topic, subscription), None)

    def subscriptions(self, topic: str) -> set[str]:
        """The names of a topic's subscriptions."""
        with self.changed:
            return {subscription for one, subscription in self._waiting if one == topic}

    def restrict(self, topic: str) -> None:
        """From now on only permitted subscriptions may begin to read the topic."""
        with self.changed:
            self._readers.setdefault(topic, set())

    def permit(self, topic: str, subscription: str) -> None:
        """Permits this subscription to read the topic."""
        with self.changed:
            self._readers.setdefault(topic, set()).add(subscription)

    def forbid(self, topic: str, subscription: str) -> None:
        """Revokes the permission. A present reader continues."""
        with self.changed:
            self._readers.setdefault(topic, set()).discard(subscription)

    def permitted(self, topic: str) -> set[str]:
        """The subscriptions that may read a restricted topic."""
        with self.changed:
            return set(self._readers.get(topic, ()))

    def may_read(self, topic: str, subscription: str) -> bool:
        """Whether this subscription may read the topic."""
        with self.changed:
            return topic not in self._readers or subscription in self._readers[topic]

    def connect(self) -> MemoryConnection:
        """A new connection."""
        return MemoryConnection(self)

    def publish(self, letters: Sequence[Letter]) -> None:
        """Adds letters to every subscription of their topics."""
        with self.changed:
            for letter in letters:
                delivery = Delivery(
                    letter.topic,
                    letter.data,
                    letter.tag,
                    str(next(self._numbers)),
                    time.time(),
                    letter.key,
                    letter.origin,
                )
                for (topic, _), waiting in self._waiting.items():
                    if topic == letter.topic:
                        waiting.append(delivery)
            self.changed.notify_all()

    def attend(self, place: Place) -> None:
        """Reserves slots for one session.

        Raises:
            SlotTaken: another session attends one of them.
        """
        topic, subscription, slots = place
        with self.changed:
            taken = [
                held for one, by, ranges in self._attended if (one, by) == (topic, subscription) for held in ranges
            ]
            if any(low <= end and start <= high for start, end in slots for low, high in taken):
                raise SlotTaken(f"Another consumer attends one of the slots; could not listen to {topic}")
            self._attended.add(place)

    def leave(self, place: Place, unacknowledged: Sequence[Delivery]) -> None:
        """The session listens there no more; what it did not acknowledge waits for the next one, in its order."""
        with self.changed:
            self._attended.discard(place)
            waiting = self._waiting.get(place[:2])
            if waiting is not None:
                self._waiting[place[:2]] = deque(sorted([*unacknowledged, *waiting], key=_number))
            self.changed.notify_all()

    def take(self, places: Iterable[Place]) -> tuple[Place, Delivery] | None:
        """The next delivery at these places; the caller holds `changed`."""
        for place in places:
            waiting = self._waiting.get(place[:2], deque())
            for number, delivery in enumerate(waiting):
                if _is_for(delivery, place[2]):
                    del waiting[number]
                    return place, delivery
        return None


def _number(delivery: Delivery) -> int:
    return int(delivery.identity)


def _is_for(delivery: Delivery, slots: Slots) -> bool:
    """Whether a delivery, whose handle is its key, goes to who attends these slots; all, if none are named."""
    return not slots or any(low <= slot_of(delivery.handle) <= high for low, high in slots)


class MemoryConnection:
    """See `impl.transport.interface.Connection`."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._sessions: list[MemorySession] = []

    def publish(self, letters: Sequence[Letter]) -> None:
        self._broker.publish(letters)

    def open_session(self, subscription: str, topics: Sequence[str]) -> MemorySession:
        session = MemorySession(self._broker, subscription)
        for topic in topics:
            session.listen(topic)
        self._sessions.append(session)
        return session

    def close(self) -> None:
        for session in self._sessions:
            session.close()


class MemorySession:
    """See `impl.transport.interface.Session`."""

    def __init__(self, broker: MemoryBroker, subscription: str) -> None:
        self._broker = broker
        self._subscription = subscription
        self._places: dict[tuple[str, Slots], Place] = {}
        """What is listened to, by topic and slots."""
        self._held: dict[str, tuple[Place, Delivery]] = {}
        self._woken = False

    def listen(self, topic: str, subscription: str = "", slots: Slots = ()) -> None:
        key = (topic, tuple(slots))
        if key in self._places:
            return
        place = (topic, subscription or self._subscription, tuple(slots))
        if not self._broker.may_read(topic, place[1]):
            raise NotAllowed(f"{place[1]} may not read {topic}")
        if slots:
            self._broker.attend(place)
        self._places[key] = place
        self._broker.subscribe(topic, place[1])

    def stop_listening(self, topic: str, slots: Slots = ()) -> None:
        place = self._places.pop((topic, tuple(slots)), None)
        if place is not None:
            held = [delivery for where, delivery in self._held.values() if where == place]
            for delivery in held:
                del self._held[delivery.identity]
            self._broker.leave(place, held)

    def receive(self, seconds: float) -> Delivery | None:
        end = time.monotonic() + seconds
        with self._broker.changed:
            while True:
                taken = self._broker.take(self._places.values())
                if taken is not None:
                    _, delivery = taken
                    self._held[delivery.identity] = taken
                    return delivery
                left = end - time.monotonic()
                if self._woken:
                    self._woken = False
                    return None
                if left <= 0 or not self._broker.changed.wait(left):
                    return None

    def wake(self) -> None:
        with self._broker.changed:
            self._woken = True
            self._broker.changed.notify_all()

    def is_connected(self) -> bool:
        return True

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            self._held.pop(delivery.identity, None)

    def close(self) -> None:
        for topic, slots in list(self._places):
            self.stop_listening(topic, slots)
