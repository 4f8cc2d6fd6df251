"""The filler: DPM's own consumers at every slot of a VPC's topic that no agent attends, so that dispatch never stops.

A consumer's ranges are fixed when it subscribes. So one consumer attends all unassigned slots, and is replaced when one of them is
handed over: no message is in flight to any of them. A slot whose agent is gone gets its own consumer, which is closed when the
agent returns; so no host's messages wait for another host to come or go.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from impl.errors import SlotTaken
from impl.messages import FIRST_SLOT, LAST_SLOT
from impl.slots.hashing import key_for
from impl.slots.topics import SUBSCRIPTION, unicast
from impl.transport.interface import Connection, Delivery, Letter

MARK: Final = "mark "
"""The prefix of the tag of the filler's own messages, which show that nothing precedes them."""

DRAIN_SECONDS_MAX: Final = 10.0
"""The time for a mark to arrive; a healthy broker takes a millisecond."""


def complement(held: Iterable[int]) -> list[tuple[int, int]]:
    """The ranges of slots, inclusive at both ends, between the held ones."""
    ends = [FIRST_SLOT - 1, *sorted(held), LAST_SLOT + 1]
    return [(low + 1, high - 1) for low, high in pairwise(ends) if low + 1 < high]


class Filler:
    """Attends the slots that no agent attends. Slots are *held* while they are assigned, whether their agents attend them or
    not."""

    def __init__(self, connection: Connection, vpc: str, held: Iterable[int] = ()) -> None:
        """Attends every slot that is not held; held ones wait for `fill`.

        Raises:
            SlotTaken: another consumer attends a slot that is not held.
        """
        self._connection = connection
        self._topic = unicast(vpc)
        self._held = set(held)
        self._filled: set[int] = set()
        self._session = connection.open_session(SUBSCRIPTION, [])
        self._rest: list[tuple[int, int]] = []
        """The ranges of all slots that are not held; one consumer attends them."""
        self._attend_the_rest()

    def _attend_the_rest(self) -> None:
        if self._rest:
            self._session.stop_listening(self._topic, self._rest)
        self._rest = complement(self._held)
        if self._rest:
            self._session.listen(self._topic, slots=self._rest)

    def step_aside(self, slot: int) -> None:
        """Hands the slot over; it is held from now on: no consumer attends it until an agent comes, or `fill` is called."""
        if slot not in self._held:
            self._held.add(slot)
            self._attend_the_rest()
        elif slot in self._filled:
            self._filled.remove(slot)
            self._session.stop_listening(self._topic, [(slot, slot)])

    def fill(self, slot: int) -> bool:
        """Attends a held slot unless an agent does; returns whether the filler has it now. DPM need not know: the broker does."""
        if self.attends(slot):
            return True
        try:
            self._session.listen(self._topic, slots=[(slot, slot)])
        except SlotTaken:
            return False
        self._filled.add(slot)
        return True

    def attends(self, slot: int) -> bool:
        """Whether the filler attends the slot."""
        return slot in self._filled or slot not in self._held

    def drain(self, slot: int) -> list[Delivery] | None:
        """The messages in flight to a slot of the filler; none remain once all of these are handed back and acknowledged.

        A mark is published to the slot. The broker keeps the order of one key, so earlier messages arrive before the mark. None:
        the mark did not arrive in time, so nothing is known.
        """
        mark = f"{MARK}{secrets.token_hex(8)}"
        self._connection.publish([Letter(self._topic, b"", key_for(slot), mark)])
        end = time.monotonic() + DRAIN_SECONDS_MAX
        before: list[Delivery] = []
        while (left := end - time.monotonic()) > 0:
            delivery = self._session.receive(left)
            if delivery is not None and delivery.tag.startswith(MARK):
                self._session.acknowledge([delivery])  # an earlier drain may have been given up
                if delivery.tag == mark:
                    return before
            elif delivery is not None:
                before.append(delivery)
        return None

    def receive(self, seconds: float) -> Delivery | None:
        """A message for a slot without an agent: it must be handed back before it is acknowledged."""
        return self._session.receive(seconds)

    def acknowledge(self, delivery: Delivery) -> None:
        """Acknowledges a message that was handed back."""
        self._session.acknowledge([delivery])

    def close(self) -> None:
        """Leaves all slots; unacknowledged messages are delivered again."""
        self._session.close()
