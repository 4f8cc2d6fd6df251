"""Our NCM on Alcor's wire format: the transport of an NCM service, with gRPC instead of a broker.

The core decides everything; this module translates, and keeps the order: a request is granted only after its goal state was pushed
and acknowledged. The core's messages are kept in memory only, so at its start NCM tells every host again what it was told.

An agent of Alcor knows no epochs, and sends nothing when it starts. A host therefore counts as seen when it is registered, in epoch
1; its requests belong to the epoch that NCM has seen last, and `AGENT_RESTARTED` begins the next. Our own agent names its epochs in
metadata.

| request | interpretation |
|---|---|
| no request at all | a reply without statuses |
| kind of request unset (reads as ON_DEMAND) | a request for a route, which consents to nothing |
| an unknown kind | INVALID_ARG |
| id empty, too long, or twice in one call | INVALID_ARG, under the id as received |
| VNI 0, or too large; an address empty, or invalid | INVALID_ARG |
| ethertype, protocol, ports | not read: the place of a pod does not depend on them |
| a host that is not registered, or an epoch that is over | FAILURE |
| refused by the core: unknown, gone, another host's source, another network | FAILURE; the wire has no reasons |
| granted, and the push not acknowledged in time | FAILURE; the push itself is repeated |

For unset fields of DPM's goal states see `resources`, and for agents' replies see `push`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import grpc
import grpc.aio

from impl.broker import topics
from impl.broker.hosts import registration_number
from impl.messages import Applied, Deregistered, Granted, Hello, Pod, Refused, Registered, Report, Request, Route
from impl.on_demand.ncm import Ncm
from impl.transport.grpc.directory import Directory
from impl.transport.grpc.endpoints import (
    GOAL_STATE_BYTES_MAX,
    GOAL_STATES,
    PUSH_OLD,
    PUSH_STREAM,
    REQUEST,
    REQUEST_BYTES_MAX,
    Deadlines,
    Endpoint,
    Malformed,
    epoch_of,
    parse,
    serve,
)
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.identity import Identity
from impl.transport.grpc.push import Parcel, Pushes
from impl.transport.grpc.pushed_goals import Goal
from impl.transport.grpc.rate_limited_log import RateLimitedLog, summary
from impl.transport.grpc.resources import VNI_MAX, Resources, Wrong, checked_address
from impl.transport.grpc.session import Inbox, delivery
from impl.transport.interface import Delivery, Letter, Slots
from impl.wire.alcor.schema import Schema
from impl.wire.codec import decode

REQUESTS_PER_CALL_MAX: Final = 1_000
REQUESTS_PER_HOST_MAX: Final = 1_000
"""Calls of one host in progress; further calls of this host are refused, and no other host is affected."""
REQUEST_ID_CHARACTERS_MAX: Final = 128
GOALS_PER_STREAM_MAX: Final = 100
"""Goal states of one stream in progress; the next is read when the first of them has been answered."""
DEAD_LETTER_BYTES_MAX: Final = 65_536
"""The part that is kept of bytes that are not a valid message."""
REPLY_VERSION: Final = 1
"""`format_version` of a reply to a request."""


class _Question:
    """One request of a call. Created on the loop's thread, decided on the service's."""

    def __init__(self, request: Any, number: int, gateway: NcmGateway) -> None:
        self.request, self.number = request, number
        self.answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.is_taken = False
        """The core has decided; the answer is on its way."""
        self._gateway = gateway

    def settle(self, status: int) -> None:
        """Answers, from any thread. The first answer stays."""
        self.is_taken = True
        self._gateway.loop.call(self.settle_here, status)

    def settle_here(self, status: int) -> None:
        """Answers, from the loop's thread."""
        if not self.answer.done():
            self.answer.set_result(status)

    def grant(self, granted: bool) -> None:
        """Answers by whether the push was acknowledged."""
        statuses = self._gateway.schema.OperationStatus
        self.settle_here(statuses.SUCCESS if granted else statuses.FAILURE)

    def handled(self) -> None:
        """The core has handled the request. If it sent no answer, the request is refused."""
        if not self.is_taken:
            self.settle(self._gateway.schema.OperationStatus.FAILURE)


