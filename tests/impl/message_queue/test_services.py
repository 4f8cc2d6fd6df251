"""The message queue on a real broker: the life of a channel, agents that are silent, refused, away and gone, and what each
receives."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from impl.broker import topics
from impl.broker.deployment import Deployment
from impl.broker.hosts import add_host
from impl.composite import CompositeDpm, of_message_queue
from impl.core import Effects
from impl.errors import Deposed, NotAllowed
from impl.message_queue.dpm import MessageQueueDpm
from impl.messages import (
    Accepted,
    Administrative,
    CloseTopic,
    EndSubscription,
    Hello,
    Kind,
    Message,
    OpenTopic,
    Part,
    Permit,
    Published,
    Push,
    Registered,
    Subscribe,
)
from impl.on_demand.dpm import Dpm
from impl.outputs import Acknowledge, Work
from impl.process import Process
from impl.service.aca import AcaService, Handlers
from impl.service.dpm import DpmService
from impl.service.subscriber import MessageQueueSubscriber
from impl.storage.store import MemoryStore
from impl.transport.grpc.subscriptions import Result
from impl.transport.interface import Delivery, Letter
from impl.transport.memory import MemoryBroker
from impl.wire.codec import decode, encode
from tests.impl.message_queue.system import SMALL, WAIT, scene


def test_the_whole_life_of_a_channel(deployment: Deployment) -> None:
    with scene(deployment, "h1", "h2", "h3") as on:
        on.start("h1", "h2", "h3")
        on.place("red", h1=1, h2=1)
        on.place("blue", h3=1)
        on.until_done("red", on.revise("red", b"one"))
        assert on.seen("channel", "red") == "grpc"
        on.place("red", h1=3)
        on.until_channel("red", "mq")
        assert on.at_broker("red") == (["host-h1", "host-h2"], {"h1", "h2"})
        on.until_done("red", on.revise("red", b"two"))
        on.until_done("blue", on.revise("blue", b"other"))
        on.remove("red", h1=2)
        on.until_channel("red", "grpc")
        assert on.at_broker("red") == ([], set())
        on.until_done("red", on.revise("red", b"three"))
        for host in ("h1", "h2"):
            agent = on.agents[host]
            assert agent.revisions(Published) == [2]
            assert [revision for revision in agent.revisions(Push) if revision != 2] == [1, 3]
            assert agent.applied == [
                ("red", 1, Kind.GROUP_RULES, b"one"),
                ("red", 2, Kind.GROUP_RULES, b"two"),
                ("red", 3, Kind.GROUP_RULES, b"three"),
            ]
        assert on.addressed()
        assert [on.vpcs_heard_of(host) for host in ("h1", "h2", "h3")] == [{"red"}, {"red"}, {"blue"}]
        work = on.administration.asked
        assert (work[0], work[-1]) == (OpenTopic("red"), CloseTopic("red"))
        assert {
            Permit("h1", "red"),
            Permit("h2", "red"),
            EndSubscription("h1", "red"),
            EndSubscription("h2", "red"),
        } == {item for item in work if not isinstance(item, OpenTopic | CloseTopic)}


def test_an_agent_that_never_answers_is_given_up_and_told_directly(deployment: Deployment) -> None:
    with scene(deployment, "h1", "h2") as on:
        on.start("h1")
        on.start_agent("h2", deaf=True)
        on.place("red", h1=4, h2=1)
        on.until_channel("red", "mq")
        assert on.seen("barred", ("h2", "red"))
        assert on.seen("attempt", ("h2", "red")) == on.dpm.message_queue.decision.patience
        on.until_done("red", on.revise("red", b"one"))
        assert on.agents["h1"].revisions(Published) == [1]
        assert on.agents["h2"].revisions(Push) == [1]
        assert on.agents["h2"].revisions(Published) == []
        on.until(lambda: on.at_broker("red") == (["host-h1"], {"h1"}), "nothing to be left of h2 at the broker")


def test_an_agent_that_the_broker_refuses_declines_and_is_told_directly(deployment: Deployment) -> None:
    """Another client reads by the agent's subscription, so the agent cannot."""
    with scene(deployment, "h1", "h2") as on:
        with_administrator = on.system.role("admin")()
        on.start("h1", "h2")
        on.administration.perform(OpenTopic("red"))
        taken = with_administrator.open_session("unused", [])
        taken.listen(topics.multicast("red"), topics.reader("h2"))
        on.place("red", h1=4, h2=1)
        on.until_channel("red", "mq")
        assert on.seen("barred", ("h2", "red"))
        assert not on.seen("barred", ("h1", "red"))
        on.until_done("red", on.revise("red", b"one"))
        assert on.agents["h1"].revisions(Published) == [1]
        assert on.agents["h2"].revisions(Push) == [1]
        with_administrator.close()


