"""An agent's server for goal states. NCM pushes them on Alcor's wire, and DPM where it calls agents directly.

One message per stream, one reply, and the end: also for a stream without a message, or one that is never half-closed.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import Any, Final

import grpc
import grpc.aio

from impl.transport.grpc.endpoints import (
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
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.identity import Identity
from impl.transport.grpc.rate_limited_log import RateLimitedLog
from impl.wire.alcor.schema import Schema

STREAMS_MAX: Final = 100
"""Pushes in progress at an agent; NCM and DPM need one, Alcor's NCM ten with its warm-ups."""


class Unavailable(Exception):
    """The agent cannot apply anything at the moment; the text says why."""


class GoalStateServer(ABC):
    """Serves goal states that one caller pushes.

    Agents extend it instead of being called back by it: a reference cycle would be freed at an unknown time, by any thread.
    """

    def __init__(
        self,
        loop: Loop,
        schema: Schema,
        identity: Identity,
        where: Endpoint,
        *,
        role: str,
        pusher: str,
        log: logging.Logger,
        deadlines: Deadlines,
    ) -> None:
        """`pusher`: the name or address that may push; `role`: the name of that role in messages to people."""
        self.where = where
        self.counted = RateLimitedLog(log)
        """What was refused or ignored before it reached the core, by reason."""
        self.loop, self.schema, self.identity, self.deadlines = loop, schema, identity, deadlines
        self._role, self._pusher, self._log = role, pusher, log
        self._streams = 0
        self._server: Any = None

    @abstractmethod
    async def apply(self, goal: Any, epoch: int | None) -> Any:
        """The reply to a goal state for this epoch (None: the caller does not use epochs); on the loop's thread.

        Raises:
            Unavailable: it can be applied at another time.
        """

    def start_serving(self) -> bool:
        """Starts serving; returns whether it did not serve before.

        Raises:
            EnvironmentProblem: it cannot listen there.
        """
        if self._server is not None:
            return False
        methods = {PUSH_STREAM: grpc.stream_stream_rpc_method_handler(self._push_stream)}
        self._server, self.where = self.loop.run(serve({GOAL_STATES: methods}, self.where, self.identity.server()))
        return True

    async def _push_stream(self, _: Any, context: Any) -> None:
        if self.identity.caller(context) != self._pusher:
            sentence = f"only {self._role} may push goal states"
            await self._refuse(context, grpc.StatusCode.PERMISSION_DENIED, sentence)
        if self._streams >= STREAMS_MAX:
            await self._refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, f"{STREAMS_MAX} streams are open already")
        self._streams += 1
        try:
            async with asyncio.timeout(self.deadlines.apply):
                await self._push(context)
        except TimeoutError:
            await self._refuse(context, grpc.StatusCode.DEADLINE_EXCEEDED, "no goal state arrived in time")
        finally:
            self._streams -= 1

    async def _push(self, context: Any) -> None:
        data = await context.read()
        if data is grpc.aio.EOF:
            return
        try:
            epoch = epoch_of(context.invocation_metadata())
            goal = parse(self.schema.GoalStateV2, data, GOAL_STATE_BYTES_MAX)
            reply = await self.apply(goal, epoch)
        except Malformed as problem:
            await self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(problem))
        except Unavailable as problem:
            await self._refuse(context, grpc.StatusCode.UNAVAILABLE, str(problem))
        else:
            await context.write(reply.SerializeToString())

    async def _refuse(self, context: Any, code: grpc.StatusCode, sentence: str) -> None:
        """Ends the call: `abort` raises."""
        self.counted.count(sentence)
        await context.abort(code, sentence)

    def stop_serving(self) -> bool:
        """Stops serving; returns whether it served before."""
        if self._server is None:
            return False
        server, self._server = self._server, None
        self.loop.run(server.stop(None))
        return True
