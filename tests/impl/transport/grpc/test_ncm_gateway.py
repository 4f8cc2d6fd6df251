"""Our NCM serves Alcor's agents: what it pushes, when it answers, and how it handles agents that misbehave."""

from __future__ import annotations

import threading
from typing import Any

import grpc
import pytest

from impl.messages import Pod
from impl.roles.timing import Timing
from impl.transport.grpc import ncm_gateway as ncm_module
from impl.transport.grpc.endpoints import EPOCH, REQUEST_BYTES_MAX, Deadlines
from impl.transport.grpc.push import judge
from impl.transport.grpc.resources import Resources, Told
from impl.wire.alcor.schema import NUMBERINGS, PIN, schema
from tests.impl.transport.grpc.network import World
from tests.impl.transport.grpc.stand_ins import (
    ASK,
    VNI,
    WAIT_SECONDS_MAX,
    Manners,
    Port,
    StandInAgent,
    goal_of,
    put_neighbor,
)

GONE = Timing(confirm_max=0.4, remind_every=0.1)


class Pair:
    """Our NCM with two agents of Alcor; pod 1 is at the first, pod 2 at the second."""

    def __init__(self, world: World, **options: Any) -> None:
        self.world = world
        self.ncm = world.ncm(**options)
        self.h1, self.h2 = world.stand_in(1), world.stand_in(2)
        self.one, self.two = Port("10.0.0.1", self.h1.address), Port("10.0.0.2", self.h2.address)
        self.controller = world.controller()
        self.push(self.one, self.two)

    def push(self, *ports: Port, status: str = "SUCCESS") -> None:
        """Pushes ports, all of which must get this status."""
        (statuses,) = self.controller.push(goal_of(*ports, numbering=self.world.numbering))
        assert {port.id: statuses[port.id] for port in ports} == {port.id: status for port in ports}


@pytest.mark.parametrize("world", NUMBERINGS, indirect=True)
def test_the_first_packet_of_an_agent_of_alcor(world: World) -> None:
    """A request is granted after the neighbor was pushed and acknowledged; no host was told before."""
    pair = Pair(world)
    h1, h2 = pair.h1, pair.h2
    assert (h1.ports, h2.ports) == ({pair.one.id}, {pair.two.id})
    assert h1.neighbors == h2.neighbors == {}
    assert h1.ask_for("10.0.0.1", "10.0.0.2") == "SUCCESS"
    assert h1.neighbors == {(VNI, "10.0.0.2"): h2.address}
    assert h2.neighbors == {}


def test_what_is_pushed_is_listed_for_its_host_with_its_subnet(world: World) -> None:
    pair = Pair(world)
    pair.h1.ask_for("10.0.0.1", "10.0.0.2")
    goal, kinds = pair.h1.pushed[-1], schema(PIN).ResourceType
    assert list(goal.host_resources) == [pair.h1.address]
    listed = {(kinds.Name(resource.type), resource.id) for resource in goal.host_resources[pair.h1.address].resources}
    assert listed == {("VPC", "vpc"), ("SUBNET", "vpc-subnet"), ("NEIGHBOR", f"{pair.two.id}_n")}
    assert goal.vpc_states["vpc"].configuration.tunnel_id == VNI


def test_our_agent_and_our_ncm(world: World) -> None:
    world.ncm()
    h1, h2 = world.agent(1), world.agent(2)
    one, two = Port("10.0.0.1", world.address(1)), Port("10.0.0.2", world.address(2))
    statuses = world.controller().push(goal_of(one), goal_of(two))
    assert [set(each.values()) for each in statuses] == [{"SUCCESS"}, {"SUCCESS"}]
    p1, p2 = Pod(str(VNI), one.ip), Pod(str(VNI), two.ip)
    assert h1.knows() == [p1]
    h1.send(p1, p2)
    assert h1.became == ["ask", "learn", "release"]
    assert h1.knows() == [p1, p2]
    assert h2.knows() == [p2]
    h1.send(p1, Pod(str(VNI), "10.0.0.9"))
    assert h1.ended_with == "give up"


