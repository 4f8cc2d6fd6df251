"""The core of DPM with slots: which hosts are reached by the topic, which directly, and what the filler hands back.

Its inputs are the agents' messages, the messages handed to the filler, and DPM's own decisions. Three of these require the caller
to check the broker first: `ask` and `release` are for slots with no message in flight, and after `ask` the filler steps aside;
`lost` says that the filler has taken a slot because no agent attends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Final

from impl.core import Effects, Event, IllegalInput, Plain, Send
from impl.messages import (
    PAYLOAD_BYTES_MAX,
    Accepted,
    Attend,
    Confirmed,
    Declined,
    Goal,
    Hello,
    Leave,
    Left,
    Message,
    Told,
)
from impl.slots.allotment import Allotment
from impl.slots.hashing import key_for
from impl.slots.topics import direct, unicast

TURNS_MAX: Final = 4
"""A host that was told this many times in one epoch to attend or leave is not asked again: two failures, each with its end."""


class Stage(Enum):
    """How a host is reached."""

    DIRECT = "direct"
    ASKED = "asked"
    SUBSCRIBED = "subscribed"
    LEAVING = "leaving"


ANSWERS: Final[Mapping[type[Any], tuple[Stage, Stage]]] = {
    Accepted: (Stage.ASKED, Stage.SUBSCRIBED),
    Declined: (Stage.ASKED, Stage.DIRECT),
    Left: (Stage.LEAVING, Stage.DIRECT),
}
"""For each answer, the stage that it answers and the next stage. Any other answer is too late."""


@dataclass(frozen=True, slots=True)
class Member:
    """A host in a VPC. All fields are durable."""

    stage: str = Stage.DIRECT.value
    turn: int = 0
    """The number of the last attend or leave request to the host in its epoch."""
    newest: int = 0
    """The newest revision that is for the host; 0: none."""
    data: str = ""
    """The content of that revision, in hexadecimal."""
    confirmed: int = 0
    """The newest revision that the host has confirmed in its epoch."""


class SlotsDpm:
    """Feed it inputs; make its effects durable, publish, and acknowledge."""

    def __init__(self, turns_max: int = TURNS_MAX) -> None:
        self.allotment = Allotment()
        self._turns_max = turns_max
        self._met: dict[str, int] = {}
        self._issued: dict[str, int] = {}
        self._members: dict[str, dict[str, Member]] = {}
        """By VPC and host."""

    # ------------------------------------------------------------------------------------------ DPM's decisions

    def allot(self, vpc: str, host: str) -> Effects:
        """Assigns a slot to the host. Raises `BadDeployment` if all slots are assigned; the host then stays with the direct
        channel."""
        effects = self.allotment.allot(vpc, host)
        return Effects(None if effects.record is None else {"slots": dict(effects.record)}, (), effects.events)

    def release(self, vpc: str, host: str) -> Effects:
        """The host gives its slot back. The caller has checked that no message is in flight to it."""
        self._must_be(Stage.DIRECT, vpc, host, "release")
        effects = self.allotment.release(vpc, host)
        return Effects({"slots": dict(effects.record or {})}, (), effects.events)

    def may_ask(self, vpc: str, host: str) -> bool:
        """Whether the host may be asked to attend its slot."""
        member = self.member(vpc, host)
        return (
            self.allotment.slot(vpc, host) is not None
            and member.stage == Stage.DIRECT.value
            and self.met(host) > 0
            and member.turn < self._turns_max
        )

    def ask(self, vpc: str, host: str) -> Effects:
        """Asks the host to attend its slot. The caller has checked that the filler attends it and that no message is in flight."""
        slot = self.allotment.slot(vpc, host)
        if slot is None or not self.may_ask(vpc, host):
            raise IllegalInput(f"DPM: {host} in {vpc} ({self.member(vpc, host)}, slot {slot}): ask")
        turn = self.member(vpc, host).turn + 1
        attend = Attend(host, self.met(host), vpc, turn, slot)
        return self._changed(vpc, host, "ask", Send(direct(host), attend), stage=Stage.ASKED.value, turn=turn)

    def give_up(self, vpc: str, host: str) -> Effects:
        """The host has not answered in time."""
        self._must_be(Stage.ASKED, vpc, host, "give up")
        return self._tell_to_leave(vpc, host, "give up")

    def dismiss(self, vpc: str, host: str) -> Effects:
        """Takes the host off the topic."""
        self._must_be(Stage.SUBSCRIBED, vpc, host, "dismiss")
        return self._tell_to_leave(vpc, host, "dismiss")

    def lost(self, vpc: str, host: str) -> Effects:
        """The filler attends the host's slot because the host's consumer is gone."""
        if self.member(vpc, host).stage == Stage.ASKED.value:
            raise IllegalInput(f"DPM: {host} in {vpc} is expected at its slot: lost")
        if self.member(vpc, host).stage != Stage.SUBSCRIBED.value:
            return Effects()
        return self._tell_to_leave(vpc, host, "lost")

    def _tell_to_leave(self, vpc: str, host: str, event: str) -> Effects:
        turn = self.member(vpc, host).turn + 1
        leave = Send(direct(host), Leave(host, self.met(host), vpc, turn))
        return self._changed(vpc, host, event, leave, stage=Stage.LEAVING.value, turn=turn)

    def say(self, vpc: str, host: str, data: bytes) -> Effects:
        """The next revision of the VPC is for this host: by the topic if the host has confirmed that it attends its slot, else
        directly."""
        if len(data) > PAYLOAD_BYTES_MAX:
            raise IllegalInput(
                f"DPM: {len(data)} bytes for {host}, and a revision has {PAYLOAD_BYTES_MAX} at most: say"
            )
        revision = self.issued(vpc) + 1
        changes: dict[str, Plain] = {"newest": revision, "data": data.hex()}
        slot = self.allotment.slot(vpc, host)
        if slot is not None and self._by_topic(vpc, host):
            told = Send(unicast(vpc), Told(host, vpc, revision, data), key_for(slot))
            return self._changed(vpc, host, "publish", told, issued=revision, **changes)
        effects = self._changed(vpc, host, "push", issued=revision, **changes)
        return Effects(effects.record, self._newest(vpc, host), effects.events)

    def hand_back(self, told: Told) -> Effects:
        """The filler received this message. Acknowledge it to the broker after the sends are done."""
        return Effects(None, self._newest(told.vpc, told.host), (Event("hand back", {"revision": told.revision}),))

    # ------------------------------------------------------------------------------------ messages from agents

    def hear(self, message: Message, speaker: str) -> Effects:
        """Takes a message from this host's direct channel; the sender named in the payload does not count."""
        if not isinstance(message, (Hello, Accepted, Declined, Left)) or message.host != speaker:
            return self._ignored("not the speaker's to say", message)
        if isinstance(message, Hello):
            return self._greet(message)
        member, turn = self.member(message.vpc, speaker), message.turn if isinstance(message, Left) else message.attempt
        before, after = ANSWERS[type(message)]
        if message.epoch != self.met(speaker) or turn != member.turn or member.stage != before.value:
            return self._ignored("no answer to what was said last", message)
        return self._changed(message.vpc, speaker, type(message).__name__.lower(), stage=after.value)

    def confirm(self, message: Message) -> Effects:
        """Takes a message from the confirmation topic, which all hosts share: it counts for the host, epoch and revision that it
        names."""
        if not isinstance(message, Confirmed):
            return self._ignored("no confirmation", message)
        member = self.member(message.vpc, message.host)
        if not self._is_of_this_epoch(message) or not member.confirmed < message.revision <= member.newest:
            return self._ignored("nothing to confirm", message)
        return self._changed(message.vpc, message.host, "confirm", confirmed=message.revision)

    def _greet(self, message: Hello) -> Effects:
        if message.epoch <= self.met(message.host):
            return self._ignored("epoch met already", message)
        anew: dict[str, Plain] = {
            vpc: asdict(members[message.host]) | {"stage": Stage.DIRECT.value, "turn": 0, "confirmed": 0}
            for vpc, members in self._members.items()
            if message.host in members
        }
        record: dict[str, Plain] = {"met": {message.host: message.epoch}, "host": message.host, "members": anew}
        self.apply(record)
        sends = tuple(send for vpc in anew for send in self._newest(vpc, message.host))
        return Effects(record, sends, (Event("greet", {"host": message.host, "epoch": message.epoch}),))

    # ---------------------------------------------------------------------------- the rules, one method each

    def _by_topic(self, vpc: str, host: str) -> bool:
        return self.member(vpc, host).stage == Stage.SUBSCRIBED.value

    def _is_of_this_epoch(self, message: Confirmed) -> bool:
        return message.epoch == self.met(message.host)

    def _newest(self, vpc: str, host: str) -> tuple[Send, ...]:
        """The newest revision for the host, sent directly; nothing if there is none or the host was never seen."""
        member, epoch = self.member(vpc, host), self.met(host)
        if member.newest == 0 or epoch == 0:
            return ()
        return (Send(direct(host), Goal(host, epoch, vpc, member.newest, bytes.fromhex(member.data))),)

    # ------------------------------------------------------------------------------------------------- state

    def member(self, vpc: str, host: str) -> Member:
        """The state of the host in the VPC."""
        return self._members.get(vpc, {}).get(host, Member())

    def met(self, host: str) -> int:
        """The newest epoch of the host; 0: never seen."""
        return self._met.get(host, 0)

    def issued(self, vpc: str) -> int:
        """The newest revision of the VPC; 0: none."""
        return self._issued.get(vpc, 0)

    def _must_be(self, stage: Stage, vpc: str, host: str, what: str) -> None:
        if self.member(vpc, host).stage != stage.value:
            raise IllegalInput(f"DPM: {host} in {vpc} is {self.member(vpc, host).stage}, not {stage.value}: {what}")

    def _changed(self, vpc: str, host: str, event: str, *sends: Send, issued: int = 0, **changes: Plain) -> Effects:
        record: dict[str, Plain] = {
            "host": host,
            "members": {vpc: asdict(self.member(vpc, host)) | changes},
        }
        if issued:
            record["issued"] = {vpc: issued}
        self.apply(record)
        return Effects(record, sends, (Event(event, {"vpc": vpc, "host": host}),))

    def _ignored(self, reason: str, message: Message) -> Effects:
        return Effects(events=(Event("ignore", {"reason": reason, "message": type(message).__name__}),))

    def apply(self, record: Mapping[str, Any]) -> None:
        """Repeats a change from its durable record."""
        if "slots" in record:
            self.allotment.apply(record["slots"])
            return
        self._met.update(record.get("met", {}))
        self._issued.update(record.get("issued", {}))
        for vpc, member in record["members"].items():
            self._members.setdefault(vpc, {})[record["host"]] = Member(**member)

    def snapshot(self) -> dict[str, Plain]:
        """The whole state."""
        members: dict[str, Plain] = {
            vpc: {host: asdict(member) for host, member in hosts.items()} for vpc, hosts in self._members.items()
        }
        return {
            "slots": self.allotment.snapshot(),
            "met": dict(self._met),
            "issued": dict(self._issued),
            "members": members,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Replaces the state with a snapshot."""
        self.allotment.restore(snapshot["slots"])
        self._met, self._issued = dict(snapshot["met"]), dict(snapshot["issued"])
        self._members = {
            vpc: {host: Member(**member) for host, member in hosts.items()}
            for vpc, hosts in snapshot["members"].items()
        }
