"""An agent's subscriptions as Alcor's own service knows them: by the name of a topic, without attempts or epochs."""

from __future__ import annotations

from concurrent.futures import CancelledError
from typing import Final

from impl.alcor.subscriptions import Result
from impl.broker import topics
from impl.core import IllegalInput
from impl.service.aca import AcaService

ANSWER_SECONDS_MAX: Final = 15.0
"""For the agent to have the subscription or not; a broker that is away is found out in ten."""


class ChannelSubscriber:
    """See `impl.alcor.subscriptions.Subscriber`. What can be subscribed to is a VPC's topic, as often as it is permitted."""

    def __init__(self, agent: AcaService) -> None:
        self._agent = agent

    def subscribe(self, topic: str, key: str) -> Result:
        """The key tells slots apart where hosts share a subscription; here each has its own, so nothing depends on it."""
        vpc = topics.vpc_of(topic)
        if not vpc:
            return Result.REFUSED
        try:
            return Result.DONE if self._agent.subscribe(vpc).result(ANSWER_SECONDS_MAX) else Result.REFUSED
        except (IllegalInput, RuntimeError, TimeoutError, CancelledError):
            return Result.REFUSED

    def unsubscribe(self, topic: str) -> Result:
        """Whether it was subscribed to or not, it is not now."""
        vpc = topics.vpc_of(topic)
        if not vpc:
            return Result.REFUSED
        try:
            self._agent.unsubscribe(vpc).result(ANSWER_SECONDS_MAX)
        except (RuntimeError, TimeoutError, CancelledError):
            return Result.REFUSED
        return Result.DONE
