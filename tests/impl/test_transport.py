"""Both transports keep the same contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from impl.broker.deployment import Deployment
from impl.broker.topics import provision_host
from impl.errors import BadDeployment
from impl.transport.interface import Connection, Letter
from impl.transport.memory import MemoryBroker
from impl.transport.pulsar import PulsarConnection

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
    assert [(one.data, one.topic, one.tag) for one in arrived if one] == [
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
    assert [one.data for one in (again.receive(WAIT), again.receive(WAIT)) if one] == [b"one", b"three"]
    assert again.receive(0.2) is None


def test_waking_ends_a_wait(connections: tuple[Connection, Connection]) -> None:
    _, ncm = connections
    session = ncm.open_session("ncm", ["requests-h1"])
    session.wake()
    assert session.receive(WAIT) is None


def test_an_agent_may_neither_write_nor_read_what_is_anothers(deployment: Deployment) -> None:
    one, _ = provision_host(deployment, "h1"), provision_host(deployment, "h2")
    agent = PulsarConnection(deployment, one.token)
    try:
        for topic in ("requests-h2", "goal-states", "inbox-h1", "outcomes"):
            with pytest.raises(BadDeployment, match="AuthorizationError"):
                agent.publish([Letter(topic, b"x")])
        for topic in ("inbox-h2", "requests-h1", "goal-states"):
            with pytest.raises(BadDeployment, match="AuthorizationError"):
                agent.open_session("aca", [topic])
    finally:
        agent.close()


def test_a_token_of_an_earlier_registration_opens_nothing(deployment: Deployment) -> None:
    earlier, _ = provision_host(deployment, "h1"), provision_host(deployment, "h1")
    agent = PulsarConnection(deployment, earlier.token)
    try:
        with pytest.raises(BadDeployment):
            agent.publish([Letter("requests-h1", b"x")])
    finally:
        agent.close()