class NcmGateway(Inbox):
    """A connection and its only session in one: see `impl.transport.interface`. Publishing never waits for a host."""

    def __init__(
        self,
        loop: Loop,
        schema: Schema,
        directory: Directory,
        identity: Identity,
        resources: Resources,
        where: Endpoint,
        dpm: str,
        deadlines: Deadlines | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__()
        self.loop, self.schema, self.directory, self.identity = loop, schema, directory, identity
        self.resources, self.where, self.dpm = resources, where, dpm
        self.deadlines = deadlines or Deadlines()
        self._log = logging.getLogger("ondemand.ncm")
        self.counted = RateLimitedLog(self._log)
        """What was refused before it reached the core, by reason."""
        self._core: Ncm | None = None
        self._numbers = iter(range(time.time_ns(), 2**63))  # nobody waits for a request from before a crash
        self._questions: dict[int, _Question] = {}
        self._calls: Counter[str] = Counter()
        self._goals: dict[tuple[Pod, int], list[Goal]] = {}
        """The goal states that wait for the outcome of a change. Used from the service's thread only."""
        self._pushes = Pushes(loop, schema, directory, identity, self.deadlines, self._confirmed, source)
        self._server: Any = None

    def open(self, core: Ncm) -> NcmGateway:
        """Starts serving. Reads from the core which hosts are registered, and the epochs it has seen."""
        self._core = core
        self._at_hand = self._registrations()
        if self._server is None:
            methods = {
                REQUEST: grpc.unary_unary_rpc_method_handler(self._request),
                PUSH_STREAM: grpc.stream_stream_rpc_method_handler(self._push_stream),
                PUSH_OLD: grpc.unary_unary_rpc_method_handler(_is_not_served),
            }
            opening = serve({GOAL_STATES: methods}, self.where, self.identity.server())
            self._server, self.where = self.loop.run(opening)
            self._log.info("listens on %s", self.where)
        return self

    # --------------------------------------------------------------------------------------- incoming calls

    async def _request(self, data: bytes, context: Any) -> bytes:
        host = self.identity.caller(context)
        if host is None or self.directory.find(host) is None:
            await self._refuse(context, grpc.StatusCode.PERMISSION_DENIED, "the caller is not a known host", host)
        assert host is not None
        try:
            epoch = epoch_of(context.invocation_metadata())
            call = parse(self.schema.HostRequest, data, REQUEST_BYTES_MAX)
            if len(call.state_requests) > REQUESTS_PER_CALL_MAX:
                raise Malformed(f"{len(call.state_requests)} requests; a call has at most {REQUESTS_PER_CALL_MAX}")
        except Malformed as problem:
            self._set_aside(host, str(problem), data)
            await self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(problem), host)
        if self._calls[host] >= REQUESTS_PER_HOST_MAX:
            sentence = f"{REQUESTS_PER_HOST_MAX} calls of this host are in progress; wait for some of them"
            await self._refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, sentence, host)
        questions = [_Question(request, next(self._numbers), self) for request in call.state_requests]
        self._questions |= {question.number: question for question in questions}
        self._calls[host] += 1
        try:
            self.put(lambda: self._ask(host, epoch, questions))
            if questions:
                await asyncio.wait([question.answer for question in questions], timeout=self.deadlines.answer)
        finally:
            self._calls[host] -= 1
            for question in questions:
                del self._questions[question.number]
                question.grant(False)  # too late, or the caller has gone: nobody reads later answers
        reply = self.schema.HostRequestReply(format_version=REPLY_VERSION if questions else 0)
        for question in questions:
            reply.operation_statuses.add(
                request_id=question.request.request_id, operation_status=question.answer.result()
            )
        return bytes(reply.SerializeToString())

    async def _push_stream(self, _: Any, context: Any) -> None:
        caller = self.identity.caller(context)
        if caller != self.dpm:
            await self._refuse(context, grpc.StatusCode.PERMISSION_DENIED, "only DPM may push goal states", caller)
        replies: asyncio.Queue[Goal | Malformed | None] = asyncio.Queue(GOALS_PER_STREAM_MAX)
        reading = asyncio.create_task(self._read_goals(context, replies))
        try:
            while (goal := await replies.get()) is not None:
                if isinstance(goal, Malformed):
                    await self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(goal), caller)
                    return
                await context.write(await goal.reply(self.deadlines.outcome))
        finally:
            reading.cancel()

    async def _read_goals(self, context: Any, replies: asyncio.Queue[Goal | Malformed | None]) -> None:
        """Passes on each goal state as it arrives; a host that is slow to confirm one does not delay the next."""
        while (data := await context.read()) is not grpc.aio.EOF:
            try:
                goal = Goal(parse(self.schema.GoalStateV2, data, GOAL_STATE_BYTES_MAX), self.schema, self.loop)
            except Malformed as problem:
                self._set_aside(self.dpm, str(problem), data)
                await replies.put(problem)
                return
            self.put(partial(self._configure, goal))
            await replies.put(goal)
        await replies.put(None)

    async def _refuse(self, context: Any, code: grpc.StatusCode, sentence: str, caller: str | None) -> None:
        self.counted.count(sentence, f"refuses {caller or 'a caller'}: {sentence}")
        await context.abort(code, sentence)

    def _set_aside(self, origin: str, reason: str, data: bytes) -> None:
        def keep() -> Iterator[Delivery]:
            self.resources.set_aside(origin, reason, data[:DEAD_LETTER_BYTES_MAX])
            return iter(())

        self.put(keep)

    def _confirmed(self, host: str, parcel: Parcel) -> None:
        applied = Applied(host, parcel.epoch, parcel.pod, parcel.version)
        self.put(lambda: iter([delivery(topics.requests(host), applied)]))

    # ------------------------------------------------------------------ translation, on the service's thread

    @property
    def _ncm(self) -> Ncm:
        assert self._core is not None, "the gateway is not open"
        return self._core

    def _registrations(self) -> Iterator[Delivery]:
        """Updates a core that was started with another file of hosts."""
        names = self.directory.names
        if names is None:
            return
        for host in self._ncm.hosts():
            if host not in names:
                yield delivery(topics.HOSTS, Deregistered(host, registration_number()))
        for host in names:
            yield from self._registration(host)

    def _registration(self, host: str) -> Iterator[Delivery]:
        """An agent of Alcor sends no greeting, so every registered host counts as seen."""
        if self._ncm.met_epoch(host) is None:
            yield delivery(topics.HOSTS, Registered(host, registration_number()))
        if self._ncm.met_epoch(host) == 0:
            yield delivery(topics.requests(host), Hello(host, 1))

    def _configure(self, goal: Goal) -> Iterator[Delivery]:
        """The changes of a goal state, one by one; unknown hosts that DPM names are registered first."""
        for config in goal.taken_by(self.resources):
            if config.place is not None and self.directory.names is None:
                yield from self._registration(config.place)
            self._goals.setdefault((config.pod, config.version), []).append(goal)
            yield delivery(topics.GOAL_STATES, config)

    def _ask(self, host: str, epoch: int | None, questions: Sequence[_Question]) -> Iterator[Delivery]:
        """The requests of one call, in order; those whose caller has gone meanwhile are skipped."""
        statuses, kinds = self.schema.OperationStatus, self.schema.RequestType
        ids: set[str] = set()
        for question in questions:
            request = question.request
            if question.answer.done():
                continue
            met = self._ncm.met_epoch(host) or 0
            is_new = request.request_id not in ids
            ids.add(request.request_id)
            try:
                if not is_new or not 0 < len(request.request_id) <= REQUEST_ID_CHARACTERS_MAX:
                    raise Malformed("the request's id is empty, too long, or used twice in one call")
                if request.request_type == kinds.AGENT_RESTARTED:
                    yield self._restarted(host, epoch if epoch is not None else met + 1, question)
                elif request.request_type == kinds.ON_DEMAND:
                    pods = _pod(request.tunnel_id, request.source_ip), _pod(request.tunnel_id, request.destination_ip)
                    asked = Request(host, epoch if epoch is not None else max(met, 1), question.number, *pods)
                    yield delivery(topics.requests(host), asked, question.handled)
                else:
                    raise Malformed("unknown kind of request")
            except Malformed as problem:
                self.counted[str(problem)] += 1
                question.settle(statuses.INVALID_ARG)

    def _restarted(self, host: str, epoch: int, question: _Question) -> Delivery:
        def handled() -> None:
            statuses = self.schema.OperationStatus
            question.settle(statuses.SUCCESS if self._ncm.met_epoch(host) == epoch else statuses.FAILURE)

        return delivery(topics.requests(host), Hello(host, epoch), handled)

    # --------------------------------------------------------------------------------------------- session

    def stop_listening(self, topic: str, slots: Slots = ()) -> None:
        """Removes the host's queue when the host no longer takes part or starts with empty state."""
        self.loop.call(self._pushes.withdraw, topic.removeprefix(topics.requests("")))

    # ------------------------------------------------------------------------------------------ connection

    def open_session(self, subscription: str, topics: Sequence[str]) -> NcmGateway:
        return self

    def publish(self, letters: Sequence[Letter]) -> None:
        for letter in letters:
            if letter.topic == topics.dead_letters("ncm"):
                self.resources.set_aside(letter.topic, letter.tag, letter.data)
                continue
            match decode(letter.data):
                case Report() as report:
                    for goal in self._goals.pop((report.pod, report.version), ()):
                        goal.heard(report)
                case Refused() as refused:
                    question = self._questions.get(refused.request)
                    if question is not None:
                        question.settle(self.schema.OperationStatus.FAILURE)
                case Route() | Granted() as message:
                    self._tell(message)
                case other:
                    raise AssertionError(f"NCM sends no {type(other).__name__}")

    def _tell(self, message: Route | Granted) -> None:
        question = self._questions.get(message.request) if isinstance(message, Granted) else None
        told = self.resources.told(message.host, message.pod, message.version, message.place)
        if told is None:
            self._log.error(
                "no port is known for %s version %d; cannot tell %s of it", message.pod, message.version, message.host
            )
            return
        parcel = Parcel(message.pod, message.version, message.epoch, message.place is not None, told)
        if question is not None:
            question.is_taken = True
            parcel.waiting.append(question.grant)
        self.loop.call(self._pushes.put, message.host, parcel)

    def close(self) -> None:
        if self._server is not None:
            self.loop.run(self._server.stop(None))
            self._server = None
        self.loop.call(self._pushes.close)
        self.resources.close()
        if self.counted or self._pushes.counted:
            self._log.info("%s", summary(self.counted + self._pushes.counted))


async def _is_not_served(_: bytes, context: Any) -> None:
    sentence = "goal states of version 1 are not served; push those of version 2 with PushGoalStatesStream"
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, sentence)


def _pod(vni: int, address: str) -> Pod:
    if not 0 < vni <= VNI_MAX:
        raise Malformed("the request's VNI is 0 or too large")
    try:
        return Pod(str(vni), checked_address(address))
    except Wrong as problem:
        raise Malformed("an address of the request is not an IP address in its usual form") from problem
