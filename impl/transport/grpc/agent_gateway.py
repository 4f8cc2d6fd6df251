"""Our agent on Alcor's wire format: the transport of an agent's service, with gRPC instead of a broker.

The core decides everything; this module translates. NCM's consent carries no version and no place: they come with the neighbor that
NCM pushes before it, so a consent without a neighbor installs nothing.

| reply to a request | interpretation |
|---|---|
| no status with the request's id | no answer: asked again, a few times, until the held packet is dropped |
| a status with another id, or none | ignored, and counted |
| SUCCESS (also the value of an unset status) | nothing by itself |
| SUCCESS, and the neighbor arrived since the request was sent | granted, with the neighbor's version and place |
| SUCCESS, and no neighbor yet | nothing, until it arrives or the held packet is dropped |
| SUCCESS, and the neighbor that arrived was deleted | refused: gone |
| PENDING | no answer |
| any other status, an invalid number, or several with one that is not SUCCESS | refused; the wire has no reasons, so: unknown |
| an error of the call | asked again, if that can help |

| pushed goal state | interpretation |
|---|---|
| an older revision than the known one | OUT_OF_ORDER; the newer one stays |
| the known revision | SUCCESS if its content is the same, else INVALID_ARG |
| a neighbor of a network in which this host has had no port | INVALID_ARG |
| for another epoch, or before this agent has begun one | FAILURE |

For other unset fields of a goal state see `goal_states`. Our NCM names the epoch that it addresses in metadata; a call without one
is for the present epoch.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import grpc
import grpc.aio

from impl.broker import topics
from impl.messages import Applied, Granted, Hello, Pod, Reason, Refused, Request, Route
from impl.transport.grpc.caller import Caller
from impl.transport.grpc.directory import Directory, name_after
from impl.transport.grpc.endpoints import (
    EPOCH,
    GOAL_STATES,
    REQUEST,
    REQUEST_BYTES_MAX,
    Deadlines,
    Endpoint,
    Malformed,
    parse,
    path,
)
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.goal_states import Item, Statement, read
from impl.transport.grpc.identity import Identity
from impl.transport.grpc.rate_limited_log import summary
from impl.transport.grpc.receiver import GoalStateServer
from impl.transport.grpc.session import Inbox, delivery
from impl.transport.interface import Delivery, Letter
from impl.wire.alcor.schema import Schema
from impl.wire.codec import decode

ATTEMPTS_MAX: Final = 3
"""Attempts to send one request to NCM; the service drops the held packet after its own time limit."""
ASKS_SECONDS_MAX: Final = 60.0
"""How long a request is remembered if its neighbor never arrives; no held packet waits as long."""
WORTH_REPEATING: Final = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


@dataclass(slots=True)
class _Ask:
    """A request that NCM has not answered, or whose neighbor has not arrived."""

    request: Request
    since: float
    """In monotonic seconds."""
    consented: bool = False
    heard: Statement | None = None
    """The newest statement pushed for the destination since then."""


class AcaGateway(Inbox, GoalStateServer):
    """A connection and its only session in one: see `impl.transport.interface`."""

    def __init__(
        self,
        loop: Loop,
        schema: Schema,
        host: str,
        directory: Directory,
        identity: Identity,
        where: Endpoint,
        ncm: Endpoint,
        ncm_name: str,
        deadlines: Deadlines | None = None,
        source: str | None = None,
    ) -> None:
        Inbox.__init__(self)
        GoalStateServer.__init__(
            self,
            loop,
            schema,
            identity,
            where,
            role="NCM",
            pusher=ncm_name,
            log=logging.getLogger(f"ondemand.{host}"),
            deadlines=deadlines or Deadlines(),
        )
        self.host, self.directory = host, directory
        self._caller = Caller(loop, identity, ncm, ncm_name, source)
        self._begin(0)

    def _begin(self, epoch: int) -> None:
        """Begins a new epoch, in which nothing has been received. Called on the service's thread, like everything that sets
        these fields."""
        self._epoch = epoch
        self._said: dict[Pod, Statement] = {}
        """What the core has applied for each pod."""
        self._networks: set[str] = set()
        """Networks in which this host has had a port."""
        self._asks: dict[int, _Ask] = {}
        self._confirmed: dict[Pod, int] = {}

    def open(self) -> AcaGateway:
        """Starts serving; NCM need not be reachable yet."""
        if self.start_serving():
            self._caller.open()
            self._log.info("listens on %s", self.where)
        return self

    # --------------------------------------------------------------------------------------- incoming calls

    async def apply(self, goal: Any, epoch: int | None) -> Any:
        """The reply to a goal state, after the core has decided about it."""
        items = read(goal, self.schema, self.host, self.where.address, self._place_of)
        reply = self.schema.GoalStateOperationReply()
        if items:
            verdicts: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
            self.put(lambda: self._apply(epoch, items, verdicts))
            for item, verdict in zip(items, await verdicts, strict=True):
                reply.operation_statuses.add(
                    resource_id=item.id,
                    resource_type=self.schema.ResourceType.Value(item.kind),
                    operation_type=item.operation,
                    operation_status=verdict,
                )
        return reply

    def _place_of(self, address: str) -> str | None:
        if address == self.where.address:
            return self.host
        return self.directory.name_of(address) or name_after(address)

    # ---------------------------------------------------------------------------------------- requests to NCM

    async def _ask(self, request: Any, epoch: int, answered: Callable[[int], Iterator[Delivery]]) -> None:
        """Asks until there is an answer, a few times; the answer is evaluated on the service's thread."""
        call = self.schema.HostRequest(format_version=1, state_requests=[request])
        pause = self.deadlines.retry_first
        for _ in range(ATTEMPTS_MAX):
            status = await self._exchange(call, epoch)
            if status is not None:
                self.put(partial(answered, status))
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, self.deadlines.retry_max)

    async def _exchange(self, call: Any, epoch: int) -> int | None:
        """One attempt; None: there is no answer, and the request may be repeated."""
        method = self._caller.channel.unary_unary(path(GOAL_STATES, REQUEST))
        try:
            # The attempt waits while the connection is being established; failing at once would use up all attempts.
            data = await method(
                call.SerializeToString(),
                timeout=self.deadlines.request,
                metadata=((EPOCH, str(epoch)),),
                wait_for_ready=True,
            )
            reply = parse(self.schema.HostRequestReply, data, REQUEST_BYTES_MAX)
        except grpc.aio.AioRpcError as problem:
            self.counted.count(f"cannot send a request to NCM ({problem.code().name})")
            return None if problem.code() in WORTH_REPEATING else int(self.schema.OperationStatus.PENDING)
        except Malformed as problem:
            self.counted.count(f"NCM's reply: {problem}")
            return None
        statuses = self.schema.OperationStatus
        wanted = call.state_requests[0].request_id
        said = [
            operation_statuse.operation_status
            for operation_statuse in reply.operation_statuses
            if operation_statuse.request_id == wanted
        ]
        if len(said) < len(reply.operation_statuses):
            self.counted.count("a status for a request that was not sent")
        if not said or statuses.PENDING in said:
            return None
        return int(next((status for status in said if status != statuses.SUCCESS), statuses.SUCCESS))

    # ------------------------------------------------------------------ translation, on the service's thread

    def _apply(self, epoch: int | None, items: list[Item], verdicts: asyncio.Future[list[int]]) -> Iterator[Delivery]:
        """Passes the content of a goal state to the core, one statement at a time; the core's confirmation gives each one's
        status."""
        statuses, found = self.schema.OperationStatus, []
        for item in items:
            heard = {statuses.SUCCESS}
            if item.problem:
                self.counted.count(f"a {item.kind.lower()}: {item.problem}")
                heard.add(statuses.INVALID_ARG)
            for statement in item.statements:
                problem = self._doubt(statement)
                if problem:
                    self.counted.count(f"a {item.kind.lower()}: {problem}")
                    heard.add(statuses.INVALID_ARG)
                    continue
                self._confirmed.pop(statement.pod, None)
                route = Route(self.host, epoch or self._epoch, *_fields(statement))
                if self._epoch:
                    yield delivery(topics.inbox(self.host), route)
                known = self._confirmed.pop(statement.pod, None)
                if known is None:
                    heard.add(statuses.FAILURE)
                elif known > statement.version:
                    heard.add(statuses.OUT_OF_ORDER)
                else:
                    yield from self._hear(statement)
            worst = (statuses.INVALID_ARG, statuses.FAILURE, statuses.OUT_OF_ORDER, statuses.SUCCESS)
            found.append(next(status for status in worst if status in heard))
        self.loop.call(lambda: None if verdicts.done() else verdicts.set_result(found))

    def _doubt(self, statement: Statement) -> str:
        """The reason for not passing a statement on; empty: none."""
        known = self._said.get(statement.pod)
        if known is not None and known.version == statement.version and known.place != statement.place:
            return "another place for a known revision"
        if statement.place not in (None, self.host) and statement.pod.vpc not in self._networks:
            return "of a network in which this host has no port"
        return ""

    def _hear(self, statement: Statement) -> Iterator[Delivery]:
        """The core has applied the statement: requests for it that NCM has consented to are answered."""
        self._said[statement.pod] = statement
        if statement.place == self.host:
            self._networks.add(statement.pod.vpc)
        for number, ask in list(self._asks.items()):
            if ask.request.destination == statement.pod:
                ask.heard = statement
                if ask.consented:
                    yield from self._conclude(number, ask)

    def _conclude(self, number: int, ask: _Ask) -> Iterator[Delivery]:
        """Answers a request: NCM has consented, and the neighbor is there."""
        assert ask.heard is not None
        del self._asks[number]
        answer: Granted | Refused = Refused(self.host, ask.request.epoch, number, Reason.GONE)
        if ask.heard.place is not None:
            answer = Granted(self.host, ask.request.epoch, number, ask.heard.pod, ask.heard.version, ask.heard.place)
        yield delivery(topics.inbox(self.host), answer)

    def _answered(self, number: int, status: int) -> Iterator[Delivery]:
        ask, statuses = self._asks.get(number), self.schema.OperationStatus
        if ask is None or status == statuses.PENDING:
            return
        if status != statuses.SUCCESS:
            del self._asks[number]
            refused = Refused(self.host, ask.request.epoch, number, Reason.UNKNOWN)
            yield delivery(topics.inbox(self.host), refused)
            return
        ask.consented = True
        if ask.heard is not None:
            yield from self._conclude(number, ask)
        else:
            self.counted.count("a consent before its neighbor, or without one")

    def _greeted(self, status: int) -> Iterator[Delivery]:
        if status != self.schema.OperationStatus.SUCCESS:
            self.counted.count("NCM does not handle an agent's restart")
        return iter(())

    # ------------------------------------------------------------------------------------------ connection

    def open_session(self, subscription: str, topics: Sequence[str]) -> AcaGateway:
        return self

    def publish(self, letters: Sequence[Letter]) -> None:
        for letter in letters:
            match decode(letter.data):
                case Hello() as hello:
                    if hello.epoch != self._epoch:
                        self._begin(hello.epoch)
                    restarted = self.schema.HostRequest.ResourceStateRequest(
                        request_type=self.schema.RequestType.AGENT_RESTARTED, request_id=str(uuid.uuid4())
                    )
                    self.loop.start(self._ask(restarted, hello.epoch, self._greeted))
                case Request() as request:
                    self._start(request)
                case Applied() as applied:
                    self._confirmed[applied.pod] = applied.version
                case other:
                    raise AssertionError(f"an agent sends no {type(other).__name__}")

    def _start(self, request: Request) -> None:
        now = time.monotonic()
        for number, ask in list(self._asks.items()):  # oldest first
            if now - ask.since < ASKS_SECONDS_MAX:
                break
            del self._asks[number]
        self._asks[request.request] = _Ask(request, now)
        question = self.schema.HostRequest.ResourceStateRequest(
            request_id=str(uuid.uuid4()),
            tunnel_id=int(request.source.vpc),
            source_ip=request.source.address,
            destination_ip=request.destination.address,
            protocol=self.schema.Protocol.ARP,
        )
        self.loop.start(self._ask(question, request.epoch, lambda status: self._answered(request.request, status)))

    def close(self) -> None:
        if not self.stop_serving():
            return
        self._caller.close()
        if self.counted:
            self._log.info("%s", summary(self.counted))


def _fields(statement: Statement) -> tuple[Pod, int, str | None]:
    return statement.pod, statement.version, statement.place