def test_an_agent_that_was_away_reads_what_was_kept_for_it(deployment: Deployment) -> None:
    with scene(deployment, "h1", "h2") as on:
        on.start("h1", "h2")
        on.place("red", h1=4, h2=1)
        on.until_channel("red", "mq")
        on.system.stop_one(on.agents["h2"])
        revisions = [on.revise("red", data) for data in (b"one", b"two", b"three")]
        on.until(lambda: on.seen("confirmed", ("h1", "red")) == revisions[-1], "h1 to have confirmed")
        assert on.seen("outcome", ("red", 3)) == "pending"
        back = on.start_agent("h2")
        on.until_done("red", 3)
        on.until(lambda: back.revisions(Published), "what was kept to be read")
        on.until(lambda: on.backlog("red", "h2") == 0, "what was kept to be acknowledged")
        assert [item[1] for item in back.applied][-1] == 3
        assert [item[1] for item in back.applied] == sorted({item[1] for item in back.applied})
        assert on.seen("subscription", ("h2", "red")) == "subscribed"


def test_when_the_last_port_leaves_nothing_more_comes_and_with_the_next_one_it_does(deployment: Deployment) -> None:
    with scene(deployment, "h1", "h2") as on:
        on.start("h1", "h2")
        on.place("red", h1=5, h2=1)
        on.until_channel("red", "mq")
        on.remove("red", h2=1)
        on.until(lambda: on.at_broker("red") == (["host-h1"], {"h1"}), "h2's subscription to end")
        on.until_done("red", on.revise("red", b"one"))
        assert not [one for _, one in on.agents["h2"].got if isinstance(one, Push | Published)]
        on.place("red", h2=1)
        on.until(lambda: on.seen("subscription", ("h2", "red")) == "subscribed", "h2 to subscribe again")
        on.until_done("red", on.revise("red", b"two"))
        assert on.agents["h2"].revisions(Push)[:1] == [1]
        assert [one.attempt for _, one in on.agents["h2"].got if isinstance(one, Subscribe)] == [1, 2]


def test_a_byzantine_agent_cannot_read_in_anothers_place_and_is_cut_off_when_it_leaves(deployment: Deployment) -> None:
    with scene(deployment, "h1", "h2") as on:
        on.start("h1", "h2")
        on.place("red", h1=5, h2=1)
        on.until_channel("red", "mq")
        byzantine = on.system.agent(on.files["h2"])()
        session, topic = byzantine.open_session("unused", []), topics.multicast("red")
        with pytest.raises(NotAllowed, match="AuthorizationError"):
            session.listen(topic, topics.reader("h1"))
        session.listen(topic, "of-my-own")
        on.until_done("red", on.revise("red", b"one"))
        assert session.receive(WAIT) is not None, "as long as it is permitted it may read by any other name"
        on.remove("red", h2=1)
        on.until(lambda: on.at_broker("red") == (["host-h1"], {"h1"}), "everything of h2 to end")
        on.until_done("red", on.revise("red", b"two"))
        assert on.agents["h1"].revisions(Published) == [1, 2]
        with pytest.raises(NotAllowed, match="AuthorizationError"):
            byzantine.open_session("unused", []).listen(topic, "of-my-own")
        assert session.receive(0.0) is None
        byzantine.close()


