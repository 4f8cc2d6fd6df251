"""An NCM of Alcor with any of its defects, written from what is known of it, and sharing nothing with ours but the messages.

Without a defect it does what the on-demand protocol wants, as far as Alcor's wire can say it. It keeps the newest revision of each
address of a network, and which hosts it told; it pushes on a stream of its own for each message, waits for the agent's reply, and
warms each channel up with a stream that it does not half-close.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from impl.wire.alcor.schema import PIN, schema
from tests.impl.transport.grpc.stand_ins import PUSH, serve

DEFECTS: Final = frozenset(
    {
        "grants what is unknown",
        "says yes after an exception",
        "answers only the last of a batch",
        "swaps two hosts",
        "does not check whose the source is",
        "does not check the network",
        "serves what is deleted",
        "keeps the first owner of an address",
        "sends only the subnet of the source",
        "says yes to an agent that it cannot call",
        "does not know of restarts",
        "follows a null pointer",
        "is hard-wired",
        "takes an older revision",
        "forgets whom it told",
        "pushes to all",
        "answers nothing",
        "answers under another id",
        "says done of what came too late",
        "changes the place",
        "tells everybody afterwards",
    }
)
"""Those of Alcor's code first; the others are what else an NCM may do wrong at this interface."""

AT_ONCE_SECONDS: Final = 5.0
"""How long at most the NCM that mixes hosts up holds a request, for another host to ask meanwhile."""

Key = tuple[int, str]
"""A network's VNI, and an address in it."""


@dataclass
class Record:
    """The newest revision of an address."""

    version: int
    place: str | None
    """The address of the host; none: it is gone."""
    port: Any
    """The port's state."""
    neighbor: Any | None
    """Its neighbor's state, if the controller sent one."""
    vpc: Any
    subnet: Any
    homes: set[str] = field(default_factory=set)
    """Where the address ever was."""