def test_our_agent_that_restarts_is_sent_its_own_pods_again_and_no_others(world: World) -> None:
    world.ncm()
    h1 = world.agent(1)
    world.agent(2)
    one, two = Port("10.0.0.1", world.address(1)), Port("10.0.0.2", world.address(2))
    world.controller().push(goal_of(one, two))
    p1, p2 = Pod(str(VNI), one.ip), Pod(str(VNI), two.ip)
    h1.send(p1, p2)
    store = h1._store
    world.stop(h1)
    again = world.agent(1, store=store)
    world.wait(lambda: again.knows() == [p1], "the host's own pod")
    again.send(p1, p2)
    assert again.ended_with == "release"


# ------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("source", "destination", "vni"),
    [
        ("10.0.0.1", "10.0.0.9", VNI),
        ("10.0.0.9", "10.0.0.2", VNI),
        ("10.0.0.2", "10.0.0.1", VNI),
        ("10.0.0.1", "10.0.0.2", 22),
        ("10.0.0.3", "10.0.0.2", 22),
    ],
    ids=["unknown", "no source", "the source of another", "another network", "a pod of another network"],
)
def test_what_may_not_be_known_is_refused_and_not_pushed(world: World, source: str, destination: str, vni: int) -> None:
    pair = Pair(world)
    pair.push(Port("10.0.0.3", pair.h1.address, vpc="other", vni=22))
    pushed = len(pair.h1.pushed)
    assert pair.h1.ask_for(source, destination, vni) == "FAILURE"
    assert len(pair.h1.pushed) == pushed


def test_what_is_gone_is_refused(world: World) -> None:
    pair = Pair(world)
    pair.push(Port("10.0.0.2", pair.h2.address, 3, "DELETE"))
    assert pair.h2.ports == set()
    assert pair.h1.ask_for("10.0.0.1", "10.0.0.2") == "FAILURE"
    assert pair.h1.neighbors == {}


def test_every_request_of_a_call_has_one_status_with_its_own_id(world: World) -> None:
    pair = Pair(world)
    questions = [
        pair.h1.question("10.0.0.1", "10.0.0.2"),
        pair.h1.question("10.0.0.1", "10.0.0.9"),
        pair.h1.question("10.0.0.1", "10.0.0.2"),
    ]
    answers = pair.h1.ask(*questions)
    assert [identifier for identifier, _ in answers] == [question.request_id for question in questions]
    assert [status for _, status in answers] == ["SUCCESS", "FAILURE", "SUCCESS"]
    assert pair.h1.ask() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"tunnel_id": 0},
        {"tunnel_id": 2**24},
        {"source_ip": ""},
        {"destination_ip": ""},
        {"destination_ip": "10.0.0.02"},
        {"request_id": ""},
        {"request_id": "x" * 200},
        {"request_type": 7},
    ],
    ids=str,
)
def test_a_request_that_leaves_out_what_it_is_about_is_an_invalid_argument(
    world: World, fields: dict[str, Any]
) -> None:
    pair = Pair(world)
    wrong, right = pair.h1.question("10.0.0.1", "10.0.0.2", **fields), pair.h1.question("10.0.0.1", "10.0.0.2")
    assert [status for _, status in pair.h1.ask(wrong, right)] == ["INVALID_ARG", "SUCCESS"]


def test_an_id_that_is_used_twice_in_a_call_is_an_invalid_argument(world: World) -> None:
    pair = Pair(world)
    question = pair.h1.question("10.0.0.1", "10.0.0.2")
    assert [status for _, status in pair.h1.ask(question, question)] == ["SUCCESS", "INVALID_ARG"]


# ------------------------------------------------------------------------------------ agents that misbehave


