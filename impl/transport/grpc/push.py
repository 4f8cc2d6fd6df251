"""Pushes to hosts: one queue per host, one message per stream, one stream at a time; a slow or dead host delays no other.

A queue holds only the newest version of each pod, so that it cannot outgrow what the host was told. Unacknowledged parcels are sent
again, with growing pauses, until something newer replaces them: a host that was told of a pod is told its newest version.

| agent's reply | interpretation |
|---|---|
| no reply, or the stream does not end with OK | nothing is acknowledged |
| a status that names no resource of this push with its kind and operation | no consent; a refusal counts all the same |
| no status for a port | the port is not acknowledged: every agent reports on ports |
| no status for a neighbor | acknowledged by the end of the stream: an agent of Alcor reports nothing else on neighbors |
| SUCCESS (also the value of an unset status), with the id, kind and operation of a resource | acknowledged |
| OUT_OF_ORDER, with the same | acknowledged: the agent knows a newer version; no request is granted by it |
| any other status | not acknowledged |
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import grpc.aio

from impl.messages import Pod
from impl.transport.grpc.caller import Caller
from impl.transport.grpc.directory import Directory
from impl.transport.grpc.endpoints import (
    EPOCH,
    GOAL_STATE_BYTES_MAX,
    GOAL_STATES,
    PUSH_STREAM,
    Deadlines,
    Malformed,
    parse,
    path,
)
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.identity import Identity
from impl.transport.grpc.rate_limited_log import RateLimitedLog
from impl.transport.grpc.resources import Told
from impl.wire.alcor.schema import Schema

PARCELS_MAX: Final = 200
"""Parcels in one message."""
PARCEL_BYTES_MAX: Final = GOAL_STATE_BYTES_MAX // 2
"""Bytes in one message; the rest is room for the maximum of a single parcel, and for the list of resources."""


@dataclass(slots=True)
class Parcel:
    """A version of a pod on its way to a host."""

    pod: Pod
    version: int
    epoch: int
    placed: bool
    """Whether the version has a place."""
    told: Told
    waiting: list[Callable[[bool], None]] = field(default_factory=list)
    """Requests that are granted once this is acknowledged, and refused if it is not."""

    def settle(self, granted: bool) -> None:
        """Answers the requests."""
        waiting, self.waiting = self.waiting, []
        for tell in waiting:
            tell(granted)


class Pushes:
    """The queues of all hosts. Used from the loop's thread only."""

    def __init__(
        self,
        loop: Loop,
        schema: Schema,
        directory: Directory,
        identity: Identity,
        deadlines: Deadlines,
        confirm: Callable[[str, Parcel], None],
        source: str | None,
    ) -> None:
        self.loop, self.schema, self.directory, self.identity = loop, schema, directory, identity
        self.deadlines, self.confirm, self.source = deadlines, confirm, source
        self.counted = RateLimitedLog(logging.getLogger("ondemand.ncm"), logging.INFO)
        self._hosts: dict[str, _Host] = {}

    def put(self, host: str, parcel: Parcel) -> None:
        """Schedules a parcel."""
        if host not in self._hosts:
            self._hosts[host] = _Host(self, host)
        self._hosts[host].put(parcel)

    def close(self) -> None:
        """Stops sending."""
        for host in list(self._hosts):
            self.withdraw(host)

    def withdraw(self, host: str) -> None:
        """The host no longer takes part."""
        gone = self._hosts.pop(host, None)
        if gone is not None:
            gone.end()


