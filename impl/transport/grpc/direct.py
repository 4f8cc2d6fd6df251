"""DPM's side of the direct channel: it calls agents, hosts independently of each other, and passes on their replies.

For each host, one revision and one subscribe request per VPC, the newest, are in progress or waiting. A failed call is not repeated
here: DPM reminds hosts that have not confirmed, and asks again those that have not answered, at its own intervals. So nothing here
needs to be durable.

| result of a subscribe request | what DPM's core receives |
|---|---|
| done | accepted |
| refused | declined |
| timed out | nothing: it may have been done |
| unreachable | nothing |
| passed over | nothing |
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import grpc.aio

from impl.broker import topics
from impl.messages import Accepted, Confirmed, Declined, Notice, Push, Subscribe
from impl.transport.grpc.caller import Caller
from impl.transport.grpc.directory import Directory
from impl.transport.grpc.endpoints import SUBSCRIPTION_PORT, Deadlines, Malformed
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.identity import Identity
from impl.transport.grpc.push import push_once
from impl.transport.grpc.rate_limited_log import RateLimitedLog
from impl.transport.grpc.revisions import CannotBeSaid, compose, confirms
from impl.transport.grpc.subscriptions import Result, SubscriptionClient
from impl.transport.interface import Connection, Letter, Session
from impl.wire.alcor.schema import Schema
from impl.wire.codec import decode

NO_ANSWER: Final = (Result.TIMED_OUT, Result.UNREACHABLE, Result.PASSED_OVER)
"""Results that do not show whether the agent has subscribed."""

Hear = Callable[[Notice, str], object]
"""Called with a host's reply, and the name of the host."""


class Calls:
    """Calls to all agents. May be created on any thread; `tell` may be used from any thread except the loop's, and never waits."""

    def __init__(
        self,
        loop: Loop,
        schema: Schema,
        directory: Directory,
        identity: Identity,
        *,
        subscription_port: int = SUBSCRIPTION_PORT,
        deadlines: Deadlines | None = None,
        source: str | None = None,
    ) -> None:
        self.loop, self.schema, self.directory, self.identity, self.source = loop, schema, directory, identity, source
        self.deadlines = deadlines or Deadlines()
        self.counted = RateLimitedLog(logging.getLogger("ondemand.dpm"), logging.INFO)
        """What was received, and what failed, by kind."""
        self.client = SubscriptionClient(loop, schema, directory, identity, subscription_port, self.deadlines, source)
        self._hear: Hear | None = None
        self._hosts: dict[str, _Host] = {}

    def reply_to(self, hear: Hear) -> None:
        """Sets the function that receives the agents' replies; called from the loop's thread."""
        self._hear = hear

    def tell(self, message: Push | Subscribe) -> None:
        """Schedules the call to the agent that this message is for."""
        self.loop.call(self._put, message)

    def _put(self, message: Push | Subscribe) -> None:
        if message.host not in self._hosts:
            self._hosts[message.host] = _Host(self, message.host)
        self._hosts[message.host].put(message)

    def heard(self, notice: Notice) -> None:
        """Passes on an agent's reply; on the loop's thread."""
        assert self._hear is not None, "no receiver is set for the agents' replies"
        self._hear(notice, notice.host)

    def count(self, host: str, what: str) -> None:
        """Counts an event that should not happen."""
        self.counted.count(what, f"{host}: {what}")

    def close(self) -> None:
        """Stops calling."""
        self.loop.run(self._hang_up())

    async def _hang_up(self) -> None:
        hosts, self._hosts = list(self._hosts.values()), {}
        for host in hosts:
            await host.end()