@pytest.mark.parametrize(
    "manners",
    [
        Manners(finishes=False),
        Manners(replies=False),
        Manners(garbles=True),
        Manners(verdict="FAILURE", reports_neighbors=True),
        Manners(verdict="PENDING", reports_neighbors=True),
        Manners(verdict="OUT_OF_ORDER", reports_neighbors=True),
    ],
    ids=["never finishes", "no reply", "garbled", "refuses", "pending", "knows a newer one"],
)
def test_no_request_is_granted_before_its_push_is_acknowledged(world: World, manners: Manners) -> None:
    pair = Pair(world)
    pair.h1.manners = manners
    assert pair.h1.ask_for("10.0.0.1", "10.0.0.2") == "FAILURE"
    pair.h1.manners = Manners(reports_neighbors=True)
    assert pair.h1.ask_for("10.0.0.1", "10.0.0.2") == "SUCCESS"


def test_a_dead_agent_is_answered_no_and_told_once_it_is_back(world: World) -> None:
    pair = Pair(world)
    address = pair.h1.address
    asker = world.relayed(1)
    pair.h1.stop()
    # The agent can send requests, but cannot be reached.
    deaf = StandInAgent(address, 0, asker)
    deaf._schema = schema(PIN)
    deaf._channel = grpc.insecure_channel(asker)
    assert deaf.ask_for("10.0.0.1", "10.0.0.2") == "FAILURE"
    deaf._channel.close()
    back = world.stand_in(1)
    world.wait(lambda: back.neighbors == {(VNI, "10.0.0.2"): pair.h2.address}, "what the host was told")


def test_a_slow_host_delays_no_other(world: World) -> None:
    """Host 1 does not finish a push; meanwhile another host is answered, and a change elsewhere completes."""
    pair = Pair(world, deadlines=Deadlines(push=WAIT_SECONDS_MAX, answer=WAIT_SECONDS_MAX))
    pair.h1.manners = Manners(seconds=WAIT_SECONDS_MAX)
    statuses: list[str] = []
    slow = threading.Thread(target=lambda: statuses.append(pair.h1.ask_for("10.0.0.1", "10.0.0.2")))
    slow.start()
    world.wait(lambda: any("10.0.0.2" in str(told) for told in pair.ncm.ncm.observe()["told"]), "the request")
    assert pair.h2.ask_for("10.0.0.2", "10.0.0.1") == "SUCCESS"
    pair.push(Port("10.0.0.4", pair.h2.address))
    assert statuses == [], "host 1 has not been answered meanwhile"
    pair.h1._released.set()
    slow.join(WAIT_SECONDS_MAX)
    assert statuses == ["SUCCESS"]


def test_a_change_that_a_dead_host_does_not_confirm_fails(world: World) -> None:
    world.ncm(timing=GONE)
    one = Port("10.0.0.1", world.address(1))
    assert world.controller().push(goal_of(one))[0][one.id] == "FAILURE"


def test_a_change_that_has_not_ended_is_pending(world: World) -> None:
    world.ncm(deadlines=Deadlines(outcome=0.1))
    one = Port("10.0.0.1", world.address(1))
    controller = world.controller()
    assert controller.push(goal_of(one))[0][one.id] == "PENDING"
    world.stand_in(1)
    world.wait(lambda: controller.push(goal_of(one))[0][one.id] == "SUCCESS", "the change to end")


def test_a_port_that_an_agent_does_not_report_on_is_not_acknowledged(world: World) -> None:
    world.ncm(timing=GONE)
    world.stand_in(1).manners = Manners(reports_ports=False)
    one = Port("10.0.0.1", world.address(1))
    assert world.controller().push(goal_of(one))[0][one.id] == "FAILURE"


def reply_of(*statuses: tuple[str, str, str, str]) -> Any:
    """A reply with these statuses: resource, its kind, operation and status."""
    known = schema(PIN)
    reply = known.GoalStateOperationReply()
    for identifier, kind, operation, status in statuses:
        reply.operation_statuses.add(
            resource_id=identifier,
            resource_type=known.ResourceType.Value(kind),
            operation_type=known.OperationType.Value(operation),
            operation_status=known.OperationStatus.Value(status),
        )
    return reply


