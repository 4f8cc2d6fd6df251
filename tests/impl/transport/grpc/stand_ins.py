"""Stand-ins for Alcor's programs, written from what is known of them and sharing nothing with ours except the messages.

An agent reads one message per stream, replies and finishes; it reports on ports and not on neighbors; it serves at the address that
it calls from. An NCM pushes on a separate stream for each message, then answers. A controller sends goal states on one stream, and
counts a reply for each. All use plaintext, unless they are given certificates.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc

from impl.wire.alcor.schema import PIN, schema
from tests.impl.transport.grpc.certificates import Files

PUSH = "/alcor.schema.GoalStateProvisioner/PushGoalStatesStream"
ASK = "/alcor.schema.GoalStateProvisioner/RequestGoalStates"
VNI = 21
WAIT_SECONDS_MAX = 20.0


def serve(methods: dict[str, Any], where: str, files: Files | None) -> Any:
    """A server of `GoalStateProvisioner`."""
    server = grpc.server(ThreadPoolExecutor(20), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("alcor.schema.GoalStateProvisioner", methods),)
    )
    if files is None:
        server.add_insecure_port(where)
    else:
        pairs = [(files.key.read_bytes(), files.certificate.read_bytes())]
        server.add_secure_port(where, grpc.ssl_server_credentials(pairs, files.authority.read_bytes(), True))
    server.start()
    return server


def dial(target: str, files: Files | None, name: str) -> Any:
    """A channel."""
    if files is None:
        return grpc.insecure_channel(target)
    read = files.authority.read_bytes(), files.key.read_bytes(), files.certificate.read_bytes()
    return grpc.secure_channel(
        target, grpc.ssl_channel_credentials(*read), options=[("grpc.ssl_target_name_override", name)]
    )


# ------------------------------------------------------------------------------------------------ goal states


@dataclass(frozen=True)
class Port:
    """A port in a controller's goal states."""

    ip: str
    host: str
    """The host's address."""
    revision: int = 2
    operation: str = "CREATE"
    vpc: str = "vpc"
    vni: int = VNI
    more: tuple[str, ...] = ()
    """Further addresses."""

    @property
    def id(self) -> str:
        """The port's id; a suffix to it names its neighbor."""
        return f"port-{self.vni}-{self.ip}"


def describe(goal: Any, numbering: str, port: Port) -> str:
    """Adds the network and the subnet of a port to a goal state; returns the subnet's id."""
    known = schema(numbering)
    vpc = goal.vpc_states[port.vpc].configuration
    vpc.id, vpc.revision_number, vpc.tunnel_id, vpc.cidr = port.vpc, 2, port.vni, "10.0.0.0/8"
    subnet = goal.subnet_states[f"{port.vpc}-subnet"].configuration
    subnet.id, subnet.revision_number, subnet.vpc_id = f"{port.vpc}-subnet", 2, port.vpc
    subnet.cidr, subnet.tunnel_id = "10.0.0.0/8", port.vni
    subnet.network_type = known.NetworkType.VXLAN
    return f"{port.vpc}-subnet"


def put_port(goal: Any, numbering: str, port: Port) -> Any:
    """Adds a port to a goal state, and to the list of its host; returns its state."""
    known = schema(numbering)
    subnet = describe(goal, numbering, port)
    state = goal.port_states[port.id]
    state.operation_type = known.OperationType.Value(port.operation)
    made = state.configuration
    made.id, made.revision_number, made.vpc_id = port.id, port.revision, port.vpc
    made.update_type, made.admin_state_up = known.UpdateType.FULL, True
    made.mac_address = "6c:dd:ee:00:00:" + port.ip.rpartition(".")[2].zfill(2)
    for ip in (port.ip, *port.more):
        made.fixed_ips.add(subnet_id=subnet, ip_address=ip)
    listed = goal.host_resources[port.host].resources
    listed.add(type=known.ResourceType.PORT, id=port.id)
    listed.add(type=known.ResourceType.SUBNET, id=subnet)
    listed.add(type=known.ResourceType.VPC, id=port.vpc)
    return state


def put_neighbor(goal: Any, numbering: str, port: Port) -> Any:
    """Adds the neighbor of a port to a goal state; returns its state."""
    known = schema(numbering)
    subnet = describe(goal, numbering, port)
    state = goal.neighbor_states[f"{port.id}_n"]
    state.operation_type = known.OperationType.Value(port.operation)
    made = state.configuration
    made.id, made.revision_number, made.vpc_id = f"{port.id}_n", port.revision, port.vpc
    made.mac_address = "6c:dd:ee:00:00:" + port.ip.rpartition(".")[2].zfill(2)
    made.host_ip_address = port.host
    made.fixed_ips.add(subnet_id=subnet, ip_address=port.ip)
    return state


