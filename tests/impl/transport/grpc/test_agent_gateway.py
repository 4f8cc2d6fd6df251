"""Our agent talks to Alcor's NCM: what it accepts, what installs a route, and how it handles an NCM that misbehaves."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from conformance.bench.demonstration import Watched
from impl.messages import Pod
from impl.roles.timing import Timing
from impl.storage.store import MemoryStore
from impl.transport.grpc import receiver
from impl.transport.grpc.agent_gateway import ATTEMPTS_MAX
from impl.transport.grpc.endpoints import EPOCH
from impl.wire.alcor.schema import HEAD, NUMBERINGS, PIN, schema
from tests.impl.transport.grpc.network import HASTY, TIMING, World
from tests.impl.transport.grpc.stand_ins import PUSH, VNI, WAIT_SECONDS_MAX, Port, StandInNcm, goal_of, put_neighbor

P1, P2 = Pod(str(VNI), "10.0.0.1"), Pod(str(VNI), "10.0.0.2")


class Pair:
    """Our agent with an NCM of Alcor; pod 1 is at the agent's host, pod 2 at host 2."""

    def __init__(self, world: World, timing: Timing = TIMING) -> None:
        self.world = world
        self.agent: Watched = world.agent(1, timing=timing)
        self.ncm: StandInNcm = world.stand_in_ncm()
        self.one, self.two = Port("10.0.0.1", world.address(1)), Port("10.0.0.2", world.address(2))
        world.wait(lambda: self.agent.aca.observe()["epoch"] == 1, "the agent to start")
        assert self.ncm.push(goal_of(self.one, numbering=world.numbering)) == {self.one.id: "SUCCESS"}

    def neighbor(self, **fields: Any) -> Any:
        """A goal state with the neighbor of pod 2, changed in these fields."""
        goal = schema(self.world.numbering).GoalStateV2()
        state = put_neighbor(goal, self.world.numbering, self.two)
        for name, value in fields.items():
            setattr(state if name == "operation_type" else state.configuration, name, value)
        return goal

    def answers(self, answer: Callable[[Any], list[tuple[str, str | int]]]) -> None:
        """Sets NCM's answers from now on."""
        self.ncm.answer = answer

    def sends(self) -> str:
        """Pod 1 sends to pod 2; returns the fate of the packet."""
        self.agent.send(P1, P2)
        return self.agent.ended_with

    def installed(self) -> set[Pod]:
        """The routes of the agent."""
        return set(self.agent.aca.observe()["installed"])


@pytest.mark.parametrize("world", NUMBERINGS, indirect=True)
def test_the_first_packet_with_an_ncm_of_alcor(world: World) -> None:
    pair = Pair(world)

    def answer(request: Any) -> list[tuple[str, str | int]]:
        assert (request.tunnel_id, request.source_ip, request.destination_ip) == (VNI, "10.0.0.1", "10.0.0.2")
        assert request.request_type == 0
        assert uuid.UUID(request.request_id)
        assert pair.ncm.push(pair.neighbor(), half_closes=False) == {f"{pair.two.id}_n": "SUCCESS"}
        return [(request.request_id, "SUCCESS")]

    pair.answers(answer)
    assert pair.sends() == "release"
    assert pair.agent.aca.observe()["known"][P2] == (2, world.host(2))
    assert pair.sends() == "deliver"
    assert len(pair.ncm.asked) == 1


def test_a_warm_up_gets_an_empty_reply_and_the_end_of_its_stream(world: World) -> None:
    pair = Pair(world)
    assert pair.ncm.push_bytes(b"", half_closes=False) == {}


# ------------------------------------------------------------------------------------------- NCM's answers


@pytest.mark.parametrize(
    "said",
    [
        lambda request: [(request.request_id, "SUCCESS")],
        lambda request: [("another", "SUCCESS")],
        lambda request: [("", "SUCCESS")],
        lambda request: [],
        lambda request: [(request.request_id, "PENDING")],
    ],
    ids=["a yes without a neighbor", "another id", "no id", "nothing", "pending"],
)
def test_what_is_no_answer_installs_nothing_and_the_packet_is_given_up_in_time(
    world: World, said: Callable[[Any], list[tuple[str, str | int]]]
) -> None:
    pair = Pair(world, HASTY)
    pair.answers(said)
    assert pair.sends() == "give up"
    assert pair.installed() == set()


