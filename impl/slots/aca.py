"""The core of an agent whose host has a slot: it attends the slot that DPM assigns, and applies newer revisions.

Only the epoch is durable. Whether a slot is available is decided by the broker; the caller finds out before it tells the core.
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
        """The newest turn received, by VPC."""
        self._slots: dict[str, int] = {}
        """The slot that is attended, or was lost and is being retried, by VPC."""

    def start(self) -> Effects:
        """Begins a new epoch with empty knowledge and no slot."""
        self._epoch += 1
        self._known, self._heard, self._slots = {}, {}, {}
        return Effects({"epoch": self._epoch}, (self._answer(Hello(self.host, self._epoch)),), (Event("start"),))

    # -------------------------------------------------------------------------------------- attending and leaving

    def is_to_do(self, message: Attend | Leave) -> bool:
        """Whether the request is for this agent and epoch, and newer than those handled."""
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
        """The agent's consumer, if any, is closed."""
        self._deal_with(message)
        self._slots.pop(message.vpc, None)
        return self._said(Left(self.host, self._epoch, message.vpc, message.turn))

    def _deal_with(self, message: Attend | Leave) -> None:
        if not self.is_to_do(message):
            raise IllegalInput(
                f"ACA {self.host} (epoch {self._epoch}, turn {self.heard(message.vpc)} of {message.vpc}): {message}"
            )
        self._heard[message.vpc] = message.turn

    # --------------------------------------------------------------------------------------------------- revisions

    def take(self, message: Told | Goal) -> Effects:
        """Applies a revision that is newer and for this host. If it came by the topic, `may_acknowledge` says whether to
        acknowledge it."""
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
        """Whether the broker may discard the message: it is for this host, and this revision or a newer one is applied."""
        return message.host == self.host and message.revision <= self.known(message.vpc)

    # ------------------------------------------------------------------------------ the rules, one method each

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
        """The newest turn received in this epoch; 0: none."""
        return self._heard.get(vpc, 0)

    def slot(self, vpc: str) -> int | None:
        """The slot that the agent has to attend."""
        return self._slots.get(vpc)

    def _ignored(self, reason: str, message: Told | Goal) -> Effects:
        return Effects(events=(Event("ignore", {"reason": reason, "message": type(message).__name__}),))

    def _answer(self, message: Message) -> Send:
        return Send(direct("dpm"), message)

    def _said(self, message: Accepted | Declined | Left) -> Effects:
        return Effects(None, (self._answer(message),), (Event(type(message).__name__.lower(), {"vpc": message.vpc}),))

    def apply(self, record: Mapping[str, Any]) -> None:
        """Repeats a change from its durable record."""
        self._epoch = record["epoch"]

    def snapshot(self) -> dict[str, Plain]:
        """The whole durable state."""
        return {"epoch": self._epoch}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Replaces the state with a snapshot."""
        self._epoch = snapshot["epoch"]
