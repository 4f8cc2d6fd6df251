"""An agent's side of the direct channel: it serves DPM's calls, and its service decides about each.

A revision is confirmed by the reply, resource by resource, once it is applied; OUT_OF_ORDER says that a newer one is. What is meant
for another epoch is FAILURE. The epoch comes in the metadata of a call; without, it is taken for the present one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from impl.messages import Push
from impl.service.aca import AcaService
from impl.service.subscriber import MessageQueueSubscriber
from impl.transport.grpc.endpoints import Deadlines, Endpoint
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.identity import Identity
from impl.transport.grpc.receiver import GoalStateServer, Unavailable
from impl.transport.grpc.revisions import Reading, read
from impl.transport.grpc.subscriptions import SubscriptionServer
from impl.wire.alcor.schema import Schema


class AgentServer(GoalStateServer):
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
        super().__init__(
            loop,
            schema,
            identity,
            where,
            role="DPM",
            pusher=dpm,
            log=logging.getLogger(f"ondemand.{agent.process}"),
            deadlines=deadlines or Deadlines(),
        )
        self._agent = agent
        subscriber = MessageQueueSubscriber(agent)
        self.subscriptions = SubscriptionServer(loop, schema, identity, subscriptions, dpm, subscriber, self.deadlines)

    def open(self) -> AgentServer:
        """Begins to serve.

        Raises:
            EnvironmentProblem: it cannot listen there.
        """
        self.start_serving()
        try:
            self.subscriptions.open()
        except BaseException:
            self.close()
            raise
        self._log.info("listens on %s, and to askings on %s", self.where, self.subscriptions.where)
        return self

    async def apply(self, goal: Any, epoch: int | None) -> Any:
        """The reply to a goal state, once the agent has dealt with it."""
        host, present = self._agent.channel.host, self._agent.channel.epoch
        reading = read(self.schema, goal, host, self.where.address, epoch or present)
        for resource in reading.resources:
            if resource.problem:
                self.counted.count(f"a {resource.kind.lower()}: {resource.problem}")
        status = await self._decided(reading.push) if reading.push is not None else None
        return self._reply(reading, status)

    async def _decided(self, push: Push) -> int:
        """The status of a revision, once the agent has dealt with it."""
        statuses = self.schema.OperationStatus
        try:
            # Shielded: a call that ends early cancels nothing that the service has begun.
            known = await asyncio.shield(asyncio.wrap_future(self._agent.push(push)))
        except RuntimeError as problem:
            raise Unavailable(str(problem)) from problem
        if known == 0:
            return int(statuses.FAILURE)
        return int(statuses.SUCCESS if known == push.revision else statuses.OUT_OF_ORDER)

    def _reply(self, reading: Reading, status: int | None) -> Any:
        statuses = self.schema.OperationStatus
        reply = self.schema.GoalStateOperationReply()
        for resource in reading.resources:
            verdict = statuses.INVALID_ARG if resource.problem else statuses.FAILURE if status is None else status
            reply.operation_statuses.add(
                resource_id=resource.id,
                resource_type=self.schema.ResourceType.Value(resource.kind),
                operation_type=resource.operation,
                operation_status=verdict,
            )
        return reply

    def close(self) -> None:
        """Serves no more."""
        if self.stop_serving():
            self.subscriptions.close()
