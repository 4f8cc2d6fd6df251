"""Our DPM on Alcor's wire format, in place of Alcor's test controller: the transport of a DPM's service, with gRPC instead of a
broker.

Each change is a separate goal state, with the network and the subnet that its port needs. DPM knows only a pod's VNI and IP, so
that ids and MAC addresses are derived from these, and the subnet is as large as the network.

| NCM's reply | interpretation |
|---|---|
| no status that names the port, with its kind and operation (Alcor's NCM) | no outcome, so the change is sent again |
| SUCCESS (also the value of an unset status), for the port | done |
| FAILURE | failed |
| OUT_OF_ORDER | superseded |
| PENDING, an invalid number, or an error of the call | no outcome yet, so the change is sent again |
| INVALID_ARG | logged, and sent again: NCM may receive later what it lacks |
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import grpc
import grpc.aio

from impl.broker import topics
from impl.core import IllegalInput
from impl.messages import Config, Outcome, Pod, Report
from impl.transport.grpc.caller import Caller
from impl.transport.grpc.directory import Directory
from impl.transport.grpc.endpoints import (
    GOAL_STATE_BYTES_MAX,
    GOAL_STATES,
    PUSH_STREAM,
    Deadlines,
    Endpoint,
    Malformed,
    parse,
    path,
)
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.identity import Identity
from impl.transport.grpc.rate_limited_log import RateLimitedLog
from impl.transport.grpc.resources import FORMAT_VERSION, VNI_MAX
from impl.transport.grpc.session import Inbox, delivery
from impl.transport.interface import Delivery, Letter
from impl.wire.alcor.schema import Schema
from impl.wire.codec import decode

PUSHES_MAX: Final = 16
"""Changes in progress at once; further ones wait."""
REPLY_SECONDS: Final = 5.0
"""The time for NCM to reply, beyond the time that it has for the hosts."""


class DpmGateway(Inbox):
    """A connection and its only session in one: see `impl.transport.interface`."""

    def __init__(
        self,
        loop: Loop,
        schema: Schema,
        directory: Directory,
        identity: Identity,
        ncm: Endpoint,
        ncm_name: str,
        deadlines: Deadlines | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__()
        self.loop, self.schema, self.directory = loop, schema, directory
        self.deadlines = deadlines or Deadlines()
        self.counted = RateLimitedLog(logging.getLogger("ondemand.dpm"))
        self._caller = Caller(loop, identity, ncm, ncm_name, source)
        self._room = asyncio.Semaphore(PUSHES_MAX)
        self._under_way: set[tuple[Pod, int]] = set()
        """On the loop's thread: changes in progress, which need not be sent twice."""

    def open(self) -> DpmGateway:
        """Prepares for calls; NCM need not be reachable yet."""
        self._caller.open()
        return self

    def check(self, pod: Pod, host: str | None = None) -> None:
        """Checks that a decision can be expressed on this wire.

        Raises:
            IllegalInput: the pod is not a VNI and IP, or there is no such host.
        """
        try:
            ipaddress.ip_address(pod.address)
            vni = int(pod.vpc) if pod.vpc.isdecimal() else 0
        except ValueError:
            vni = 0
        if not 0 < vni <= VNI_MAX or str(vni) != pod.vpc:
            raise IllegalInput(f"invalid pod {pod} on this wire: expected VNI/IP, with a VNI from 1 to {VNI_MAX}")
        if host is not None and self.directory.find(host) is None:
            raise IllegalInput(
                f"unknown host {host!r}: write its name in the file of hosts, or its address with hyphens"
            )

    # -------------------------------------------------------------------------------------------- to NCM

    def publish(self, letters: Sequence[Letter]) -> None:
        for letter in letters:
            message = decode(letter.data)
            if isinstance(message, Config):
                self.loop.call(self._begin, message)
            else:
                self.counted.count(f"a {type(message).__name__} cannot be sent on this wire")

    def _begin(self, config: Config) -> None:
        if (config.pod, config.version) not in self._under_way:
            self._under_way.add((config.pod, config.version))
            self.loop.task(self._push(config))

    async def _push(self, config: Config) -> None:
        try:
            async with self._room:
                outcome = self._outcome(config, await self._exchange(config))
            if outcome is not None:
                self.put(partial(_heard, Report(config.pod, config.version, outcome)))
        finally:
            self._under_way.discard((config.pod, config.version))

    async def _exchange(self, config: Config) -> Any | None:
        """Sends the change on a separate stream; NCM's reply, or None."""
        goal = goal_state(self.schema, config, self.directory)
        method = self._caller.channel.stream_stream(path(GOAL_STATES, PUSH_STREAM))
        try:
            async with asyncio.timeout(self.deadlines.outcome + REPLY_SECONDS):
                call = method(wait_for_ready=True)
                try:
                    await call.write(goal.SerializeToString())
                    await call.done_writing()
                    data = await call.read()
                    code = await call.code() if data is grpc.aio.EOF else grpc.StatusCode.OK
                finally:
                    call.cancel()
            if data is not grpc.aio.EOF:
                return parse(self.schema.GoalStateOperationReply, data, GOAL_STATE_BYTES_MAX)
            self.counted.count(f"NCM did not reply ({code.name}: {await call.details()})")
        except TimeoutError:
            self.counted.count("NCM did not reply in time")
        except grpc.aio.AioRpcError as problem:
            self.counted.count(f"NCM did not reply ({problem.code().name}: {problem.details()})")
        except Malformed as problem:
            self.counted.count(f"NCM's reply: {problem}")
        return None

    def _outcome(self, config: Config, reply: Any | None) -> Outcome | None:
        """How the change has ended; None: unknown."""
        kinds, operations, statuses = self.schema.ResourceType, self.schema.OperationType, self.schema.OperationStatus
        if reply is None:
            return None
        operation = operations.DELETE if config.place is None else operations.CREATE
        said = {
            operation_statuse.operation_status
            for operation_statuse in reply.operation_statuses
            if (operation_statuse.resource_id, operation_statuse.resource_type, operation_statuse.operation_type)
            == (port_id(config.pod), kinds.PORT, operation)
        }
        if len(said) != 1:
            self.counted.count("NCM's reply has no status, or several different ones, for the port")
            return None
        (status,) = said
        if status == statuses.INVALID_ARG:
            self.counted.count(
                f"NCM does not accept version {config.version} of {config.pod}; see its log for the reason"
            )
        outcomes = {
            statuses.SUCCESS: Outcome.DONE,
            statuses.FAILURE: Outcome.FAILED,
            statuses.OUT_OF_ORDER: Outcome.SUPERSEDED,
        }
        return outcomes.get(status)

    # -------------------------------------------------------------------------------------- connection

    def open_session(self, subscription: str, topics: Sequence[str]) -> DpmGateway:
        return self

    def close(self) -> None:
        self._caller.close()


