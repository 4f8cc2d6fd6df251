"""The assumptions of the topology with slots, checked on the real broker; and its weaknesses, each in a test named for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pulsar
import pytest

from impl.broker.deployment import Deployment
from impl.broker.slot_topics import admit, prepare_vpc
from impl.broker.topics import provision_host
from impl.errors import BadDeployment, NotAllowed, SlotTaken
from impl.messages import FIRST_SLOT, LAST_SLOT
from impl.slots.allotment import Allotment
from impl.slots.hashing import key_for, slot_of
from impl.slots.topics import SUBSCRIPTION, acknowledgments, unicast
from impl.transport.interface import Connection, Delivery, Letter, Session
from impl.transport.memory import MemoryBroker
from impl.transport.pulsar import OPERATION_SECONDS_MAX, PulsarConnection

WAIT = 10.0
MOMENT = 0.3
"""Long enough for anything immediate to have arrived."""

LOOKED_AHEAD = 2_000
"""Messages for unattended slots that the broker skips for each consumer before it stops (its default)."""

RED = unicast("red")
Connect = Callable[[str], Connection]


@pytest.fixture
def connect(deployment: Deployment) -> Iterator[Connect]:
    """Connections by name: `dpm`, or a host of VPC red with its own token."""
    opened: dict[str, PulsarConnection] = {}
    prepare_vpc(deployment, "red")

    def by_name(name: str) -> PulsarConnection:
        if name not in opened:
            if name == "dpm":
                token = deployment.token("dpm")
            else:
                credentials = provision_host(deployment, name)
                admit(deployment, "red", credentials.role)
                token = credentials.token
            opened[name] = PulsarConnection(deployment, token)
        return opened[name]

    yield by_name
    for connection in opened.values():
        connection.close()


@pytest.fixture(params=["memory", "pulsar"])
def anywhere(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """The same, also in memory: what a replay relies on there."""
    if request.param == "pulsar":
        yield request.getfixturevalue("connect")
        return
    broker = MemoryBroker()
    broker.subscribe(RED, SUBSCRIPTION)
    connection = broker.connect()
    yield lambda name: connection
    connection.close()


def attend(connection: Connection, *slots: tuple[int, int]) -> Session:
    """A consumer of these ranges of slots of VPC red."""
    session = connection.open_session(SUBSCRIPTION, [])
    session.listen(RED, slots=slots)
    return session


def all_but(slot: int) -> list[tuple[int, int]]:
    """The ranges of slots beside this one."""
    return [(low, high) for low, high in ((FIRST_SLOT, slot - 1), (slot + 1, LAST_SLOT)) if low <= high]


def publish(connect: Connect, key: str, *texts: str) -> None:
    """Publishes as DPM under a key."""
    connect("dpm").publish([Letter(RED, text.encode(), key) for text in texts])


def arrivals(session: Session, count: int) -> list[Delivery]:
    """The arriving messages: at most this many, and none within a moment after."""
    found = [session.receive(WAIT) for _ in range(count)]
    assert session.receive(MOMENT) is None
    return [item for item in found if item is not None]


def texts(deliveries: list[Delivery]) -> list[str]:
    """Their content."""
    return [delivery.data.decode() for delivery in deliveries]


def test_a_key_arrives_where_its_single_hash_says(anywhere: Connect) -> None:
    low, high = attend(anywhere("h1"), (0, 32767)), attend(anywhere("h2"), (32768, 65535))
    keys = ["192.168.1.1", "192.168.1.2", "10.0.0.1", "10.0.0.2", "10.0.1.43", "9192a4d4-ffff-4ece-b3f0-8d36e3d88001"]
    for key in keys:
        publish(anywhere, key, key)
    lower = [key for key in keys if slot_of(key) < 32768]
    assert texts(arrivals(low, len(lower))) == lower
    assert texts(arrivals(high, len(keys) - len(lower))) == [key for key in keys if key not in lower]


@pytest.mark.parametrize("slot", [FIRST_SLOT, 10_288, LAST_SLOT])
def test_a_key_that_was_looked_up_arrives_at_its_slot_alone(anywhere: Connect, slot: int) -> None:
    own, others = attend(anywhere("h1"), (slot, slot)), attend(anywhere("dpm"), *all_but(slot))
    publish(anywhere, key_for(slot), "one", "two")
    assert texts(arrivals(own, 2)) == ["one", "two"]
    assert arrivals(others, 0) == []


def test_a_key_of_slot_0_goes_to_slot_1_and_a_consumer_of_slot_0_receives_nothing(anywhere: Connect) -> None:
    zero, one = attend(anywhere("h1"), (0, 0)), attend(anywhere("h2"), (1, 1))
    publish(anywhere, "10.0.61.87", "lost")
    assert texts(arrivals(one, 1)) == ["lost"]
    assert arrivals(zero, 0) == []


@pytest.mark.parametrize("slots", [(10, 10), (5, 15), (1, 65535)])
def test_a_range_that_overlaps_anothers_is_refused(anywhere: Connect, slots: tuple[int, int]) -> None:
    first = attend(anywhere("h1"), (10, 10))
    with pytest.raises(SlotTaken, match="Another consumer attends one of the slots; could not listen to unicast-red"):
        attend(anywhere("h2"), slots)
    publish(anywhere, key_for(10), "still his")
    assert texts(arrivals(first, 1)) == ["still his"]


def test_two_addresses_that_hash_alike_cannot_both_subscribe_and_allotted_slots_can(anywhere: Connect) -> None:
    """With the document's keys the second host of this VPC is always refused; with assigned slots it is not."""
    hosts = ("10.0.1.43", "10.0.1.118")
    first = attend(anywhere("h1"), (slot_of(hosts[0]), slot_of(hosts[0])))
    with pytest.raises(SlotTaken):
        attend(anywhere("h2"), (slot_of(hosts[1]), slot_of(hosts[1])))
    first.close()
    allotment = Allotment()
    for host in hosts:
        allotment.allot("red", host)
    slots = allotment.hosts("red")
    sessions = {host: attend(anywhere(f"h{number}"), (slots[host],) * 2) for number, host in enumerate(hosts, 1)}
    for host in hosts:
        publish(anywhere, key_for(slots[host]), host)
    assert {host: texts(arrivals(session, 1)) for host, session in sessions.items()} == {host: [host] for host in hosts}


