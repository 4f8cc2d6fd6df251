"""The agent's side of the direct channel: it serves DPM's calls, and its service decides about each.

The reply confirms a revision, resource by resource, after it is applied; OUT_OF_ORDER means that a newer one is applied. A call for
another epoch results in FAILURE. The epoch is in the metadata of a call; a call without it is for the present epoch.
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
    """Both services of one agent: goal states on one port, subscriptions on the other."""

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
        """Starts serving.

        Raises:
            EnvironmentProblem: it cannot listen there.
        """
        self.start_serving()
        try:
            self.subscriptions.open()
        except BaseException:
            self.close()
            raise
        self._log.info("listens on %s, and for subscribe requests on %s", self.where, self.subscriptions.where)
        return self

    async def apply(self, goal: Any, epoch: int | None) -> Any:
        """The reply to a goal state, after the agent has handled it."""
        host, present = self._agent.message_queue.host, self._agent.message_queue.epoch
        reading = read(self.schema, goal, host, self.where.address, epoch or present)
        for resource in reading.resources:
            if resource.problem:
                self.counted.count(f"a {resource.kind.lower()}: {resource.problem}")
        status = await self._decided(reading.push) if reading.push is not None else None
        return self._reply(reading, status)

    async def _decided(self, push: Push) -> int:
        """The status of a revision, after the agent has handled it."""
        statuses = self.schema.OperationStatus
        try:
            # Shielded, so that a call that ends early does not cancel what the service has begun.
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
        """Stops serving."""
        if self.stop_serving():
            self.subscriptions.close()
