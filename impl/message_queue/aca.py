"""The core of an agent's message-queue part: it applies the shared state of the host's VPCs, and subscribes on request.

Only the epoch is durable. An agent that restarts knows nothing and reads no VPC's topic until DPM sends it the state and asks it to
subscribe; its subscriptions at the broker stay, with the messages retained for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from impl.core import IGNORED, REPEATED, Effects, Event, IllegalInput, Plain, Send
from impl.messages import Accepted, Confirmed, Declined, Hello, Message, Notice, Published, Push, Shared, Subscribe


class MessageQueueAca:
    """One host's agent. The caller first tries to subscribe, and then tells the core the result (`accept`, `decline`)."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._epoch = 0
        self._known: dict[str, int] = {}
        """The newest revision applied of each VPC. It only grows within an epoch."""
        self._heard: dict[str, int] = {}
        """The newest attempt handled of each VPC."""
        self._consumers: set[str] = set()
        """The VPCs whose topics are read."""

    # ----------------------------------------------------------------------------------------------- inputs

    def start(self) -> Effects:
        """Begins a new epoch with empty knowledge."""
        effects = self.begin(self._epoch + 1)
        return Effects({"epoch": self._epoch}, effects.sends, effects.events)

    def begin(self, epoch: int) -> Effects:
        """The same in an epoch that another part of the agent has begun and stores."""
        self._forget()
        self._epoch = epoch
        event = Event("begin", {"epoch": epoch}, "message-queue.restart")
        return Effects(sends=self.say_hello().sends, events=(event,))

    def say_hello(self) -> Effects:
        """Repeats the greeting while no message from DPM has arrived in this epoch."""
        if self._epoch == 0:
            raise IllegalInput(f"ACA {self.host}: has not started: say hello")
        event = Event("say hello", {"message": "Hello"}, REPEATED)
        return Effects(sends=(self._to_dpm(Hello(self.host, self._epoch)),), events=(event,))

    def receive(self, message: Message, topic: str) -> Effects:
        """Takes a revision that arrived on this topic: the agent's own inbox, or a VPC's topic."""
        match message:
            case Push() if message.host == self.host:
                if not self._is_of_this_epoch(message.epoch):
                    return self._ignore("of another epoch", message)
                return self._take(message)
            case Published() if topic == f"multicast-{message.vpc}":
                return self._take(message)
            case _:
                return self._ignore("not for this agent", message)

    def is_to_subscribe(self, message: Subscribe) -> bool:
        """Whether the request is for this agent and epoch, and newer than those handled."""
        return (
            message.host == self.host
            and self._is_of_this_epoch(message.epoch)
            and self._is_newer_attempt(message.attempt, self._heard.get(message.vpc, 0))
        )

    def accept(self, message: Subscribe) -> Effects:
        """The subscription exists, and the agent reads it from now on."""
        self._deal_with(message, "accept")
        self._consumers.add(message.vpc)
        answer = Accepted(self.host, self._epoch, message.vpc, message.attempt)
        return Effects(sends=(self._to_dpm(answer),), events=(self._told("accept", message),))

    def decline(self, message: Subscribe) -> Effects:
        """The subscription failed."""
        self._deal_with(message, "decline")
        self._consumers.discard(message.vpc)
        answer = Declined(self.host, self._epoch, message.vpc, message.attempt)
        return Effects(sends=(self._to_dpm(answer),), events=(self._told("decline", message),))

    def stop_reading(self, vpc: str) -> Effects:
        """Stops reading the VPC's topic. DPM is not informed: it ends subscriptions by its own decision."""
        self._consumers.discard(vpc)
        return Effects(events=(Event("stop reading", {"vpc": vpc}, "topic.left"),))

    def pass_over(self, message: Subscribe) -> Effects:
        """Ignores a subscribe request that requires no action."""
        return self._ignore("no newer asking", message)

    # -------------------------------------------------------------------------------------------- transitions

    def _take(self, message: Shared) -> Effects:
        vpc = message.vpc
        if not self._is_newer(message.revision, self.known(vpc)):
            # Confirmed again if the message was sent to this agent alone: DPM repeats it only if the last confirmation
            # was lost.
            again = (self._confirmation(vpc),) if isinstance(message, Push) else ()
            return Effects(sends=again, events=(self._ignored("not newer", message),))
        if self._applies():
            self._known[vpc] = message.revision
        applied = {"vpc": vpc, "revision": message.revision, "parts": message.parts, "by": type(message).__name__}
        step = "message-queue.receive"
        if isinstance(message, Push):
            applied["epoch"], step = message.epoch, "message-queue.learn"
        return Effects(sends=(self._confirmation(vpc, message.revision),), events=(Event("apply", applied, step),))

    def _deal_with(self, message: Subscribe, what: str) -> None:
        if not self.is_to_subscribe(message):
            raise IllegalInput(
                f"ACA {self.host}: attempt {message.attempt} for {message.vpc} in epoch {message.epoch} is not to be dealt with "
                f"(epoch {self._epoch}, attempt {self._heard.get(message.vpc, 0)} was): {what}"
            )
        self._heard[message.vpc] = message.attempt

    # ----------------------------------------------------------------------------- the rules, one method each

    def _is_of_this_epoch(self, epoch: int) -> bool:
        return epoch == self._epoch

    def _is_newer(self, revision: int, known: int) -> bool:
        return revision > known

    def _is_newer_attempt(self, attempt: int, heard: int) -> bool:
        return attempt > heard

    def _applies(self) -> bool:
        return True

    def _forget(self) -> None:
        self._known.clear()
        self._heard.clear()
        self._consumers.clear()

    # ------------------------------------------------------------------------------------------------- state

    @property
    def epoch(self) -> int:
        """Counts the starts; 0: not started yet."""
        return self._epoch

    def known(self, vpc: str) -> int:
        """The newest revision applied in this epoch; 0: none."""
        return self._known.get(vpc, 0)

    def heard(self, vpc: str) -> int:
        """The newest attempt handled in this epoch; 0: none."""
        return self._heard.get(vpc, 0)

    def is_reading(self, vpc: str) -> bool:
        """Whether the VPC's topic is read."""
        return vpc in self._consumers

    def consumers(self) -> list[str]:
        """The VPCs whose topics are read."""
        return sorted(self._consumers)

    def may_acknowledge(self, message: Shared) -> bool:
        """Whether the broker may discard the message: it is applied, or it is outdated."""
        return message.revision <= self.known(message.vpc)

    def _confirmation(self, vpc: str, revision: int = 0) -> Send:
        return self._to_dpm(Confirmed(self.host, self._epoch, vpc, revision or self.known(vpc)))

    def _to_dpm(self, message: Notice) -> Send:
        return Send(f"notices-{self.host}", message, self.host)

    def _told(self, name: str, message: Subscribe) -> Event:
        fields = {"epoch": message.epoch, "vpc": message.vpc, "attempt": message.attempt}
        return Event(name, fields, f"message-queue.{name}")

    def _ignore(self, reason: str, message: Message) -> Effects:
        return Effects(events=(self._ignored(reason, message),))

    def _ignored(self, reason: str, message: Message) -> Event:
        return Event("ignore", {"reason": reason, "message": type(message).__name__}, IGNORED)

    def apply(self, record: Mapping[str, Any]) -> None:
        """Repeats a change from its durable record."""
        self._epoch = record["epoch"]

    def snapshot(self) -> dict[str, Plain]:
        """The whole durable state."""
        return {"epoch": self._epoch}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Replaces the state with a snapshot."""
        self._forget()
        self._epoch = snapshot["epoch"]

    def observe(self) -> dict[str, Any]:
        """The state, for comparison: `epoch`, by VPC `known` and `heard`, and the VPCs with a `consumer`."""
        return {
            "epoch": self._epoch,
            "known": dict(self._known),
            "heard": dict(self._heard),
            "consumer": set(self._consumers),
        }
