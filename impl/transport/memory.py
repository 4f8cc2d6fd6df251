"""A transport within one process: topics are lists, and nothing survives the end of the program.

Safe to use from several threads. It follows the broker's rules that matter: every subscription sees every letter, in order, from
its creation on; unacknowledged letters are redelivered when their session closes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import count

from impl.errors import NotAllowed
from impl.transport.interface import Delivery, Letter, Slots


class MemoryBroker:
    """Topics with their subscriptions. Unlike a real broker it knows no identities: every caller may do anything."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._numbers = count(1)
        self._waiting: dict[tuple[str, str], deque[Delivery]] = {}
        self._readers: dict[str, set[str]] = {}
        """For topics with restricted access: the permitted subscriptions."""

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
                    letter.topic,
                    letter.origin,
                )
                for (topic, _), waiting in self._waiting.items():
                    if topic == letter.topic:
                        waiting.append(delivery)
            self.changed.notify_all()

    def take(self, subscriptions: Mapping[str, str]) -> Delivery | None:
        """The next delivery of these topics, each by its subscription; the caller holds `changed`."""
        for key in subscriptions.items():
            waiting = self._waiting.get(key)
            if waiting:
                return waiting.popleft()
        return None

    def give_back(self, deliveries: Sequence[Delivery], subscriptions: Mapping[str, str]) -> None:
        """Returns unacknowledged letters to the front, in their order."""
        with self.changed:
            for delivery in reversed(deliveries):
                waiting = self._waiting.get((delivery.topic, subscriptions[delivery.topic]))
                if waiting is not None:
                    waiting.appendleft(delivery)
            self.changed.notify_all()


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
        self._topics: dict[str, str] = {}
        """The topics listened to, each with its subscription."""
        self._held: dict[str, Delivery] = {}
        self._woken = False

    def listen(self, topic: str, subscription: str = "", slots: Slots = ()) -> None:
        name = subscription or self._subscription
        if topic not in self._topics and not self._broker.may_read(topic, name):
            raise NotAllowed(f"{name} may not read {topic}")
        name = self._topics.setdefault(topic, name)
        self._broker.subscribe(topic, name)

    def stop_listening(self, topic: str, slots: Slots = ()) -> None:
        if topic in self._topics:
            held = [delivery for delivery in self._held.values() if delivery.topic == topic]
            for delivery in held:
                del self._held[delivery.identity]
            self._broker.give_back(held, self._topics)
            del self._topics[topic]

    def receive(self, seconds: float) -> Delivery | None:
        end = time.monotonic() + seconds
        with self._broker.changed:
            while True:
                delivery = self._broker.take(self._topics)
                if delivery is not None:
                    self._held[delivery.identity] = delivery
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
        held, self._held = list(self._held.values()), {}
        self._broker.give_back(held, self._topics)
        self._topics = {}