class _Host:
    """One host: its revisions are sent one after the other, and its subscribe requests in parallel to them. All on the loop's
    thread."""

    def __init__(self, calls: Calls, name: str) -> None:
        self._calls, self._name = calls, name
        self._pushes: dict[str, Push] = {}
        self._askings: dict[str, Subscribe] = {}
        """By VPC, both: the newest message that waits to be sent."""
        self._caller: Caller | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def put(self, message: Push | Subscribe) -> None:
        match message:
            case Push():
                there = self._pushes.get(message.vpc)
                if there is None or (there.epoch, there.revision) <= (message.epoch, message.revision):
                    self._pushes[message.vpc] = message
                self._keep_going("pushes", self._push_all)
            case Subscribe():
                asked = self._askings.get(message.vpc)
                if asked is None or asked.attempt <= message.attempt:
                    self._askings[message.vpc] = message
                self._keep_going("askings", self._ask_all)

    def _keep_going(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = self._tasks.get(name)
        if task is None or task.done():
            self._tasks[name] = self._calls.loop.task(work())

    async def _push_all(self) -> None:
        while self._pushes:
            await self._push(self._pushes.pop(next(iter(self._pushes))))

    async def _ask_all(self) -> None:
        while self._askings:
            await self._ask(self._askings.pop(next(iter(self._askings))))

    async def _push(self, push: Push) -> None:
        calls = self._calls
        where = calls.directory.find(self._name)
        if where is None:
            calls.count(self._name, "a host without an address")
            return
        if self._caller is None:
            self._caller = Caller(calls.loop, calls.identity, where, self._name, calls.source)
        try:
            goal = compose(calls.schema, push, where.address)
            async with asyncio.timeout(calls.deadlines.push):
                reply = await push_once(await self._caller.dial(), calls.schema, goal, push.epoch)
        except CannotBeSaid as problem:
            calls.count(self._name, f"a revision cannot be encoded on this wire ({problem})")
        except TimeoutError:
            calls.count(self._name, "a revision was not confirmed in time")
        except grpc.aio.AioRpcError as problem:
            calls.count(self._name, f"a revision could not be pushed ({problem.code().name})")
        except Malformed as problem:
            calls.count(self._name, f"an agent's reply: {problem}")
        else:
            if confirms(calls.schema, push, reply):
                calls.counted["confirmed"] += 1
                calls.heard(Confirmed(push.host, push.epoch, push.vpc, push.revision))
            else:
                calls.count(self._name, "a reply that does not confirm the revision")

    async def _ask(self, asking: Subscribe) -> None:
        host, epoch, vpc, attempt = asking.host, asking.epoch, asking.vpc, asking.attempt
        result = await self._calls.client.ask(host, topics.multicast(vpc), str(attempt), epoch)
        if result is Result.DONE:
            self._calls.counted["accepted"] += 1
            self._calls.heard(Accepted(host, epoch, vpc, attempt))
        elif result is Result.REFUSED:
            self._calls.count(host, "a subscribe request was refused")
            self._calls.heard(Declined(host, epoch, vpc, attempt))
        else:
            assert result in NO_ANSWER
            self._calls.count(host, f"a subscribe request: {result.value}")

    async def end(self) -> None:
        self._pushes, self._askings = {}, {}
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._caller is not None:
            await self._caller.hang_up()


class DirectConnection:
    """DPM's connection to the broker, except that revisions and subscribe requests for one host become calls."""

    def __init__(self, broker: Connection, calls: Calls) -> None:
        self._broker, self._calls = broker, calls

    def publish(self, letters: Sequence[Letter]) -> None:
        """See `impl.transport.interface.Connection`. Calls may still be in progress when this returns."""
        said = [(letter, decode(letter.data)) for letter in letters]
        self._broker.publish([letter for letter, message in said if not isinstance(message, Push | Subscribe)])
        for _, message in said:
            if isinstance(message, Push | Subscribe):
                self._calls.tell(message)

    def open_session(self, subscription: str, topics: Sequence[str]) -> Session:
        """See `impl.transport.interface.Connection`."""
        return self._broker.open_session(subscription, topics)

    def close(self) -> None:
        """See `impl.transport.interface.Connection`."""
        self._calls.close()
        self._broker.close()
