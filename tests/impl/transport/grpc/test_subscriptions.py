"""Subscriptions over gRPC: who may request them, the contents of a request, and the difference between a refusal and silence."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import grpc
import pytest

from impl.errors import EnvironmentProblem
from impl.transport.grpc.directory import Directory
from impl.transport.grpc.endpoints import Deadlines, Endpoint
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.identity import ByAddress
from impl.transport.grpc.subscriptions import Result, Subscriber, SubscriptionClient, SubscriptionServer
from impl.wire.alcor.schema import PIN, schema
from tests.impl.transport.grpc.network import DEADLINES, World

SUBSCRIBE = "/alcor.schema.SubscribeInfoProvisioner/PushNodeSubscribeInfo"


class Listening:
    """Keeps the requests it receives."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.answer = Result.DONE
        self.holds = threading.Event()
        self.holds.set()
        self.at_once = 0
        self._inside = 0

    def subscribe(self, topic: str, key: str, epoch: int | None) -> Result:
        return self._note("subscribe", topic, key, *(() if epoch is None else (str(epoch),)))

    def unsubscribe(self, topic: str) -> Result:
        return self._note("unsubscribe", topic)

    def _note(self, *what: str) -> Result:
        self._inside += 1
        self.at_once = max(self.at_once, self._inside)
        self.holds.wait(20)
        self.asked.append(what)
        self._inside -= 1
        return self.answer


class Pair:
    """An agent's server at host 1, and DPM's client."""

    def __init__(self, world: World, dpm: str = "127-0-0-1", deadlines: Deadlines = DEADLINES) -> None:
        self.listening = Listening()
        subscriber: Subscriber = self.listening
        identity = ByAddress(world.directory)
        where = Endpoint(world.address(1), 0)
        self.server = SubscriptionServer(world.loop, world.schema, identity, where, dpm, subscriber, deadlines).open()
        port = self.server.where.port
        self.client = SubscriptionClient(world.loop, world.schema, world.directory, identity, port, DEADLINES)
        self.host = world.host(1)
        self.channel = grpc.insecure_channel(str(self.server.where))

    def say(self, data: bytes) -> str:
        """Sends arbitrary bytes; returns the status."""
        reply = self.channel.unary_unary(SUBSCRIBE)(data, timeout=10)
        status = schema(PIN).SubscribeOperationReply.FromString(reply).operationStatus
        return str(schema(PIN).OperationStatus.Name(status))

    def close(self) -> None:
        """Ends both."""
        self.listening.holds.set()
        self.server.close()
        self.channel.close()


@pytest.fixture
def pair(world: World) -> Iterator[Pair]:
    """A pair that is closed at the end."""
    made = Pair(world)
    yield made
    made.close()


def test_dpm_asks_an_agent_to_listen_and_to_stop(pair: Pair) -> None:
    assert pair.client.subscribe(pair.host, "vpc-1", "49775") is Result.DONE
    assert pair.client.unsubscribe(pair.host, "vpc-1") is Result.DONE
    assert pair.listening.asked == [("subscribe", "vpc-1", "49775"), ("unsubscribe", "vpc-1")]


def test_a_refusal_is_told_from_a_silence(pair: Pair) -> None:
    pair.listening.answer = Result.REFUSED
    assert pair.client.subscribe(pair.host, "vpc-1", "1") is Result.REFUSED
    pair.listening.holds.clear()
    assert pair.client.subscribe(pair.host, "vpc-1", "1") is Result.TIMED_OUT
    pair.listening.holds.set()
    pair.server.close()
    assert pair.client.subscribe(pair.host, "vpc-1", "1") is Result.UNREACHABLE
    assert pair.client.subscribe("h9", "vpc-1", "1") is Result.UNREACHABLE


def test_the_handler_is_called_for_one_at_a_time(world: World) -> None:
    pair = Pair(world, deadlines=Deadlines())
    pair.listening.holds.clear()
    calls = [threading.Thread(target=pair.client.subscribe, args=(pair.host, f"t{n}", "1")) for n in range(3)]
    for call in calls:
        call.start()
    pair.listening.holds.set()
    for call in calls:
        call.join(20)
    assert len(pair.listening.asked) == 3
    assert pair.listening.at_once == 1
    pair.close()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"topic": "vpc-1"},
        {"key": "1"},
        {"topic": "", "subscribe_operation": 1},
        {"topic": "vpc-1", "key": "1", "subscribe_operation": 2},
        {"topic": "x" * 300, "key": "1"},
        {"topic": "a\nb", "key": "1"},
        {"topic": "vpc-1", "key": "x" * 300},
    ],
    ids=str,
)
def test_what_leaves_out_what_it_is_about_is_an_invalid_argument(pair: Pair, fields: dict[str, object]) -> None:
    assert pair.say(schema(PIN).NodeSubscribeInfo(**fields).SerializeToString()) == "INVALID_ARG"
    assert pair.listening.asked == []
    assert pair.server.counted.total() == 1


def test_only_dpm_may_ask_and_only_with_a_message(world: World, pair: Pair) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        pair.say(b"\xff\xff")
    assert (raised.value.code(), raised.value.details()) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "the bytes do not parse as a NodeSubscribeInfo",
    )
    other = Pair(world, dpm="127-0-0-9")
    assert other.client.subscribe(other.host, "vpc-1", "1") is Result.REFUSED
    assert other.listening.asked == []
    other.close()


def test_a_port_in_use_is_an_environment_problem(world: World, pair: Pair) -> None:
    identity = ByAddress(Directory(None))
    second = SubscriptionServer(world.loop, world.schema, identity, pair.server.where, "dpm", pair.listening)
    with pytest.raises(EnvironmentProblem, match="cannot listen there; is the port in use"):
        second.open()


def test_calls_wait_no_longer_than_the_loop(loop: Loop) -> None:
    """Closing a loop ends the calls that wait in it."""
    own = Loop()
    waiting = own.start(_for_ever())
    own.close()
    own.close()
    assert waiting.cancelled() or waiting.exception(10) is not None
    own.call(print)
    assert loop.run(_nothing()) is None


async def _for_ever() -> None:
    await grpc.aio.insecure_channel("127.0.0.1:1").channel_ready()


async def _nothing() -> None:
    return None
