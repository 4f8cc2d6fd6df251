"""What a process runner owes for an input, read independently of it."""

from __future__ import annotations

from conformance.replay.judged_role import CoreFailed, JudgedRole
from impl.core import ADMINISTRATION, Effects, Send
from impl.outputs import Acknowledge, Administer, Append, Confirm, MarkSent, Output, Publish
from impl.storage.store import Outgoing
from impl.transport.interface import Delivery


class Duties:
    """The duties of `impl.core` towards one input, read independently of the runner: what it may do only behind what else.

    Raises `CoreFailed` where an output comes too early, and at the end where one is missing.
    """

    def __init__(self, name: str, role: JudgedRole | None = None, delivery: Delivery | None = None) -> None:
        """`role`: what answers; `delivery`: the input, if it is one."""
        self._name = name
        self._role = role
        self._delivery = delivery
        if role is not None:
            role.answered, role.told = None, []
        self.outgoing: list[Outgoing] = []
        """What is to be marked."""
        self._stored = self._confirmed = self._acknowledged = False
        self._published: list[Send] = []

    @property
    def effects(self) -> Effects | None:
        """What the core answered."""
        return None if self._role is None else self._role.answered

    def before(self, output: Output) -> None:
        """Checks an output that is about to be performed."""
        match output:
            case Append(effects):
                right = not self._stored and effects == self.effects and effects.record is not None
                self._demand(right, "stores something else than what changed, or more than once")
                self._stored = True
            case Publish(sends):
                self._may_send()
                self._published += sends
            case Administer(work):
                self._may_send()
                self._demand(self._confirmed, "has its administration done, and has not confirmed its store")
                self._confirmed = False
                self._published.append(Send(ADMINISTRATION, work))
            case Confirm():
                self._confirmed = self._delivery is None or self.effects is not None
            case MarkSent(outgoing):
                self._demand(
                    all(item.send in self._published for item in outgoing), "marks as sent what it has not published"
                )
                self.outgoing = [item for item in self.outgoing if item not in outgoing]
            case Acknowledge(deliveries):
                self.end()
                own = not self._acknowledged and deliveries == (self._delivery,)
                self._demand(own, "acknowledges something else than its input, or more than once")
                self._acknowledged = True
                changed = self.effects is not None and self.effects.record is not None
                self._demand(
                    changed or self._confirmed, "acknowledges what changed nothing, and has not confirmed its store"
                )
            case _:
                pass

    def end(self) -> None:
        """Checks that nothing is missing."""
        if self.effects is not None:
            self._demand(self.effects.record is None or self._stored, "does not store what changed")
            self._demand(
                self._published == list(self.effects.sends), "has not published what its core sends, in its order"
            )
            told = [] if self._role is None else self._role.told
            self._demand(told == list(self.effects.events), "has not told its role what happened")
        waits = any(item.send.topic == ADMINISTRATION for item in self.outgoing)
        self._demand(not waits, "does not mark administrative work at once")

    def rest(self) -> None:
        """Checks that nothing is left behind a quiet moment."""
        self._demand(not self.outgoing, "does not mark as sent what it has published")
        self._demand(self._delivery is None or self._acknowledged, f"does not acknowledge {self._delivery}")

    def _may_send(self) -> None:
        changed = self.effects is not None and self.effects.record is not None
        self._demand(not changed or self._stored, "publishes before it stores")

    def _demand(self, kept: bool, what: str) -> None:
        if not kept:
            raise CoreFailed(f"{self._name} {what}")
