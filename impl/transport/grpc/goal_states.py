"""The content of a goal state for an agent: pods, with versions and places.

| unset or zero field | interpretation |
|---|---|
| everything (a warm-up) | no content, and the reply is empty |
| revision of a port or neighbor | refused: nothing could be ordered by it |
| operation of a port or neighbor (reads as INFO), or GET | refused, although an agent of Alcor takes INFO for an update |
| `update_type` (reads as DELTA) or `admin_state_up` of a port that is placed | refused |
| device and owner of a port that is updated | the port is deleted |
| host of a port | this one |
| host of a neighbor | refused, unless it is deleted |
| subnet of a port or neighbor, or its VNI | refused: the pod's network would be a guess |
| operation of a network or subnet, and its revision | not read: they only describe |

A deleted port means that the pod is gone, unless a neighbor in the same goal state gives its present place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from impl.messages import Pod
from impl.transport.grpc.resources import VNI_MAX, Wrong, checked_address, is_gone
from impl.wire.alcor.schema import Schema


@dataclass(frozen=True, slots=True)
class Statement:
    """A version of a pod; without a place the pod is gone."""

    pod: Pod
    version: int
    place: str | None


@dataclass(slots=True)
class Item:
    """A port or neighbor of a goal state."""

    kind: str
    id: str
    operation: int
    statements: list[Statement]
    problem: str = ""
    """The reason for rejecting it; empty: none."""


def read(goal: Any, schema: Schema, host: str, address: str, place_of: Callable[[str], str | None]) -> list[Item]:
    """The ports and neighbors of a goal state for this host, ports first."""
    return _Reading(goal, schema, host, address, place_of).read()


class _Reading:
    def __init__(
        self, goal: Any, schema: Schema, host: str, address: str, place_of: Callable[[str], str | None]
    ) -> None:
        self._goal, self._schema, self._host, self._address, self._place_of = goal, schema, host, address, place_of

    def read(self) -> list[Item]:
        ports = [
            self._item("PORT", identifier, state, self._port)
            for identifier, state in sorted(self._goal.port_states.items())
        ]
        neighbors = [
            self._item("NEIGHBOR", identifier, state, self._neighbor)
            for identifier, state in sorted(self._goal.neighbor_states.items())
        ]
        elsewhere = {statement.pod: statement.version for item in neighbors for statement in item.statements}
        for port in ports:
            port.statements = [
                statement
                for statement in port.statements
                if statement.place is not None or elsewhere.get(statement.pod, 0) < statement.version
            ]
        return [*ports, *neighbors]

    def _item(self, kind: str, identifier: str, state: Any, read: Callable[[int, Any], list[Statement]]) -> Item:
        item = Item(kind, identifier, state.operation_type, [])
        try:
            if state.configuration.id != identifier or not identifier:
                raise Wrong(f"its id is {state.configuration.id!r}, and its key must be the same")
            if not state.configuration.revision_number:
                raise Wrong("revision_number is 0")
            if not state.configuration.fixed_ips:
                raise Wrong("it has no address")
            item.statements = read(state.operation_type, state.configuration)
        except Wrong as problem:
            item.problem = str(problem)
        return item

    def _port(self, operation: int, port: Any) -> list[Statement]:
        gone = is_gone(self._schema, operation, port)
        if port.host_info.ip_address not in ("", self._address):
            raise Wrong("it is the port of another host")
        if not gone and not port.admin_state_up:
            raise Wrong("admin_state_up is false")
        if not gone and port.update_type != self._schema.UpdateType.FULL:
            raise Wrong("update_type is DELTA")
        return self._statements(port, None if gone else self._host)

    def _neighbor(self, operation: int, neighbor: Any) -> list[Statement]:
        kinds = self._schema.OperationType
        if operation not in (kinds.CREATE, kinds.UPDATE, kinds.DELETE):
            raise Wrong("a neighbor is created, updated or deleted")
        place = None
        if operation != kinds.DELETE:
            place = self._place_of(neighbor.host_ip_address)
            if place is None:
                raise Wrong("host_ip_address is not the address of a known host")
        return self._statements(neighbor, place)

    def _statements(self, configuration: Any, place: str | None) -> list[Statement]:
        return [
            Statement(
                Pod(str(self._vni(item.subnet_id)), checked_address(item.ip_address)),
                configuration.revision_number,
                place,
            )
            for item in configuration.fixed_ips
        ]

    def _vni(self, subnet: str) -> int:
        if subnet not in self._goal.subnet_states:
            raise Wrong("its subnet is not in the same goal state")
        found = self._goal.subnet_states[subnet].configuration
        vni = int(found.tunnel_id)
        if not 0 < vni <= VNI_MAX:
            raise Wrong("its subnet's tunnel_id is 0 or too large")
        if found.vpc_id in self._goal.vpc_states:
            said = self._goal.vpc_states[found.vpc_id].configuration.tunnel_id
            if said not in (0, vni):
                raise Wrong("its subnet's tunnel_id is not the network's")
        return vni
