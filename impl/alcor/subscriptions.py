"""Asking an agent to listen to a topic of the message queue, or to listen no more: Alcor's `SubscribeInfoProvisioner`.

The message has room for one topic and a key, and for nothing else: no address of the queue, no second topic, no topic for
acknowledgments, no position to start from, no message to seek to. All of that has to be agreed on beforehand.

| left unset, or zero | what is made of it |
|---|---|
| operation (reads Subscribe) | a subscription, which the topic and key have to make sense of |
| an operation that is not there | INVALID_ARG |
| topic | INVALID_ARG |
| key of a subscription | INVALID_ARG |
| status of a reply (reads SUCCESS) | done, since SUCCESS looks like this on the wire; only if the call itself ended with OK |

A call that ends in any other way says nothing of whether the agent has subscribed.
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

from impl.alcor.directory import Directory
from impl.alcor.identity import Identity
from impl.alcor.loop import Loop
from impl.alcor.services import (
    REQUEST_BYTES_MAX,
    SUBSCRIBE,
    SUBSCRIPTION_PORT,
    SUBSCRIPTIONS,
    Deadlines,
    Endpoint,
    Malformed,
    channel,
    parse,
    path,
    serve,
)
from impl.wire.alcor.schema import Schema

TEXT_CHARACTERS_MAX: Final = 253
"""Of a topic or a key."""


class Result(Enum):
    """What became of a request to subscribe, or to leave."""

    DONE = "done"
    REFUSED = "refused"
    """The agent has answered: no. Nothing has changed there."""
    TIMED_OUT = "timed out"
    """No answer came in time. It may have been done."""
    UNREACHABLE = "unreachable"
    """The agent is not there, or does not serve this."""


class Subscriber(Protocol):
    """What listens to topics at an agent. Called from a thread of its own, one call at a time; doing it again is no failure."""

    def subscribe(self, topic: str, key: str) -> Result:
        """Listens to this topic, by this key, from now on. Returns when it does: DONE, or REFUSED."""

    def unsubscribe(self, topic: str) -> Result:
        """Listens to this topic no more. Returns when it does not: DONE, or REFUSED."""


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
        """Begins to serve.

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
            info = parse(self._schema.NodeSubscribeInfo, data, REQUEST_BYTES_MAX)
        except Malformed as problem:
            await self._refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(problem))
        try:
            async with asyncio.timeout(self._deadlines.subscribe):
                status = await self._obey(info)
        except TimeoutError:
            await self._refuse(context, grpc.StatusCode.DEADLINE_EXCEEDED, "the queue did not answer in time")
        return bytes(self._schema.SubscribeOperationReply(operationStatus=status).SerializeToString())

    async def _obey(self, info: Any) -> int:
        kinds, statuses = self._schema.SubscribeOperation, self._schema.OperationStatus
        problem = doubt(info.topic, info.key, subscribes=info.subscribe_operation == kinds.Subscribe)
        if info.subscribe_operation not in (kinds.Subscribe, kinds.Unsubscribe):
            problem = "the operation is not known"
        if problem:
            self._count(problem)
            return int(statuses.INVALID_ARG)
        if info.subscribe_operation == kinds.Subscribe:
            call = partial(self._subscriber.subscribe, info.topic, info.key)
        else:
            call = partial(self._subscriber.unsubscribe, info.topic)
        result = await asyncio.get_running_loop().run_in_executor(self._worker, call)
        return int(statuses.SUCCESS if result is Result.DONE else statuses.FAILURE)

    async def _refuse(self, context: Any, code: grpc.StatusCode, sentence: str) -> None:
        self._count(sentence)
        await context.abort(code, sentence)

    def _count(self, sentence: str) -> None:
        self.counted[sentence] += 1
        logging.getLogger("ondemand.subscriptions").warning("refuses a subscription: %s", sentence)

    def close(self) -> None:
        """Serves no more."""
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
    """DPM's side: asks agents. Each call waits, for no longer than its deadline; from any thread but the loop's."""

    loop: Loop
    schema: Schema
    directory: Directory
    identity: Identity
    port: int = SUBSCRIPTION_PORT
    deadlines: Deadlines = field(default_factory=Deadlines)

    def subscribe(self, host: str, topic: str, key: str) -> Result:
        """Asks a host's agent to listen to a topic."""
        return self._call(host, self.schema.SubscribeOperation.Subscribe, topic, key)

    def unsubscribe(self, host: str, topic: str) -> Result:
        """Asks a host's agent to listen to a topic no more."""
        return self._call(host, self.schema.SubscribeOperation.Unsubscribe, topic, "")

    def _call(self, host: str, operation: int, topic: str, key: str) -> Result:
        found = self.directory.find(host)
        if found is None:
            return Result.UNREACHABLE
        info = self.schema.NodeSubscribeInfo(subscribe_operation=operation, topic=topic, key=key)
        where = Endpoint(found.address, self.port)
        return self.loop.run(self._ask(where, host, info.SerializeToString()))

    async def _ask(self, where: Endpoint, host: str, data: bytes) -> Result:
        statuses = self.schema.OperationStatus
        async with channel(str(where), self.identity.client(), host) as way:
            method = way.unary_unary(path(SUBSCRIPTIONS, SUBSCRIBE))
            try:
                answer = await method(data, timeout=self.deadlines.subscribe)
                reply = parse(self.schema.SubscribeOperationReply, answer, REQUEST_BYTES_MAX)
            except grpc.aio.AioRpcError as problem:
                return _RESULTS.get(problem.code(), Result.UNREACHABLE)
            except Malformed:
                return Result.REFUSED
        return Result.DONE if reply.operationStatus == statuses.SUCCESS else Result.REFUSED


_RESULTS: Final = {
    grpc.StatusCode.DEADLINE_EXCEEDED: Result.TIMED_OUT,
    grpc.StatusCode.PERMISSION_DENIED: Result.REFUSED,
    grpc.StatusCode.INVALID_ARGUMENT: Result.REFUSED,
}
