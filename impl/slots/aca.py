"""The core of an agent where hosts have slots: it attends the slot it is told, and applies what is newer.

Only the epoch is durable. Whether a slot could be had, the broker says, and that is found out before the core is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from impl.core import Effects, Event, IllegalInput, Plain, Send
from impl.messages import Accepted, Attend, Confirmed, Declined, Goal, Hello, Leave, Left, Message, Told
from impl.slots.topics import acknowledgments, direct


class SlotsAca:
    """One host's agent."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._epoch = 0
        self._known: dict[str, int] = {}
        """The newest revision applied, by VPC; it only grows within an epoch."""
        self._heard: dict[str, int] = {}
        """The newest turn heard of, by VPC."""
        self._slots: dict[str, int] = {}
        """The slot that is attended, or was lost and is tried again, by VPC."""

    def start(self) -> Effects:
        """A new epoch begins, in which nothing is known and no slot attended."""
        self._epoch += 1
        self._known, self._heard, self._slots = {}, {}, {}
        return Effects({"epoch": self._epoch}, (self._answer(Hello(self.host, self._epoch)),), (Event("start"),))

    # ----------------------------------------------------------------------------------------- coming and leaving

    def is_to_do(self, message: Attend | Leave) -> bool:
        """Whether it is for this agent and epoch, and newer than what was dealt with."""
        return (
            message.host == self.host
            and message.epoch == self._epoch
            and self._is_newer_turn(message.turn, self.heard(message.vpc))
        )

    def accept(self, message: Attend) -> Effects:
        """The agent's consumer attends the slot."""
        self._deal_with(message)
        self._slots[message.vpc] = message.slot
        return self._said(Accepted(self.host, self._epoch, message.vpc, message.turn))

    def decline(self, message: Attend) -> Effects:
        """Another consumer attends the slot."""
        self._deal_with(message)
        return self._said(Declined(self.host, self._epoch, message.vpc, message.turn))

    def leave(self, message: Leave) -> Effects:
        """The agent's consumer is closed, if it had one."""
        self._deal_with(message)
        self._slots.pop(message.vpc, None)
        return self._said(Left(self.host, self._epoch, message.vpc, message.turn))

    def _deal_with(self, message: Attend | Leave) -> None:
        if not self.is_to_do(message):
            raise IllegalInput(
                f"ACA {self.host} (epoch {self._epoch}, turn {self.heard(message.vpc)} of {message.vpc}): {message}"
            )
        self._heard[message.vpc] = message.turn

    # ------------------------------------------------------------------------------------------------ what is told

    def take(self, message: Told | Goal) -> Effects:
        """What is for this host and newer is applied. What came by the topic is acknowledged if `may_acknowledge`."""
        if message.host != self.host or (isinstance(message, Goal) and message.epoch != self._epoch):
            return self._ignored("not for this host and epoch", message)
        if self._is_newer(message.revision, self.known(message.vpc)):
            self._known[message.vpc] = message.revision
        elif isinstance(message, Goal):
            return self._ignored("not newer", message)
        confirmed = Confirmed(self.host, self._epoch, message.vpc, message.revision)
        applied = Event("apply", {"vpc": message.vpc, "revision": message.revision, "data": message.data.hex()})
        return Effects(None, (Send(acknowledgments(message.vpc), confirmed, self.host),), (applied,))

    def may_acknowledge(self, message: Told) -> bool:
        """Whether the broker may forget it: it is for this host, and applied, or something newer is."""
        return message.host == self.host and message.revision <= self.known(message.vpc)

    # ------------------------------------------------------------------------------------- the rules, one each

    def _is_newer(self, revision: int, known: int) -> bool:
        return revision > known

    def _is_newer_turn(self, turn: int, heard: int) -> bool:
        return turn > heard

    # ------------------------------------------------------------------------------------------------------- state

    @property
    def epoch(self) -> int:
        """Counts the starts; 0: not started yet."""
        return self._epoch

    def known(self, vpc: str) -> int:
        """The newest revision applied in this epoch; 0: none."""
        return self._known.get(vpc, 0)

    def heard(self, vpc: str) -> int:
        """The newest turn heard of in this epoch; 0: none."""
        return self._heard.get(vpc, 0)

    def slot(self, vpc: str) -> int | None:
        """The slot that the agent is to attend."""
        return self._slots.get(vpc)

    def _ignored(self, reason: str, message: Told | Goal) -> Effects:
        return Effects(events=(Event("ignore", {"reason": reason, "message": type(message).__name__}),))

    def _answer(self, message: Message) -> Send:
        return Send(direct("dpm"), message)

    def _said(self, message: Accepted | Declined | Left) -> Effects:
        return Effects(None, (self._answer(message),), (Event(type(message).__name__.lower(), {"vpc": message.vpc}),))

    def apply(self, record: Mapping[str, Any]) -> None:
        """Makes a recorded change again."""
        self._epoch = record["epoch"]

    def snapshot(self) -> dict[str, Plain]:
        """The whole durable state."""
        return {"epoch": self._epoch}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Back to a snapshot."""
        self._epoch = snapshot["epoch"]