class StandInNcm:
    """See the module."""

    def __init__(self, where: str, agent_port: int, numbering: str = PIN, defects: Collection[str] = ()) -> None:
        assert set(defects) <= DEFECTS, defects
        self._where, self._agent_port, self._defects = where, agent_port, frozenset(defects)
        self.says_outcomes = True
        """The controller gets a status for each port, which Alcor's NCM never gives."""
        self._schema = schema(numbering)
        self._records: dict[Key, Record] = {}
        self._first: dict[Key, Record] = {}
        self._outcomes: dict[tuple[Key, int], str] = {}
        self._told: set[tuple[str, Key]] = set()
        self._hosts: set[str] = set()
        self._answered: Key | None = None
        self._channels: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._asking = threading.Condition()
        self._askers: list[str] = []
        self._warm = threading.Event()

    def start(self) -> StandInNcm:
        """Serves."""
        self._server = serve(
            {
                "PushGoalStatesStream": grpc.stream_stream_rpc_method_handler(self._goals),
                "RequestGoalStates": grpc.unary_unary_rpc_method_handler(self._request),
            },
            self._where,
            None,
        )
        return self

    def stop(self) -> None:
        """Is gone."""
        self._warm.set()
        self._server.stop(None).wait()
        for channel in self._channels.values():
            channel.close()

    def _has(self, defect: str) -> bool:
        assert defect in DEFECTS
        return defect in self._defects

    # --------------------------------------------------------------------------------------------- from DPM

    def _goals(self, messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for data in messages:
            goal = self._schema.GoalStateV2.FromString(data)
            reply = self._schema.GoalStateOperationReply(format_version=100)
            with self._lock:
                self._gossip()
                for identifier, state in goal.port_states.items():
                    status = self._store(goal, identifier, state)
                    if self.says_outcomes:
                        reply.operation_statuses.add(
                            resource_id=identifier,
                            resource_type=self._schema.ResourceType.PORT,
                            operation_type=state.operation_type,
                            operation_status=self._schema.OperationStatus.Value(status),
                        )
            yield reply.SerializeToString()

    def _store(self, goal: Any, identifier: str, state: Any) -> str:
        kinds, port = self._schema.OperationType, state.configuration
        vpc = goal.vpc_states[port.vpc_id]
        (fixed,) = port.fixed_ips
        key = vpc.configuration.tunnel_id, fixed.ip_address
        before, version = self._records.get(key), port.revision_number
        if before is not None and version < before.version and not self._has("takes an older revision"):
            late = "SUCCESS" if self._has("says done of what came too late") else "OUT_OF_ORDER"
            return self._outcomes.setdefault((key, version), late)
        place = None if state.operation_type == kinds.DELETE else self._home(goal, identifier)
        neighbor = goal.neighbor_states.get(f"{identifier}_n")
        if before is not None and place is None and self._has("serves what is deleted"):
            return "SUCCESS"
        record = Record(version, place, state, neighbor, vpc, goal.subnet_states[fixed.subnet_id])
        self._records[key] = record
        record.homes = (before.homes if before is not None else set()) | ({place} if place is not None else set())
        self._hosts |= record.homes
        told = {host for host, pod in self._told if pod == key}
        concerned = ({place} if place is not None else set()) | told
        if self._has("forgets whom it told"):
            concerned = {place} if place is not None else set()
        if self._has("pushes to all"):
            concerned = set(self._hosts)
        self._told |= {(host, key) for host in concerned}
        is_new = before is not None and before.place is None
        if is_new and place is not None and self._has("keeps the first owner of an address"):
            self._push(place, self._statement(place, key))
            self._records[key] = self._first[key]
            return "SUCCESS"
        self._first.setdefault(key, record)
        pushed = [self._push(host, self._statement(host, key)) for host in sorted(concerned)]
        self._outcomes[key, version] = "SUCCESS" if all(pushed) else "PENDING"
        return self._outcomes[key, version]

    def _gossip(self) -> None:
        """What it answered last goes to all other hosts, when the controller comes next."""
        if self._answered is not None and self._has("tells everybody afterwards"):
            key, self._answered = self._answered, None
            for host in sorted(self._hosts - {host for host, pod in self._told if pod == key}):
                self._push(host, self._statement(host, key))

    def _home(self, goal: Any, port: str) -> str:
        (home,) = (
            address
            for address, resources in goal.host_resources.items()
            if any(resource.id == port for resource in resources.resources)
        )
        return str(home)

    # -------------------------------------------------------------------------------------------- from hosts

    def _request(self, data: bytes, context: Any) -> bytes:
        caller = context.peer().removeprefix("ipv4:").rpartition(":")[0]
        call = self._schema.HostRequest.FromString(data)
        to = self._other(caller) if self._has("swaps two hosts") else caller
        with self._lock:
            statuses = self._answers(list(call.state_requests), caller, to)
        reply = self._schema.HostRequestReply(format_version=1)
        if not self._has("answers nothing"):
            for request, status in zip(call.state_requests, statuses, strict=True):
                identifier = "another" if self._has("answers under another id") else request.request_id
                value = self._schema.OperationStatus.Value(status)
                reply.operation_statuses.add(request_id=identifier, operation_status=value)
        result: bytes = reply.SerializeToString()
        return result

    def _other(self, caller: str) -> str:
        """The host that asks at the same time, if there is one."""
        with self._asking:
            self._askers.append(caller)
            self._asking.notify_all()
            self._asking.wait_for(lambda: len(self._askers) > 1, AT_ONCE_SECONDS)
            others = [asker for asker in self._askers if asker != caller]
            if not others:
                self._askers.remove(caller)
                return caller
            if len(self._askers) == 2:
                self._askers.append("")  # the second to leave clears it
            else:
                self._askers.clear()
            return others[0] or caller

    def _answers(self, requests: list[Any], caller: str, to: str) -> list[str]:
        answers = [self._answer(request, caller) for request in requests]
        if any(goal == "exception" for _, goal in answers):
            return ["FAILURE" if status == "FAILURE" else "SUCCESS" for status, _ in answers]
        last = max((number for number, (_, goal) in enumerate(answers) if goal is not None), default=-1)
        statuses = []
        for number, (status, goal) in enumerate(answers):
            skipped = self._has("answers only the last of a batch") and number != last
            pushed = goal is None or skipped or self._push(to, goal)
            wrong = self._has("says yes to an agent that it cannot call")
            statuses.append(status if pushed or wrong else "FAILURE")
        return statuses

    def _answer(self, request: Any, caller: str) -> tuple[str, Any]:
        """A status, and what is to be pushed before it: a goal state, nothing, or an exception."""
        if request.request_type == self._schema.RequestType.AGENT_RESTARTED:
            return self._restarted(caller)
        if self._has("is hard-wired"):
            return "SUCCESS", self._hard_wired(caller)
        source = self._records.get((request.tunnel_id, request.source_ip))
        if source is None or (source.place != caller and not self._has("does not check whose the source is")):
            return "FAILURE", None
        key = request.tunnel_id, request.destination_ip
        if key not in self._records and self._has("does not check the network"):
            key = next((record for record in self._records if record[1] == request.destination_ip), key)
        if self._has("follows a null pointer"):
            return "SUCCESS", None
        destination = self._records.get(key)
        if destination is None or destination.place is None:
            return ("SUCCESS" if self._has("grants what is unknown") else "FAILURE"), None
        if destination.neighbor is None and self._has("says yes after an exception"):
            return "SUCCESS", "exception"
        self._told.add((caller, key))
        self._answered = key
        goal = self._statement(caller, key)
        if self._has("sends only the subnet of the source"):
            for identifier in set(goal.subnet_states) - {source.subnet.configuration.id}:
                del goal.subnet_states[identifier]
        return "SUCCESS", goal

    def _restarted(self, caller: str) -> tuple[str, Any]:
        if self._has("does not know of restarts"):
            return "FAILURE", None
        self._told = {(host, key) for host, key in self._told if host != caller}
        goal = self._schema.GoalStateV2()
        for key, record in self._records.items():
            if record.place == caller:
                self._told.add((caller, key))
                goal.MergeFrom(self._statement(caller, key))
        return "SUCCESS", goal

    def _hard_wired(self, caller: str) -> Any:
        goal = self._schema.GoalStateV2()
        neighbor = goal.neighbor_states["demo_n"].configuration
        neighbor.id, neighbor.vpc_id, neighbor.revision_number = "demo_n", "demo", 2
        neighbor.mac_address, neighbor.host_ip_address = "6c:dd:ee:0:0:2", caller
        neighbor.fixed_ips.add(subnet_id="demo-subnet", ip_address="10.0.0.2")
        return goal

    # ----------------------------------------------------------------------------------------------- pushing

    def _statement(self, host: str, key: Key) -> Any:
        """What a host is told of an address."""
        record, kinds = self._records[key], self._schema.OperationType
        goal = self._schema.GoalStateV2()
        goal.vpc_states[record.vpc.configuration.id].CopyFrom(record.vpc)
        goal.subnet_states[record.subnet.configuration.id].CopyFrom(record.subnet)
        port = record.port.configuration
        if host in record.homes:
            state = goal.port_states[port.id]
            state.CopyFrom(record.port)
            state.operation_type = kinds.CREATE if record.place == host else kinds.DELETE
        if record.place != host:
            self._put_neighbor(goal, record, port)
        return goal

    def _put_neighbor(self, goal: Any, record: Record, port: Any) -> None:
        kinds, identifier = self._schema.OperationType, f"{port.id}_n"
        state = goal.neighbor_states[identifier]
        state.operation_type = kinds.DELETE if record.place is None else kinds.CREATE
        made = state.configuration
        made.id, made.vpc_id, made.revision_number = identifier, port.vpc_id, record.version
        made.mac_address, made.host_ip_address = port.mac_address, record.place or ""
        if record.place is not None and self._has("changes the place"):
            made.host_ip_address = next((host for host in sorted(self._hosts) if host != record.place), record.place)
        made.fixed_ips.add(subnet_id=port.fixed_ips[0].subnet_id, ip_address=port.fixed_ips[0].ip_address)

    def _push(self, host: str, goal: Any) -> bool:
        """Pushes to a host; whether its agent has finished the stream."""
        if host not in self._channels:
            self._channels[host] = grpc.insecure_channel(f"{host}:{self._agent_port}")
            self._exchange(host, self._schema.GoalStateV2(), half_closes=False)
        return self._exchange(host, goal)

    def _exchange(self, host: str, goal: Any, *, half_closes: bool = True) -> bool:
        def messages() -> Iterator[bytes]:
            yield goal.SerializeToString()
            if not half_closes:
                self._warm.wait()

        try:
            replies = self._channels[host].stream_stream(PUSH)(messages(), timeout=5.0)
            return len(list(replies)) == 1
        except grpc.RpcError:
            return False