PORT, NEIGHBOR = "port-21-10.0.0.1", "port-21-10.0.0.2_n"


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ([], None),
        ([(PORT, "PORT", "CREATE", "SUCCESS")], True),
        ([(PORT, "PORT", "INFO", "SUCCESS")], None),
        ([(PORT, "VPC", "CREATE", "SUCCESS")], None),
        ([("", "VPC", "INFO", "SUCCESS")], None),
        ([(PORT, "PORT", "CREATE", "SUCCESS"), (NEIGHBOR, "VPC", "INFO", "FAILURE")], None),
        ([(PORT, "PORT", "CREATE", "SUCCESS"), ("vpc-subnet", "SUBNET", "INFO", "INVALID_ARG")], None),
        ([(PORT, "PORT", "CREATE", "SUCCESS"), ("another", "PORT", "CREATE", "FAILURE")], True),
        ([(PORT, "PORT", "CREATE", "SUCCESS"), (PORT, "PORT", "CREATE", "FAILURE")], None),
        ([(PORT, "PORT", "CREATE", "OUT_OF_ORDER")], False),
        ([(PORT, "PORT", "CREATE", "SUCCESS"), (NEIGHBOR, "NEIGHBOR", "CREATE", "SUCCESS")], True),
    ],
)
def test_only_what_names_a_resource_of_the_push_acknowledges_it(
    statuses: list[tuple[str, str, str, str]], verdict: bool | None
) -> None:
    goal = goal_of(Port("10.0.0.1", "127.0.0.1"))
    put_neighbor(goal, PIN, Port("10.0.0.2", "127.0.0.2"))
    told = Told(goal, frozenset({PORT}), frozenset({NEIGHBOR}))
    assert judge(schema(PIN), told, reply_of(*statuses)) is verdict


# ------------------------------------------------------------------------------------------ changes, restarts


def test_a_pod_that_moves_is_told_to_whoever_was_told_and_leaves_its_old_home(world: World) -> None:
    pair = Pair(world)
    h3 = world.stand_in(3)
    pair.h1.ask_for("10.0.0.1", "10.0.0.2")
    pair.push(Port("10.0.0.2", h3.address, 3))
    assert pair.h1.neighbors == pair.h2.neighbors == {(VNI, "10.0.0.2"): h3.address}
    assert (pair.h2.ports, h3.ports) == (set(), {pair.two.id})


def test_a_pod_that_is_deleted_is_deleted_wherever_it_was_told(world: World) -> None:
    pair = Pair(world)
    pair.h1.ask_for("10.0.0.1", "10.0.0.2")
    pair.push(Port("10.0.0.2", pair.h2.address, 3, "DELETE"))
    assert (pair.h1.neighbors, pair.h2.ports) == ({}, set())


def test_an_address_that_another_port_takes_over_leads_there(world: World) -> None:
    pair = Pair(world)
    pair.h1.ask_for("10.0.0.1", "10.0.0.2")
    pair.push(Port("10.0.0.2", pair.h2.address, 3, "DELETE"))
    pair.push(Port("10.0.0.5", pair.h1.address, 4, more=("10.0.0.2",)))
    assert pair.h1.ports == {pair.one.id, "port-21-10.0.0.5"}
    assert pair.h2.ask_for("10.0.0.2", "10.0.0.1") == "FAILURE", "the address is no longer at host 2"


