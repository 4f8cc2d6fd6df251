"""One instance leads, others stand by; a deposed one neither sends nor acknowledges anything that its successor does not know."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from conformance.logs.system import wait_until
from impl.core import Effects
from impl.errors import Deposed
from impl.messages import Applied, Config, Hello, Message, Pod, Registered
from impl.on_demand.ncm import Channel, Ncm
from impl.outputs import Work
from impl.process import Process
from impl.roles.timing import Timing
from impl.service.dpm import DpmService
from impl.service.loop import Service
from impl.service.ncm import NcmService
from impl.storage.journal import JournalStore
from impl.storage.log import Entry
from impl.storage.memory_log import MemoryJournal, MemoryLog
from impl.transport.interface import Letter
from impl.transport.memory import MemoryBroker
from impl.wire.codec import decode, encode
from tests.impl.intercepting import intercept

P1 = Pod("red", "p1")
SLOW = Timing(remind_every=3_600.0, resend_every=3_600.0)
"""No message is repeated during a test."""


class Running:
    """Services in threads; the exception that ended each is kept."""

    def __init__(self) -> None:
        self._threads: list[tuple[Service, threading.Thread]] = []
        self.ended: dict[Service, BaseException] = {}

    def start(self, service: Service) -> None:
        """Runs it; it need not be ready when this returns."""

        def run() -> None:
            try:
                service.run()
            except BaseException as problem:
                self.ended[service] = problem

        thread = threading.Thread(target=run)
        self._threads.append((service, thread))
        thread.start()

    def join(self, service: Service) -> None:
        """Waits for its end."""
        for one, thread in self._threads:
            if one is service:
                thread.join(20)
                assert not thread.is_alive()

    def stop(self) -> None:
        """Stops all."""
        for service, _ in self._threads:
            service.stop()
            self.join(service)


@pytest.fixture
def running() -> Iterator[Running]:
    """Services that are stopped at the end."""
    made = Running()
    yield made
    made.stop()


@pytest.fixture
def broker() -> MemoryBroker:
    """A broker with the fixed topics, and those of a host."""
    made = MemoryBroker()
    for topic, reader in (("goal-states", "ncm"), ("hosts", "ncm"), ("requests-h1", "ncm"), ("outcomes", "dpm")):
        made.subscribe(topic, reader)
    for topic in ("goal-states", "inbox-h1"):
        made.subscribe(topic, "witness")
    return made


def said(broker: MemoryBroker, topic: str) -> list[Message]:
    """The messages published on a topic since the last call."""
    session = broker.connect().open_session("witness", [topic])
    found = []
    while (delivery := session.receive(0.0)) is not None:
        found.append(decode(delivery.data))
        session.acknowledge([delivery])
    return found


def test_of_two_that_start_at_once_one_leads_and_the_other_follows_it(running: Running, broker: MemoryBroker) -> None:
    journal = MemoryJournal("journal-dpm")
    pair = [DpmService(JournalStore(journal.open), broker.connect, SLOW) for _ in range(2)]
    for service in pair:
        running.start(service)
    wait_until(lambda: any(item.ready.is_set() for item in pair), "one to lead", [])
    wait_until(lambda: any(item.standing_by.is_set() for item in pair), "one to stand by", [])
    leader, standby = sorted(pair, key=lambda item: item.standing_by.is_set())
    assert leader.ready.is_set()
    assert not standby.ready.is_set()
    leader.place(P1, "h1").result(10)
    leader.stop()
    wait_until(standby.ready.is_set, "the other to lead", [])
    assert not standby.standing_by.is_set()
    standby.place(P1, "h2").result(10)
    assert said(broker, "goal-states") == [Config(P1, 1, "h1"), Config(P1, 2, "h2")]


def test_who_stands_by_can_be_stopped(running: Running, broker: MemoryBroker) -> None:
    journal = MemoryJournal("journal-dpm")
    journal.open().lead()
    standby = DpmService(JournalStore(journal.open), broker.connect, SLOW)
    running.start(standby)
    wait_until(standby.standing_by.is_set, "it to stand by", [])
    standby.stop()
    running.join(standby)
    assert running.ended == {}


# ------------------------------------------------------------------------------- nothing sent that is not stored


class DeposedAtTheRecord(MemoryLog):
    """Another instance takes over just before a record is appended."""

    def append(self, entries: Sequence[Entry]) -> None:
        if entries[0].key.startswith("record"):
            self._journal.open(take_over=True).lead()
        super().append(entries)


class PublishesFirst(Process):
    """Publishes before it stores."""

    def _perform(self, effects: Effects, taken: str = "") -> Work:
        yield from self._publish(effects.sends)
        yield from super()._perform(Effects(effects.record, (), effects.events), taken)
        return effects


class SendsFirst(DpmService):
    """A DPM that does."""

    runner = PublishesFirst


def said_when_deposed(kind: type[DpmService], running: Running, broker: MemoryBroker) -> list[Message]:
    """The messages of a DPM that was deposed just before it could store its decision."""
    journal = MemoryJournal("journal-dpm")
    dpm = kind(JournalStore(lambda: DeposedAtTheRecord(journal, take_over=True)), broker.connect, SLOW)
    running.start(dpm)
    decision = dpm.place(P1, "h1")
    with pytest.raises(RuntimeError, match="dpm has stopped: journal-dpm: another instance has taken over"):
        decision.result(10)
    running.join(dpm)
    assert isinstance(running.ended[dpm], Deposed)
    return said(broker, "goal-states")


def test_a_deposed_instance_says_nothing_that_is_not_stored(running: Running, broker: MemoryBroker) -> None:
    assert said_when_deposed(DpmService, running, broker) == []


def test_one_that_sends_before_it_stores_would_be_noticed(running: Running, broker: MemoryBroker) -> None:
    """Its successor does not know of version 1, and will give the number to another place."""
    assert said_when_deposed(SendsFirst, running, broker) == [Config(P1, 1, "h1")]


# ---------------------------------------------------------------------- nothing acknowledged from an older state


class Unconfirmed(JournalStore):
    """A store that always takes itself for the leader's."""

    def confirm(self) -> None:
        """Confirms without asking."""


