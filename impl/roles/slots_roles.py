"""An agent with a slot of its VPC's topic: its core with its consumer at the broker. DPM's role is with its service, which fills
slots (`impl.service.slots`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from impl.broker import topics
from impl.core import Effects, Event, Send
from impl.errors import NotAllowed, Unreachable
from impl.messages import Attend, Confirmed, Goal, Leave, Message, Told
from impl.outputs import Answer, Listen, Role, StopListening, Work
from impl.roles.timing import Timing
from impl.slots.aca import SlotsAca
from impl.slots.topics import SUBSCRIPTION, unicast
from impl.timers import Timer, Timers, When, after_its_seconds

NOT_TO_BE_DONE: Final = "not to be done"


class SlotsAcaRole(Role):
    """Attends its slots; one that another consumer attends it tries for a while, and declines then."""

    core: SlotsAca

    def __init__(self, core: SlotsAca, timing: Timing, when: When = after_its_seconds) -> None:
        self.core = core
        self._timing = timing
        self.timers = Timers(when)
        self._coming: dict[str, Attend] = {}
        """By VPC: an attend request in progress."""
        self._attended: dict[str, int] = {}
        """By VPC: the slot at which this agent has a consumer."""

    def topics(self) -> list[str]:
        return [topics.inbox(self.core.host)]

    def listening(self) -> Iterator[Listen]:
        """The filler may have taken a slot while the connection was lost; DPM then says so, and asks again."""
        return (self._attend(vpc, slot) for vpc, slot in self._attended.items())

    def begin(self) -> Effects:
        return self.core.start()

    def take(self, message: Message, topic: str) -> Answer:
        match message:
            case Attend() if self.core.is_to_do(message):
                return self._come(message)
            case Leave() if self.core.is_to_do(message):
                return self._leave(message)
            case Told() if topic == unicast(message.vpc):
                return self._take(message)
            case Goal():
                return self.core.take(message)
        return Effects(events=(Event("ignore", {"reason": NOT_TO_BE_DONE, "message": type(message).__name__}),))

    def due(self, now: float) -> Iterator[Timer]:
        coming = [(vpc,) for vpc, message in self._coming.items() if self.core.is_to_do(message)]
        yield from self.timers.waiting("decline", coming, self._timing.subscribe_max, now)
        yield from self.timers.waiting("attend", [item for item in coming if item[0] in self._coming], 0.0, now)

    def fire(self, timer: Timer) -> Answer:
        message = self._coming.pop(timer.about[0])
        return self._come(message) if timer.action == "attend" else self.core.decline(message)

    def may_be_lost(self, send: Send) -> bool:
        """A confirmation for a VPC in which the host no longer takes part."""
        return isinstance(send.message, Confirmed)

    def _attend(self, vpc: str, slot: int, *, waits: bool = True) -> Listen:
        return Listen(unicast(vpc), SUBSCRIPTION, waits, ((slot, slot),))

    def _come(self, message: Attend) -> Work:
        """Attends the slot, and answers; or does neither, if the slot may become free a little later."""
        yield from self._go(message.vpc)
        try:
            yield self._attend(message.vpc, message.slot, waits=False)
        except NotAllowed:
            return self.core.decline(message)
        except Unreachable:
            self._coming[message.vpc] = message
            return Effects()
        self._attended[message.vpc] = message.slot
        return self.core.accept(message)

    def _leave(self, message: Leave) -> Work:
        yield from self._go(message.vpc)
        return self.core.leave(message)

    def _take(self, message: Told) -> Work:
        effects = self.core.take(message)
        if not self.core.may_acknowledge(message):
            # It is for another host. Once this consumer is gone the filler has the slot, and hands the message to the right host.
            yield from self._go(message.vpc)
        return effects

    def _go(self, vpc: str) -> Iterator[StopListening]:
        self._coming.pop(vpc, None)
        slot = self._attended.pop(vpc, None)
        if slot is not None:
            yield StopListening(unicast(vpc), ((slot, slot),))