def test_an_address_that_a_port_gives_up_is_gone(world: World) -> None:
    pair = Pair(world)
    pair.push(Port("10.0.0.6", pair.h2.address, more=("10.0.0.7",)))
    assert pair.h1.ask_for("10.0.0.1", "10.0.0.7") == "SUCCESS"
    assert pair.h1.ask_for("10.0.0.1", "10.0.0.6") == "SUCCESS"
    pair.push(Port("10.0.0.6", pair.h2.address, 3))
    assert pair.h1.neighbors == {(VNI, "10.0.0.6"): pair.h2.address}
    assert "port-21-10.0.0.6" in pair.h2.ports
    assert pair.h1.ask_for("10.0.0.1", "10.0.0.7") == "FAILURE"


def test_an_older_revision_changes_nothing(world: World) -> None:
    pair = Pair(world)
    h3 = world.stand_in(3)
    pair.push(Port("10.0.0.2", pair.h2.address, 1), status="OUT_OF_ORDER")
    pair.push(Port("10.0.0.2", h3.address, 2), status="INVALID_ARG")
    pair.h1.ask_for("10.0.0.1", "10.0.0.2")
    assert pair.h1.neighbors == {(VNI, "10.0.0.2"): pair.h2.address}


def test_what_was_told_is_told_again_when_ncm_starts_anew(world: World) -> None:
    """The agent has lost everything meanwhile, and an agent of Alcor reports that to nobody."""
    pair = Pair(world)
    pair.h1.ask_for("10.0.0.1", "10.0.0.2")
    world.resources = Kept(world)
    world.stop(pair.ncm)
    pair.h1.neighbors.clear()
    pair.h1.ports.clear()
    world.ncm()
    world.wait(lambda: pair.h1.ports == {pair.one.id}, "the port")
    world.wait(lambda: pair.h1.neighbors == {(VNI, "10.0.0.2"): pair.h2.address}, "the neighbor")


class Kept(Resources):
    """Keeps in memory what another instance has stored, as a file would."""

    def __init__(self, world: World) -> None:
        super().__init__(None, world.schema, world.directory)
        world.resources._connection.backup(self._connection)


def test_an_agent_that_says_it_has_restarted_is_sent_its_ports_and_owes_nothing_else(world: World) -> None:
    pair = Pair(world)
    pair.h1.ask_for("10.0.0.1", "10.0.0.2")
    pair.h1.neighbors.clear()
    pair.h1.ports.clear()
    restarted = schema(PIN).HostRequest.ResourceStateRequest(request_id="r", request_type=1)
    assert pair.h1.ask(restarted) == [("r", "SUCCESS")]
    world.wait(lambda: pair.h1.ports == {pair.one.id}, "the port")
    pair.push(Port("10.0.0.2", pair.h2.address, 3))
    assert pair.h1.neighbors == {}, "it has not asked since"


def test_requests_of_an_epoch_that_is_over_are_refused(world: World) -> None:
    pair = Pair(world)
    call = schema(PIN).HostRequest(state_requests=[pair.h1.question("10.0.0.1", "10.0.0.2")])
    asking = pair.h1._channel.unary_unary(ASK)

    def status(epoch: str) -> str:
        data = asking(call.SerializeToString(), timeout=WAIT_SECONDS_MAX, metadata=((EPOCH, epoch),))
        (found,) = schema(PIN).HostRequestReply.FromString(data).operation_statuses
        return str(schema(PIN).OperationStatus.Name(found.operation_status))

    assert [status("5"), status("4"), status("5")] == ["SUCCESS", "FAILURE", "SUCCESS"]


# --------------------------------------------------------------------------------------- callers and limits