def test_a_neighbor_with_the_status_of_another_request_releases_nothing(world: World) -> None:
    pair = Pair(world, HASTY)

    def answer(request: Any) -> list[tuple[str, str | int]]:
        pair.ncm.push(pair.neighbor())
        return [("another", "SUCCESS")]

    pair.answers(answer)
    assert pair.sends() == "give up"
    assert pair.installed() == set()
    world.wait(lambda: len(pair.ncm.asked) == ATTEMPTS_MAX, "the last attempt")
    assert len({request.request_id for request in pair.ncm.asked}) == 1


@pytest.mark.parametrize("status", ["FAILURE", "INVALID_ARG", "OUT_OF_ORDER", 9])
def test_any_status_but_success_is_a_refusal_even_with_a_neighbor(world: World, status: str | int) -> None:
    pair = Pair(world)

    def answer(request: Any) -> list[tuple[str, str | int]]:
        pair.ncm.push(pair.neighbor())
        return [(request.request_id, status), (request.request_id, "SUCCESS")]

    pair.answers(answer)
    assert pair.sends() == "give up"
    assert pair.agent.became[-1] == "give up"
    assert pair.installed() == set()
    assert len(pair.ncm.asked) == 1, "the answer was no, so nothing was asked again"


def test_a_yes_waits_for_its_neighbor(world: World) -> None:
    """An NCM that does not wait for the agent may answer before the goal state of the answer arrives."""
    pair = Pair(world)
    pair.answers(lambda request: [(request.request_id, "SUCCESS")])
    pair.agent.ended.clear()
    pair.agent.packet(P1, P2)
    world.wait(lambda: "a consent before its neighbor, or without one" in gateway(pair).counted, "the yes")
    assert not pair.agent.ended.is_set()
    pair.ncm.push(pair.neighbor())
    assert pair.agent.ended.wait(WAIT_SECONDS_MAX)
    assert pair.agent.ended_with == "release"


def gateway(pair: Pair) -> Any:
    """The agent's connection."""
    return pair.agent._connection


def test_a_yes_needs_a_neighbor_that_came_since_the_request(world: World) -> None:
    """A neighbor pushed earlier may be outdated by now."""
    pair = Pair(world, HASTY)
    pair.ncm.push(pair.neighbor())
    pair.answers(lambda request: [(request.request_id, "SUCCESS")])
    assert pair.sends() == "give up"
    assert pair.installed() == set()


def test_a_yes_for_what_was_deleted_is_a_refusal(world: World) -> None:
    pair = Pair(world)

    def answer(request: Any) -> list[tuple[str, str | int]]:
        pair.ncm.push(pair.neighbor(operation_type=4))
        return [(request.request_id, "SUCCESS")]

    pair.answers(answer)
    assert pair.sends() == "give up"
    assert pair.installed() == set()


def test_an_ncm_that_is_away_is_asked_again_and_the_packet_is_given_up_in_time(world: World) -> None:
    pair = Pair(world, HASTY)
    pair.ncm.stop()
    assert pair.sends() == "give up"
    world.wait(
        lambda: gateway(pair).counted["cannot send a request to NCM (DEADLINE_EXCEEDED)"] >= ATTEMPTS_MAX,
        "all attempts",
    )


def test_an_ncm_that_is_slow_is_asked_again(world: World) -> None:
    """Its first answer arrives after the deadline of an attempt."""
    pair = Pair(world)
    late = threading.Event()

    def answer(request: Any) -> list[tuple[str, str | int]]:
        if len(pair.ncm.asked) == 1:
            late.wait(WAIT_SECONDS_MAX)
        pair.ncm.push(pair.neighbor())
        return [(request.request_id, "SUCCESS")]

    pair.answers(answer)
    assert pair.sends() == "release"
    late.set()


# ------------------------------------------------------------------------------------------ NCM's pushes


@pytest.mark.parametrize(
    "fields",
    [
        {"revision_number": 0},
        {"operation_type": 0},
        {"operation_type": 3},
        {"operation_type": 9},
        {"host_ip_address": ""},
        {"host_ip_address": "::1"},
        {"host_ip_address": "6c:dd:ee:00:00:01"},
        {"id": "another"},
    ],
    ids=str,
)
def test_a_neighbor_that_leaves_out_what_it_says_is_not_believed(world: World, fields: dict[str, Any]) -> None:
    pair = Pair(world, HASTY)

    def answer(request: Any) -> list[tuple[str, str | int]]:
        assert pair.ncm.push(pair.neighbor(**fields)) == {f"{pair.two.id}_n": "INVALID_ARG"}
        return [(request.request_id, "SUCCESS")]

    pair.answers(answer)
    assert pair.sends() == "give up"
    assert pair.agent.knows() == [P1]