def test_a_host_registered_anew_subscribes_with_its_new_credentials_and_the_earlier_open_nothing(
    deployment: Deployment,
) -> None:
    with scene(deployment, "h1", "h2") as on:
        on.start("h1", "h2")
        on.place("red", h1=5, h2=1)
        on.until_channel("red", "mq")
        on.system.stop_one(on.agents["h2"])
        earlier, on.files["h2"] = on.files["h2"], add_host(deployment, "h2")
        again = on.start_agent("h2")
        epoch = again.message_queue.epoch
        on.until(lambda: on.seen("met", "h2") == epoch, "the new agent to be met")
        on.until(lambda: on.seen("subscription", ("h2", "red")) == "subscribed", "h2 to subscribe again")
        on.until_done("red", on.revise("red", b"one"))
        assert again.revisions(Published) == [1]
        connection = on.system.agent(earlier)()
        with pytest.raises(NotAllowed, match="AuthorizationError"):
            connection.open_session("unused", []).listen(topics.multicast("red"), topics.reader("h2"))
        connection.close()


def test_alcors_own_service_can_have_an_agent_subscribe_and_stop(deployment: Deployment) -> None:
    with scene(deployment, "h1") as on:
        on.start("h1")
        subscriber = MessageQueueSubscriber(on.agents["h1"])
        assert subscriber.subscribe("multicast-red", "1") == Result.REFUSED, "there is no such topic"
        for work in (OpenTopic("red"), Permit("h1", "red")):
            on.administration.perform(work)
        for topic in ("red", "inbox-h1", "multicast-", "multicast-a/b"):
            assert subscriber.subscribe(topic, "1") == Result.REFUSED
            assert on.agents["h1"].message_queue.consumers() == []
        assert subscriber.subscribe("multicast-red", "1") == Result.DONE
        assert subscriber.subscribe("multicast-red", "1") == Result.DONE, "doing it again is no failure"
        assert on.at_broker("red") == (["host-h1"], {"h1"})
        dpm = on.system.role("dpm")()
        dpm.publish([Letter("multicast-red", encode(Published("red", 1, (Part(Kind.SUBNET, b"x"),))))])
        on.until(lambda: on.agents["h1"].applied, "what was published to be applied")
        assert [subscriber.unsubscribe(topic) for topic in ("multicast-red", "red")] == [Result.DONE, Result.REFUSED]
        assert on.agents["h1"].message_queue.consumers() == []
        dpm.close()


class InMemory:
    """The administration of a broker without permissions."""

    def __init__(self) -> None:
        self.asked: list[Administrative] = []

    def perform(self, work: Administrative) -> None:
        """See `impl.broker.vpc_topics.Administration`."""
        self.asked.append(work)

    def close(self) -> None:
        """See `impl.broker.vpc_topics.Administration`."""


class MarksInAQuietMoment(Process):
    """Marks administrative work as done some time later, like messages."""

    def _mark(self) -> Work:
        return Effects()
        yield


class MarksLater(DpmService):
    """A DPM that does."""

    runner = MarksInAQuietMoment


def perform(dpm: DpmService, effects: Effects) -> None:
    """Has a service that does not run do what its core has answered."""
    dpm._do(dpm._process.command(lambda: effects))


