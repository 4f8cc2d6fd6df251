"""Revisions on Alcor's wire: their encoding, an agent's interpretation, and what counts as a confirmation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from impl.messages import Kind, Part, Push
from impl.transport.grpc.revisions import CannotBeSaid, compose, confirms, read
from impl.wire.alcor.schema import HEAD, PIN, schema

SCHEMA = schema(PIN)
PUSH = Push("h1", 3, "red", 7, (Part(Kind.SUBNET, b"10.0.0.0/24"), Part(Kind.GROUP_RULES, "nobody \u2190".encode())))


def goal() -> Any:
    """The revision as a goal state."""
    return compose(SCHEMA, PUSH, "10.0.0.1")


@pytest.mark.parametrize("numbering", [PIN, HEAD])
def test_a_revision_is_read_as_it_was_said(numbering: str) -> None:
    wire = schema(numbering)
    made = wire.GoalStateV2.FromString(compose(wire, PUSH, "10.0.0.1").SerializeToString())
    reading = read(wire, made, "h1", "10.0.0.1", 3)
    assert reading.push == PUSH
    assert [(resource.kind, resource.id, resource.problem) for resource in reading.resources] == [
        ("SUBNET", "red/subnet", ""),
        ("SECURITYGROUP", "red/group-rules", ""),
    ]
    subnet = made.subnet_states["red/subnet"].configuration
    assert (subnet.revision_number, subnet.cidr, subnet.vpc_id) == (7, "10.0.0.0/24", "red")


@pytest.mark.parametrize(
    ("push", "said"),
    [
        (Push("h1", 1, "red", 1, (Part(Kind.SUBNET, b"\xff"),)), "red/subnet: is not text"),
        (Push("h1", 1, "red", 2**32, PUSH.parts), "revision 4294967296 is more than 4294967295"),
    ],
    ids=["bytes", "revision"],
)
def test_what_the_wire_has_no_room_for_is_not_said(push: Push, said: str) -> None:
    with pytest.raises(CannotBeSaid, match=said):
        compose(SCHEMA, push, "10.0.0.1")


def without_a_listing(made: Any) -> None:
    made.host_resources.clear()


def for_another_host(made: Any) -> None:
    made.host_resources["10.0.0.2"].CopyFrom(made.host_resources["10.0.0.1"])
    del made.host_resources["10.0.0.1"]


def without_a_revision(made: Any) -> None:
    made.subnet_states["red/subnet"].configuration.revision_number = 0


def of_two_revisions(made: Any) -> None:
    made.subnet_states["red/subnet"].configuration.revision_number = 8


def of_two_vpcs(made: Any) -> None:
    made.subnet_states["red/subnet"].configuration.vpc_id = "blue"


def with_another_id(made: Any) -> None:
    made.subnet_states["red/subnet"].configuration.id = "other"


def deleted(made: Any) -> None:
    made.subnet_states["red/subnet"].operation_type = SCHEMA.OperationType.DELETE


def in_part(made: Any) -> None:
    made.subnet_states["red/subnet"].configuration.update_type = SCHEMA.UpdateType.DELTA


def of_no_vpc(made: Any) -> None:
    for states in (made.subnet_states, made.security_group_states):
        for state in states.values():
            state.configuration.vpc_id = "a/b"


def too_large(made: Any) -> None:
    made.subnet_states["red/subnet"].configuration.name = "x" * 20_000


def with_a_port(made: Any) -> None:
    made.port_states["p"].configuration.id = "p"


@pytest.mark.parametrize(
    "spoil",
    [
        without_a_listing,
        for_another_host,
        without_a_revision,
        of_two_revisions,
        of_two_vpcs,
        with_another_id,
        deleted,
        in_part,
        of_no_vpc,
        too_large,
        with_a_port,
    ],
)
def test_a_goal_state_with_anything_wrong_says_no_revision(spoil: Callable[[Any], None]) -> None:
    made = goal()
    spoil(made)
    reading = read(SCHEMA, made, "h1", "10.0.0.1", 3)
    assert reading.push is None
    assert any(resource.problem for resource in reading.resources)


def reply(*statuses: tuple[str, str, str, int]) -> Any:
    """A reply with these statuses: id, kind, operation and status."""
    made = SCHEMA.GoalStateOperationReply()
    for identifier, kind, operation, verdict in statuses:
        made.operation_statuses.add(
            resource_id=identifier,
            resource_type=SCHEMA.ResourceType.Value(kind),
            operation_type=SCHEMA.OperationType.Value(operation),
            operation_status=verdict,
        )
    return made


SUBNET = ("red/subnet", "SUBNET", "UPDATE")
RULES = ("red/group-rules", "SECURITYGROUP", "UPDATE")


@pytest.mark.parametrize(
    ("said", "confirmed"),
    [
        ([(*SUBNET, 0), (*RULES, 0)], True),
        ([], False),
        ([(*SUBNET, 0)], False),
        ([(*SUBNET, 0), (*RULES, 1)], False),
        ([(*SUBNET, 0), (*RULES, 3)], False),
        ([(*SUBNET, 0), (*RULES, 4)], False),
        ([(*SUBNET, 0), (*RULES, 99)], False),
        ([(*SUBNET, 0), (*RULES, 0), (*RULES, 1)], False),
        ([(*SUBNET, 0), ("red/group-rules", "SUBNET", "UPDATE", 0)], False),
        ([(*SUBNET, 0), ("red/group-rules", "SECURITYGROUP", "INFO", 0)], False),
        ([(*SUBNET, 0), (*RULES, 0), ("red/subnet", "VPC", "INFO", 2)], False),
        ([("", "VPC", "INFO", 0), ("", "VPC", "INFO", 0)], False),
    ],
    ids=str,
)
def test_only_a_success_for_every_resource_confirms(said: list[tuple[str, str, str, int]], confirmed: bool) -> None:
    assert confirms(SCHEMA, PUSH, reply(*said)) is confirmed