def spoiled(goal: Any, spoil: Callable[[Any], None]) -> Any:
    """A goal state with one change."""
    spoil(goal)
    return goal


@pytest.mark.parametrize(
    "spoil",
    [
        lambda goal: goal.subnet_states.clear(),
        lambda goal: setattr(goal.subnet_states["vpc-subnet"].configuration, "tunnel_id", 0),
        lambda goal: setattr(goal.subnet_states["vpc-subnet"].configuration, "tunnel_id", 2**40),
        lambda goal: setattr(goal.vpc_states["vpc"].configuration, "tunnel_id", 22),
        lambda goal: goal.neighbor_states["port-21-10.0.0.2_n"].configuration.fixed_ips.pop(),
        lambda goal: setattr(goal.neighbor_states["port-21-10.0.0.2_n"].configuration.fixed_ips[0], "ip_address", ""),
    ],
    ids=["no subnet", "no VNI", "no such VNI", "two VNIs", "no address", "an empty address"],
)
def test_a_neighbor_whose_network_would_be_a_guess_is_not_believed(world: World, spoil: Callable[[Any], None]) -> None:
    pair = Pair(world)
    assert pair.ncm.push(spoiled(pair.neighbor(), spoil)) == {f"{pair.two.id}_n": "INVALID_ARG"}
    assert pair.agent.knows() == [P1]


def test_a_neighbor_of_another_network_is_not_believed(world: World) -> None:
    pair = Pair(world, HASTY)
    stranger = Port("10.0.0.2", world.address(2), vpc="other", vni=22)

    def answer(request: Any) -> list[tuple[str, str | int]]:
        goal = schema(PIN).GoalStateV2()
        put_neighbor(goal, PIN, stranger)
        assert pair.ncm.push(goal) == {f"{stranger.id}_n": "INVALID_ARG"}
        return [(request.request_id, "SUCCESS")]

    pair.answers(answer)
    assert pair.sends() == "give up"
    assert pair.agent.knows() == [P1]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"revision_number": 0}, "INVALID_ARG"),
        ({"operation_type": 0}, "INVALID_ARG"),
        ({"admin_state_up": False}, "INVALID_ARG"),
        ({"update_type": 0}, "INVALID_ARG"),
        ({"operation_type": 2, "device_id": "d"}, "SUCCESS"),
    ],
    ids=str,
)
def test_a_port_that_leaves_out_what_it_says_is_not_believed(world: World, change: dict[str, Any], status: str) -> None:
    pair = Pair(world)
    port = Port("10.0.0.7", world.address(1))
    goal = goal_of(port)
    state = goal.port_states[port.id]
    for name, value in change.items():
        setattr(state if name == "operation_type" else state.configuration, name, value)
    assert pair.ncm.push(goal) == {port.id: status}
    assert (Pod(str(VNI), port.ip) in pair.agent.knows()) == (status == "SUCCESS")


def test_the_port_of_another_host_is_not_believed(world: World) -> None:
    pair = Pair(world)
    goal = goal_of(pair.two)
    goal.port_states[pair.two.id].configuration.host_info.ip_address = world.address(2)
    assert pair.ncm.push(goal) == {pair.two.id: "INVALID_ARG"}


def test_an_update_without_device_and_owner_deletes_a_port(world: World) -> None:
    pair = Pair(world)
    assert pair.ncm.push(goal_of(Port("10.0.0.1", world.address(1), 3, "UPDATE"))) == {pair.one.id: "SUCCESS"}
    assert pair.agent.aca.observe()["known"][P1] == (3, None)


def test_newer_revisions_win(world: World) -> None:
    pair = Pair(world)
    neighbor = f"{pair.two.id}_n"
    elsewhere = world.address(3)
    assert pair.ncm.push(pair.neighbor(revision_number=5)) == {neighbor: "SUCCESS"}
    assert pair.ncm.push(pair.neighbor(revision_number=5)) == {neighbor: "SUCCESS"}
    assert pair.ncm.push(pair.neighbor(revision_number=4, host_ip_address=elsewhere)) == {neighbor: "OUT_OF_ORDER"}
    assert pair.ncm.push(pair.neighbor(revision_number=5, host_ip_address=elsewhere)) == {neighbor: "INVALID_ARG"}
    assert pair.agent.aca.observe()["known"][P2] == (5, world.host(2))
    assert pair.ncm.push(pair.neighbor(revision_number=6, host_ip_address=elsewhere)) == {neighbor: "SUCCESS"}
    assert pair.agent.aca.observe()["known"][P2] == (6, world.host(3))


