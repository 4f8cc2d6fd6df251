"""Both transports fulfil the same contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from impl.broker import topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.broker.tokens import mint, new_key
from impl.broker.topics import provision_host, withdraw_host
from impl.errors import BadDeployment, NotAllowed, Unreachable
from impl.transport.interface import Connection, Letter
from impl.transport.memory import MemoryBroker
from impl.transport.pulsar import ARRIVED_MAX, FETCHED_MAX, PulsarConnection

Make = Callable[[], tuple[Connection, Connection]]
"""Makes the connections of an agent `h1` and of NCM."""

WAIT = 10.0


@pytest.fixture(params=["memory", "pulsar"])
def connections(request: pytest.FixtureRequest) -> Iterator[tuple[Connection, Connection]]:
    """An agent's connection and NCM's."""
    if request.param == "memory":
        broker = MemoryBroker()
        broker.subscribe("requests-h1", "ncm")
        agent: Connection = broker.connect()
        ncm: Connection = broker.connect()
    else:
        deployment: Deployment = request.getfixturevalue("deployment")
        agent = PulsarConnection(deployment, provision_host(deployment, "h1").token)
        ncm = PulsarConnection(deployment, deployment.token("ncm"))
    yield agent, ncm
    agent.close()
    ncm.close()


def test_what_was_published_before_anybody_listened_arrives_in_order(
    connections: tuple[Connection, Connection],
) -> None:
    agent, ncm = connections
    agent.publish([Letter("requests-h1", bytes([number]), "h1", "run") for number in range(5)])
    session = ncm.open_session("ncm", ["requests-h1"])
    arrived = [session.receive(WAIT) for _ in range(5)]
    assert [(item.data, item.topic, item.tag) for item in arrived if item] == [
        (bytes([number]), "requests-h1", "run") for number in range(5)
    ]
    assert session.receive(0.0) is None


def test_what_is_not_acknowledged_comes_again(connections: tuple[Connection, Connection]) -> None:
    agent, ncm = connections
    session = ncm.open_session("ncm", ["requests-h1"])
    agent.publish([Letter("requests-h1", b"one"), Letter("requests-h1", b"two"), Letter("requests-h1", b"three")])
    first = [session.receive(WAIT) for _ in range(3)]
    assert first[1] is not None
    session.acknowledge([first[1]])
    session.close()
    again = ncm.open_session("ncm", ["requests-h1"])
    assert [item.data for item in (again.receive(WAIT), again.receive(WAIT)) if item] == [b"one", b"three"]
    assert again.receive(0.2) is None


def test_nothing_more_comes_from_a_topic_that_is_not_listened_to(connections: tuple[Connection, Connection]) -> None:
    """After a new registration a host has a different topic of the same name; messages of the earlier one are not the new
    host's."""
    agent, ncm = connections
    session = ncm.open_session("ncm", ["requests-h1"])
    agent.publish([Letter("requests-h1", b"one"), Letter("requests-h1", b"two"), Letter("requests-h1", b"three")])
    first = session.receive(WAIT)
    assert first is not None
    session.stop_listening("requests-h1")
    assert session.receive(0.2) is None
    session.listen("requests-h1")
    again = [session.receive(WAIT) for _ in range(3)]
    assert [item.data for item in again if item] == [b"one", b"two", b"three"]


def test_waking_ends_a_wait(connections: tuple[Connection, Connection]) -> None:
    _, ncm = connections
    session = ncm.open_session("ncm", ["requests-h1"])
    session.wake()
    assert session.receive(WAIT) is None


def test_an_agent_may_write_its_requests_and_read_its_inbox_and_nothing_else(deployment: Deployment) -> None:
    credentials, _ = provision_host(deployment, "h1"), provision_host(deployment, "h2")
    with Admin(deployment) as admin:
        everything = admin.topics()
    assert len(everything) == len(topics.FIXED) + 2 * 4
    agent = PulsarConnection(deployment, credentials.token)
    try:
        for topic in [*everything, "new"]:
            if topic in ("requests-h1", "notices-h1", "dead-letters-h1"):
                agent.publish([Letter(topic, b"x")])
            else:
                with pytest.raises(NotAllowed, match="AuthorizationError"):
                    agent.publish([Letter(topic, b"x")])
        for topic in [*everything, "new"]:
            if topic == "inbox-h1":
                agent.open_session("aca", [topic]).close()
            else:
                with pytest.raises(NotAllowed, match="AuthorizationError"):
                    agent.open_session("aca", [topic])
    finally:
        agent.close()


