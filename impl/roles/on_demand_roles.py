"""DPM, NCM and an agent in the on-demand protocol: their cores with topics and timers."""

from __future__ import annotations

from collections.abc import Iterator

from impl.broker import topics
from impl.core import Effects, Event, Send
from impl.messages import Deregistered, Message, Registered
from impl.on_demand.aca import Aca
from impl.on_demand.dpm import Dpm
from impl.on_demand.ncm import Channel, Ncm
from impl.outputs import Answer, Listen, Role, Work, listen_anew
from impl.roles.timing import Timing
from impl.timers import Timer, Timers, When, after_its_seconds

NOT_HEARD = ("of another epoch", "not for this agent")
"""Reasons for ignoring a message that do not show that NCM has seen the agent's present epoch."""


class DpmRole(Role):
    """Issues versions and receives their outcomes; sends those without an outcome again."""

    core: Dpm

    def __init__(self, core: Dpm, timing: Timing, when: When = after_its_seconds) -> None:
        self.core = core
        self._timing = timing
        self.timers = Timers(when)

    def topics(self) -> list[str]:
        return [topics.OUTCOMES]

    def take(self, message: Message, topic: str) -> Answer:
        return self.core.receive(message)

    def due(self, now: float) -> Iterator[Timer]:
        return self.timers.waiting("resend", self.core.pending(), self._timing.resend_every, now)

    def may_be_lost(self, send: Send) -> bool:
        return send.topic != topics.GOAL_STATES


class NcmRole(Role):
    """Listens to a host once it is registered, reminds hosts, and reports changes as done, or as failed when they are late."""

    core: Ncm

    def __init__(self, core: Ncm, timing: Timing, when: When = after_its_seconds) -> None:
        self.core = core
        self._timing = timing
        self.timers = Timers(when)

    def topics(self) -> list[str]:
        return [topics.GOAL_STATES, topics.HOSTS]

    def listening(self) -> Iterator[Listen]:
        return (Listen(topics.requests(host)) for host in self.core.hosts())

    def take(self, message: Message, topic: str) -> Work:
        effects = self.core.receive(message, channel_of(topic))
        if isinstance(message, Registered | Deregistered) and effects.record is not None:
            yield from listen_anew(topics.requests(message.host), is_registered=message.host in self.core.hosts())
        return effects

    def due(self, now: float) -> Iterator[Timer]:
        core = self.core
        yield from self.timers.waiting("report_done", core.due(), 0.0, now)
        waiting = [change for change in core.pending() if change not in core.due()]
        yield from self.timers.waiting("report_failed", waiting, self._timing.confirm_max, now)
        late = [(host, pod) for host, pod in core.unconfirmed() if core.was_met(host)]
        yield from self.timers.waiting("remind", late, self._timing.remind_every, now)

    def may_be_lost(self, send: Send) -> bool:
        """A host that was withdrawn or registered again does not need messages for its earlier registration."""
        return send.topic != topics.OUTCOMES


class AcaRole(Role):
    """Greets NCM until it is heard of, gives up packets without an answer, ends pauses, and evicts idle routes."""

    core: Aca

    def __init__(self, core: Aca, timing: Timing, when: When = after_its_seconds) -> None:
        self.core = core
        self._timing = timing
        self.timers = Timers(when)
        self._is_unheard = False
        """No message from NCM has arrived since it was last greeted."""

    def topics(self) -> list[str]:
        return [topics.inbox(self.core.host)]

    def begin(self) -> Effects:
        self.begun()
        return self.core.start()

    def begun(self) -> None:
        """A new epoch has begun: NCM does not know of it until a message from NCM shows that it does."""
        self._is_unheard = True

    def take(self, message: Message, topic: str) -> Answer:
        effects = self.core.receive(message)
        if not any(event.fields.get("reason") in NOT_HEARD for event in effects.events):
            self._is_unheard = False
        return effects

    def happened(self, event: Event) -> None:
        match event.name:
            case "release" | "deliver" | "give up":
                self.timers.restart("evict", event.fields["destination"])
            case "learn":
                self.timers.restart("evict", event.fields["pod"])

    def due(self, now: float) -> Iterator[Timer]:
        core, timing, timers = self.core, self._timing, self.timers
        yield from timers.waiting("say_hello", [()] * self._is_unheard, timing.hello_every, now)
        yield from timers.waiting("time_out", ((request,) for request in core.held()), timing.answer_max, now)
        yield from timers.waiting("resume", core.paused(), timing.refusal_pause, now)
        yield from timers.waiting("evict", ((pod,) for pod in core.remote()), timing.idle_max, now)


def channel_of(topic: str) -> Channel:
    """The authenticated sender of a topic's messages: only that host may write to its topic, only DPM to the others."""
    host = topic.removeprefix("requests-")
    return Channel("host", host) if host != topic else Channel("dpm")