def left_by_a_deposed(kind: type[JournalStore], running: Running, broker: MemoryBroker) -> list[Message]:
    """The messages left for the successor of an NCM that was paused while handling a message without effect.

    The NCM is paused when it has received a confirmation of the host's second epoch, which it does not know. Its successor does.
    """
    journal = MemoryJournal("journal-ncm")
    arrived, goes_on = threading.Event(), threading.Event()

    def paused(message: Message, topic: str) -> None:
        arrived.set()
        assert goes_on.wait(20)

    store, core = JournalStore(journal.open), Ncm()
    store.load(core)
    store.append(core.register(Registered("h1")), core)
    store.append(core.receive(Hello("h1", 1), Channel("host", "h1")), core)
    store.append(core.receive(Config(P1, 1, "h1"), Channel("dpm")), core)
    store.close()
    first = NcmService(kind(journal.open), broker.connect, SLOW)
    intercept(first, paused)
    broker.publish([Letter("requests-h1", encode(Applied("h1", 2, P1, 1)))])
    running.start(first)
    assert arrived.wait(20)
    successor, core = JournalStore(lambda: journal.open(take_over=True)), Ncm()
    successor.load(core)
    successor.append(core.receive(Hello("h1", 2), Channel("host", "h1")), core)
    goes_on.set()
    if kind is JournalStore:
        running.join(first)
        assert isinstance(running.ended[first], Deposed)
    else:
        wait_until(lambda: bool(first.counted), "it to take the message", [])
        first.stop()
        running.join(first)
    assert first.counted == {"ignore: of another epoch": 1}
    session = broker.connect().open_session("ncm", ["requests-h1"])
    delivery = session.receive(0.0)
    return [] if delivery is None else [decode(delivery.data)]


def test_what_meant_nothing_to_a_deposed_instance_is_left_for_its_successor(
    running: Running, broker: MemoryBroker
) -> None:
    assert left_by_a_deposed(JournalStore, running, broker) == [Applied("h1", 2, P1, 1)]


def test_acknowledging_what_means_nothing_without_asking_would_be_noticed(
    running: Running, broker: MemoryBroker
) -> None:
    assert left_by_a_deposed(Unconfirmed, running, broker) == []