def test_ncm_and_dpm_may_do_no_more_than_their_part(deployment: Deployment) -> None:
    provision_host(deployment, "h1")
    writes = {
        "ncm": {"outcomes", "inbox-h1", "dead-letters-ncm", "journal-ncm"},
        "dpm": {"goal-states", "hosts", "inbox-h1", "dead-letters-dpm", "journal-dpm"},
    }
    reads = {
        "ncm": {"goal-states", "hosts", "requests-h1", "journal-ncm"},
        "dpm": {"outcomes", "hosts", "notices-h1", "journal-dpm"},
    }
    with Admin(deployment) as admin:
        everything = admin.topics()
    for role in ("ncm", "dpm"):
        connection = PulsarConnection(deployment, deployment.token(role))
        try:
            assert {topic for topic in everything if may_write(connection, topic)} == writes[role]
            assert {topic for topic in everything if may_read(connection, topic, role)} == reads[role]
        finally:
            connection.close()


def may_write(connection: Connection, topic: str) -> bool:
    """Whether the broker allows it."""
    try:
        connection.publish([Letter(topic, b"x")])
    except NotAllowed:
        return False
    return True


def may_read(connection: Connection, topic: str, subscription: str) -> bool:
    """Whether the broker allows it."""
    try:
        connection.open_session(subscription, [topic]).close()
    except NotAllowed:
        return False
    return True


@pytest.mark.parametrize(("who", "unread"), [("h1", "requests-h1"), ("ncm", "inbox-h1"), ("dpm", "goal-states")])
def test_nobody_but_the_administrator_administers(deployment: Deployment, who: str, unread: str) -> None:
    token = provision_host(deployment, "h1").token if who == "h1" else deployment.token(who)
    with Admin(replace(deployment, admin_token=token)) as intruder:
        for attempt in (
            intruder.topics,
            lambda: intruder.create_topic("new"),
            lambda: intruder.grant("inbox-h1", who, "consume"),
            lambda: intruder.delete_topic("goal-states"),
            lambda: intruder.create_subscription(unread, "own"),
            lambda: intruder.create_namespace("alcor/new"),
        ):
            with pytest.raises(BadDeployment, match="the broker answered 40"):
                attempt()


def test_a_token_of_an_earlier_registration_opens_nothing(deployment: Deployment) -> None:
    earlier, _ = provision_host(deployment, "h1"), provision_host(deployment, "h1")
    agent = PulsarConnection(deployment, earlier.token)
    try:
        with pytest.raises(NotAllowed):
            agent.publish([Letter("requests-h1", b"x")])
    finally:
        agent.close()


def test_a_token_that_somebody_else_signed_opens_nothing(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impl.transport.pulsar.OPERATION_SECONDS_MAX", 1)
    forger = PulsarConnection(deployment, mint(new_key(), "ncm"))
    try:
        # The broker disconnects it without a reason, which looks like a broker that is away.
        with pytest.raises(Unreachable, match="does not accept the token"):
            forger.publish([Letter("outcomes", b"x")])
    finally:
        forger.close()


def test_a_message_that_the_broker_does_not_take_is_not_tried_again(deployment: Deployment) -> None:
    dpm = PulsarConnection(deployment, deployment.token("dpm"))
    try:
        with pytest.raises(NotAllowed, match="MessageTooBig"):
            dpm.publish([Letter("goal-states", bytes(6_000_000))])
    finally:
        dpm.close()


def test_a_topic_that_was_made_anew_is_written_to_again(deployment: Deployment) -> None:
    """The producer of the earlier topic is useless, and must not be waited for."""
    ncm = PulsarConnection(deployment, deployment.token("ncm"))
    try:
        for _ in range(2):
            agent = PulsarConnection(deployment, provision_host(deployment, "h1").token)
            ncm.publish([Letter("inbox-h1", b"one")])
            delivery = agent.open_session("aca", ["inbox-h1"]).receive(WAIT)
            assert delivery is not None
            agent.close()
            withdraw_host(deployment, "h1")
            with pytest.raises(NotAllowed):
                ncm.publish([Letter("inbox-h1", b"two")])
    finally:
        ncm.close()


def test_a_backlog_waits_at_the_broker_and_none_of_it_is_lost(deployment: Deployment) -> None:
    dpm, ncm = (PulsarConnection(deployment, deployment.token(role)) for role in ("dpm", "ncm"))
    try:
        much = ARRIVED_MAX + 2 * FETCHED_MAX + 500
        dpm.publish([Letter("goal-states", number.to_bytes(4)) for number in range(much)])
        unread = ncm.open_session("ncm", ["goal-states"])
        unread.close()
        session = ncm.open_session("ncm", ["goal-states"])
        arrived = [session.receive(WAIT) for _ in range(much)]
        assert [int.from_bytes(item.data) for item in arrived if item] == list(range(much))
    finally:
        ncm.close()
        dpm.close()


def test_every_topic_keeps_what_nobody_has_read_yet() -> None:
    assert all(topic.subscriptions for topic in topics.FIXED)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(BadDeployment, match="Invalid broker address 'nowhere'"):
        PulsarConnection(Deployment("nowhere", "", "", b""), "token")