class _Host:
    """One host's queue, and the task that empties it."""

    def __init__(self, pushes: Pushes, name: str) -> None:
        self._pushes, self._name = pushes, name
        self._epoch = 0
        self._waiting: dict[Pod, Parcel] = {}
        """The newest parcel of each pod, all of the newest epoch."""
        self._news = asyncio.Event()
        self._caller: Caller | None = None
        self._one_by_one = False
        """Set after a failure, so that one resource that the agent cannot handle does not block the others."""
        self._task = pushes.loop.task(self._run())

    def put(self, parcel: Parcel) -> None:
        if parcel.epoch < self._epoch:
            parcel.settle(False)
            return
        if parcel.epoch > self._epoch:
            # The agent has restarted: parcels for its earlier epoch would be news that nothing corrects.
            self._epoch = parcel.epoch
            for old in self._waiting.values():
                old.settle(False)
            self._waiting = {}
        there = self._waiting.get(parcel.pod)
        if there is not None and there.version > parcel.version:
            there.waiting += parcel.waiting
        else:
            if there is not None:
                parcel.waiting += there.waiting
                there.waiting = []
            self._waiting[parcel.pod] = parcel
        self._news.set()

    def end(self) -> None:
        self._task.cancel()
        for parcel in self._waiting.values():
            parcel.settle(False)
        self._waiting = {}

    async def _run(self) -> None:
        pause = self._pushes.deadlines.retry_first
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._waiting:
                    if await self._attempt():
                        pause, self._one_by_one = self._pushes.deadlines.retry_first, False
                        continue
                    self._one_by_one = True
                    try:
                        await asyncio.wait_for(self._news.wait(), pause)
                    except TimeoutError:
                        pause = min(2 * pause, self._pushes.deadlines.retry_max)
                    self._news.clear()
        finally:
            if self._caller is not None:
                await self._caller.hang_up()

    async def _attempt(self) -> bool:
        """Sends what fits into one message; returns whether all of it was acknowledged."""
        parcels = self._batch()
        reply = await self._exchange(parcels)
        whole = True
        for parcel in parcels:
            verdict = None if reply is None else judge(self._pushes.schema, parcel.told, reply)
            if verdict is None:
                whole = False
                if self._waiting.get(parcel.pod) is parcel:
                    self._waiting[parcel.pod] = self._waiting.pop(parcel.pod)  # behind the others
                parcel.settle(False)
                continue
            if self._waiting.get(parcel.pod) is parcel:
                del self._waiting[parcel.pod]
            parcel.settle(verdict and parcel.placed)
            self._pushes.confirm(self._name, parcel)
        return whole

    def _batch(self) -> list[Parcel]:
        chosen: list[Parcel] = []
        said: dict[str, Any] = {}
        size = 0
        for parcel in self._waiting.values():
            goal = parcel.told.goal
            mine = dict(goal.port_states) | dict(goal.neighbor_states)
            size += goal.ByteSize()
            full = size > PARCEL_BYTES_MAX or len(chosen) == PARCELS_MAX or self._one_by_one
            # One message has room for one state of a resource.
            clashes = any(key in said and said[key] != state for key, state in mine.items())
            if chosen and (full or clashes):
                break
            chosen.append(parcel)
            said |= mine
        return chosen

    async def _exchange(self, parcels: Sequence[Parcel]) -> Any | None:
        """Sends them on a separate stream; the agent's reply, or None."""
        pushes = self._pushes
        where = pushes.directory.find(self._name)
        if where is None:
            self._count("a host without an address")
            return None
        goal = compose(pushes.schema, where.address, [parcel.told for parcel in parcels])
        if self._caller is None:
            self._caller = Caller(pushes.loop, pushes.identity, where, self._name, pushes.source)
        try:
            async with asyncio.timeout(pushes.deadlines.push):
                return await push_once(await self._caller.dial(), pushes.schema, goal, self._epoch)
        except TimeoutError:
            self._count("an agent did not finish its stream in time")
        except grpc.aio.AioRpcError as problem:
            self._count(f"a push to an agent failed ({problem.code().name})")
        except Malformed as problem:
            self._count(f"an agent's reply: {problem}")
        return None

    def _count(self, what: str) -> None:
        self._pushes.counted.count(what, f"{self._name}: {what}")


async def push_once(way: Any, schema: Schema, goal: Any, epoch: int) -> Any:
    """Sends a goal state to an agent of this epoch, on a separate stream of a channel; the agent's reply.

    Raises:
        Malformed: the stream did not end with a reply and OK, or the reply does not parse.
        AioRpcError: the call failed.
    """
    call = way.stream_stream(path(GOAL_STATES, PUSH_STREAM))(metadata=((EPOCH, str(epoch)),))
    try:
        await call.write(goal.SerializeToString())
        await call.done_writing()
        data = await call.read()
        last = data is grpc.aio.EOF or await call.read() is grpc.aio.EOF
        code = await call.code()
    finally:
        call.cancel()
    if data is grpc.aio.EOF or not last or code is not grpc.StatusCode.OK:
        raise Malformed(f"the stream ended without a reply and OK ({code.name})")
    return parse(schema.GoalStateOperationReply, data, GOAL_STATE_BYTES_MAX)


def compose(schema: Schema, address: str, told: Iterable[Told]) -> Any:
    """One goal state for one host, with the list of its resources."""
    goal = schema.GoalStateV2()
    for item in told:
        goal.MergeFrom(item.goal)
    resources = goal.host_resources[address].resources
    kinds: Mapping[str, Any] = {
        "VPC": goal.vpc_states,
        "SUBNET": goal.subnet_states,
        "PORT": goal.port_states,
        "NEIGHBOR": goal.neighbor_states,
    }
    for kind, states in kinds.items():
        for identifier in sorted(states):
            resources.add(type=schema.ResourceType.Value(kind), id=identifier)
    return goal


def judge(schema: Schema, told: Told, reply: Any) -> bool | None:
    """Whether a reply acknowledges what was told: True; False, because a newer version is known; None, it does not."""
    kinds, operations, statuses = schema.ResourceType, schema.OperationType, schema.OperationStatus
    goal = told.goal
    expected = {identifier: (kinds.PORT, goal.port_states[identifier].operation_type) for identifier in told.ports}
    expected |= {
        identifier: (kinds.NEIGHBOR, goal.neighbor_states[identifier].operation_type) for identifier in told.neighbors
    }
    assert all(operation != operations.INFO for _, operation in expected.values()), "no resource is pushed with INFO"
    heard: dict[str, set[int]] = {}
    for status in reply.operation_statuses:
        identifier, verdict = status.resource_id, status.operation_status
        is_named = expected.get(identifier) == (status.resource_type, status.operation_type)
        is_about = identifier in expected or identifier in goal.vpc_states or identifier in goal.subnet_states
        if is_named or (is_about and verdict != statuses.SUCCESS):
            heard.setdefault(identifier, set()).add(verdict)
    said = set().union(*heard.values())
    if not told.ports <= set(heard) or not said <= {statuses.SUCCESS, statuses.OUT_OF_ORDER}:
        return None
    return statuses.OUT_OF_ORDER not in said