def test_messages_for_a_slot_without_a_consumer_hold_up_all_others_until_a_filler_takes_them(connect: Connect) -> None:
    """The broker skips a few thousand of them. Then dispatch stops for all consumers, until one attends the slot."""
    attended = attend(connect("h1"), (10, 10))
    publish(connect, key_for(40), *["for nobody"] * (LOOKED_AHEAD // 2))
    publish(connect, key_for(10), "looked ahead to")
    first = arrivals(attended, 1)
    assert texts(first) == ["looked ahead to"]
    attended.acknowledge(first)
    publish(connect, key_for(40), *["for nobody"] * LOOKED_AHEAD)
    publish(connect, key_for(10), "held up")
    assert arrivals(attended, 0) == []
    filler = attend(connect("dpm"), *all_but(10))
    for _ in range(LOOKED_AHEAD // 2 + LOOKED_AHEAD):
        delivery = filler.receive(WAIT)
        assert delivery is not None
        filler.acknowledge([delivery])
    assert texts(arrivals(attended, 1)) == ["held up"]


def test_with_a_filler_nothing_is_held_up(anywhere: Connect) -> None:
    attended, filler = attend(anywhere("h1"), (10, 10)), attend(anywhere("dpm"), (40, 40))
    publish(anywhere, key_for(40), *["for nobody"] * (2 * LOOKED_AHEAD))
    publish(anywhere, key_for(10), "not held up")
    arrived = attended.receive(WAIT)
    handed = [filler.receive(WAIT) for _ in range(2 * LOOKED_AHEAD)]
    for item in handed:
        assert item is not None
        filler.acknowledge([item])
    arrived = arrived or attended.receive(WAIT)
    assert arrived is not None
    assert arrived.data == b"not held up"


def test_what_a_lost_consumer_had_is_handed_out_again_in_order(anywhere: Connect) -> None:
    filler, agent = attend(anywhere("dpm"), *all_but(10)), attend(anywhere("h1"), (10, 10))
    publish(anywhere, key_for(10), "one", "two", "three")
    first, *_ = arrivals(agent, 3)
    agent.acknowledge([first])
    agent.close()
    filler.listen(RED, slots=[(10, 10)])
    publish(anywhere, key_for(10), "a mark")
    handed = arrivals(filler, 3)
    assert texts(handed) == ["two", "three", "a mark"]
    filler.acknowledge(handed[:1])
    filler.stop_listening(RED, [(10, 10)])
    assert texts(arrivals(attend(anywhere("h1"), (10, 10)), 2)) == ["three", "a mark"]


def test_a_session_leaves_one_slot_and_keeps_the_others(anywhere: Connect) -> None:
    filler = attend(anywhere("dpm"), *all_but(10))
    filler.listen(RED, slots=[(10, 10)])
    with pytest.raises(SlotTaken):
        attend(anywhere("h1"), (10, 10))
    filler.stop_listening(RED, [(10, 10)])
    agent = attend(anywhere("h1"), (10, 10))
    for slot in (9, 10, 11):
        publish(anywhere, key_for(slot), str(slot))
    assert texts(arrivals(agent, 1)) == ["10"]
    assert sorted(texts(arrivals(filler, 2))) == ["11", "9"]
    with pytest.raises(SlotTaken):
        attend(anywhere("h2"), (11, 11))


# ---------------------------------------------------------------------------------------------------- permissions


def test_an_agent_may_do_no_more_than_the_topology_needs(connect: Connect, deployment: Deployment) -> None:
    prepare_vpc(deployment, "blue")
    agent = connect("h1")
    attend(agent, (10, 10)).close()
    agent.publish([Letter(acknowledgments("red"), b"x")])
    for topic in (RED, unicast("blue"), acknowledgments("blue")):
        with pytest.raises(NotAllowed, match="AuthorizationError"):
            agent.publish([Letter(topic, b"x")])
    for topic in (acknowledgments("red"), unicast("blue"), acknowledgments("blue")):
        with pytest.raises(NotAllowed, match="AuthorizationError"):
            agent.open_session(SUBSCRIPTION, [topic])


def test_a_vpc_whose_name_would_lead_to_another_topic_is_refused(deployment: Deployment) -> None:
    for name in ("", "a/b", "red-partition-1"):
        with pytest.raises(BadDeployment, match=r"Invalid VPC name .*: use letters"):
            prepare_vpc(deployment, name)


def test_weakness_a_byzantine_agent_reads_everything_by_a_subscription_of_its_own(connect: Connect) -> None:
    correct, byzantine = attend(connect("h1"), (10, 10)), connect("h2")
    publish(connect, key_for(10), "for h1 alone")
    spy = byzantine.open_session("its-own", [RED])
    assert texts(arrivals(spy, 1)) == ["for h1 alone"]
    assert texts(arrivals(correct, 1)) == ["for h1 alone"]


def test_weakness_a_byzantine_agent_reads_everything_by_a_reader(connect: Connect, deployment: Deployment) -> None:
    """A reader makes no durable subscription, so forbidding new subscriptions would not keep it out either."""
    publish(connect, key_for(10), "for h1 alone")
    credentials = provision_host(deployment, "h2")
    admit(deployment, "red", credentials.role)
    client = pulsar.Client(
        deployment.service_url,
        authentication=pulsar.AuthenticationToken(credentials.token),
        operation_timeout_seconds=OPERATION_SECONDS_MAX,
        logger=pulsar.FileLogger(pulsar.LoggerLevel.Error, os.devnull),
    )
    reader = client.create_reader(deployment.topic(RED), pulsar.MessageId.earliest)
    assert reader.read_next(int(WAIT * 1000)).data() == b"for h1 alone"
    client.close()


def test_weakness_a_byzantine_agent_takes_and_swallows_what_is_for_another(connect: Connect) -> None:
    """A third consumer that takes the slot between two others is treated like them, and what it acknowledges is gone."""
    correct = attend(connect("h1"), (10, 10))
    correct.close()
    byzantine = attend(connect("h2"), (10, 10))
    publish(connect, key_for(10), "for h1 alone")
    stolen = arrivals(byzantine, 1)
    assert texts(stolen) == ["for h1 alone"]
    byzantine.acknowledge(stolen)
    byzantine.close()
    assert arrivals(attend(connect("h1"), (10, 10)), 0) == []


def test_weakness_a_byzantine_agent_confirms_in_anothers_name(connect: Connect) -> None:
    connect("h2").publish([Letter(acknowledgments("red"), b"h1 has applied it")])
    heard = connect("dpm").open_session("dpm", [acknowledgments("red")])
    assert texts(arrivals(heard, 1)) == ["h1 has applied it"]
