"""The waits of services. All in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Timing:
    """The waits of all services; a deployment may choose its own."""

    answer_max: float = 5.0
    """The time for NCM's answer; then the held packet is dropped."""
    refusal_pause: float = 5.0
    """The pause before a refused pair of pods is requested again."""
    idle_max: float = 300.0
    """The time without a packet after which a remote route is evicted."""
    remind_every: float = 2.0
    """The interval between reminders of a host that has not confirmed a version or a revision."""
    confirm_max: float = 60.0
    """The time for all confirmations of a change or a revision; then it has failed."""
    resend_every: float = 5.0
    """The interval at which a change without an outcome is sent again."""
    hello_every: float = 10.0
    """The interval between greetings of an agent that has received nothing from NCM since it started."""
    asked_first: float = 2.0
    """The time for a host's first answer to a subscribe request; it doubles with each repetition."""
    asked_max: float = 30.0
    """The limit of that time."""
    subscribe_max: float = 1.0
    """The time for an agent to get a subscription while an earlier instance may still hold it; then the agent declines."""
    retry_first: float = 0.1
    """The pause before the first retry when the broker does not answer; it doubles with each retry."""
    retry_max: float = 5.0
    """The limit of that pause."""
    lost_max: float = 1.0
    """The time without a connection, which usually recovers by itself, after which the service reconnects."""


DEFAULT: Final = Timing()
"""What a deployment has that chooses nothing."""
