"""The transport over Pulsar: persistent topics, one exclusive subscription per reader, tokens for identity."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from weakref import WeakSet

import pulsar

from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.errors import BadDeployment, NotAllowed, SlotTaken, Unreachable
from impl.transport.interface import Delivery, Letter, Slots

OPERATION_SECONDS_MAX: Final = 10
"""The time for one request to the broker; a healthy one answers in milliseconds."""

ARRIVED_MAX: Final = 1_000
"""Deliveries of a session that wait for its reader; the rest waits at the broker, however long the reader was away."""

FETCHED_MAX: Final = 100
"""Deliveries of one topic that the client fetches in addition."""

ORIGIN: Final = "messaging.message.id"
"""The property that carries a message's id in its sender's event log."""

_REFUSED: Final = (
    pulsar.AuthenticationError,
    pulsar.AuthorizationError,
    pulsar.TopicNotFound,
    pulsar.InvalidTopicName,
    pulsar.MessageTooBig,
)
"""Errors for which a retry does not help."""


class PulsarConnection:
    """See `impl.transport.interface.Connection`. The token gives the identity.

    `displaces`: disconnects other listeners of a topic, with the administrator's rights. It is for the one instance that leads: an
    earlier instance that is only paused would block it until the broker notices.
    """

    def __init__(self, deployment: Deployment, token: str, *, displaces: bool = False) -> None:
        self._deployment = deployment
        self._displaces = displaces
        try:
            self._client = pulsar.Client(
                deployment.service_url,
                authentication=pulsar.AuthenticationToken(token),
                operation_timeout_seconds=OPERATION_SECONDS_MAX,
                logger=pulsar.FileLogger(
                    pulsar.LoggerLevel.Error, os.devnull
                ),  # errors that matter arrive as exceptions
            )
        except ValueError as problem:
            raise BadDeployment(f"Invalid broker address {deployment.service_url!r}: {problem}") from problem
        self._producers: dict[str, Any] = {}
        self._sessions: WeakSet[PulsarSession] = WeakSet()

    def publish(self, letters: Sequence[Letter]) -> None:
        if not letters:
            return
        with translated(f"publish to {', '.join(sorted({letter.topic for letter in letters}))}"):
            if len(letters) == 1:
                letter = letters[0]
                self._producer(letter.topic).send(letter.data, **_options(letter))
                return
            answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
            producers = [self._producer(letter.topic) for letter in letters]
            for producer, letter in zip(producers, letters, strict=True):
                producer.send_async(letter.data, lambda result, _: answers.put(result), **_options(letter))
            results = [answers.get() for _ in letters]
        failed = [result for result in results if result != pulsar.Result.Ok]
        if failed:
            raise Unreachable(f"The broker did not accept {len(failed)} of {len(letters)} messages ({failed[0]})")

    def _producer(self, topic: str) -> Any:
        producer = self._producers.get(topic)
        if producer is not None and producer.is_connected():
            return producer
        if producer is not None:
            # The broker was away, or the topic was removed: a new producer finds out at once, where the old one would
            # time out.
            del self._producers[topic]
            with translated("close", quietly=True):
                producer.close()
        self._producers[topic] = self._client.create_producer(
            self._deployment.topic(topic),
            batching_enabled=False,  # batches would delay each message for the sake of throughput
            block_if_queue_full=True,
            send_timeout_millis=OPERATION_SECONDS_MAX * 1000,
        )
        return self._producers[topic]

    def open_session(self, subscription: str, topics: Sequence[str]) -> PulsarSession:
        session = PulsarSession(self._client, self._deployment, subscription, displaces=self._displaces)
        self._sessions.add(session)
        try:
            for topic in topics:
                session.listen(topic)
        except BaseException:
            session.close()
            raise
        return session

    def close(self) -> None:
        for session in list(self._sessions):
            session.close()
        with translated("close", quietly=True):
            self._client.close()


class PulsarSession:
    """See `impl.transport.interface.Session`."""

    def __init__(self, client: Any, deployment: Deployment, subscription: str, *, displaces: bool = False) -> None:
        self._client = client
        self._displaces = displaces
        self._deployment = deployment
        self._subscription = subscription
        self._consumers: dict[tuple[str, Slots], Any] = {}
        self._listening: dict[tuple[str, Slots], object] = {}
        """Distinguishes the deliveries of one `listen` from those of an earlier one."""
        self._arrived: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(ARRIVED_MAX)
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def listen(self, topic: str, subscription: str = "", slots: Slots = ()) -> None:
        place, listening = (topic, tuple(slots)), object()

        def arrive(consumer: Any, message: Any) -> None:
            self._room.acquire()
            if self._closed.is_set():
                self._room.release()  # the next one must not wait for a reader either
                return
            properties = message.properties()
            self._arrived.put(
                Delivery(
                    topic,
                    message.data(),
                    properties.get("tag", ""),
                    str(message.message_id()),
                    message.publish_timestamp() / 1000,
                    (consumer, message.message_id(), (place, listening)),
                    properties.get(ORIGIN, ""),
                )
            )

        with self._lock, translated(f"listen to {topic}"):
            if place not in self._consumers:
                self._listening[place] = listening
                try:
                    self._consumers[place] = self._subscribe(topic, slots, arrive, subscription)
                except pulsar.ConsumerBusy:
                    if not self._displaces:
                        raise
                    with Admin(self._deployment) as admin:
                        admin.unload(topic)
                    self._consumers[place] = self._subscribe(topic, slots, arrive, subscription)

    def _subscribe(self, topic: str, slots: Slots, arrive: Callable[[Any, Any], None], subscription: str) -> Any:
        return self._client.subscribe(
            self._deployment.topic(topic),
            subscription or self._subscription,
            initial_position=pulsar.InitialPosition.Latest if subscription else pulsar.InitialPosition.Earliest,
            receiver_queue_size=FETCHED_MAX,
            message_listener=arrive,
            **_kind_of_consumer(slots),
        )

    def stop_listening(self, topic: str, slots: Slots = ()) -> None:
        place = (topic, tuple(slots))
        with self._lock:
            consumer = self._consumers.pop(place, None)
            self._listening.pop(place, None)  # messages that have already arrived are skipped
        if consumer is not None:
            with translated(f"stop listening to {topic}", quietly=True):
                consumer.close()

    def receive(self, seconds: float) -> Delivery | None:
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            try:
                delivery = self._arrived.get(timeout=left) if left > 0 else self._arrived.get_nowait()
            except queue.Empty:
                return None
            if delivery is None:
                return None
            self._room.release()
            place, listening = delivery.handle[2]
            if listening is self._listening.get(place):
                return delivery

    def wake(self) -> None:
        self._arrived.put(None)

    def is_connected(self) -> bool:
        with self._lock:
            consumers = list(self._consumers.values())
        # All share one connection. If only one consumer is not connected, its topic is gone, not the broker.
        return not consumers or any(consumer.is_connected() for consumer in consumers)

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            consumer, identity, _ = delivery.handle
            # A lost acknowledgment means that the message is redelivered, for which every reader is prepared.
            with translated("acknowledge", quietly=True):
                consumer.acknowledge(identity)

    def close(self) -> None:
        self._closed.set()
        self._room.release()
        with self._lock:
            consumers, self._consumers = list(self._consumers.values()), {}
        for consumer in consumers:
            with translated("close", quietly=True):
                consumer.close()


def _kind_of_consumer(slots: Slots) -> dict[str, Any]:
    if not slots:
        return {"consumer_type": pulsar.ConsumerType.Exclusive}
    policy = pulsar.ConsumerKeySharedPolicy(pulsar.KeySharedMode.Sticky, False, list(slots))
    return {"consumer_type": pulsar.ConsumerType.KeyShared, "key_shared_policy": policy}


def _options(letter: Letter) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if letter.key:
        options["partition_key"] = letter.key
    if letter.tag:
        options.setdefault("properties", {})["tag"] = letter.tag
    if letter.origin:
        options.setdefault("properties", {})[ORIGIN] = letter.origin
    return options


@contextmanager
def translated(what: str, *, quietly: bool = False) -> Iterator[None]:
    """Translates the client's exceptions. `quietly`: suppresses them where a failure loses nothing."""
    try:
        yield
    except _REFUSED as problem:
        if not quietly:
            raise NotAllowed(
                f"The broker refused to {what} ({type(problem).__name__}); "
                "check the token, and that the host is registered"
            ) from problem
    except pulsar.ConsumerAssignError as problem:
        if not quietly:
            raise SlotTaken(f"Another consumer attends one of the slots; could not {what}") from problem
    except pulsar.ConsumerBusy as problem:
        if not quietly:
            raise Unreachable(f"Another process holds it; could not {what}") from problem
    except pulsar.Timeout as problem:
        if not quietly:
            raise Unreachable(
                f"The broker did not answer a request to {what}: it is away, or does not accept the token"
            ) from problem
    except pulsar.PulsarException as problem:
        if not quietly:
            raise Unreachable(f"The broker did not answer a request to {what} ({type(problem).__name__})") from problem
