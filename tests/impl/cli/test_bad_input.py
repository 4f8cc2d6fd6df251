"""Malformed or unauthorized input on a real broker is set aside or refused, and nothing else is lost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.bench.demonstration import Watched
from conformance.logs.system import System, running, wait_until
from impl.broker import topics
from impl.broker.deployment import Deployment
from impl.broker.hosts import add_host, remove_host
from impl.errors import BadDeployment
from impl.messages import (
    Applied,
    Config,
    Deregistered,
    Granted,
    Hello,
    Message,
    Pod,
    Reason,
    Refused,
    Registered,
    Request,
    Route,
)
from impl.on_demand.ncm import Channel, Ncm
from impl.roles.timing import Timing
from impl.service.dpm import DpmService
from impl.service.loop import SET_ASIDE_BYTES_MAX
from impl.service.ncm import NcmService
from impl.transport.interface import Letter
from impl.transport.pulsar import PulsarConnection
from impl.wire import ondemand_pb2 as pb
from impl.wire.codec import decode, encode
from tests.impl.wire.test_codec import messages

WAIT = 20.0
P1, P2, P3 = Pod("red", "p1"), Pod("red", "p2"), Pod("red", "p3")
LARGEST = 5 * 1024 * 1024 - 200
"""The largest message that the broker accepts."""


@dataclass
class Scene:
    """NCM and DPM run; h1 has its agent; the test itself acts for h2, over a connection with h2's own token."""

    system: System
    ncm: NcmService
    dpm: DpmService
    h1: Watched
    h2: PulsarConnection

    def say(self, *letters: bytes | Message) -> None:
        """Writes to NCM as h2."""
        data = [letter if isinstance(letter, bytes) else encode(letter) for letter in letters]
        self.h2.publish([Letter("requests-h2", item) for item in data])

    def heard(self, count: int) -> list[Message]:
        """The next messages for h2."""
        session = self.h2.open_session("aca", ["inbox-h2"])
        deliveries = [session.receive(WAIT) for _ in range(count)]
        session.acknowledge([delivery for delivery in deliveries if delivery])
        assert session.receive(0.0) is None
        session.close()
        return [decode(delivery.data) for delivery in deliveries if delivery]

    def goes_on(self) -> None:
        """All services still work: a new pod is placed, confirmed and requested."""
        self.dpm.place(P1, "h1").result(WAIT)
        wait_until(lambda: (P1, 1) not in self.dpm.dpm.pending(), "a change to be confirmed", self.system.problems)
        self.h1.send(P1, P3)
        assert (self.h1.ended_with, self.system.problems) == ("give up", [])


@pytest.fixture
def scene(deployment: Deployment) -> Iterator[Scene]:
    """A scene in its own namespace."""
    with running(deployment) as system:
        ncm = NcmService(system.store("ncm"), system.role("ncm"), Timing(remind_every=600.0))
        dpm = DpmService(system.store("dpm"), system.role("dpm"))
        agents = {host: add_host(deployment, host) for host in ("h1", "h2")}
        h1 = Watched("h1", system.store("h1"), system.agent(agents["h1"]))
        for service in (ncm, dpm, h1):
            system.start(service)
        h2 = system.agent(agents["h2"])()
        yield Scene(system, ncm, dpm, h1, h2)
        h2.close()


def unknown_kind() -> bytes:
    """An envelope with a field of a later version of the protocol."""
    return b"\xfa\x07\x02hi"


def missing_field() -> bytes:
    """A hello without an epoch."""
    made = pb.Envelope()
    made.hello.host = "h2"
    data: bytes = made.SerializeToString()
    return data


