"""An agent's subscriptions as Alcor's own service knows them: by the name of a topic and a key.

Our DPM puts the number of its attempt into the key, and its agent's epoch into the metadata of the call. Whoever calls without an
epoch knows of neither, and its key tells nothing.
"""

from __future__ import annotations

from concurrent.futures import CancelledError
from typing import Final

from impl.broker import topics
from impl.core import IllegalInput
from impl.service.aca import AcaService
from impl.transport.grpc.subscriptions import Result

ANSWER_SECONDS_MAX: Final = 15.0
"""For the agent to have the subscription or not; a broker that is away is found out in ten."""


class MessageQueueSubscriber:
    """See `impl.transport.grpc.subscriptions.Subscriber`. Only a VPC's topic can be subscribed to."""

    def __init__(self, agent: AcaService) -> None:
        self._agent = agent

    def subscribe(self, topic: str, key: str, epoch: int | None = None) -> Result:
        """See there. Where hosts share a subscription a key tells their slots apart; here each has a subscription of its own."""
        vpc = topics.vpc_of(topic)
        attempt = attempt_of(key) if epoch is not None else None
        if not vpc or (epoch is not None and attempt is None):
            return Result.REFUSED
        try:
            there = self._agent.subscribe(vpc, epoch, attempt).result(ANSWER_SECONDS_MAX)
            return Result.PASSED_OVER if there is None else Result.DONE if there else Result.REFUSED
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


def attempt_of(key: str) -> int | None:
    """The attempt that a key says; none: it is no number from 1 to 2^63-1."""
    number = int(key[:20]) if key.isascii() and key.isdigit() else 0
    return number if 0 < number < 2**63 else None
