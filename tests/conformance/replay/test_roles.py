"""What runs in a replay are the services' own roles: wrong ones, in what only services do, are red."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from conformance.mutation.cores.loading import ROLES
from conformance.replay.cores import Cores
from impl.broker import topics
from impl.core import Event
from impl.messages import Message, Subscribe
from impl.outputs import Listen, Role, Work
from impl.roles import message_queue_roles, on_demand_roles
from impl.service.aca import AcaService
from impl.service.dpm import DpmService
from impl.service.ncm import NcmService
from impl.storage.store import MemoryStore
from impl.timers import Timer
from impl.transport.memory import MemoryBroker
from tests.conformance.replay.test_runner import first_divergence


def without(*actions: str) -> Any:
    """Timers without those of some actions."""

    def due(self: Role, now: float) -> Iterator[Timer]:
        return (timer for timer in super(type(self), self).due(now) if timer.action not in actions)  # type: ignore[misc] # of its base

    return due


class NeverReminds(on_demand_roles.NcmRole):
    """A timer that never fires: a host that lost a message hears of it no more."""

    due = without("remind")


class NeverResends(on_demand_roles.DpmRole):
    """A change that NCM did not receive stays without an outcome."""

    due = without("resend")


class NeverTimesOut(on_demand_roles.AcaRole):
    """A packet without an answer is held for ever."""

    due = without("time_out")


class PausesUnderTheWrongKey(on_demand_roles.AcaRole):
    """The pause of a pair is kept for its destination, and ends by no timer."""

    def due(self, now: float) -> Iterator[Timer]:
        for timer in super().due(now):
            if timer.action == "resume":
                source, destination = timer.about
                timer = Timer("resume", (destination, source))
            yield timer


class RemindsTheUnmet(on_demand_roles.NcmRole):
    """A reminder of a host whose agent has never spoken ends NCM."""

    def due(self, now: float) -> Iterator[Timer]:
        yield from super().due(now)
        yield from self.timers.waiting("remind", self.core.unconfirmed(), 0.0, now)


class FiresAtOnce(on_demand_roles.DpmRole):
    """Waits for nothing, and sends every change twice."""

    def due(self, now: float) -> Iterator[Timer]:
        return (Timer("resend", change) for change in self.core.pending())


class NeverListens(on_demand_roles.NcmRole):
    """Does not listen to a host that is registered while it runs."""

    def take(self, message: Message, topic: str) -> Work:
        return self.core.receive(message, on_demand_roles.channel_of(topic))
        yield


class ForgetsToListenAgain(on_demand_roles.NcmRole):
    """Listens to no host after a restart."""

    def listening(self) -> Iterator[Listen]:
        return iter(())


class TrustsEveryChannel(on_demand_roles.NcmRole):
    """Takes what comes by any topic for the words of the host that it names."""

    def take(self, message: Message, topic: str) -> Work:
        host = getattr(message, "host", "")
        is_from_host = topic.startswith("requests-") and host
        return (yield from super().take(message, f"requests-{host}" if is_from_host else topic))


class AnswersUnsubscribed(message_queue_roles.AcaRole):
    """Says that it has subscribed, and has not."""

    def _subscribe(self, message: Subscribe) -> Work:
        return self.core.accept(message)
        yield


class NeverDeclines(message_queue_roles.AcaRole):
    """Leaves DPM without an answer while the broker is out of reach."""

    due = without("decline")


class NeverGivesUp(message_queue_roles.DpmRole):
    """Asks a host that does not answer for ever, or not at all."""

    due = without("give_up")


class MissesWhatChanged(message_queue_roles.DpmRole):
    """Looks at one VPC at a time, and forgets the others that have changed."""

    def _decisions(self, vpc: str, now: float) -> Iterator[Timer]:
        timers = list(super()._decisions(vpc, now))
        self._changed.clear()
        yield from timers


class ReadsByAnothersSubscription(message_queue_roles.AcaRole):
    """Receives, and acknowledges, what is kept for another host."""

    def _listen(self, vpc: str, *, waits: bool = True) -> Listen:
        other = "h2" if self.core.host == "h1" else "h1"
        return replace(super()._listen(vpc, waits=waits), subscription=topics.reader(other))


WRONG = {
    NeverReminds: "on-demand",
    NeverResends: "on-demand",
    NeverTimesOut: "on-demand",
    PausesUnderTheWrongKey: "on-demand",
    RemindsTheUnmet: "on-demand",
    FiresAtOnce: "on-demand",
    NeverListens: "on-demand",
    ForgetsToListenAgain: "on-demand",
    TrustsEveryChannel: "on-demand",
    AnswersUnsubscribed: "message-queue",
    NeverDeclines: "message-queue",
    NeverGivesUp: "message-queue",
    MissesWhatChanged: "message-queue",
    ReadsByAnothersSubscription: "message-queue",
}


@pytest.mark.parametrize(("wrong", "protocol"), WRONG.items(), ids=lambda item: getattr(item, "__name__", item))
def test_a_wrong_role_is_red(wrong: type[Role], protocol: str) -> None:
    assert first_divergence(protocol, Cores(roles={wrong.__bases__[0]: wrong}))


class Waits(on_demand_roles.AcaRole):
    """A right role, by another name."""

    def happened(self, event: Event) -> None:
        super().happened(event)


def test_a_right_role_is_green() -> None:
    assert first_divergence("on-demand", Cores(roles={on_demand_roles.AcaRole: Waits})) == ""


def test_services_run_the_roles_that_are_replayed() -> None:
    connect = MemoryBroker().connect
    services = (
        NcmService(MemoryStore(), connect),
        DpmService(MemoryStore(), connect),
        AcaService("h1", MemoryStore(), connect),
    )
    found = {type(role) for service in services for role in (service.role, *vars(service.role).values())}
    assert set(ROLES) <= found