def test_what_is_malformed_is_set_aside_and_nothing_else_is_lost(
    scene: Scene, deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    bad = [b"\xff\xffsecret", missing_field(), unknown_kind(), b"", bytes(LARGEST)]
    with caplog.at_level(logging.WARNING):
        for data in bad:
            scene.say(data)
        scene.say(Hello("h2", 1))
        wait_until(lambda: scene.ncm.ncm.was_met("h2"), "the hello behind them", scene.system.problems)
    administrator = PulsarConnection(deployment, deployment.admin_token)
    session = administrator.open_session(topics.ADMINISTRATOR, [topics.dead_letters("ncm")])
    aside = [session.receive(WAIT) for _ in bad]
    assert [item.data for item in aside if item] == [data[:SET_ASIDE_BYTES_MAX] for data in bad]
    assert [item.tag for item in aside if item] == [
        "requests-h2: the bytes do not parse as a protobuf message",
        "requests-h2: hello.epoch: expected a number from 1 to 2^63-1, found 0",
        "requests-h2: an envelope of an unknown kind",
        "requests-h2: an envelope of an unknown kind",
        f"requests-h2: {LARGEST} bytes; a message has at most 16384",
    ]
    assert caplog.text.count("sets aside a message from requests-h2") == len(bad)
    assert "secret" not in caplog.text
    administrator.close()
    scene.goes_on()


def test_an_agent_and_dpm_set_aside_what_is_malformed_too(scene: Scene, deployment: Deployment) -> None:
    ncm = PulsarConnection(deployment, deployment.token("ncm"))
    ncm.publish([Letter("inbox-h1", b"\xff"), Letter("outcomes", b"\xff")])
    ncm.close()
    administrator = PulsarConnection(deployment, deployment.admin_token)
    aside = [topics.dead_letters("h1"), topics.dead_letters("dpm")]
    session = administrator.open_session(topics.ADMINISTRATOR, aside)
    found = [session.receive(WAIT), session.receive(WAIT)]
    assert sorted(item.topic for item in found if item) == sorted(aside)
    administrator.close()
    scene.goes_on()


def test_a_request_for_anothers_source_or_in_anothers_name_is_refused_with_its_reason(scene: Scene) -> None:
    scene.goes_on()
    scene.say(Hello("h2", 3), Request("h2", 3, 1, P1, P1), Request("h1", 3, 2, P1, P1), Request("h2", 3, 3, P3, P1))
    assert scene.heard(3) == [
        Refused("h2", 3, 1, Reason.NOT_YOUR_SOURCE),
        Refused("h2", 3, 2, Reason.NOT_YOUR_CHANNEL),
        Refused("h2", 3, 3, Reason.NOT_YOUR_SOURCE),
    ]
    assert scene.ncm.counted == {"refuse: unknown": 1, "refuse: not your source": 2, "refuse: not your channel": 1}


def test_a_request_of_an_older_epoch_is_counted_and_gets_no_answer(scene: Scene) -> None:
    scene.dpm.place(P2, "h2").result(WAIT)
    scene.say(Hello("h2", 2), Request("h2", 1, 7, P2, P1), Request("h2", 2, 8, P2, P1))
    assert scene.heard(2) == [Route("h2", 2, P2, 1, "h2"), Refused("h2", 2, 8, Reason.UNKNOWN)]
    assert scene.ncm.counted == {"ignore: of another epoch": 1, "refuse: unknown": 1}


def test_nobody_decides_or_confirms_in_anothers_name(scene: Scene) -> None:
    scene.dpm.place(P2, "h2").result(WAIT)
    scene.say(Hello("h2", 1), Config(P1, 9, "h2"), Registered("h3"), Hello("h1", 99), Applied("h1", 1, P2, 1))
    scene.goes_on()
    seen = scene.ncm.ncm.observe()
    assert seen["greeted"] == {"h1": 1, "h2": 1}
    assert seen["recorded"] == {P1: 1, P2: 1}
    assert scene.ncm.counted["ignore: not from DPM"] == 2
    assert scene.ncm.counted["ignore: from the channel of another"] == 2
    assert scene.dpm.dpm.pending() == [(P2, 1)]


def test_a_host_whose_topics_are_gone_stops_nobody(scene: Scene, deployment: Deployment) -> None:
    """NCM has written to the host before, has more messages for it, and learns only later that it was removed."""
    scene.dpm.place(P2, "h2").result(WAIT)
    scene.say(Hello("h2", 1))
    assert scene.heard(1) == [Route("h2", 1, P2, 1, "h2")]
    topics.withdraw_host(deployment, "h2")
    scene.dpm.remove(P2).result(WAIT)
    scene.goes_on()
    remove_host(deployment, "h2")
    wait_until(lambda: not scene.dpm.dpm.pending(), "the removal to be done without h2", scene.system.problems)


def test_what_was_stored_for_a_host_that_is_gone_does_not_stop_ncm_at_its_next_start(deployment: Deployment) -> None:
    with running(deployment) as system:
        add_host(deployment, "h2")
        store = system.store("ncm")
        ncm = Ncm()
        store.append(ncm.register(Registered("h2")), ncm)
        store.append(ncm.receive(Hello("h2", 1), Channel("host", "h2")), ncm)
        store.append(ncm.receive(Config(P2, 1, "h2"), Channel("dpm")), ncm)
        store.close()
        topics.withdraw_host(deployment, "h2")
        system.start(NcmService(system.store("ncm"), system.role("ncm")))


def test_a_registration_that_comes_late_or_again_does_nothing() -> None:
    """After a crash the broker redelivers what was not acknowledged; NCM must not forget a hello because of that."""
    ncm, dpm = Ncm(), Channel("dpm")

    def greeted(message: Message, channel: Channel = dpm) -> int | None:
        ncm.receive(message, channel)
        epoch: int | None = ncm.observe()["greeted"].get("h1")
        return epoch

    assert greeted(Registered("h1", 5)) == 0
    assert greeted(Hello("h1", 3), Channel("host", "h1")) == 3
    for late in (Registered("h1", 5), Deregistered("h1", 4), Registered("h1", 4)):
        assert greeted(late) == 3
    assert greeted(Registered("h1", 6)) == 0
    assert greeted(Deregistered("h1", 7)) is None
    for late in (Registered("h1", 6), Registered("h1", 7), Deregistered("h1", 7)):
        assert greeted(late) is None
    assert greeted(Registered("h1", 8)) == 0


hosts = st.sampled_from(["h1", "h2", "h9"])
pods = st.sampled_from([P1, P2, Pod("blue", "p1")])
small = st.integers(1, 4)
believable = st.one_of(
    st.builds(Config, pods, small, st.none() | hosts),
    st.builds(Registered, hosts, small),
    st.builds(Deregistered, hosts, small),
    st.builds(Hello, hosts, small),
    st.builds(Request, hosts, small, small, pods, pods),
    st.builds(Applied, hosts, small, pods, small),
)
channels = st.one_of(st.just(Channel("dpm")), st.builds(Channel, st.just("host"), hosts))


@given(st.lists(st.tuples(messages | believable, channels), max_size=40))
def test_no_message_on_any_channel_makes_ncm_stumble_or_speak_to_strangers(said: list[tuple[Message, Channel]]) -> None:
    ncm = Ncm()
    ncm.receive(Registered("h1"), Channel("dpm"))
    ncm.receive(Registered("h2"), Channel("dpm"))
    for message, channel in said:
        effects = ncm.receive(message, channel)
        assert effects.events
        for send in effects.sends:
            assert send.topic == "outcomes" or send.topic.removeprefix("inbox-") in ncm.hosts()
            if isinstance(send.message, Granted | Refused):
                assert send.topic == f"inbox-{channel.host}"
    again = Ncm()
    again.restore(ncm.snapshot())
    assert again.observe() == ncm.observe()


@pytest.mark.parametrize("host", ["", "H1", "h_1", "-h1", "h/1", "h" * 64, "h1-partition-0", "partition-partition-12"])
def test_a_name_that_no_topics_can_have_is_refused_before_the_broker_is_asked(host: str) -> None:
    with pytest.raises(BadDeployment, match=r"Invalid host name .*: "):
        topics.checked_host_name(host)


@pytest.mark.parametrize("host", ["h1", "partition-0", "h1-partition", "h1-partition-0a"])
def test_a_name_that_only_looks_like_a_part_is_taken(host: str) -> None:
    assert topics.checked_host_name(host) == host
