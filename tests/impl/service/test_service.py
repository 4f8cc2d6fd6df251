"""Services: no accepted input is lost, bad messages stop no service, and a broker that does not answer is waited for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.bench.demonstration import HELD_AND_RELEASED, POD_1, POD_2, Demonstration, Watched, demonstrate
from conformance.logs.system import running, wait_until
from impl.broker.deployment import Deployment
from impl.broker.hosts import add_host, read_agent_file, remove_host, write_agent_file
from impl.core import Effects, IllegalInput
from impl.errors import EnvironmentProblem, NotAllowed, Unreachable
from impl.events.recorder import Sink
from impl.messages import Config, Granted, Hello, Pod, Registered, Route, ToAgent
from impl.on_demand.ncm import Channel, Ncm
from impl.roles.timing import Timing
from impl.service.dpm import DpmService
from impl.service.loop import Service
from impl.service.ncm import NcmService
from impl.storage.store import Durable, MemoryStore, Outgoing
from impl.transport.interface import Letter
from impl.transport.memory import MemoryBroker, MemoryConnection, MemorySession
from impl.transport.pulsar import PulsarConnection
from impl.wire.codec import encode

QUICK = Timing(answer_max=0.4, refusal_pause=0.2, idle_max=0.2, remind_every=0.1, resend_every=0.2, hello_every=0.1)
PATIENT = Timing(answer_max=30.0, remind_every=0.5, resend_every=1.0, retry_first=0.01, retry_max=0.02)
P1, P2 = Pod("red", "p1"), Pod("red", "p2")


class World:
    """NCM, DPM and two agents over the transport in memory."""

    def __init__(
        self,
        connect: Callable[[MemoryBroker], MemoryConnection] = MemoryConnection,
        timing: Timing = QUICK,
        events: Sink | None = None,
    ) -> None:
        self.broker = MemoryBroker()
        self._connect = connect
        self._threads: list[tuple[Service, threading.Thread]] = []
        for topic, reader in (("goal-states", "ncm"), ("hosts", "ncm"), ("outcomes", "dpm")):
            self.broker.subscribe(topic, reader)
        for host in ("h1", "h2"):
            self.broker.subscribe(f"requests-{host}", "ncm")
            self.broker.subscribe(f"inbox-{host}", "aca")
        self.stores = {name: MemoryStore() for name in ("dpm", "ncm", "h1", "h2")}
        self.broker.publish([Letter("hosts", encode(Registered(host))) for host in ("h1", "h2")])
        self.ncm = NcmService(self.stores["ncm"], self.connect, timing, events)
        self.dpm = DpmService(self.stores["dpm"], self.connect, timing, events=events)
        self.h1 = Watched("h1", self.stores["h1"], self.connect, timing=timing, events=events)
        self.h2 = Watched("h2", self.stores["h2"], self.connect, timing=timing, events=events)

    def connect(self) -> MemoryConnection:
        """A connection of any process."""
        return self._connect(self.broker)

    def start(self, *services: Service) -> None:
        """Runs services in threads."""
        for service in services:
            thread = threading.Thread(target=service.run)
            thread.start()
            self._threads.append((service, thread))
            wait_until(service.ready.is_set, "a service", [])

    def stop(self, *services: Service) -> None:
        """Stops these services, or all."""
        for service, thread in list(self._threads):
            if not services or service in services:
                service.stop()
                thread.join(20)
                assert not thread.is_alive()
                self._threads.remove((service, thread))

    def place_both(self) -> None:
        """Places P1 at h1 and P2 at h2, and waits for the confirmations."""
        self.dpm.place(P1, "h1").result(10)
        self.dpm.place(P2, "h2").result(10)
        wait_until(lambda: not self.dpm.dpm.pending(), "confirmation", [])


@pytest.fixture
def world() -> Iterator[World]:
    """A world that is stopped at the end."""
    made = World()
    yield made
    made.stop()


def test_a_remote_pod_is_learned_on_demand(world: World) -> None:
    world.start(world.ncm, world.dpm, world.h1, world.h2)
    world.place_both()
    assert world.h1.knows() == [P1]
    world.h1.send(P1, P2)
    assert world.h1.ended_with == "release"
    assert world.h1.knows() == [P1, P2]
    assert world.h2.knows() == [P2]


def test_an_unknown_pod_is_refused_and_not_asked_for_before_a_pause(world: World) -> None:
    world.start(world.ncm, world.dpm, world.h1, world.h2)
    world.place_both()
    world.h1.send(P1, Pod("red", "p9"))
    assert world.h1.ended_with == "give up"
    world.h1.send(P1, Pod("red", "p9"))
    assert world.h1.ended_with == "drop"
    wait_until(lambda: not world.h1.aca.is_paused(P1, Pod("red", "p9")), "the pause to end", [])
    world.h1.send(P1, Pod("red", "p9"))
    assert world.h1.ended_with == "give up"


def test_without_ncm_a_packet_is_dropped_in_time_and_a_change_waits(world: World) -> None:
    world.start(world.ncm, world.dpm, world.h1, world.h2)
    world.place_both()
    world.stop(world.ncm)
    world.h1.send(P1, P2)
    assert world.h1.ended_with == "give up"
    third = Pod("red", "p3")
    world.dpm.place(third, "h2").result(10)
    assert world.dpm.dpm.pending() == [(third, 1)]
    world.start(NcmService(world.stores["ncm"], world.connect, QUICK))
    wait_until(lambda: not world.dpm.dpm.pending(), "the change to be done", [])
    world.h1.send(P1, third)
    assert world.h1.ended_with in ("release", "deliver")


def test_an_idle_route_is_evicted_and_asked_for_again(world: World) -> None:
    world.start(world.ncm, world.dpm, world.h1, world.h2)
    world.place_both()
    world.h1.send(P1, P2)
    wait_until(lambda: not world.h1.aca.may_evict(P2), "the route to be evicted", [])
    assert world.h1.knows() == [P1, P2]
    world.h1.send(P1, P2)
    assert world.h1.ended_with == "release"


def test_every_route_is_evicted_in_time_whatever_its_pod_went_through(world: World) -> None:
    agent, now = world.h1, time.monotonic()

    def hears(*messages: ToAgent) -> None:
        for message in messages:
            for event in agent.aca.receive(message).events:
                agent.role.happened(event)

    def evicted() -> list[str]:
        nonlocal now
        list(agent.role.due(now))  # sets the timers
        now += 1_000
        fired = []
        for timer in agent.role.due(now):
            agent.role.fire(timer)
            fired.append(str(timer))
        return fired

    for event in (*agent.aca.start().events, *agent.aca.receive(Route("h1", 1, P1, 1, "h1")).events):
        agent.role.happened(event)
    agent.aca.packet(1, P1, P2)
    hears(Route("h1", 1, P2, 2, None), Granted("h1", 1, 1, P2, 1, "h2"))
    assert agent.aca.may_evict(P2), "the route to a pod that is gone"
    assert evicted() == ["evict(red/p2)"]
    agent.aca.packet(2, P1, P2)
    hears(Granted("h1", 1, 2, P2, 3, "h2"), Route("h1", 1, P2, 4, "h1"))
    assert evicted() == [], "a local pod"
    hears(Route("h1", 1, P2, 5, "h2"))
    assert agent.aca.may_evict(P2), "the route of earlier"
    assert evicted() == ["evict(red/p2)"]


def test_what_cannot_be_read_is_set_aside_and_stops_nobody(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.broker.subscribe("dead-letters-ncm", "administrator")
    world.start(world.ncm, world.dpm, world.h1, world.h2)
    with caplog.at_level(logging.WARNING):
        world.broker.publish([Letter("requests-h1", b"\xff\xffsecret"), Letter("goal-states", b"x" * 20_000)])
        world.place_both()
    aside = world.connect().open_session("administrator", ["dead-letters-ncm"])
    assert {len(item.data) for item in (aside.receive(10), aside.receive(10)) if item} == {8, 20_000}
    assert "sets aside a message from requests-h1" in caplog.text
    assert "secret" not in caplog.text


def test_a_message_in_anothers_name_has_no_effect(world: World) -> None:
    world.start(world.ncm, world.dpm, world.h1, world.h2)
    world.broker.publish([Letter("requests-h2", encode(Hello("h1", 99)))])
    world.place_both()
    assert world.ncm.ncm.observe()["greeted"] == {"h1": 1, "h2": 1}
    assert world.ncm.counted["ignore: from the channel of another"] == 1


class Failing(MemoryConnection):
    """A connection to a broker that often does not answer; published messages may or may not have arrived."""

    calls = 0

    def publish(self, letters: Sequence[Letter]) -> None:
        self.calls += 1
        if self.calls % 3 == 1:
            raise Unreachable("no answer before it arrived")
        super().publish(letters)
        if self.calls % 3 == 2:
            raise Unreachable("no answer after it arrived")


def test_a_broker_that_does_not_answer_is_waited_for_and_nothing_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    world = World(Failing, PATIENT)
    try:
        with caplog.at_level(logging.WARNING):
            world.start(world.ncm, world.dpm, world.h1, world.h2)
            world.place_both()
        world.h1.send(P1, P2)
        assert world.h1.ended_with == "release"
        assert "trying again in" in caplog.text
    finally:
        world.stop()


class Full(MemoryStore):
    """A store whose disk is full from the second record on."""

    is_full = False

    def append(self, effects: Effects, core: Durable) -> list[Outgoing]:
        if self.is_full:
            raise EnvironmentProblem("the disk is full")
        self.is_full = True
        return super().append(effects, core)


def test_what_cannot_be_stored_ends_the_service_and_is_not_said_to_be_done() -> None:
    world = World()
    dpm = DpmService(Full(), world.connect, QUICK)
    ended: list[str] = []

    def run() -> None:
        with pytest.raises(EnvironmentProblem) as caught:
            dpm.run()
        ended.append(str(caught.value))

    thread = threading.Thread(target=run)
    thread.start()
    dpm.place(P1, "h1").result(10)
    with pytest.raises(IllegalInput, match="DPM: red/p1 is at h1 already"):
        dpm.place(P1, "h1").result(10)
    with pytest.raises(RuntimeError, match="dpm has stopped: the disk is full"):
        dpm.place(P2, "h2").result(10)
    thread.join(20)
    assert ended == ["the disk is full"]
    with pytest.raises(RuntimeError, match="dpm has stopped"):
        dpm.place(P2, "h2").result(10)


def test_what_comes_due_at_once_is_stored_one_by_one() -> None:
    """A snapshot made with the first report must not contain the effect of the second one, whose message is not stored yet."""
    store = MemoryStore()
    ncm = NcmService(store, MemoryBroker().connect)
    for pod in (P1, P2):
        store.mark_sent(store.append(ncm.ncm.receive(Config(pod, 1, None), Channel("dpm")), ncm.ncm))
    seen = []
    for timer in ncm.role.due(0.0):
        effects = ncm.role.fire(timer)
        assert isinstance(effects, Effects)
        store.append(effects, ncm.ncm)
        again = Ncm()
        store.load(again)
        seen.append((again.snapshot() == ncm.ncm.snapshot(), again.due()))
    assert seen == [(True, [(P2, 1)]), (True, [])]


class Cut(MemorySession):
    """A session without a connection."""

    def is_connected(self) -> bool:
        return False


class Withdrawn(MemoryConnection):
    """A connection that is cut after its first session began, by a broker that no longer accepts the token."""

    begun = False

    def open_session(self, subscription: str, topics: Sequence[str]) -> MemorySession:
        if self.begun:
            raise NotAllowed("the token opens nothing any more")
        self.begun = True
        return Cut(self._broker, subscription)


def test_an_agent_whose_registration_was_withdrawn_ends_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    world = World(Withdrawn, Timing(lost_max=0.0))
    with caplog.at_level(logging.WARNING), pytest.raises(NotAllowed, match="opens nothing any more"):
        world.h1.run()
    assert "the connection to the broker is lost" in caplog.text


def test_an_agent_says_hello_again_until_it_hears_of_ncm(world: World) -> None:
    """NCM may have forgotten the first greeting: the host was registered again after it."""
    world.start(world.ncm, world.h1)
    wait_until(lambda: world.ncm.ncm.was_met("h1"), "the first hello", [])
    world.broker.publish([Letter("hosts", encode(Registered("h1", 2)))])
    world.start(world.dpm, world.h2)
    world.place_both()
    assert world.h1.knows() == [P1]


# ------------------------------------------------------------------------------------------------- real broker


def test_the_demonstration_shows_learning_on_demand(deployment: Deployment) -> None:
    seen = demonstrate(deployment, lambda sentence: None)
    assert seen.holds
    assert seen.received == {
        "h1": [Route("h1", 1, POD_1, 1, "h1"), Granted("h1", 1, 1, POD_2, 1, "h2")],
        "h2": [Route("h2", 1, POD_2, 1, "h2")],
    }


def test_the_demonstration_would_see_what_should_not_be() -> None:
    own = {"h1": Route("h1", 1, POD_1, 1, "h1"), "h2": Route("h2", 1, POD_2, 1, "h2")}
    grant, pushed = Granted("h1", 1, 1, POD_2, 1, "h2"), Route("h1", 1, POD_2, 1, "h2")

    def seen(h1: list[ToAgent], h2: list[ToAgent]) -> Demonstration:
        return Demonstration([POD_1], [POD_1, POD_2], HELD_AND_RELEASED, 1.0, 0.1, {"h1": h1, "h2": h2})

    good = seen([own["h1"], grant], [own["h2"]])
    assert good.holds
    assert not replace(good, knew_before=[POD_1, POD_2]).holds
    assert not replace(good, became=["deliver"]).holds
    assert not seen([own["h1"], grant], [own["h2"], grant]).holds
    assert not seen([own["h1"], pushed], [own["h2"]]).holds


def test_a_removed_host_is_told_nothing_more_and_may_come_back(deployment: Deployment) -> None:
    with running(deployment) as system:
        ncm = NcmService(system.store("ncm"), system.role("ncm"))
        system.start(ncm)
        add_host(deployment, "h1")
        wait_until(lambda: ncm.ncm.hosts() == ["h1"], "h1", system.problems)
        remove_host(deployment, "h1")
        wait_until(lambda: ncm.ncm.hosts() == [], "h1 to be gone", system.problems)
        file = add_host(deployment, "h1")
        agent = Watched("h1", system.store("h1"), system.agent(file))
        system.start(agent)
        wait_until(lambda: ncm.ncm.was_met("h1"), "h1 to be met again", system.problems)


def test_an_agents_file_is_its_owners_alone_and_holds_no_other_secret(deployment: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "h1.agent.json"
    file = add_host(deployment, "h1")
    write_agent_file(file, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert deployment.admin_token not in path.read_text()
    assert read_agent_file(path) == file
    assert file.token not in repr(file)
    assert deployment.admin_token not in repr(deployment)


def test_a_connection_to_nowhere_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impl.transport.pulsar.OPERATION_SECONDS_MAX", 1)
    nowhere = Deployment("pulsar://127.0.0.1:1", "", "", b"")
    connection = PulsarConnection(nowhere, "token")
    try:
        with pytest.raises(Unreachable):
            connection.publish([Letter("goal-states", b"x")])
    finally:
        connection.close()
