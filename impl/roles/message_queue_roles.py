"""DPM and an agent of the message queue: their cores with topics and timers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from impl.broker import topics
from impl.core import Effects, Event, Send
from impl.errors import NotAllowed, Unreachable
from impl.message_queue.aca import MessageQueueAca
from impl.message_queue.dpm import MessageQueueDpm
from impl.messages import Deregistered, Message, Registered, Subscribe
from impl.outputs import Answer, Listen, Role, StopListening, Work, listen_anew
from impl.roles.timing import Timing
from impl.timers import Timer, Timers, When, after_its_seconds

DECISIONS_MAX: Final = 50
"""Decisions about a VPC between two reads of the input; some of them take the broker's administration a while."""


class DpmRole(Role):
    """Takes decisions that are due, and those that time has to pass for: asking again, giving up, reminders, and late revisions."""

    core: MessageQueueDpm

    def __init__(self, core: MessageQueueDpm, timing: Timing, when: When = after_its_seconds) -> None:
        self.core = core
        self._timing = timing
        self.timers = Timers(when)
        self._changed: set[str] = set()
        """VPCs that have changed since all of their decisions were taken."""
        self.looked_at: set[str] = set()
        """VPCs whose decisions were taken, since somebody last emptied this set."""
        self._asked: dict[str, dict[str, int]] = {}
        self._unconfirmed: dict[str, list[str]] = {}
        self._unreported: dict[str, list[int]] = {}
        """By VPC: the hosts asked to subscribe with the number of requests, the hosts to remind, and revisions without an outcome.
        They are asked of the core only where something has changed."""

    def topics(self) -> list[str]:
        return [topics.HOSTS]

    def listening(self) -> Iterator[Listen]:
        return (Listen(topics.notices(host)) for host in self.core.hosts())

    def take(self, message: Message, topic: str) -> Work:
        if topic != topics.HOSTS or not isinstance(message, Registered | Deregistered):
            return self.core.receive(message, topics.speaker(topic))
        match message:
            case Registered():
                effects = self.core.register(message)
            case Deregistered():
                effects = self.core.deregister(message)
        if effects.record is not None:
            yield from listen_anew(topics.notices(message.host), is_registered=message.host in self.core.hosts())
        return effects

    def happened(self, event: Event) -> None:
        if event.name == "ask":
            for action in ("ask_again", "give_up"):
                self.timers.restart(action, event.fields["host"], event.fields["vpc"])

    def due(self, now: float) -> Iterator[Timer]:
        core, timers, timing = self.core, self.timers, self._timing
        self._changed |= core.stirred()
        self.looked_at |= self._changed
        for vpc in self._changed:
            self._asked[vpc] = core.asked(vpc)
            self._unconfirmed[vpc] = core.unconfirmed(vpc)
            self._unreported[vpc] = core.unreported(vpc)
        asked = [(host, vpc) for vpc, hosts in self._asked.items() for host in hosts]
        # A host that is asked again waits for its longer time only when it is looked at next.
        again, no_more = ([pair for pair in asked if may(*pair)] for may in (core.may_ask_again, core.may_give_up))
        yield from timers.waiting("ask_again", again, self._patience, now)
        yield from timers.waiting("give_up", no_more, self._patience, now)
        late = [(host, vpc) for vpc, hosts in self._unconfirmed.items() for host in hosts if core.may_remind(host, vpc)]
        yield from timers.waiting("remind", late, timing.remind_every, now)
        failing = ((vpc, number) for vpc, numbers in self._unreported.items() for number in numbers)
        failed = [revision for revision in failing if core.may_report_failed(*revision)]
        yield from timers.waiting("report_failed", failed, timing.confirm_max, now)
        # Decisions take a while, so they come last: a wait that begins with one of them is set by the clock behind it.
        for vpc in sorted(self._changed):
            yield from self._decisions(vpc, now)

    def _decisions(self, vpc: str, now: float) -> Iterator[Timer]:
        """A limited number at a time: each marks the VPC as changed, so that the next round continues."""
        self._changed.discard(vpc)
        for _, operation in zip(range(DECISIONS_MAX), self.core.due(vpc), strict=False):
            timer = Timer(operation.func.__name__, operation.args)
            if self.timers.is_due(timer, now):
                yield timer
            else:
                self._changed.add(vpc)

    def _patience(self, host: str, vpc: str) -> float:
        tries = self._asked[vpc][host]
        return min(self._timing.asked_first * 2.0 ** (tries - 1), self._timing.asked_max)

    def may_be_lost(self, send: Send) -> bool:
        """The host was withdrawn or registered again, or the topic was closed, after this was stored."""
        return True


class AcaRole(Role):
    """Subscribes when it is asked to, and answers; tries for a while if an earlier instance may still hold the subscription."""

    core: MessageQueueAca

    def __init__(self, core: MessageQueueAca, timing: Timing, when: When = after_its_seconds) -> None:
        self.core = core
        self._timing = timing
        self.timers = Timers(when)
        self._subscribing: dict[str, Subscribe] = {}
        """By VPC: the request in progress."""
        self._called: dict[str, int] = {}
        """By VPC: the newest attempt that was requested by a call, whose reply is the answer."""

    def topics(self) -> list[str]:
        return [topics.inbox(self.core.host)]

    def listening(self) -> Iterator[Listen]:
        return (self._listen(vpc) for vpc in self.core.consumers())

    def begin(self) -> Effects:
        return self.core.start()

    def take(self, message: Message, topic: str) -> Answer:
        if not isinstance(message, Subscribe):
            return self.core.receive(message, topic)
        return self._subscribe(message) if self.core.is_to_subscribe(message) else self.core.pass_over(message)

    def called(self, message: Subscribe) -> None:
        """The request comes by a call: its answer is the reply, and is not also sent by the topic."""
        self._called[message.vpc] = message.attempt

    def unsubscribe(self, vpc: str) -> Work:
        """The VPC's topic is to be read no more."""
        self._subscribing.pop(vpc, None)
        yield StopListening(topics.multicast(vpc))
        return self.core.stop_reading(vpc)

    def due(self, now: float) -> Iterator[Timer]:
        requests = [(vpc,) for vpc, message in self._subscribing.items() if self.core.is_to_subscribe(message)]
        yield from self.timers.waiting("decline", requests, self._timing.subscribe_max, now)
        yield from self.timers.waiting(
            "subscribe", [item for item in requests if item[0] in self._subscribing], 0.0, now
        )

    def fire(self, timer: Timer) -> Answer:
        message = self._subscribing.pop(timer.about[0])
        return (
            self._subscribe(message)
            if timer.action == "subscribe"
            else self._answer(message, self.core.decline(message))
        )

    def _listen(self, vpc: str, *, waits: bool = True) -> Listen:
        return Listen(topics.multicast(vpc), topics.reader(self.core.host), waits)

    def _subscribe(self, message: Subscribe) -> Work:
        """Subscribes and answers; or does neither, if the subscription may become available a little later.

        It subscribes again even if a subscription exists: only the broker knows whether a reader that was cut off still reads.
        """
        self._subscribing.pop(message.vpc, None)
        yield StopListening(topics.multicast(message.vpc))
        try:
            yield self._listen(message.vpc, waits=False)
        except NotAllowed:
            return self._answer(message, self.core.decline(message))
        except Unreachable:
            self._subscribing[message.vpc] = message
            return Effects()
        return self._answer(message, self.core.accept(message))

    def _answer(self, asked: Subscribe, answered: Effects) -> Effects:
        return replace(answered, sends=()) if self._called.get(asked.vpc) == asked.attempt else answered
