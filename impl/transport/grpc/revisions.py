"""A revision of a VPC's shared state as a goal state of Alcor's, and the interpretation of its reply.

A goal state carries one revision of one VPC to one host: a subnet state for the subnets, a security-group state for the rules of
security groups. The text of each is the resource's name; if it is a network it is also the subnet's CIDR.

| pushed goal state | interpretation |
|---|---|
| a resource that the list of this host does not name | INVALID_ARG |
| an id that differs from the key | INVALID_ARG |
| revision 0 | INVALID_ARG: nothing could be ordered by it |
| operation unset (reads as INFO), CREATE or UPDATE | the resource is as described |
| another operation | INVALID_ARG |
| `update_type` unset (reads as DELTA) | INVALID_ARG: a part would be taken for the whole |
| an invalid VPC name | INVALID_ARG |
| more than one VPC or revision, or a kind twice | INVALID_ARG, for all of it |
| any other resource | INVALID_ARG: ports and neighbors come from NCM |
| one resource with INVALID_ARG | FAILURE of the others: a revision is applied as a whole, or not at all |

| reply | interpretation |
|---|---|
| no status that names a resource with its kind and operation | the revision is not confirmed |
| SUCCESS (also the value of an unset status) and nothing else, for each resource by id, kind and operation | confirmed |
| any other status, or an invalid number, for one of the resources | not confirmed |
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from impl.messages import PAYLOAD_BYTES_MAX, VPC_NAME, Kind, Part, Push
from impl.transport.grpc.resources import FORMAT_VERSION
from impl.wire.alcor.schema import Schema

TYPES: Final[Mapping[Kind, str]] = {Kind.SUBNET: "SUBNET", Kind.GROUP_RULES: "SECURITYGROUP"}
"""The resource type for each kind of shared state."""

REVISION_MAX: Final = 2**32 - 1
"""The largest revision that fits on the wire."""


class CannotBeSaid(Exception):
    """A revision that does not fit on the wire; the text says why."""


def resource_id(vpc: str, kind: Kind) -> str:
    """The id of the resource for this kind of a VPC's shared state."""
    return f"{vpc}/{kind.value}"


def states_of(goal: Any, kind: Kind) -> Any:
    """The states of a goal state for this kind, by id."""
    return goal.subnet_states if kind is Kind.SUBNET else goal.security_group_states


def compose(schema: Schema, push: Push, address: str) -> Any:
    """The goal state for the host at this address.

    Raises:
        CannotBeSaid: a part is not text, or the revision is too large.
    """
    if push.revision > REVISION_MAX:
        raise CannotBeSaid(f"{push.vpc}: revision {push.revision} is more than {REVISION_MAX}")
    goal = schema.GoalStateV2(format_version=FORMAT_VERSION)
    for part in push.parts:
        identifier = resource_id(push.vpc, part.kind)
        try:
            text = part.data.decode()
        except UnicodeDecodeError as problem:
            raise CannotBeSaid(f"{identifier}: is not text") from problem
        state = states_of(goal, part.kind)[identifier]
        state.operation_type = schema.OperationType.UPDATE
        configuration = state.configuration
        configuration.id, configuration.vpc_id, configuration.name = identifier, push.vpc, text
        configuration.revision_number = push.revision
        configuration.update_type = schema.UpdateType.FULL
        if part.kind is Kind.SUBNET and _is_network(text):
            configuration.cidr = text
        kind = schema.ResourceType.Value(TYPES[part.kind])
        goal.host_resources[address].resources.add(type=kind, id=identifier)
    return goal


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def confirms(schema: Schema, push: Push, reply: Any) -> bool:
    """Whether an agent's reply confirms the revision."""
    heard: dict[str, list[int]] = {resource_id(push.vpc, part.kind): [] for part in push.parts}
    expected = {resource_id(push.vpc, part.kind): schema.ResourceType.Value(TYPES[part.kind]) for part in push.parts}
    success = schema.OperationStatus.SUCCESS
    for status in reply.operation_statuses:
        identifier = status.resource_id
        named = expected.get(identifier), schema.OperationType.UPDATE
        is_named = named == (status.resource_type, status.operation_type)
        if identifier in heard and (is_named or status.operation_status != success):
            heard[identifier].append(status.operation_status)
    return all(statuses and set(statuses) == {success} for statuses in heard.values())