def _heard(report: Report) -> Iterator[Delivery]:
    yield delivery(topics.OUTCOMES, report)


def port_id(pod: Pod) -> str:
    """The id of a pod's port. A suffix to it names its neighbor."""
    return f"port-{pod.vpc}-{pod.address}"


def goal_state(
    schema: Schema, config: Config, directory: Directory, port: str | None = None, subnet: str | None = None
) -> Any:
    """A change as a goal state: the port, listed for its host; its neighbor, listed for no host; the network and the subnet.

    The ids of port and subnet are derived from the pod, unless they are given.
    """
    pod, gone = config.pod, config.place is None
    where = directory.find(config.place) if config.place is not None else None
    address = where.address if where is not None else ""
    operation = schema.OperationType.DELETE if gone else schema.OperationType.CREATE
    ip = ipaddress.ip_address(pod.address)
    full, vpc = schema.UpdateType.FULL, f"vpc-{pod.vpc}"
    port, subnet = port or port_id(pod), subnet or f"{vpc}-ipv{ip.version}"
    everything = "0.0.0.0/0" if ip.version == 4 else "::/0"
    mac = "6c:dd:ee:" + ":".join(f"{byte:02x}" for byte in ip.packed[-3:])
    goal = schema.GoalStateV2(format_version=FORMAT_VERSION)
    goal.vpc_states[vpc].configuration.MergeFrom(
        schema.VpcConfiguration(id=vpc, revision_number=1, update_type=full, cidr=everything, tunnel_id=int(pod.vpc))
    )
    goal.subnet_states[subnet].configuration.MergeFrom(
        schema.SubnetConfiguration(
            id=subnet, revision_number=1, update_type=full, vpc_id=vpc, cidr=everything, tunnel_id=int(pod.vpc)
        )
    )
    placed = goal.port_states[port]
    placed.operation_type = operation
    placed.configuration.MergeFrom(
        schema.PortConfiguration(
            id=port,
            revision_number=config.version,
            update_type=full,
            vpc_id=vpc,
            mac_address=mac,
            admin_state_up=True,
        )
    )
    placed.configuration.fixed_ips.add(subnet_id=subnet, ip_address=pod.address)
    neighbor = goal.neighbor_states[f"{port}_n"]
    neighbor.operation_type = operation
    neighbor.configuration.MergeFrom(
        schema.NeighborConfiguration(
            id=f"{port}_n",
            revision_number=config.version,
            update_type=full,
            vpc_id=vpc,
            mac_address=mac,
            host_ip_address=address,
        )
    )
    neighbor.configuration.fixed_ips.add(subnet_id=subnet, ip_address=pod.address)
    if address:
        listed = goal.host_resources[address].resources
        for kind, identifier in (("PORT", port), ("SUBNET", subnet), ("VPC", vpc)):
            listed.add(type=schema.ResourceType.Value(kind), id=identifier)
    return goal
