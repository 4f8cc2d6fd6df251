"""An agent's subscriptions as Alcor's own service knows them: by the name of a topic and a key.

Our DPM puts the attempt's number into the key, and the agent's epoch into the metadata of the call. A caller that gives no epoch
knows of neither, and its key has no meaning.
"""

from __future__ import annotations

from concurrent.futures import CancelledError
from typing import Final

from impl.broker import topics
from impl.core import IllegalInput
from impl.service.aca import AcaService
from impl.transport.grpc.subscriptions import Result

ANSWER_SECONDS_MAX: Final = 15.0
"""The time for the agent to subscribe or fail; a broker that is away is detected within ten seconds."""


class MessageQueueSubscriber:
    """See `impl.transport.grpc.subscriptions.Subscriber`. Only a VPC's topic can be subscribed to."""

    def __init__(self, agent: AcaService) -> None:
        self._agent = agent

    def subscribe(self, topic: str, key: str, epoch: int | None = None) -> Result:
        """See there. Where hosts share a subscription the key selects the slot; here each host has its own subscription."""
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
        """Ends the subscription, if there is one."""
        vpc = topics.vpc_of(topic)
        if not vpc:
            return Result.REFUSED
        try:
            self._agent.unsubscribe(vpc).result(ANSWER_SECONDS_MAX)
        except (RuntimeError, TimeoutError, CancelledError):
            return Result.REFUSED
        return Result.DONE


def attempt_of(key: str) -> int | None:
    """The attempt that a key gives; None: it is not a number from 1 to 2^63-1."""
    number = int(key[:20]) if key.isascii() and key.isdigit() else 0
    return number if 0 < number < 2**63 else None
