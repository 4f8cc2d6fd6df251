"""DPM and the hosts, simulated for a running NCM. NCM identifies callers by socket address, so each has its own.

An agent serves where NCM calls it back. It reads one message a stream, warm-ups included, replies with a status for each port, as
an agent of Alcor does, and finishes with OK. What came is kept in the order in which it came.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
import grpc.aio

from conformance.replay.alcor.received import Arrival, heard_in
from impl.errors import EnvironmentProblem
from impl.transport.grpc.caller import Caller
from impl.transport.grpc.directory import Directory
from impl.transport.grpc.endpoints import (
    AGENT_PORT,
    GOAL_STATE_BYTES_MAX,
    GOAL_STATES,
    PUSH_STREAM,
    REQUEST,
    REQUEST_BYTES_MAX,
    Endpoint,
    Malformed,
    parse,
    path,
    serve,
)
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.identity import ByAddress
from impl.wire.alcor.schema import Schema


@dataclass(frozen=True)
class Where:
    """The addresses of everybody."""

    ncm: Endpoint
    controller: str
    """DPM calls from here."""
    first_host: str
    """The first host's; the others have the next ones."""
    agent_port: int = AGENT_PORT

    @property
    def name(self) -> str:
        """NCM as the command line names it."""
        return f"alcor://{self.ncm}"


@dataclass(frozen=True)
class Waits:
    """How long the target waits. All in seconds."""

    reply: float = 75.0
    """For NCM to reply: Alcor's takes a minute to give an agent up."""
    push: float = 1.0
    """For a goal state that should have come, once NCM has replied."""
    contact: float = 10.0
    """For NCM to call each host back at the beginning."""
    settle: float = 0.5
    """For what comes after everything, and should not."""


NOT_CONNECTED: Final = "failed to connect"
"""How the library begins to say that there was no connection to send anything by. On a busy machine one that is made may come too
late."""


@dataclass(frozen=True)
class Answer:
    """The result of a call."""

    reply: Any | None
    """None: there was no reply."""
    mark: int
    """How many goal states had come by then, to all hosts."""
    problem: str = ""
    """How the call failed, in the library's words."""


