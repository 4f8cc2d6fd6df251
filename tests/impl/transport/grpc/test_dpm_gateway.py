"""Our DPM on Alcor's wire format, and NCM's handling of goal states with unset fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from impl.core import IllegalInput
from impl.messages import Config, Outcome, Pod
from impl.transport.grpc.directory import Directory
from impl.transport.grpc.dpm_gateway import DpmGateway, goal_state, port_id
from impl.transport.grpc.endpoints import Endpoint
from impl.transport.grpc.identity import ByAddress
from impl.transport.grpc.resources import GoalStateRefused, Resources
from impl.wire.alcor.schema import PIN, schema
from tests.impl.transport.grpc.network import World
from tests.impl.transport.grpc.stand_ins import Port, goal_of, put_neighbor

POD = Pod("21", "10.0.0.1")
PORT = "port-21-10.0.0.1"
CHANGE = Config(POD, 1, "127-0-0-1")


def gateway(world: World) -> DpmGateway:
    """DPM's connection; nothing is called here."""
    identity = ByAddress(world.directory)
    return DpmGateway(world.loop, world.schema, world.directory, identity, Endpoint("127.0.0.1", 1), "ncm")


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"operation_status": 0}, Outcome.DONE),
        ({"operation_status": 1}, Outcome.FAILED),
        ({"operation_status": 2}, None),
        ({"operation_status": 3}, None),
        ({"operation_status": 4}, Outcome.SUPERSEDED),
        ({"operation_status": 9}, None),
        ({"resource_id": "another"}, None),
        ({"resource_id": ""}, None),
        ({"resource_type": 0}, None),
        ({"operation_type": 0}, None),
        ({"operation_type": 4}, None),
    ],
    ids=str,
)
def test_only_a_status_that_names_the_port_ends_a_change(
    world: World, fields: dict[str, Any], outcome: Outcome | None
) -> None:
    reply = schema(PIN).GoalStateOperationReply()
    reply.operation_statuses.add(**({"resource_id": port_id(POD), "resource_type": 2, "operation_type": 1} | fields))
    dpm = gateway(world)
    assert dpm._outcome(CHANGE, reply) is outcome
    reply.operation_statuses.add(resource_id=port_id(POD), resource_type=2, operation_type=1, operation_status=1)
    assert dpm._outcome(CHANGE, reply) in (None, Outcome.FAILED), "two statuses are none, unless they agree"
    assert dpm._outcome(CHANGE, schema(PIN).GoalStateOperationReply()) is None, "Alcor's NCM replies like this"
    assert dpm._outcome(CHANGE, None) is None


def test_what_cannot_be_said_on_this_wire_is_refused(world: World) -> None:
    dpm = gateway(world)
    dpm.check(POD, "127-0-0-1")
    for pod in (Pod("red", "10.0.0.1"), Pod("0", "10.0.0.1"), Pod("021", "10.0.0.1"), Pod("21", "p1")):
        with pytest.raises(IllegalInput, match=r"invalid pod .* on this wire"):
            dpm.check(pod)
    with pytest.raises(IllegalInput, match="unknown host 'h1'"):
        dpm.check(POD, "h1")


def resources() -> Resources:
    """Tables in memory, for hosts that are named after their addresses."""
    return Resources(None, schema(PIN), Directory(None))


def configs(tables: Resources, goal: Any) -> list[Config]:
    """The changes that a goal state requests."""
    return [config for change in tables.take(goal) for config in change.configs]


def test_what_our_dpm_says_is_what_ncm_takes() -> None:
    tables = resources()
    for change in (CHANGE, Config(POD, 2, "127-0-0-2"), Config(POD, 3, None), CHANGE):
        assert configs(tables, goal_state(schema(PIN), change, Directory(None))) == [change]


def port(goal: Any) -> Any:
    """The port of a goal state."""
    return goal.port_states[PORT]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda g: setattr(port(g).configuration, "revision_number", 0), "revision_number is 0"),
        (lambda g: setattr(port(g), "operation_type", 0), "a port is created, updated or deleted"),
        (lambda g: setattr(port(g), "operation_type", 3), "a port is created, updated or deleted"),
        (lambda g: setattr(port(g).configuration, "admin_state_up", False), "admin_state_up is false"),
        (lambda g: setattr(port(g).configuration, "update_type", 0), "update_type is DELTA"),
        (lambda g: port(g).configuration.ClearField("fixed_ips"), "it has no address"),
        (lambda g: setattr(port(g).configuration.fixed_ips[0], "ip_address", ""), "'' is not an IP address"),
        (lambda g: setattr(port(g).configuration.fixed_ips[0], "subnet_id", "x"), "subnet 'x' is unknown"),
        (lambda g: setattr(port(g).configuration, "vpc_id", "x"), "network 'x' is unknown"),
        (lambda g: setattr(port(g).configuration, "id", "x"), "its id is 'x'"),
        (lambda g: g.host_resources.clear(), "it is listed for no host"),
        (lambda g: setattr(port(g).configuration.host_info, "ip_address", "127.0.0.9"), "it is at 2 hosts at once"),
        (lambda g: g.port_states.clear(), "a host lists it, but its state is missing"),
        (lambda g: setattr(g.vpc_states["vpc"].configuration, "tunnel_id", 0), "tunnel_id is 0"),
        (lambda g: setattr(g.vpc_states["vpc"].configuration, "revision_number", 0), "revision_number is 0"),
        (lambda g: setattr(g.vpc_states["vpc"], "operation_type", 4), "described by INFO, CREATE or UPDATE"),
        (lambda g: setattr(g.subnet_states["vpc-subnet"].configuration, "cidr", "10.0.0.0"), "has no length"),
        (lambda g: setattr(g.subnet_states["vpc-subnet"].configuration, "tunnel_id", 22), "and the network's is 21"),
        (lambda g: put_neighbor(g, PIN, Port("10.0.0.1", "127.0.0.2")), "its port has other content"),
        (lambda g: put_neighbor(g, PIN, Port("10.0.0.1", "127.0.0.1", operation="INFO")), "a neighbor is created"),
        (lambda g: setattr(g.router_states["r"].configuration, "id", "r"), "passes on ports and neighbors only"),
    ],
)
def test_a_goal_state_that_leaves_something_out_changes_nothing(spoil: Callable[[Any], Any], said: str) -> None:
    tables = resources()
    goal = goal_of(Port("10.0.0.1", "127.0.0.1"), Port("10.0.0.2", "127.0.0.2"))
    whole = goal.SerializeToString()
    spoil(goal)
    with pytest.raises(GoalStateRefused, match=said):
        tables.take(goal)
    assert tables._connection.execute("SELECT COUNT(*) FROM port").fetchone() == (0,)
    assert len(configs(tables, schema(PIN).GoalStateV2.FromString(whole))) == 2


def test_a_network_keeps_its_vni() -> None:
    tables = resources()
    tables.take(goal_of(Port("10.0.0.1", "127.0.0.1")))
    with pytest.raises(GoalStateRefused, match="a network keeps its VNI"):
        tables.take(goal_of(Port("10.0.0.2", "127.0.0.1", vni=22)))
    with pytest.raises(GoalStateRefused, match="a network keeps its VNI"):
        tables.take(goal_of(Port("10.0.0.2", "127.0.0.1", vpc="other")))
