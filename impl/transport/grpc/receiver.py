"""An agent's server for goal states. NCM pushes them on Alcor's wire, and DPM where it calls agents directly.

One message a stream, one reply, and the end: also for a stream that says nothing, or is never half-closed.
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
"""Pushes under way at an agent; NCM and DPM need one, Alcor's NCM ten with their warm-ups."""


class Unavailable(Exception):
    """The agent can apply nothing now; the text says why."""


class GoalStateServer(ABC):
    """Serves goal states that one caller pushes.

    Agents extend it, and are not called back by it: what refers to each other would be freed who knows when, by whichever thread.
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
        """`pusher`: the name or address that may push; `role`: what people call it."""
        self.where = where
        self.counted = RateLimitedLog(log)
        """What was refused or ignored before it reached the core, by reason."""
        self.loop, self.schema, self.identity, self.deadlines = loop, schema, identity, deadlines
        self._role, self._pusher, self._log = role, pusher, log
        self._streams = 0
        self._server: Any = None

    @abstractmethod
    async def apply(self, goal: Any, epoch: int | None) -> Any:
        """The reply to a goal state that is meant for this epoch (none: the caller knows nothing of epochs); on the loop's thread.

        Raises:
            Unavailable: it can be applied some other time.
        """

    def start_serving(self) -> bool:
        """Begins to serve; whether it did not before.

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
            await self._refuse(context, grpc.StatusCode.DEADLINE_EXCEEDED, "no goal state came, or it took too long")
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
        """Serves no more; whether it did before."""
        if self._server is None:
            return False
        server, self._server = self._server, None
        self.loop.run(server.stop(None))
        return True
