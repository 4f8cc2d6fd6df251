"""Requests to an agent to subscribe to a topic of the message queue, or to leave it: Alcor's `SubscribeInfoProvisioner`.

The message has room for one topic and a key, and for nothing else: no address of the queue, no second topic, no topic for
acknowledgments, no position to start from, no message to seek to. All of that must be agreed on beforehand.

| unset or zero field | interpretation |
|---|---|
| operation (reads as Subscribe) | a subscription, whose topic and key must be valid |
| an unknown operation | INVALID_ARG |
| topic | INVALID_ARG |
| key of a subscription | INVALID_ARG |
| epoch in the metadata of the call | the agent's present one |
| status of a reply (reads as SUCCESS) | done, since SUCCESS looks like this on the wire; only if the call itself ended with OK |

A call that ends in any other way does not show whether the agent has subscribed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any, Final, Protocol

import grpc
import grpc.aio

from impl.transport.grpc.caller import Caller
from impl.transport.grpc.directory import Directory
from impl.transport.grpc.endpoints import (
    EPOCH,
    REQUEST_BYTES_MAX,
    SUBSCRIBE,
    SUBSCRIPTION_PORT,
    SUBSCRIPTIONS,
    Deadlines,
    Endpoint,
    Malformed,
    epoch_of,
    parse,
    path,
    serve,
)
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.identity import Identity
from impl.wire.alcor.schema import Schema

TEXT_CHARACTERS_MAX: Final = 253
"""The length limit of a topic or a key."""


class Result(Enum):
    """The result of a request to subscribe, or to leave."""

    DONE = "done"
    REFUSED = "refused"
    """The agent has refused. Nothing has changed there."""
    TIMED_OUT = "timed out"
    """No answer arrived in time. It may have been done."""
    UNREACHABLE = "unreachable"
    """The agent is not reachable, or does not offer this service."""
    PASSED_OVER = "passed over"
    """The agent has not handled it: it is for another epoch, or not newer than a handled one. So this is not an answer."""


class Subscriber(Protocol):
    """The agent's listener to topics. Called from a separate thread, one call at a time; a repetition is not a failure."""

    def subscribe(self, topic: str, key: str, epoch: int | None) -> Result:
        """Listens to this topic, by this key, from now on. Returns when it does: DONE, REFUSED, or PASSED_OVER.

        With an epoch it is meant for an agent of this epoch only, and may arrive late.
        """

    def unsubscribe(self, topic: str) -> Result:
        """Stops listening to this topic. Returns when it has stopped: DONE, or REFUSED."""


class SubscriptionServer:
    """An agent's server for subscriptions."""

    def __init__(
        self,
        loop: Loop,
        schema: Schema,
        identity: Identity,
        where: Endpoint,
        dpm: str,
        subscriber: Subscriber,
        deadlines: Deadlines | None = None,
    ) -> None:
        self.where = where
        self.counted: Counter[str] = Counter()
        """What was refused, by reason."""
        self._loop, self._schema, self._identity, self._dpm, self._subscriber = loop, schema, identity, dpm, subscriber
        self._deadlines = deadlines or Deadlines()
        self._worker = ThreadPoolExecutor(1, "subscriptions")
        self._server: Any = None

    def open(self) -> SubscriptionServer:
        """Starts serving.

        Raises:
            EnvironmentProblem: it cannot listen there.
        """
        methods = {SUBSCRIBE: grpc.unary_unary_rpc_method_handler(self._serve)}
        opening = serve({SUBSCRIPTIONS: methods}, self.where, self._identity.server())
        self._server, self.where = self._loop.run(opening)
        return self

    async def _serve(self, data: bytes, context: Any) -> bytes:
        if self._identity.caller(context) != self._dpm:
            await self._refuse(context, grpc.StatusCode.PERMISSION_DENIED, "only DPM may ask for subscriptions")
        try:
            epoch = epoch_of(context.invocation_metadata())
            info = parse(self._schema.NodeSubscribeInfo, data, REQUEST_BYTES_MAX)
        except Malformed as problem:
            await self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(problem))
        try:
            async with asyncio.timeout(self._deadlines.subscribe):
                status = await self._obey(info, epoch)
        except TimeoutError:
            await self._refuse(context, grpc.StatusCode.DEADLINE_EXCEEDED, "the queue did not answer in time")
        if status is None:
            await self._refuse(context, grpc.StatusCode.FAILED_PRECONDITION, "it is for another epoch, or arrived late")
        return bytes(self._schema.SubscribeOperationReply(operationStatus=status).SerializeToString())

    async def _obey(self, info: Any, epoch: int | None) -> int | None:
        """The status of the reply; None: no status."""
        kinds, statuses = self._schema.SubscribeOperation, self._schema.OperationStatus
        problem = doubt(info.topic, info.key, subscribes=info.subscribe_operation == kinds.Subscribe)
        if info.subscribe_operation not in (kinds.Subscribe, kinds.Unsubscribe):
            problem = "unknown operation"
        if problem:
            self._count(problem)
            return int(statuses.INVALID_ARG)
        if info.subscribe_operation == kinds.Subscribe:
            call = partial(self._subscriber.subscribe, info.topic, info.key, epoch)
        else:
            call = partial(self._subscriber.unsubscribe, info.topic)
        result = await asyncio.get_running_loop().run_in_executor(self._worker, call)
        if result is Result.PASSED_OVER:
            return None
        return int(statuses.SUCCESS if result is Result.DONE else statuses.FAILURE)

    async def _refuse(self, context: Any, code: grpc.StatusCode, sentence: str) -> None:
        self._count(sentence)
        await context.abort(code, sentence)

    def _count(self, sentence: str) -> None:
        self.counted[sentence] += 1
        logging.getLogger("ondemand.subscriptions").warning("refuses a subscription: %s", sentence)

    def close(self) -> None:
        """Stops serving."""
        if self._server is not None:
            self._loop.run(self._server.stop(None))
            self._server = None
            self._worker.shutdown(wait=False, cancel_futures=True)