def test_a_port_that_moves_away_is_where_its_neighbor_says(world: World) -> None:
    pair = Pair(world)
    goal = goal_of(Port("10.0.0.1", world.address(1), 3, "DELETE"))
    put_neighbor(goal, PIN, Port("10.0.0.1", world.address(2), 3))
    assert pair.ncm.push(goal) == {pair.one.id: "SUCCESS", f"{pair.one.id}_n": "SUCCESS"}
    assert pair.agent.aca.observe()["known"][P1] == (3, world.host(2))


def test_the_other_numbering_is_not_believed(world: World) -> None:
    """A neighbor of the head, read as one of the pin, does not parse, or has no address; nothing is guessed."""
    pair = Pair(world)
    said = []
    for host in ("127.0.0.2", "10.0.0.2"):
        goal = schema(HEAD).GoalStateV2()
        put_neighbor(goal, HEAD, Port("10.0.0.2", host))
        try:
            said.append(pair.ncm.push_bytes(goal.SerializeToString())[f"{pair.two.id}_n"])
        except grpc.RpcError as problem:
            said.append(problem.code().name)
    assert said == ["INVALID_ARG", "INVALID_ARGUMENT"]
    assert pair.agent.knows() == [P1]


# --------------------------------------------------------------------------------------- callers and epochs


def code_of(call: Any) -> tuple[grpc.StatusCode, str]:
    """Code and sentence of a failed call."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value.code(), raised.value.details()


def test_only_ncm_may_push_and_only_messages(world: World) -> None:
    pair = Pair(world)
    pair.ncm.agent = world.relayed(3, gateway(pair).where)
    stranger = StandInNcm("127.0.0.1:0", pair.ncm.agent).start()
    denied = (grpc.StatusCode.PERMISSION_DENIED, "only NCM may push goal states")
    assert code_of(lambda: stranger.push(pair.neighbor())) == denied
    stranger.stop()
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    assert code_of(lambda: pair.ncm.push_bytes(b"\xff\xff")) == (invalid, "the bytes do not parse as a GoalStateV2")
    code, sentence = code_of(lambda: pair.ncm.push_bytes(b"\0" * (4 * 2**20 + 1)))
    assert (code, sentence) == (invalid, "4194305 bytes; a GoalStateV2 has at most 4194304")
    assert pair.agent.knows() == [P1]


def test_a_stream_that_says_nothing_is_ended(world: World) -> None:
    pair = Pair(world)
    call = pair.ncm._channel.stream_stream(PUSH)
    silent = threading.Event()

    def nothing() -> Any:
        silent.wait(WAIT_SECONDS_MAX)
        yield from ()

    code, sentence = code_of(lambda: list(call(nothing(), timeout=WAIT_SECONDS_MAX)))
    silent.set()
    assert (code, sentence) == (grpc.StatusCode.DEADLINE_EXCEEDED, "no goal state arrived in time")


def test_one_stream_too_many_is_refused_and_the_others_go_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "STREAMS_MAX", 1)
    pair = Pair(world)
    silent = threading.Event()

    def nothing() -> Any:
        silent.wait(WAIT_SECONDS_MAX)
        yield from ()

    open_one = pair.ncm._channel.stream_stream(PUSH)(nothing(), timeout=WAIT_SECONDS_MAX)
    world.wait(lambda: gateway(pair)._streams == 1, "the stream to be open")
    full = (grpc.StatusCode.RESOURCE_EXHAUSTED, "1 streams are open already")
    assert code_of(lambda: pair.ncm.push(pair.neighbor())) == full
    silent.set()
    assert list(open_one) == []
    assert pair.ncm.push(pair.neighbor()) == {f"{pair.two.id}_n": "SUCCESS"}


def test_what_is_meant_for_an_earlier_epoch_is_not_applied(world: World) -> None:
    store = MemoryStore()
    world.stop(world.agent(1, store=store))
    agent = world.agent(1, store=store)
    ncm = world.stand_in_ncm()
    world.wait(lambda: agent.aca.observe()["epoch"] == 2, "the agent to start again")
    one = Port("10.0.0.1", world.address(1))
    data = goal_of(one).SerializeToString()
    call = ncm._channel.stream_stream(PUSH)
    statuses = {}
    for epoch in ("1", "2"):
        (reply,) = call(iter([data]), timeout=WAIT_SECONDS_MAX, metadata=((EPOCH, epoch),), wait_for_ready=True)
        (status,) = schema(PIN).GoalStateOperationReply.FromString(reply).operation_statuses
        statuses[epoch] = schema(PIN).OperationStatus.Name(status.operation_status)
    assert statuses == {"1": "FAILURE", "2": "SUCCESS"}