@dataclass(slots=True)
class Resource:
    """One resource of a goal state, as read by an agent."""

    kind: str
    """A member of `ResourceType`."""
    id: str
    operation: int
    problem: str = ""
    """The reason for rejecting it; empty: none."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A goal state, as read by an agent."""

    resources: tuple[Resource, ...]
    push: Push | None
    """The revision that it contains; None: it contains no acceptable one."""


def read(schema: Schema, goal: Any, host: str, address: str, epoch: int) -> Reading:
    """The content of a goal state for the host at this address, in this epoch of its agent."""
    listed = (
        {(each_resource.type, each_resource.id) for each_resource in goal.host_resources[address].resources}
        if _lists(goal, address)
        else set()
    )
    resources: list[Resource] = []
    said: list[tuple[str, int, Part]] = []
    for kind in Kind:
        for identifier, state in sorted(states_of(goal, kind).items()):
            resource = Resource(TYPES[kind], identifier, state.operation_type)
            is_listed = (schema.ResourceType.Value(resource.kind), identifier) in listed
            resource.problem = _doubt(schema, state, identifier) or ("" if is_listed else "it is not for this host")
            resources.append(resource)
            configuration = state.configuration
            part = Part(kind, configuration.name.encode())
            said.append((configuration.vpc_id, configuration.revision_number, part))
    taken = list(resources)
    resources += _others(goal)
    whole = {(vpc, revision) for vpc, revision, _ in said}
    kinds = [part.kind for _, _, part in said]
    if len(whole) > 1 or len(set(kinds)) < len(kinds):
        for resource in taken:
            resource.problem = resource.problem or "the goal state is not one revision of one VPC, each kind once"
    if sum(len(part.data) for _, _, part in said) > PAYLOAD_BYTES_MAX:
        for resource in taken:
            resource.problem = resource.problem or f"the revision has more than {PAYLOAD_BYTES_MAX} bytes"
    if not said or any(each_resource.problem for each_resource in resources):
        return Reading(tuple(resources), None)
    ((vpc, revision),) = whole
    return Reading(tuple(resources), Push(host, epoch, vpc, revision, tuple(part for _, _, part in said)))


def _lists(goal: Any, address: str) -> bool:
    return address in goal.host_resources


def _doubt(schema: Schema, state: Any, identifier: str) -> str:
    """What is wrong with a single state; empty: nothing."""
    configuration, operations = state.configuration, schema.OperationType
    if configuration.id != identifier or not identifier:
        return "its id and its key must be the same"
    if not configuration.revision_number:
        return "revision_number is 0"
    if state.operation_type not in (operations.INFO, operations.CREATE, operations.UPDATE):
        return "it is described by INFO, CREATE or UPDATE"
    if configuration.update_type != schema.UpdateType.FULL:
        return "update_type is not FULL"
    if not VPC_NAME.fullmatch(configuration.vpc_id):
        return "vpc_id is not a valid VPC name"
    return ""


def _others(goal: Any) -> list[Resource]:
    return [
        Resource(kind, identifier, states[identifier].operation_type, "DPM sends subnets and security groups only")
        for kind, states in (
            ("VPC", goal.vpc_states),
            ("PORT", goal.port_states),
            ("NEIGHBOR", goal.neighbor_states),
            ("DHCP", goal.dhcp_states),
            ("ROUTER", goal.router_states),
            ("GATEWAY", goal.gateway_states),
        )
        for identifier in sorted(states)
    ]