class Peers:
    """All processes except NCM."""

    def __init__(self, loop: Loop, schema: Schema, where: Where, hosts: Mapping[str, str], waits: Waits) -> None:
        self.schema, self.where, self.waits, self.hosts = schema, where, waits, hosts
        self._loop = loop
        self._arrivals: list[Arrival] = []
        self._came = threading.Condition()
        identity = ByAddress(Directory())
        self._controller = Caller(loop, identity, where.ncm, "ncm", where.controller)
        self._callers = {name: Caller(loop, identity, where.ncm, "ncm", address) for name, address in hosts.items()}
        self._servers: dict[str, Any] = {}

    def open(self) -> None:
        """Listens for all hosts.

        Raises:
            EnvironmentProblem: an address is not this machine's, or its port is in use.
        """
        for host, address in self.hosts.items():
            self._loop.run(self._listen(host, address))

    async def _listen(self, host: str, address: str) -> None:
        async def push(_: Any, context: Any) -> None:
            await self._pushed(host, address, context)

        methods = {PUSH_STREAM: grpc.stream_stream_rpc_method_handler(push)}
        server, _ = await serve({GOAL_STATES: methods}, Endpoint(address, self.where.agent_port), None)
        self._servers[host] = server

    async def _pushed(self, host: str, address: str, context: Any) -> None:
        data = await context.read()
        if data is grpc.aio.EOF:
            return
        reply = self.schema.GoalStateOperationReply()
        try:
            goal = parse(self.schema.GoalStateV2, data, GOAL_STATE_BYTES_MAX)
        except Malformed as problem:
            self._note(Arrival(host, problem=f"{problem} in the numbering {self.schema.numbering}"))
        else:
            self._note(Arrival(host, tuple(heard_in(self.schema, goal, address))))
            for identifier, state in sorted(goal.port_states.items()):
                reply.operation_statuses.add(
                    resource_id=identifier,
                    resource_type=self.schema.ResourceType.PORT,
                    operation_type=state.operation_type,
                    operation_status=self.schema.OperationStatus.SUCCESS,
                )
        await context.write(reply.SerializeToString())

    def _note(self, arrival: Arrival) -> None:
        with self._came:
            self._arrivals.append(arrival)
            self._came.notify_all()

    def deafen(self, host: str) -> None:
        """The host's agent cannot be called any more; it still asks."""
        self._loop.run(self._servers.pop(host).stop(None))

    def hang_up(self) -> None:
        """DPM's connection ends; the next push connects again."""
        self._controller.close()

    def close(self) -> None:
        """Stops everything."""
        for host in list(self._servers):
            self.deafen(host)
        for caller in (self._controller, *self._callers.values()):
            caller.close()

    # ------------------------------------------------------------------------------------------- what came

    @property
    def mark(self) -> int:
        """How many goal states have come."""
        return len(self._arrivals)

    def since(self, mark: int, until: int | None = None) -> Sequence[Arrival]:
        """What came after a mark."""
        return self._arrivals[mark:until]

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Waits until enough has arrived, and returns whether it has."""
        end = time.monotonic() + seconds
        with self._came:
            while not condition():
                if not self._came.wait(max(0.0, end - time.monotonic())):
                    return condition()
        return True

    # ------------------------------------------------------------------------------------------------ calls

    def push(self, goal: Any) -> Answer:
        """DPM sends a goal state, on a stream of its own.

        Raises:
            EnvironmentProblem: NCM cannot be reached.
        """
        return self._loop.run(self._push(goal.SerializeToString()))

    async def _push(self, data: bytes) -> Answer:
        async def exchange(channel: Any) -> Any:
            call = channel.stream_stream(path(GOAL_STATES, PUSH_STREAM))()
            try:
                await call.write(data)
                await call.done_writing()
                reply = await call.read()
                if reply is grpc.aio.EOF:
                    raise Malformed(f"the stream ended without a reply ({(await call.code()).name})")
                return parse(self.schema.GoalStateOperationReply, reply, GOAL_STATE_BYTES_MAX)
            finally:
                call.cancel()

        return await self._answered(self._controller, exchange)

    def ask(self, questions: Mapping[str, Sequence[Any]]) -> dict[str, Answer]:
        """Each host asks in one call, all of them at once; the replies by host.

        Raises:
            EnvironmentProblem: NCM cannot be reached.
        """
        return self._loop.run(self._ask(questions))

    async def _ask(self, questions: Mapping[str, Sequence[Any]]) -> dict[str, Answer]:
        answers = await asyncio.gather(*(self._ask_one(host, asked) for host, asked in questions.items()))
        return dict(zip(questions, answers, strict=True))

    async def _ask_one(self, host: str, questions: Sequence[Any]) -> Answer:
        data = self.schema.HostRequest(format_version=1, state_requests=questions).SerializeToString()

        async def exchange(channel: Any) -> Any:
            reply = await channel.unary_unary(path(GOAL_STATES, REQUEST))(data)
            return parse(self.schema.HostRequestReply, reply, REQUEST_BYTES_MAX)

        return await self._answered(self._callers[host], exchange)

    async def _answered(self, caller: Caller, exchange: Callable[[Any], Any], *, again: bool = True) -> Answer:
        try:
            async with asyncio.timeout(self.waits.reply):
                reply = await exchange(await caller.dial())
            return Answer(reply, self.mark)
        except TimeoutError:
            return Answer(None, self.mark, f"no reply within {self.waits.reply:g} s")
        except Malformed as problem:
            return Answer(None, self.mark, str(problem))
        except grpc.aio.AioRpcError as problem:
            if problem.code() is grpc.StatusCode.UNAVAILABLE:
                if again and str(problem.details()).startswith(NOT_CONNECTED):
                    return await self._answered(caller, exchange, again=False)  # nothing was sent yet
                raise EnvironmentProblem(
                    f"{self.where.name}: cannot be reached; start NCM, or name the address and port where it listens"
                ) from problem
            return Answer(None, self.mark, f"{problem.code().name}: {problem.details()}")
