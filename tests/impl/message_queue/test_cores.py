"""The message-queue cores of DPM and an agent, in memory: the life of a channel, and every rule that keeps hosts from missing a
revision."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from impl.core import Effects, IllegalInput
from impl.message_queue.dpm import MessageQueueDpm
from impl.message_queue.thresholds import Thresholds
from impl.messages import (
    PAYLOAD_BYTES_MAX,
    Accepted,
    CloseTopic,
    Confirmed,
    Declined,
    Deregistered,
    EndSubscription,
    Hello,
    Kind,
    OpenTopic,
    Part,
    Permit,
    Published,
    Push,
    Registered,
    Subscribe,
)
from tests.impl.message_queue.network import SMALL, Network


@pytest.fixture
def network() -> Network:
    """Three hosts that were seen, each with a port of `red`; nothing is shared yet."""
    made = Network(["h1", "h2", "h3"])
    made.start()
    made.add("red", h1=1, h2=1, h3=1)
    made.settle()
    return made


def large(network: Network) -> Network:
    """`red` grows to five ports, and its hosts subscribe."""
    network.add("red", h1=2)
    network.settle()
    assert network.seen("channel", "red") == "mq"
    return network


def pushes(network: Network, host: str) -> list[int]:
    """The revisions that were sent to the host directly."""
    return [item.revision for item in network.received[host] if isinstance(item, Push)]


def test_a_small_vpcs_hosts_are_told_one_by_one(network: Network) -> None:
    network.revise("red")
    network.settle()
    assert [pushes(network, host) for host in network.agents] == [[1], [1], [1]]
    assert network.published == []
    assert network.dpm.observe()["outcome"] == {("red", 1): "done"}


def test_the_whole_life_of_a_channel(network: Network) -> None:
    channels = [network.seen("channel", "red")]
    network.revise("red", b"one")
    network.settle()
    network.add("red", h1=2)
    for operation in network.decisions()[:1]:
        network.perform(operation())
    channels.append(network.seen("channel", "red"))
    network.settle()
    channels.append(network.seen("channel", "red"))
    network.revise("red", b"two")
    network.settle()
    assert [item.revision for item in network.published] == [2]
    assert [pushes(network, host) for host in network.agents] == [[1], [1], [1]]
    network.remove("red", h1=2)
    network.perform(network.decisions()[0]())
    channels.append(network.seen("channel", "red"))
    network.settle()
    channels.append(network.seen("channel", "red"))
    network.revise("red", b"three")
    network.settle()
    assert channels == ["grpc", "opening", "mq", "closing", "grpc"]
    assert [item.revision for item in network.published] == [2]
    assert set(network.dpm.observe()["outcome"].values()) == {"done"}
    assert network.broker.topics == set()
    assert network.broker.permitted == set()
    assert network.broker.kept == {}


@pytest.mark.parametrize(("ports", "group", "expected"), [(4, 4, "grpc"), (5, 0, "mq")])
def test_a_channel_opens_at_a_threshold_and_not_below(network: Network, ports: int, group: int, expected: str) -> None:
    network.add("red", h1=ports - 3)
    network.perform(network.dpm.regroup("red", group))
    network.settle()
    assert network.seen("channel", "red") == expected


@pytest.mark.parametrize(("ports", "group", "expected"), [(4, 0, "mq"), (4, 4, "mq"), (3, 3, "grpc")])
def test_a_channel_closes_below_four_fifths_and_not_at_them(
    network: Network, ports: int, group: int, expected: str
) -> None:
    large(network)
    network.perform(network.dpm.regroup("red", group))
    network.remove("red", h1=5 - ports)
    network.settle()
    assert network.seen("channel", "red") == expected


@pytest.mark.parametrize(("group", "expected"), [(4, "mq"), (3, "grpc")])
def test_a_group_opens_and_keeps_the_topic_of_a_vpc_with_few_ports(group: int, expected: str) -> None:
    network = Network(["h1", "h2", "h3"], Thresholds(many_ports=10, many_in_a_group=5, patience=2))
    network.start()
    network.add("red", h1=3, h2=1, h3=1)
    network.perform(network.dpm.regroup("red", 4))
    network.settle()
    assert network.seen("channel", "red") == "grpc"
    network.perform(network.dpm.regroup("red", 5))
    network.settle()
    assert network.seen("channel", "red") == "mq"
    network.perform(network.dpm.regroup("red", group))
    network.settle()
    assert network.seen("channel", "red") == expected


def test_no_group_has_more_ports_than_its_vpc(network: Network) -> None:
    large(network)
    network.perform(network.dpm.regroup("red", 5))
    network.remove("red", h1=2)
    network.settle()
    assert network.seen("group", "red") == 3
    assert network.seen("channel", "red") == "grpc"


def test_permission_comes_before_the_asking_and_goes_before_the_subscription(network: Network) -> None:
    network.add("red", h1=2)
    opened = network.dpm.open_topic("red")
    assert [send.message for send in opened.sends] == [OpenTopic("red")]
    asked = network.dpm.ask("h1", "red")
    assert [send.message for send in asked.sends] == [Permit("h1", "red"), Subscribe("h1", 1, "red", 1)]
    network.dpm.receive(Declined("h1", 1, "red", 1), "h1")
    ended = network.dpm.end_subscription("h1", "red")
    assert [send.message for send in ended.sends] == [EndSubscription("h1", "red")]


def test_an_agent_that_never_answers_is_given_up_and_told_directly(network: Network) -> None:
    network.silent = {"h3"}
    large(network)
    assert network.seen("subscription", "red", "h3") == "none"
    assert network.seen("barred", "red", "h3") is True
    assert network.seen("attempt", "red", "h3") == SMALL.patience
    network.revise("red")
    network.settle()
    assert [inbox for inbox in network.inboxes["h3"] if isinstance(inbox, Push)] == [Push("h3", 1, "red", 1, RULES)]
    assert network.published == [Published("red", 1, RULES)]
    assert network.dpm.observe()["outcome"] == {("red", 1): "pending"}
    network.perform(network.dpm.report_failed("red", 1))
    network.silent = set()
    network.settle()
    assert network.seen("confirmed", "red", "h3") == 1
    assert network.dpm.observe()["outcome"] == {("red", 1): "failed"}, "it is reported once"


RULES = (Part(Kind.GROUP_RULES, b"rules"),)


def test_an_agent_that_cannot_subscribe_is_told_directly(network: Network) -> None:
    network.add("red", h1=2)
    network.perform(network.dpm.open_topic("red"))
    for host in ("h1", "h2", "h3"):
        network.perform(network.dpm.ask(host, "red"))
    network.broker.permitted.discard(("h2", "red"))
    network.settle()
    assert network.seen("channel", "red") == "mq"
    assert network.seen("barred", "red", "h2") is True
    network.revise("red")
    network.settle()
    assert (pushes(network, "h1"), pushes(network, "h2")) == ([], [1])
    assert network.dpm.observe()["outcome"] == {("red", 1): "done"}


def test_a_barred_host_is_asked_again_once_it_has_started_anew(network: Network) -> None:
    network.silent = {"h3"}
    large(network)
    network.silent = set()
    network.inboxes["h3"].clear()
    network.start("h3")
    network.settle()
    assert network.seen("subscription", "red", "h3") == "subscribed"
    assert network.seen("attempt", "red", "h3") == SMALL.patience + 1, "attempts count up for ever"


def test_while_somebody_leaves_nothing_is_published(network: Network) -> None:
    large(network)
    network.add("red", h2=1)
    network.remove("red", h3=1)
    assert network.seen("subscription", "red", "h3") == "leaving"
    network.revise("red")
    assert not network.dpm.may_publish("red")
    network.perform(network.dpm.end_subscription("h3", "red"))
    assert network.dpm.may_publish("red")
    network.settle()
    assert ("h3", "red") not in network.broker.kept
    assert [item for item in network.received["h3"] if isinstance(item, Published)] == []


def test_what_is_left_behind_at_a_closing_topic_is_told_directly_in_the_same_step(network: Network) -> None:
    large(network)
    network.revise("red")
    network.perform(network.dpm.publish("red"))
    network.remove("red", h1=2)
    network.perform(network.dpm.close_topic("red"))
    left = network.dpm.leave("h2", "red")
    assert [send.message for send in left.sends] == [Push("h2", 1, "red", 1, RULES)]


def test_the_first_port_brings_what_is_shared_and_the_second_nothing(network: Network) -> None:
    network.revise("red")
    network.settle()
    network.remove("red", h3=1)
    network.revise("red", b"newer")
    network.settle()
    assert pushes(network, "h3") == [1], "nothing goes to a host without a port"
    came = network.dpm.add_port("h3", "red")
    assert [send.message for send in came.sends] == [Push("h3", 1, "red", 2, (Part(Kind.GROUP_RULES, b"newer"),))]
    assert network.dpm.add_port("h3", "red").sends == ()


def test_a_revision_has_all_that_is_shared_not_only_what_changed(network: Network) -> None:
    network.revise("red", b"rules")
    network.perform(network.dpm.revise("red", Kind.SUBNET, b"10.0.0.0/24"))
    network.settle()
    assert Push("h1", 1, "red", 2, (Part(Kind.SUBNET, b"10.0.0.0/24"), *RULES)) in network.ever


def test_a_revision_that_was_passed_over_ends_with_the_newer_one(network: Network) -> None:
    network.revise("red", b"one")
    network.revise("red", b"two")
    network.settle()
    assert pushes(network, "h1") == [2]
    assert network.dpm.observe()["outcome"] == {("red", 1): "done", ("red", 2): "done"}


def test_an_agent_that_starts_anew_reads_the_backlog_once_it_is_asked_anew(network: Network) -> None:
    large(network)
    network.silent = {"h2"}
    network.revise("red")
    network.perform(network.dpm.publish("red"))
    network.silent = set()
    network.start("h2")
    assert network.readable() == [("h1", "red"), ("h3", "red")]
    network.settle()
    assert network.seen("confirmed", "red", "h2") == 1
    assert [item for item in network.received["h2"] if isinstance(item, Published)] == [Published("red", 1, RULES)]


def test_an_answer_counts_only_in_its_epoch_for_the_newest_asking_and_once(network: Network) -> None:
    network.add("red", h1=2)
    network.perform(network.dpm.open_topic("red"))
    network.perform(network.dpm.ask("h1", "red"))
    network.perform(network.dpm.ask_again("h1", "red"))

    def state() -> object:
        return network.seen("subscription", "red", "h1")

    for answer in (Accepted("h1", 1, "red", 1), Declined("h1", 1, "red", 1), Accepted("h1", 2, "red", 2)):
        network.to_dpm("h1", answer)
        assert state() == "asked"
    network.to_dpm("h1", Accepted("h1", 1, "red", 2))
    assert state() == "subscribed"
    network.to_dpm("h1", Declined("h1", 1, "red", 2))
    assert state() == "subscribed"


def test_nobody_speaks_in_anothers_name(network: Network) -> None:
    network.revise("red")
    network.perform(network.dpm.send_directly("red"))
    before = network.dpm.observe()
    for message in (Confirmed("h1", 1, "red", 1), Hello("h1", 9), Accepted("h1", 1, "red", 1)):
        (event,) = network.dpm.receive(message, "h2").events
        assert event.fields["reason"] == "from the channel of another"
    assert network.dpm.observe() == before


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Confirmed("h1", 2, "red", 1), "of another epoch"),
        (Confirmed("h1", 1, "red", 2), "of a revision that did not go out"),
        (Confirmed("h1", 1, "blue", 1), "of a revision that did not go out"),
        (Hello("h1", 1), "epoch met already"),
        (Hello("h9", 1), "not registered"),
        (Subscribe("h1", 1, "red", 1), "not for DPM"),
    ],
)
def test_what_does_not_count_is_ignored_with_its_reason(network: Network, message: Hello, reason: str) -> None:
    network.revise("red")
    network.perform(network.dpm.send_directly("red"))
    before = network.dpm.observe()
    (event,) = network.dpm.receive(message, message.host).events
    assert event.fields["reason"] == reason
    assert network.dpm.observe() == before


def test_an_agent_applies_what_is_newer_and_confirms_again_what_it_knows(network: Network) -> None:
    agent = network.agents["h1"]
    newer, older = Push("h1", 1, "red", 2, RULES), Push("h1", 1, "red", 1, RULES)
    applied = agent.receive(newer, "inbox-h1")
    assert [event.name for event in applied.events] == ["apply"]
    for again in (newer, older):
        told = agent.receive(again, "inbox-h1")
        assert [send.message for send in told.sends] == [Confirmed("h1", 1, "red", 2)]
        assert [event.name for event in told.events] == ["ignore"]
    assert agent.receive(Published("red", 2, RULES), "multicast-red").sends == ()
    assert agent.known("red") == 2


@pytest.mark.parametrize(
    ("message", "topic"),
    [
        (Push("h2", 1, "red", 1, RULES), "inbox-h1"),
        (Push("h1", 7, "red", 1, RULES), "inbox-h1"),
        (Published("blue", 1, RULES), "multicast-red"),
        (Published("red", 1, RULES), "inbox-h1"),
        (Hello("h1", 1), "inbox-h1"),
    ],
)
def test_an_agent_ignores_what_is_not_for_it(network: Network, message: Push, topic: str) -> None:
    effects = network.agents["h1"].receive(message, topic)
    assert (effects.sends, [event.name for event in effects.events]) == ((), ["ignore"])
    assert network.agents["h1"].known("red") == 0


def test_an_asking_is_dealt_with_once(network: Network) -> None:
    agent = network.agents["h1"]
    asked = Subscribe("h1", 1, "red", 2)
    assert agent.is_to_subscribe(asked)
    agent.accept(asked)
    for late in (
        asked,
        replace(asked, attempt=1),
        replace(asked, epoch=2, attempt=3),
        replace(asked, host="h2", attempt=3),
    ):
        assert not agent.is_to_subscribe(late)
        with pytest.raises(IllegalInput, match="is not to be dealt with"):
            agent.decline(late)
    assert agent.observe()["consumer"] == {"red"}


def test_a_host_registered_anew_starts_from_nothing_and_a_late_registration_does_nothing(network: Network) -> None:
    large(network)
    network.perform(network.dpm.register(Registered("h1", 5)))
    assert network.seen("subscription", "red", "h1") == "leaving"
    assert network.dpm.observe()["met"]["h1"] == 0
    network.settle()
    assert network.seen("subscription", "red", "h1") == "none", "it waits for the agent's hello"
    network.start("h1")
    network.settle()
    assert network.seen("subscription", "red", "h1") == "subscribed"
    before = network.dpm.observe()
    for late in (Registered("h1", 5), Registered("h1", 4)):
        network.perform(network.dpm.register(late))
    network.perform(network.dpm.deregister(Deregistered("h1", 4)))
    assert network.dpm.observe() == before


def test_a_host_registered_anew_has_confirmed_nothing_and_is_asked_again(network: Network) -> None:
    network.revise("red")
    network.broker.refused.add(("h2", "red"))
    large(network)
    before = network.dpm.member("h2", "red")
    assert (before.confirmed, before.barred) == (1, True)
    network.perform(network.dpm.register(Registered("h2", 5)))
    after = network.dpm.member("h2", "red")
    assert (after.confirmed, after.barred) == (0, False)


def test_nobody_waits_for_a_host_that_is_deregistered(network: Network) -> None:
    network.silent = {"h3"}
    network.revise("red")
    network.perform(network.dpm.send_directly("red"))
    network.settle()
    assert network.dpm.observe()["outcome"] == {("red", 1): "pending"}
    effects = network.dpm.deregister(Deregistered("h3"))
    assert [event.name for event in effects.events] == ["deregister"]
    network.perform(effects)
    network.settle()
    assert network.dpm.hosts() == ["h1", "h2"]
    assert network.dpm.observe()["outcome"] == {("red", 1): "done"}
    network.revise("red")
    network.settle()
    assert not [inbox for inbox in network.inboxes["h3"] if isinstance(inbox, Push) and inbox.revision == 2]
    assert network.seen("size", "red") == 3, "its ports are there until they are removed"


def test_what_is_shared_may_have_the_most_bytes_and_not_one_more(network: Network) -> None:
    network.perform(network.dpm.revise("red", Kind.SUBNET, bytes(PAYLOAD_BYTES_MAX)))
    with pytest.raises(IllegalInput, match=f"{PAYLOAD_BYTES_MAX + 1} bytes, and {PAYLOAD_BYTES_MAX} are the most"):
        network.dpm.revise("red", Kind.GROUP_RULES, b"x")


def test_the_topic_goes_when_the_switch_back_is_complete(network: Network) -> None:
    large(network)
    network.remove("red", h1=2)
    network.settle()
    assert CloseTopic("red") in network.ever


def test_a_revision_may_have_as_many_bytes_as_fit_and_no_more(network: Network) -> None:
    network.perform(network.dpm.revise("red", Kind.SUBNET, bytes(PAYLOAD_BYTES_MAX)))
    network.settle()
    assert network.seen("sent", "red") == 1


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda dpm: dpm.remove_port("h1", "blue"), "DPM: h1 has no port of blue: remove port"),
        (lambda dpm: dpm.remove_port("h9", "red"), "DPM: h9 has no port of red: remove port"),
        (lambda dpm: dpm.add_port("H 1", "red"), "'H 1' is no host's name"),
        (lambda dpm: dpm.add_port("h1", "red/blue"), "or 'red/blue' no VPC's"),
        (lambda dpm: dpm.add_port("h1", "red-partition-0"), "or 'red-partition-0' no VPC's"),
        (lambda dpm: dpm.add_vpc("red"), "DPM: red is known already"),
        (lambda dpm: dpm.add_vpc("a b"), "'a b' is no name for a VPC"),
        (lambda dpm: dpm.regroup("red", -1), "red has 3 ports, so no group of it can have -1"),
        (lambda dpm: dpm.regroup("red", 4), "red has 3 ports, so no group of it can have 4"),
        (lambda dpm: dpm.regroup("blue", 1), "blue is unknown"),
        (lambda dpm: dpm.revise("blue", Kind.SUBNET, b""), "blue is unknown"),
        (lambda dpm: dpm.revise("red", Kind.SUBNET, bytes(PAYLOAD_BYTES_MAX + 1)), "12288 are the most"),
        (lambda dpm: dpm.open_topic("red"), "red is on grpc with 3 ports .* open topic"),
        (lambda dpm: dpm.close_topic("red"), "close topic"),
        (lambda dpm: dpm.finish_opening("red"), "finish opening"),
        (lambda dpm: dpm.finish_closing("red"), "finish closing"),
        (lambda dpm: dpm.send_directly("red"), "send directly"),
        (lambda dpm: dpm.publish("red"), "publish"),
        (lambda dpm: dpm.ask("h1", "red"), "ask h1"),
        (lambda dpm: dpm.ask_again("h1", "red"), "ask h1 again"),
        (lambda dpm: dpm.give_up("h1", "red"), "give h1 up"),
        (lambda dpm: dpm.leave("h1", "red"), "let h1 leave"),
        (lambda dpm: dpm.end_subscription("h1", "red"), "end h1's subscription"),
        (lambda dpm: dpm.remind("h1", "red"), "remind h1"),
        (lambda dpm: dpm.report_done("red", 1), "report revision 1 done"),
        (lambda dpm: dpm.report_failed("red", 1), "report revision 1 failed"),
        (lambda dpm: dpm.ask("h1", "blue"), "blue is unknown"),
    ],
)
def test_what_may_not_happen_is_refused_in_a_sentence_and_changes_nothing(
    network: Network, attempt: Callable[[MessageQueueDpm], Effects], said: str
) -> None:
    before = network.dpm.snapshot()
    with pytest.raises(IllegalInput, match=said):
        attempt(network.dpm)
    assert network.dpm.snapshot() == before


def test_records_and_snapshots_lead_to_the_same_state(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random.Random(5)
    network = Network(["h1", "h2"])
    kept: list[object] = []
    original = network.perform

    replayed = MessageQueueDpm(SMALL)
    for host in ("h1", "h2"):
        replayed.register(Registered(host))

    def perform(effects: Effects) -> Effects:
        if effects.record is not None and "epoch" not in effects.record:
            kept.append(effects.record)
            replayed.apply(effects.record)
        return original(effects)

    monkeypatch.setattr(network, "perform", perform)
    network.start()
    network.add("red", h1=3, h2=2)
    network.revise("red")
    network.settle(generator)
    network.remove("red", h1=3)
    network.revise("red", b"two")
    network.settle(generator)
    assert len(kept) > 20
    assert replayed.observe() == network.dpm.observe()
    again = MessageQueueDpm(SMALL)
    again.restore(network.dpm.snapshot())
    assert again.snapshot() == replayed.snapshot()
