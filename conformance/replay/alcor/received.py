"""The meaning of a goal state for an agent of Alcor: which pods are where, and what the agent would refuse.

It reads as Alcor's agent does, and not as ours: CREATE, UPDATE and INFO all mean that something is there, and a neighbor counts
only if its subnet is in the same goal state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from impl.wire.alcor.schema import Schema


@dataclass(frozen=True, slots=True)
class Heard:
    """One address of a port or neighbor in a goal state."""

    kind: str
    """PORT or NEIGHBOR."""
    id: str
    network: str
    """The id of its VPC."""
    ip: str
    version: int
    """Its revision."""
    place: str | None
    """The address of the host where it is; none: it is deleted."""
    refused: str = ""
    """Why an agent would refuse it; empty if it would not."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A goal state that came to a host."""

    host: str
    heard: tuple[Heard, ...] = ()
    """Empty in a warm-up."""
    problem: str = ""
    """Why it could not be read."""


def heard_in(schema: Schema, goal: Any, address: str) -> Iterator[Heard]:
    """The statements of a goal state that came to the agent at an address."""
    kinds = schema.OperationType
    for identifier, state in sorted(goal.port_states.items()):
        port, gone = state.configuration, state.operation_type == kinds.DELETE
        place = None if gone else port.host_info.ip_address or address
        refused = "" if gone else _wrong_port(schema, goal, port)
        for item in port.fixed_ips:
            yield Heard("PORT", identifier, port.vpc_id, item.ip_address, port.revision_number, place, refused)
    for identifier, state in sorted(goal.neighbor_states.items()):
        neighbor, gone = state.configuration, state.operation_type == kinds.DELETE
        place = None if gone else neighbor.host_ip_address
        for item in neighbor.fixed_ips:
            refused = _wrong_subnet(goal, item.subnet_id)
            if not refused and not gone:
                refused = _wrong_neighbor(neighbor)
            yield Heard(
                "NEIGHBOR", identifier, neighbor.vpc_id, item.ip_address, neighbor.revision_number, place, refused
            )


def _wrong_port(schema: Schema, goal: Any, port: Any) -> str:
    if not port.revision_number or not port.admin_state_up:
        return "revision_number is 0" if not port.revision_number else "admin_state_up is false"
    if port.update_type != schema.UpdateType.FULL:
        return "update_type is DELTA"
    return next((wrong for item in port.fixed_ips if (wrong := _wrong_subnet(goal, item.subnet_id))), "")


def _wrong_neighbor(neighbor: Any) -> str:
    if not neighbor.revision_number:
        return "revision_number is 0"
    if not neighbor.mac_address:
        return "mac_address is empty"
    return "" if neighbor.host_ip_address else "host_ip_address is empty"


def _wrong_subnet(goal: Any, identifier: str) -> str:
    if identifier not in goal.subnet_states:
        return f"its subnet {identifier} is not in the same goal state"
    subnet = goal.subnet_states[identifier].configuration
    if not subnet.tunnel_id or "/" not in subnet.cidr:
        return f"its subnet {identifier} has no tunnel_id" if not subnet.tunnel_id else f"{identifier} has no cidr"
    return ""