def doubt(topic: str, key: str, *, subscribes: bool) -> str:
    """What is wrong with a topic and its key; empty: nothing."""
    if not 0 < len(topic) <= TEXT_CHARACTERS_MAX or not topic.isprintable():
        return f"the topic is empty, longer than {TEXT_CHARACTERS_MAX} characters, or unprintable"
    if len(key) > TEXT_CHARACTERS_MAX or not key.isprintable() or (subscribes and not key):
        return f"the key is empty, longer than {TEXT_CHARACTERS_MAX} characters, or unprintable"
    return ""


@dataclass(frozen=True)
class SubscriptionClient:
    """DPM's side: sends requests to agents. Each call waits no longer than its deadline; from any thread except the loop's."""

    loop: Loop
    schema: Schema
    directory: Directory
    identity: Identity
    port: int = SUBSCRIPTION_PORT
    deadlines: Deadlines = field(default_factory=Deadlines)
    source: str | None = None
    """The source address of calls; None: the system chooses it."""

    def subscribe(self, host: str, topic: str, key: str) -> Result:
        """Asks a host's agent to listen to a topic."""
        return self.loop.run(self.ask(host, topic, key))

    def unsubscribe(self, host: str, topic: str) -> Result:
        """Asks a host's agent to stop listening to a topic."""
        return self.loop.run(self._call(host, self.schema.SubscribeOperation.Unsubscribe, topic, "", None))

    async def ask(self, host: str, topic: str, key: str, epoch: int | None = None) -> Result:
        """Asks a host's agent, of this epoch only, to listen to a topic; on the loop's thread."""
        return await self._call(host, self.schema.SubscribeOperation.Subscribe, topic, key, epoch)

    async def _call(self, host: str, operation: int, topic: str, key: str, epoch: int | None) -> Result:
        found = self.directory.find(host)
        if found is None:
            return Result.UNREACHABLE
        info = self.schema.NodeSubscribeInfo(subscribe_operation=operation, topic=topic, key=key)
        caller = Caller(self.loop, self.identity, Endpoint(found.address, self.port), host, self.source)
        metadata = () if epoch is None else ((EPOCH, str(epoch)),)
        try:
            method = (await caller.dial()).unary_unary(path(SUBSCRIPTIONS, SUBSCRIBE))
            answer = await method(info.SerializeToString(), timeout=self.deadlines.subscribe, metadata=metadata)
            reply = parse(self.schema.SubscribeOperationReply, answer, REQUEST_BYTES_MAX)
        except grpc.aio.AioRpcError as problem:
            return _RESULTS.get(problem.code(), Result.UNREACHABLE)
        except Malformed:
            return Result.REFUSED
        finally:
            await caller.hang_up()
        return Result.DONE if reply.operationStatus == self.schema.OperationStatus.SUCCESS else Result.REFUSED


_RESULTS: Final = {
    grpc.StatusCode.DEADLINE_EXCEEDED: Result.TIMED_OUT,
    grpc.StatusCode.PERMISSION_DENIED: Result.REFUSED,
    grpc.StatusCode.INVALID_ARGUMENT: Result.REFUSED,
    grpc.StatusCode.FAILED_PRECONDITION: Result.PASSED_OVER,
}