def code_of(call: Any) -> tuple[grpc.StatusCode, str]:
    """Code and sentence of a failed call."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value.code(), raised.value.details()


def test_who_is_no_host_may_not_ask_and_who_is_not_dpm_may_not_push(world: World) -> None:
    pair = Pair(world)
    pushed = code_of(lambda: world.controller(1).push(goal_of(pair.one)))
    assert pushed == (grpc.StatusCode.PERMISSION_DENIED, "only DPM may push goal states")
    stranger = world.stand_in(9)
    assert stranger.ask_for("10.0.0.1", "10.0.0.2") == "FAILURE", "an address that DPM has never named"


def test_what_is_no_message_is_refused_with_a_sentence_and_set_aside(world: World) -> None:
    pair = Pair(world)
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    many = schema(PIN).HostRequest(state_requests=[pair.h1.question("a", "b")] * 1001).SerializeToString()
    large = b"\0" * (REQUEST_BYTES_MAX + 1)
    asked = (b"\xff\xff", large, many[: REQUEST_BYTES_MAX * 3])
    sentences = [code_of(lambda data=data: pair.h1.ask_bytes(data)) for data in asked]
    assert sentences[:2] == [
        (invalid, "the bytes do not parse as a HostRequest"),
        (invalid, f"{len(large)} bytes; a HostRequest has at most {REQUEST_BYTES_MAX}"),
    ]
    assert sentences[2][0] == invalid
    good = goal_of(Port("10.0.0.8", pair.h1.address)).SerializeToString()
    assert code_of(lambda: pair.controller.push_bytes(good, b"\xff\xff")) == (
        invalid,
        "the bytes do not parse as a GoalStateV2",
    )
    world.wait(lambda: len(world.resources.dead_letters()) == 4, "the dead letters")
    origins = {origin for origin, _, _ in world.resources.dead_letters()}
    assert origins == {world.host(1), world.host(101)}
    assert "port-21-10.0.0.8" in pair.h1.ports, "what came before it on the stream was taken"
    assert world.gateway.counted["the bytes do not parse as a HostRequest"] == 1


@pytest.mark.parametrize("epoch", ["", "0", "-1", "x", "9" * 30])
def test_an_epoch_that_is_none_is_refused(world: World, epoch: str) -> None:
    pair = Pair(world)
    call = pair.h1._channel.unary_unary(ASK)
    code, _ = code_of(lambda: call(b"", timeout=WAIT_SECONDS_MAX, metadata=((EPOCH, epoch),)))
    assert code == grpc.StatusCode.INVALID_ARGUMENT


def test_too_many_requests_in_a_call_and_too_many_calls_of_a_host_are_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Pair(world)
    monkeypatch.setattr(ncm_module, "REQUESTS_PER_CALL_MAX", 1)
    question = pair.h1.question("10.0.0.1", "10.0.0.2")
    assert code_of(lambda: pair.h1.ask(question, question)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "2 requests; a call has at most 1",
    )
    monkeypatch.setattr(ncm_module, "REQUESTS_PER_HOST_MAX", 0)
    code, sentence = code_of(lambda: pair.h1.ask(question))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "calls of this host are in progress" in sentence


def test_goal_states_of_version_1_are_not_served(world: World) -> None:
    pair = Pair(world)
    method = pair.h1._channel.unary_unary("/alcor.schema.GoalStateProvisioner/PushNetworkResourceStates")
    assert code_of(lambda: method(b"", timeout=WAIT_SECONDS_MAX)) == (
        grpc.StatusCode.UNIMPLEMENTED,
        "goal states of version 1 are not served; push those of version 2 with PushGoalStatesStream",
    )


def test_one_resource_that_an_agent_cannot_stand_keeps_no_other_from_it(world: World) -> None:
    """The agent breaks off every stream that contains a certain pod."""
    pair = Pair(world)
    whole = pair.h1._apply

    def picky(goal: Any) -> None:
        assert "port-21-10.0.0.8" not in goal.port_states
        whole(goal)

    pair.h1._apply = picky  # type: ignore[method-assign]
    statuses: list[Any] = []
    ports = [Port(f"10.0.0.{number}", pair.h1.address) for number in (7, 8, 9)]
    pushing = threading.Thread(target=lambda: statuses.extend(world.controller().push(goal_of(*ports))))
    pushing.start()
    pushing.join(WAIT_SECONDS_MAX)
    assert [statuses[0][port.id] for port in ports] == ["SUCCESS", "FAILURE", "SUCCESS"]