def goal_of(*ports: Port, numbering: str = PIN) -> Any:
    """A goal state with these ports."""
    goal = schema(numbering).GoalStateV2(format_version=102)
    for port in ports:
        put_port(goal, numbering, port)
    return goal


# -------------------------------------------------------------------------------------------------- controller


class Controller:
    """A test controller in DPM's place."""

    def __init__(self, ncm: str, numbering: str = PIN, files: Files | None = None) -> None:
        self._schema = schema(numbering)
        self._channel = dial(ncm, files, "ncm")

    def push(self, *goals: Any, seconds: float = WAIT_SECONDS_MAX) -> list[dict[str, str]]:
        """Sends goal states on one stream; of each reply, the statuses by resource."""
        return self.push_bytes(*(goal.SerializeToString() for goal in goals), seconds=seconds)

    def push_bytes(self, *data: bytes, seconds: float = WAIT_SECONDS_MAX) -> list[dict[str, str]]:
        """The same, with arbitrary bytes."""
        names = self._schema.OperationStatus.Name
        replies = self._channel.stream_stream(PUSH)(iter(data), timeout=seconds)
        found = []
        for reply in replies:
            read = self._schema.GoalStateOperationReply.FromString(reply)
            assert read.format_version == 100
            found.append(
                {
                    operation_statuse.resource_id: names(operation_statuse.operation_status)
                    for operation_statuse in read.operation_statuses
                }
            )
        return found

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()


# ------------------------------------------------------------------------------------------------------- agent


@dataclass
class Manners:
    """The behavior of an agent towards a pusher."""

    finishes: bool = True
    replies: bool = True
    seconds: float = 0.0
    """The delay before it replies."""
    verdict: str = "SUCCESS"
    """Its status for every port, and for neighbors if `reports_neighbors`."""
    reports_ports: bool = True
    reports_neighbors: bool = False
    garbles: bool = False
    """Replies with bytes that are not a message."""


