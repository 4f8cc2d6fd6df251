"""A goal state that DPM has pushed to NCM, from its arrival to the reply.

Each of its resources gets a status: SUCCESS once all hosts have confirmed it, FAILURE if a host did not in time, OUT_OF_ORDER if a
newer revision came first, PENDING if it has not ended yet, and INVALID_ARG if it is rejected; the others of that goal state are
FAILURE then, since nothing of it was accepted. A repeated goal state is answered by the outcomes of the first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any, Final

from impl.messages import Config, Outcome, Pod, Report
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.resources import Change, GoalStateRefused, Resources
from impl.wire.alcor.schema import Schema

REPLY_VERSION: Final = 100
"""`format_version` of a reply to DPM."""


class Goal:
    """One goal state. Created on the loop's thread; accepted, and completed, on the service's."""

    def __init__(self, goal: Any, schema: Schema, loop: Loop) -> None:
        self._goal, self._schema, self._loop = goal, schema, loop
        self._changes: list[Change] = []
        self._refused: list[tuple[str, str, int, int]] = []
        self._outcomes: dict[tuple[Pod, int], Outcome] = {}
        self._taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def taken_by(self, resources: Resources) -> Iterator[Config]:
        """Stores the resources, and yields the resulting changes one by one."""
        try:
            self._changes = resources.take(self._goal)
        except GoalStateRefused as problem:
            logging.getLogger("ondemand.ncm").warning("accepts nothing of a goal state: %s", problem)
            self._refused = self._statuses_of(problem)
            self._tell(self._taken)
            self._tell(self._ended)
            return
        self._tell(self._taken)
        configs = list(dict.fromkeys(config for change in self._changes for config in change.configs))
        self._open = {(config.pod, config.version) for config in configs}
        if not configs:
            self._tell(self._ended)
        yield from configs

    def _statuses_of(self, problem: GoalStateRefused) -> list[tuple[str, str, int, int]]:
        statuses, goal = self._schema.OperationStatus, self._goal
        wrong = {(each_problem.kind, each_problem.id): each_problem.operation for each_problem in problem.problems}
        refused = [
            (kind, identifier, operation, statuses.INVALID_ARG) for (kind, identifier), operation in wrong.items()
        ]
        for kind, states in (
            ("VPC", goal.vpc_states),
            ("SUBNET", goal.subnet_states),
            ("PORT", goal.port_states),
            ("NEIGHBOR", goal.neighbor_states),
        ):
            refused += [
                (kind, identifier, states[identifier].operation_type, statuses.FAILURE)
                for identifier in sorted(states)
                if (kind, identifier) not in wrong
            ]
        return refused

    def heard(self, report: Report) -> None:
        """A change has ended."""
        change = report.pod, report.version
        self._outcomes[change] = report.outcome
        self._open.discard(change)
        if not self._open:
            self._tell(self._ended)

    def _tell(self, future: asyncio.Future[None]) -> None:
        self._loop.call(lambda: None if future.done() else future.set_result(None))

    async def reply(self, seconds: float) -> bytes:
        """The reply, once all changes have ended, or this time has passed."""
        await self._taken
        await asyncio.wait([self._ended], timeout=seconds)
        made = self._schema.GoalStateOperationReply(format_version=REPLY_VERSION)
        statuses = self._refused or [
            (change.kind, change.id, change.operation, self._status(change)) for change in self._changes
        ]
        for kind, identifier, operation, status in statuses:
            made.operation_statuses.add(
                resource_id=identifier,
                resource_type=self._schema.ResourceType.Value(kind),
                operation_type=operation,
                operation_status=status,
            )
        return bytes(made.SerializeToString())

    def _status(self, change: Change) -> int:
        """The worst outcome of a resource's addresses."""
        statuses = self._schema.OperationStatus
        outcomes = [self._outcomes.get((config.pod, config.version)) for config in change.configs]
        worst: int = statuses.SUCCESS
        for outcome, status in (
            (Outcome.SUPERSEDED, statuses.OUT_OF_ORDER),
            (None, statuses.PENDING),
            (Outcome.FAILED, statuses.FAILURE),
        ):
            if outcome in outcomes:
                worst = status
        return worst
