"""How long services wait for what. All in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """The waits of all services; a deployment may choose its own."""

    answer_max: float = 5.0
    """For NCM's answer; then the held packet is dropped."""
    refusal_pause: float = 5.0
    """Before a refused pair of pods is asked for again."""
    idle_max: float = 300.0
    """Without a packet; then a remote route is evicted."""
    remind_every: float = 2.0
    """Between two reminders of a host that has not confirmed a version or a revision."""
    confirm_max: float = 60.0
    """For all confirmations of a change or a revision; then it has failed."""
    resend_every: float = 5.0
    """Between two sendings of a change of which nothing was heard."""
    hello_every: float = 10.0
    """Between two hellos of an agent that has heard nothing of NCM since it started."""
    asked_first: float = 2.0
    """For a host's answer when it was asked to subscribe to a topic; it doubles each time that it is asked again."""
    asked_max: float = 30.0
    """For any answer to that."""
    subscribe_max: float = 1.0
    """For the broker to let an agent subscribe, when an earlier instance may still be in the way; then the agent declines."""
    retry_first: float = 0.1
    """Before the first repetition when the broker does not answer; it doubles each time."""
    retry_max: float = 5.0
    """Before any repetition."""
    lost_max: float = 1.0
    """Without a connection, which most often mends itself; then the service connects anew."""