@dataclass
class StandInAgent:
    """An agent of Alcor."""

    address: str
    port: int
    ncm: str
    """The target for its requests, given as the library's target because calls must come from `address`."""
    numbering: str = PIN
    files: Files | None = None
    manners: Manners = field(default_factory=Manners)
    pushed: list[Any] = field(default_factory=list)
    """Every goal state received, in order."""
    neighbors: dict[tuple[int, str], str] = field(default_factory=dict)
    """Its forwarding table: the host's address by VNI and address."""
    ports: set[str] = field(default_factory=set)

    def start(self) -> StandInAgent:
        """Starts serving."""
        self._schema = schema(self.numbering)
        self._released = threading.Event()
        self._server = serve(
            {"PushGoalStatesStream": grpc.stream_stream_rpc_method_handler(self._push)},
            f"{self.address}:{self.port}",
            self.files,
        )
        self._channel = dial(self.ncm, self.files, "ncm")
        return self

    def _push(self, messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
        goal = self._schema.GoalStateV2.FromString(next(messages))
        manners = self.manners
        self._released.wait(manners.seconds)
        self.pushed.append(goal)
        self._apply(goal)
        if manners.replies:
            yield b"\xff\xff" if manners.garbles else self._reply(goal, manners)
        if not manners.finishes:
            self._released.wait(WAIT_SECONDS_MAX)

    def _reply(self, goal: Any, manners: Manners) -> bytes:
        reply, kinds = self._schema.GoalStateOperationReply(), self._schema.ResourceType
        reported = [(kinds.PORT, goal.port_states)] if manners.reports_ports else []
        reported += [(kinds.NEIGHBOR, goal.neighbor_states)] if manners.reports_neighbors else []
        for kind, states in reported:
            for identifier, state in states.items():
                reply.operation_statuses.add(
                    resource_id=identifier,
                    resource_type=kind,
                    operation_type=state.operation_type,
                    operation_status=self._schema.OperationStatus.Value(manners.verdict),
                )
        data: bytes = reply.SerializeToString()
        return data

    def _apply(self, goal: Any) -> None:
        """Like an agent of Alcor: ports first; a neighbor without its subnet is refused, silently."""
        operation = self._schema.OperationType
        for identifier, state in goal.port_states.items():
            assert state.configuration.revision_number > 0, "a debug build dies of it"
            assert state.configuration.admin_state_up, "a debug build dies of it"
            assert all(item.subnet_id in goal.subnet_states for item in state.configuration.fixed_ips)
            if state.operation_type == operation.DELETE:
                self.ports.discard(identifier)
            else:
                assert state.configuration.update_type == self._schema.UpdateType.FULL
                self.ports.add(identifier)
        for state in goal.neighbor_states.values():
            assert state.configuration.revision_number > 0, "a debug build dies of it"
            assert state.configuration.mac_address
            for item in state.configuration.fixed_ips:
                subnet = goal.subnet_states[item.subnet_id].configuration
                assert subnet.tunnel_id
                assert "/" in subnet.cidr
                key = int(subnet.tunnel_id), item.ip_address
                if state.operation_type == operation.DELETE:
                    self.neighbors.pop(key, None)
                else:
                    self.neighbors[key] = state.configuration.host_ip_address

    def question(self, source: str, destination: str, vni: int = VNI, **fields: Any) -> Any:
        """A request for a pod."""
        made = self._schema.HostRequest.ResourceStateRequest(
            request_id=str(uuid.uuid4()),
            tunnel_id=vni,
            source_ip=source,
            destination_ip=destination,
            protocol=self._schema.Protocol.ARP,
        )
        for name, value in fields.items():
            setattr(made, name, value)
        return made

    def ask(self, *questions: Any, seconds: float = WAIT_SECONDS_MAX) -> list[tuple[str, str]]:
        """Sends requests; the statuses in order, each with its id."""
        call = self._schema.HostRequest(state_requests=questions)
        reply = self._schema.HostRequestReply.FromString(self.ask_bytes(call.SerializeToString(), seconds))
        names = self._schema.OperationStatus.Name
        return [
            (operation_statuse.request_id, names(operation_statuse.operation_status))
            for operation_statuse in reply.operation_statuses
        ]

    def ask_for(self, source: str, destination: str, vni: int = VNI, **fields: Any) -> str:
        """Requests one pod; the status, which must have the request's id."""
        question = self.question(source, destination, vni, **fields)
        ((identifier, status),) = self.ask(question)
        assert identifier == question.request_id
        return status

    def ask_bytes(self, data: bytes, seconds: float = WAIT_SECONDS_MAX) -> bytes:
        """Sends arbitrary bytes."""
        reply: bytes = self._channel.unary_unary(ASK)(data, timeout=seconds)
        return reply

    def stop(self) -> None:
        """Stops."""
        self._released.set()
        self._server.stop(None).wait()
        self._channel.close()


# --------------------------------------------------------------------------------------------------------- NCM


@dataclass
class StandInNcm:
    """An NCM of Alcor; the test chooses its answers."""

    where: str
    """The address that it listens on."""
    agent: str
    """The agent that it pushes to."""
    numbering: str = PIN
    files: Files | None = None
    answer: Callable[[Any], list[tuple[str, str | int]]] = lambda _: []
    """Called with every request; may push; returns ids and statuses."""
    asked: list[Any] = field(default_factory=list)
    """Requests, in order."""

    def start(self) -> StandInNcm:
        """Starts serving."""
        self._schema = schema(self.numbering)
        self._server = serve(
            {"RequestGoalStates": grpc.unary_unary_rpc_method_handler(self._request)}, self.where, self.files
        )
        self._channel = dial(self.agent, self.files, "h1")
        return self

    def _request(self, data: bytes, context: Any) -> bytes:
        call = self._schema.HostRequest.FromString(data)
        reply = self._schema.HostRequestReply(format_version=1)
        for request in call.state_requests:
            if request.request_type == self._schema.RequestType.AGENT_RESTARTED:
                said: list[tuple[str, str | int]] = [(request.request_id, "FAILURE")]  # tunnel 0 is unknown
            else:
                self.asked.append(request)
                said = self.answer(request)
            for identifier, status in said:
                value = self._schema.OperationStatus.Value(status) if isinstance(status, str) else status
                reply.operation_statuses.add(request_id=identifier, operation_status=value)
        result: bytes = reply.SerializeToString()
        return result

    def push(self, goal: Any, *, half_closes: bool = True) -> dict[str, str]:
        """Pushes on a separate stream; the statuses by resource."""
        return self.push_bytes(goal.SerializeToString(), half_closes=half_closes)

    def push_bytes(self, data: bytes, *, half_closes: bool = True) -> dict[str, str]:
        """The same, with arbitrary bytes."""
        done = threading.Event()

        def messages() -> Iterator[bytes]:
            yield data
            if not half_closes:
                done.wait(WAIT_SECONDS_MAX)

        replies = list(self._channel.stream_stream(PUSH)(messages(), timeout=WAIT_SECONDS_MAX, wait_for_ready=True))
        done.set()
        (reply,) = (self._schema.GoalStateOperationReply.FromString(each_reply) for each_reply in replies)
        names = self._schema.OperationStatus.Name
        return {
            operation_statuse.resource_id: names(operation_statuse.operation_status)
            for operation_statuse in reply.operation_statuses
        }

    def stop(self) -> None:
        """Stops."""
        self._server.stop(None).wait()
        self._channel.close()