def repeated_after_a_crash(kind: type[DpmService]) -> list[Message]:
    """The administrative work that is repeated when DPM is killed just after its host has subscribed."""
    store = MemoryStore()
    dpm = kind(store, MemoryBroker().connect, administration=InMemory(), decision=SMALL)
    dpm._connection = MemoryBroker().connect()
    channel = dpm.message_queue
    steps: list[Callable[[], Effects]] = [
        lambda: channel.register(Registered("h1")),
        lambda: channel.receive(Hello("h1", 1), "h1"),
        *(lambda: channel.add_port("h1", "red") for _ in range(5)),
        lambda: channel.open_topic("red"),
        lambda: channel.ask("h1", "red"),
        lambda: channel.receive(Accepted("h1", 1, "red", 1), "h1"),
    ]
    for step in steps:
        perform(dpm, of_message_queue(step()))
    again = CompositeDpm(Dpm(), MessageQueueDpm(SMALL))
    unpublished = [item.send.message for item in store.load(again)]
    assert again.message_queue.observe()["subscription"] == {("h1", "red"): "subscribed"}
    return [message for message in unpublished if isinstance(message, Administrative)]


def test_what_the_administration_has_done_is_not_done_again_after_a_crash() -> None:
    """Repeating it would end a subscription that has begun since."""
    assert repeated_after_a_crash(DpmService) == []
    assert repeated_after_a_crash(MarksLater) == [OpenTopic("red"), Permit("h1", "red")]


class Taken(MemoryStore):
    """A store that another instance has taken over after the last change."""

    def confirm(self) -> None:
        raise Deposed("another instance has taken over")


@pytest.mark.parametrize("store", [MemoryStore, Taken])
def test_a_dpm_that_was_deposed_while_it_was_paused_asks_for_nothing(store: type[MemoryStore]) -> None:
    administration = InMemory()
    dpm = DpmService(store(), MemoryBroker().connect, administration=administration, decision=SMALL)
    for _ in range(5):
        dpm.message_queue.add_port("h1", "red")
    opened = of_message_queue(dpm.message_queue.open_topic("red"))
    if store is Taken:
        with pytest.raises(Deposed):
            perform(dpm, opened)
        assert administration.asked == []
    else:
        perform(dpm, opened)
        assert administration.asked == [OpenTopic("red")]


def refuse(vpc: str, revision: int, data: bytes) -> None:
    """A handler that cannot apply anything."""
    raise OSError("no room for rules")


class AcknowledgesFirst(Process):
    """A runner that acknowledges messages before they are applied."""

    def deliver(self, delivery: Delivery) -> Work:
        yield Acknowledge((delivery,))
        return (yield from super().deliver(delivery))


class AcknowledgesAtOnce(AcaService):
    """An agent with such a runner."""

    runner = AcknowledgesFirst


def kept_after_a_failure(kind: type[AcaService]) -> tuple[list[bytes], list[Message]]:
    """The topic's backlog for an agent that ended because it could not apply a revision, and the agent's messages to DPM."""
    broker = MemoryBroker()
    for topic, reader in (("notices-h1", "dpm"), ("inbox-h1", "aca"), ("multicast-red", "host-h1")):
        broker.subscribe(topic, reader)
    published = encode(Published("red", 1, (Part(Kind.GROUP_RULES, b"x"),)))
    broker.publish([Letter("inbox-h1", encode(Subscribe("h1", 1, "red", 1))), Letter("multicast-red", published)])
    agent = kind("h1", MemoryStore(), broker.connect, handlers=Handlers(refuse, refuse))
    with pytest.raises(OSError, match="no room"):
        agent.run()
    session = broker.connect().open_session("dpm", ["notices-h1"])
    told = [session.receive(0.0), session.receive(0.0), session.receive(0.0)]
    session.listen("multicast-red", "host-h1")
    kept = session.receive(0.0)
    return [kept.data] if kept else [], [decode(item.data) for item in told if item]


def test_what_could_not_be_applied_is_neither_confirmed_nor_acknowledged() -> None:
    kept, told = kept_after_a_failure(AcaService)
    assert [decode(entry) for entry in kept] == [Published("red", 1, (Part(Kind.GROUP_RULES, b"x"),))]
    assert told == [Hello("h1", 1), Accepted("h1", 1, "red", 1)]
    assert kept_after_a_failure(AcknowledgesAtOnce)[0] == [], "an agent that acknowledges first loses it"
