"""An agent's side of the direct channel: it serves DPM's calls, and its service decides about each.

A revision is confirmed by the reply, resource by resource, once it is applied; OUT_OF_ORDER says that a newer one is. What is meant
for another epoch is FAILURE. The epoch comes in the metadata of a call; without, it is taken for the present one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any, Final

import grpc
import grpc.aio

from impl.alcor.identity import Identity
from impl.alcor.loop import Loop
from impl.alcor.services import (
    GOAL_STATE_BYTES_MAX,
    GOAL_STATES,
    PUSH_STREAM,
    Deadlines,
    Endpoint,
    Malformed,
    epoch_of,
    parse,
    serve,
)
from impl.alcor.subscriptions import SubscriptionServer
from impl.channel.subscriber import ChannelSubscriber
from impl.direct.goals import Reading, read
from impl.messages import Push
from impl.service.aca import AcaService
from impl.wire.alcor.schema import Schema

STREAMS_MAX: Final = 100
"""Pushes under way at an agent; DPM needs one."""


class AgentServer:
    """Both services of one agent: goal states at one port, subscriptions at the other."""

    def __init__(
        self,
        loop: Loop,
        schema: Schema,
        identity: Identity,
        agent: AcaService,
        where: Endpoint,
        subscriptions: Endpoint,
        dpm: str,
        deadlines: Deadlines | None = None,
    ) -> None:
        self.where, self.dpm, self.deadlines = where, dpm, deadlines or Deadlines()
        self.counted: Counter[str] = Counter()
        """What was refused, by reason."""
        self._loop, self._schema, self._identity, self._agent = loop, schema, identity, agent
        subscriber = ChannelSubscriber(agent)
        self.subscriptions = SubscriptionServer(loop, schema, identity, subscriptions, dpm, subscriber, self.deadlines)
        self._streams = 0
        self._server: Any = None
        self._log = logging.getLogger(f"ondemand.{agent.process}")

    def open(self) -> AgentServer:
        """Begins to serve.

        Raises:
            EnvironmentProblem: it cannot listen there.
        """
        methods = {PUSH_STREAM: grpc.stream_stream_rpc_method_handler(self._push_stream)}
        self._server, self.where = self._loop.run(serve({GOAL_STATES: methods}, self.where, self._identity.server()))
        try:
            self.subscriptions.open()
        except BaseException:
            self.close()
            raise
        self._log.info("listens on %s, and to askings on %s", self.where, self.subscriptions.where)
        return self

    async def _push_stream(self, _: Any, context: Any) -> None:
        """One message, one reply, and the end."""
        if self._identity.caller(context) != self.dpm:
            await self._refuse(context, grpc.StatusCode.PERMISSION_DENIED, "only DPM may push goal states here")
        if self._streams >= STREAMS_MAX:
            await self._refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, f"{STREAMS_MAX} streams are open already")
        self._streams += 1
        try:
            async with asyncio.timeout(self.deadlines.apply):
                await self._push(context)
        except TimeoutError:
            await self._refuse(context, grpc.StatusCode.DEADLINE_EXCEEDED, "no goal state came, or it took too long")
        finally:
            self._streams -= 1

    async def _push(self, context: Any) -> None:
        data = await context.read()
        if data is grpc.aio.EOF:
            return
        try:
            epoch = epoch_of(context.invocation_metadata())
            goal = parse(self._schema.GoalStateV2, data, GOAL_STATE_BYTES_MAX)
        except Malformed as problem:
            await self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(problem))
            return
        host, present = self._agent.channel.host, self._agent.channel.epoch
        reading = read(self._schema, goal, host, self.where.address, epoch or present)
        for one in reading.resources:
            if one.problem:
                self._count(f"a {one.kind.lower()}: {one.problem}")
        status = await self._apply(context, reading.push) if reading.push is not None else None
        await context.write(self._reply(reading, status).SerializeToString())

    async def _apply(self, context: Any, push: Push) -> int:
        """The status of a revision, once the agent has dealt with it."""
        statuses = self._schema.OperationStatus
        try:
            # Shielded: a call that ends early cancels nothing that the service has begun.
            known = await asyncio.shield(asyncio.wrap_future(self._agent.push(push)))
        except RuntimeError as problem:
            await self._refuse(context, grpc.StatusCode.UNAVAILABLE, str(problem))
            raise
        if known == 0:
            return int(statuses.FAILURE)
        return int(statuses.SUCCESS if known == push.revision else statuses.OUT_OF_ORDER)

    def _reply(self, reading: Reading, status: int | None) -> Any:
        statuses = self._schema.OperationStatus
        reply = self._schema.GoalStateOperationReply()
        for one in reading.resources:
            verdict = statuses.INVALID_ARG if one.problem else statuses.FAILURE if status is None else status
            reply.operation_statuses.add(
                resource_id=one.id,
                resource_type=self._schema.ResourceType.Value(one.kind),
                operation_type=one.operation,
                operation_status=verdict,
            )
        return reply

    async def _refuse(self, context: Any, code: grpc.StatusCode, sentence: str) -> None:
        self._count(sentence)
        await context.abort(code, sentence)

    def _count(self, what: str) -> None:
        self.counted[what] += 1
        if self.counted[what] == 1:
            self._log.warning("%s (the first of its kind; others are only counted)", what)

    def close(self) -> None:
        """Serves no more."""
        if self._server is not None:
            server, self._server = self._server, None
            self._loop.run(server.stop(None))
            self.subscriptions.close()
