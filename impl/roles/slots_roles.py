"""DPM and agents whose hosts have slots of their VPC's topic: their cores with their consumers at the broker.

DPM's consumers are the *filler*: they attend every slot that no agent attends, so that dispatch never stops. A consumer's ranges
are fixed when it subscribes. So one consumer attends all slots that no host has had, and is replaced when a host gets one of them,
since nothing is in flight there. Every other slot has its own consumer, which is closed for the agent when that is asked to come;
so no host's messages wait for another host to come or go.

Before an agent is asked to come, DPM publishes a mark to its slot. The broker keeps the order of one key: once the filler has the
mark back, it has handed back everything before it, and nothing is in flight to the slot.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from impl.broker import topics
from impl.core import Effects, Event, IllegalInput, Send
from impl.errors import BadDeployment, NotAllowed, SlotTaken, Unreachable
from impl.messages import FIRST_SLOT, LAST_SLOT, Attend, Confirmed, Goal, Leave, Mark, Message, Told
from impl.outputs import Answer, Listen, Role, StopListening, Work
from impl.roles.timing import Timing
from impl.slots.aca import SlotsAca
from impl.slots.dpm import SlotsDpm, Stage
from impl.slots.hashing import key_for
from impl.slots.topics import SUBSCRIPTION, acknowledgments, unicast
from impl.timers import Timer, Timers, When, after_its_seconds

NOT_TO_BE_DONE: Final = "not to be done"

LOOK_SECONDS: Final = 0.5
"""The interval at which a slot is tried that the filler does not attend, and at which a mark is published until one comes back."""

Place = tuple[str, int, int]
"""What one consumer of the filler attends: the first and the last slot of a range, in a VPC."""


class SlotsDpmRole(Role):
    """Fills the slots that no agent attends, and hands a host's slot to it once nothing is in flight there."""

    core: SlotsDpm

    def __init__(self, core: SlotsDpm, timing: Timing, when: When = after_its_seconds) -> None:
        self.core = core
        self._timing = timing
        self.timers = Timers(when)
        self._filled: set[Place] = set()
        self._back: dict[tuple[str, str], Mark] = {}
        """By VPC and host: the mark that has come back from the host's slot."""

    def topics(self) -> list[str]:
        return []

    def listening(self) -> Iterator[Listen]:
        """The filler's consumers are opened by timers, since an agent may have taken a slot while the connection was lost."""
        self._filled.clear()
        self._back.clear()
        for vpc in self.core.allotment.vpcs():
            yield Listen(acknowledgments(vpc))
        for _, host in self._members():
            yield Listen(topics.notices(host))

    def join(self, vpc: str, host: str) -> Work:
        """The host takes part in the VPC, with its own slot. Raises `IllegalInput`: none is left."""
        rest = self._rest(vpc)
        try:
            effects = self.core.allot(vpc, host)
        except BadDeployment as problem:
            raise IllegalInput(str(problem)) from problem
        with suppress(NotAllowed):  # withdrawn in the meantime
            yield Listen(topics.notices(host))
        yield Listen(acknowledgments(vpc))
        for place in rest:
            yield from self.step_aside(place)
        for place in self._rest(vpc):
            yield from self._fill(place)
        return effects

    def take(self, message: Message, topic: str) -> Answer:
        match message:
            case Told() if topic == unicast(message.vpc):
                return self.core.hand_back(message)
            case Mark() if topic == unicast(message.vpc):
                self._back[message.vpc, message.host] = message
                return Effects()
        speaker = topics.speaker(topic)
        return self.core.hear(message, speaker) if speaker else self.core.confirm(message)

    def due(self, now: float) -> Iterator[Timer]:
        core, timers = self.core, self.timers
        asked = [pair for pair in self._members() if core.member(*pair).stage == Stage.ASKED.value]
        yield from timers.waiting("give_up", asked, self._timing.asked_first, now)
        left = {self._place(*pair) for pair in asked} | self._filled
        yield from timers.waiting("fill", [place for place in self._places() if place not in left], LOOK_SECONDS, now)
        ready = [pair for pair in self._members() if core.may_ask(*pair) and self._place(*pair) in self._filled]
        yield from timers.waiting("mark", [pair for pair in ready if not self._is_drained(*pair)], LOOK_SECONDS, now)
        yield from timers.waiting("ask", [pair for pair in ready if self._is_drained(*pair)], 0.0, now)

    def fire(self, timer: Timer) -> Answer:
        match timer:
            case ("fill", place):
                return self._fill(place)
            case ("mark", (vpc, host)):
                mark = self._mark(vpc, host)
                return Effects(sends=(Send(unicast(vpc), mark, key_for(mark.slot)),))
            case ("ask", (vpc, host)):
                return self._hand_over(vpc, host)
            case ("release", pair):
                self._must_be_drained(*pair)
        return super().fire(timer)

    def may_be_lost(self, send: Send) -> bool:
        """The host has been withdrawn since this was stored."""
        return True

    def _fill(self, place: Place) -> Work:
        """Attends a place unless another consumer does. DPM need not know who does: the broker does."""
        vpc = place[0]
        try:
            yield Listen(unicast(vpc), SUBSCRIPTION, slots=(place[1:],))
        except SlotTaken:
            return Effects()
        self._filled.add(place)
        lost = [host for host, slot in self.core.allotment.hosts(vpc).items() if slot == place[1]]
        return self.core.lost(vpc, *lost) if lost else Effects()

    def step_aside(self, place: Place) -> Work:
        """The filler leaves a place, if it attends it."""
        if place in self._filled:
            self._filled.remove(place)
            yield StopListening(unicast(place[0]), (place[1:],))
        return Effects()

    def _hand_over(self, vpc: str, host: str) -> Work:
        """Asks the host to attend its slot, and leaves that."""
        self._must_be_drained(vpc, host)
        effects = self.core.ask(vpc, host)
        yield from self.step_aside(self._place(vpc, host))
        return effects

    def _mark(self, vpc: str, host: str) -> Mark:
        _, slot, _ = self._place(vpc, host)
        return Mark(host, self.core.met(host), vpc, self.core.member(vpc, host).turn + 1, slot)

    def _is_drained(self, vpc: str, host: str) -> bool:
        """Whether the mark of the host's present state has come back."""
        return self._back.get((vpc, host)) == self._mark(vpc, host)

    def _must_be_drained(self, vpc: str, host: str) -> None:
        if not self._is_drained(vpc, host):
            raise IllegalInput(f"DPM: nobody knows what is on the way to {host} in {vpc}")

    def _members(self) -> list[tuple[str, str]]:
        allotment = self.core.allotment
        return [(vpc, host) for vpc in allotment.vpcs() for host in allotment.hosts(vpc)]

    def _place(self, vpc: str, host: str) -> Place:
        slot = self.core.allotment.slot(vpc, host)
        if slot is None:
            raise IllegalInput(f"DPM: {host} has no slot in {vpc}")
        return vpc, slot, slot

    def _rest(self, vpc: str) -> list[Place]:
        """The slots that no host has had, if there are any."""
        fresh = self.core.allotment.fresh(vpc)
        return [(vpc, fresh, LAST_SLOT)] * (fresh <= LAST_SLOT)

    def _places(self) -> Iterator[Place]:
        """What the filler attends when no agent is there."""
        for vpc in self.core.allotment.vpcs():
            yield from ((vpc, slot, slot) for slot in range(FIRST_SLOT, self.core.allotment.fresh(vpc)))
            yield from self._rest(vpc)


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
