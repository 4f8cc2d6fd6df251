"""The state of DPM and agents in lines of the message queue. Every entry is read from the core, after the step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from impl.core import Event, Send
from impl.events.line import Entry, State
from impl.message_queue.aca import MessageQueueAca
from impl.message_queue.cache import PENDING
from impl.message_queue.dpm import MessageQueueDpm

_OF_HOSTS_THERE: Final[Mapping[str, tuple[str, ...]]] = {
    "add_port": ("ports",),
    "remove_port": ("ports", "subscription"),
    "ask": ("subscription", "attempt", "tries"),
    "ask_again": ("subscription", "attempt", "tries"),
    "give_up": ("subscription", "barred"),
    "hear_acceptance": ("subscription",),
    "hear_refusal": ("subscription", "barred"),
    "leave": ("subscription",),
    "end_subscription": ("subscription",),
    "acknowledge": ("confirmed",),
}
"""By step: the fields of the host, as a member of the step's VPC, that the step concerns."""

_OF_VPCS: Final[Mapping[str, tuple[str, ...]]] = {
    "add_port": ("size",),
    "remove_port": ("size", "group"),
    "regroup": ("group",),
    "change_rules": ("rules",),
    "open_topic": ("channel",),
    "close_topic": ("channel",),
    "send_directly": ("sent",),
    "publish": ("sent",),
    "finish_opening": ("channel",),
    "finish_closing": ("channel",),
}
"""By step: the fields of the VPC that the step concerns."""

_REVISIONS: Final = ("change_rules", "report_done", "report_failed")
"""Steps that concern the outcome of a revision."""

_MEMBER: Final = ("ports", "subscription", "attempt", "tries", "barred", "confirmed")
_FUNCTIONS_OF_VPCS: Final = ("rules", "sent", "size", "group", "channel")


def _plain(value: Any) -> str | int | bool:
    return value if isinstance(value, int) else str(value.value)


class MessageQueueDpmProjection:
    """Projection of DPM."""

    def __init__(self, channel: MessageQueueDpm) -> None:
        self._channel = channel

    def after(self, event: Event, sends: Sequence[Send]) -> State:
        """The entries that an event concerns."""
        fields = event.fields
        protocol, _, step = event.step.partition(".")
        if protocol == "host" or step == "greet":
            return self._of_host(fields["host"])
        if protocol != "message-queue":
            return {}
        vpc = fields["vpc"]
        found: dict[str, tuple[Entry, ...]] = {}
        if step in _OF_HOSTS_THERE:
            member = self._channel.member(fields["host"], vpc)
            for name in _OF_HOSTS_THERE[step]:
                found[name] = ((fields["host"], vpc, _plain(getattr(member, name))),)
        info = self._channel.vpc(vpc)
        for name in _OF_VPCS.get(step, ()):
            found[name] = ((vpc, _plain(getattr(info, name))),)
        if step in _REVISIONS:
            revision = fields["revision"]
            found["outcome"] = ((vpc, revision, info.outcomes.get(revision, "none")),)
        if step == "open_topic":
            barred = tuple((host, vpc, True) for host, member in info.members.items() if member.barred)
            found |= {"barred": barred} if barred else {}
        return found

    def _of_host(self, host: str) -> State:
        """The entries that change when a host is seen or registered."""
        found: dict[str, tuple[Entry, ...]] = {"met": ((host, self._channel.met(host)),)}
        vpcs = self._channel.vpcs_of(host)
        for name in _MEMBER[1:] if vpcs else ():
            found[name] = tuple((host, vpc, _plain(getattr(self._channel.member(host, vpc), name))) for vpc in vpcs)
        return found

    def state(self) -> State:
        """The whole state; of revisions, those without an outcome."""
        channel = self._channel
        vpcs = [(vpc, channel.vpc(vpc)) for vpc in channel.vpcs()]
        first = ("none", "grpc", 0, False)
        found: dict[str, tuple[Entry, ...]] = {}
        for name in _FUNCTIONS_OF_VPCS:
            values = [(vpc, _plain(getattr(info, name))) for vpc, info in vpcs]
            found[name] = tuple(entry for entry in values if entry[1] not in first)
        members = [(host, vpc, member) for vpc, info in vpcs for host, member in info.members.items()]
        for name in _MEMBER:
            entries = [(host, vpc, _plain(getattr(member, name))) for host, vpc, member in members]
            found[name] = tuple(entry for entry in entries if entry[2] not in first)
        found["outcome"] = tuple((vpc, revision, PENDING) for vpc, info in vpcs for revision in info.pending)
        found["met"] = tuple((host, channel.met(host)) for host in channel.hosts() if channel.met(host))
        return found


class MessageQueueAcaProjection:
    """Projection of an agent."""

    def __init__(self, channel: MessageQueueAca) -> None:
        self._channel = channel

    def after(self, event: Event, sends: Sequence[Send]) -> State:
        """The entries that an event concerns."""
        channel, host = self._channel, self._channel.host
        if event.step == "message-queue.restart":
            return {"epoch": ((host, channel.epoch),)}
        if not event.step.startswith("message-queue.") and event.step != "topic.left":
            return {}
        vpc = event.fields["vpc"]
        if event.step in ("message-queue.learn", "message-queue.receive", "message-queue.consume"):
            return {"known": ((host, vpc, channel.known(vpc)),)}
        return {"heard": ((host, vpc, channel.heard(vpc)),), "listening": ((host, vpc, channel.is_reading(vpc)),)}

    def state(self) -> State:
        """The whole state."""
        seen, host = self._channel.observe(), self._channel.host
        return {
            "epoch": ((host, self._channel.epoch),),
            "known": tuple((host, vpc, revision) for vpc, revision in seen["known"].items()),
            "heard": tuple((host, vpc, attempt) for vpc, attempt in seen["heard"].items()),
            "listening": tuple((host, vpc, True) for vpc in sorted(seen["consumer"])),
        }
