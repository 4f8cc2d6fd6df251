"""DPM's state of VPCs and hosts. It changes by patches, which are the durable records.

A patch names the fields that change. The same code applies it when it happens and when it is read back. The names `VpcInfo` and
`NodeInfo` come from the original design; its `PortInfo` corresponds to the pods in `impl.on_demand.dpm`, and is counted here by
host and VPC.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from impl.core import Plain
from impl.messages import Kind, Part

PENDING: Final = "pending"


class Channel(Enum):
    """How the shared state reaches a VPC's hosts."""

    GRPC = "grpc"
    """Directly to each host."""
    OPENING = "opening"
    """By the VPC's topic, and directly to the hosts that do not subscribe yet."""
    MQ = "mq"
    """By the VPC's topic, and directly to the hosts that cannot subscribe."""
    CLOSING = "closing"
    """Directly to each host again, while subscriptions end."""


class Subscription(Enum):
    """The state of a host's subscription to a VPC's topic."""

    NONE = "none"
    ASKED = "asked"
    SUBSCRIBED = "subscribed"
    LEAVING = "leaving"
    """The subscription may still exist but no longer counts; DPM and the broker end it without the agent."""


CHANNEL_MOVES: Final = {
    Channel.GRPC: {Channel.OPENING},
    Channel.OPENING: {Channel.MQ, Channel.CLOSING},
    Channel.MQ: {Channel.CLOSING},
    Channel.CLOSING: {Channel.GRPC},
}

SUBSCRIPTION_MOVES: Final = {
    Subscription.NONE: {Subscription.ASKED},
    Subscription.ASKED: {Subscription.ASKED, Subscription.SUBSCRIBED, Subscription.LEAVING},
    Subscription.SUBSCRIBED: {Subscription.ASKED, Subscription.LEAVING},
    Subscription.LEAVING: {Subscription.NONE},
}


@dataclass(slots=True)
class Member:
    """A host as seen by one VPC."""

    ports: int = 0
    subscription: Subscription = Subscription.NONE
    attempt: int = 0
    """The newest subscribe request. It only grows, also across registrations and epochs."""
    tries: int = 0
    """Subscribe requests in a row; the count of the last row stays until the next row begins."""
    barred: bool = False
    """The host could not subscribe, and is not asked again until something changes."""
    confirmed: int = 0
    """The newest revision confirmed in the epoch seen last; never beyond `sent`."""


@dataclass(slots=True)
class VpcInfo:
    """DPM's state of a VPC."""

    group: int = 0
    """The number of ports in its largest security group."""
    channel: Channel = Channel.GRPC
    rules: int = 0
    """The newest revision issued."""
    sent: int = 0
    """The newest revision sent; never beyond `rules`."""
    contents: dict[int, tuple[Part, ...]] = field(default_factory=dict)
    """The content of the revisions `sent` and `rules`. No other revision is needed any more."""
    outcomes: dict[int, str] = field(default_factory=dict)
    """The outcome of each revision."""
    pending: dict[int, None] = field(default_factory=dict)
    """The revisions without an outcome, oldest first."""
    members: dict[str, Member] = field(default_factory=dict)
    """Every host that ever had a port here."""
    size: int = 0
    """The number of ports of all members together."""


@dataclass(slots=True)
class NodeInfo:
    """DPM's state of a host."""

    registration: int = 0
    """The newest registration received. It only grows."""
    registered: bool = False
    met: int = 0
    """The newest epoch seen since the host was registered; 0: none yet."""
    vpcs: set[str] = field(default_factory=set)
    """The VPCs that it is a member of."""


class Patch:
    """A change of the cache, under construction."""

    def __init__(self) -> None:
        self._nodes: dict[str, dict[str, Plain]] = {}
        self._vpcs: dict[str, dict[str, Any]] = {}

    def node(self, host: str, **fields: Plain) -> None:
        """Sets fields of a host."""
        self._nodes.setdefault(host, {}).update(fields)

    def vpc(self, vpc: str, **fields: Plain) -> None:
        """Sets fields of a VPC. `contents` and `outcomes` are added to the existing entries."""
        self._vpcs.setdefault(vpc, {}).update(fields)

    def member(self, vpc: str, host: str, **fields: Plain) -> None:
        """Sets fields of a member."""
        members = self._vpcs.setdefault(vpc, {}).setdefault("members", {})
        members.setdefault(host, {}).update(fields)

    def record(self) -> dict[str, Plain]:
        """The durable record."""
        record: dict[str, Plain] = {}
        if self._nodes:
            record["nodes"] = dict(self._nodes.items())
        if self._vpcs:
            record["vpcs"] = dict(self._vpcs.items())
        return record


class Cache:
    """All VPCs and hosts that DPM knows."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.vpcs: dict[str, VpcInfo] = {}
        self.nodes: dict[str, NodeInfo] = {}
        self.stirred: set[str] = set()
        """VPCs that have changed since this set was last emptied."""

    def member(self, host: str, vpc: str) -> Member:
        """A host as seen by a VPC; a default `Member` if it never had a port there."""
        info = self.vpcs.get(vpc)
        return (info.members.get(host) if info else None) or Member()

    def node(self, host: str) -> NodeInfo:
        """The state of a host; a default `NodeInfo` if it is unknown."""
        return self.nodes.get(host) or NodeInfo()

    def apply(self, record: Mapping[str, Any]) -> None:
        """Applies the changes in the record."""
        for host, fields in record.get("nodes", {}).items():
            node = self.nodes.setdefault(host, NodeInfo())
            for name, value in fields.items():
                setattr(node, name, value)
        for vpc, fields in record.get("vpcs", {}).items():
            self._change(vpc, fields)
            self.stirred.add(vpc)

    def _change(self, vpc: str, fields: Mapping[str, Any]) -> None:
        info = self.vpcs.setdefault(vpc, VpcInfo())
        for host, of_member in fields.get("members", {}).items():
            self._change_member(vpc, host, of_member)
        if "channel" in fields:
            channel = Channel(fields["channel"])
            assert channel in CHANNEL_MOVES[info.channel], f"{vpc}: {info.channel} to {channel}"
            info.channel = channel
        info.group = fields.get("group", info.group)
        info.rules = fields.get("rules", info.rules)
        info.sent = fields.get("sent", info.sent)
        for revision, outcome in fields.get("outcomes", {}).items():
            _note_outcome(info, int(revision), outcome)
        info.contents |= {int(one): plain_parts(parts) for one, parts in fields.get("contents", {}).items()}
        info.contents = {one: parts for one, parts in info.contents.items() if one in (info.sent, info.rules)}

    def _change_member(self, vpc: str, host: str, fields: Mapping[str, Any]) -> None:
        info = self.vpcs[vpc]
        self.nodes.setdefault(host, NodeInfo()).vpcs.add(vpc)
        member = info.members.setdefault(host, Member())
        for name, value in fields.items():
            if name == "subscription":
                moved = Subscription(value)
                assert moved in SUBSCRIPTION_MOVES[member.subscription], (
                    f"{host}, {vpc}: {member.subscription} to {moved}"
                )
                member.subscription = moved
            else:
                if name == "ports":
                    info.size += value - member.ports
                setattr(member, name, value)

    def snapshot(self) -> dict[str, Plain]:
        """The whole state."""
        return {
            "nodes": {
                host: {"registration": node.registration, "registered": node.registered, "met": node.met}
                for host, node in self.nodes.items()
            },
            "vpcs": {vpc: _plain_vpc(info) for vpc, info in self.vpcs.items()},
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Replaces the state with a snapshot."""
        self._clear()
        for host, fields in snapshot["nodes"].items():
            self.nodes[host] = NodeInfo(**fields)
        for vpc, fields in snapshot["vpcs"].items():
            info = self.vpcs[vpc] = VpcInfo(
                fields["group"], Channel(fields["channel"]), fields["rules"], fields["sent"]
            )
            info.contents = {int(one): plain_parts(parts) for one, parts in fields["contents"].items()}
            for revision, outcome in fields["outcomes"].items():
                _note_outcome(info, int(revision), outcome)
            for host, (ports, subscription, *others) in fields["members"].items():
                info.members[host] = Member(ports, Subscription(subscription), *others)
                info.size += ports
                self.nodes[host].vpcs.add(vpc)
            self.stirred.add(vpc)


def parts_plain(parts: tuple[Part, ...]) -> dict[str, Plain]:
    """The content of a revision in the form of a record."""
    return {part.kind.value: b64encode(part.data).decode() for part in parts}


def plain_parts(plain: Mapping[str, str]) -> tuple[Part, ...]:
    """The content of a revision, decoded from a record."""
    return tuple(Part(kind, b64decode(plain[kind.value])) for kind in Kind if kind.value in plain)


def _plain_vpc(info: VpcInfo) -> dict[str, Plain]:
    return {
        "group": info.group,
        "channel": info.channel.value,
        "rules": info.rules,
        "sent": info.sent,
        "contents": {str(revision): parts_plain(parts) for revision, parts in info.contents.items()},
        "outcomes": {str(revision): outcome for revision, outcome in info.outcomes.items()},
        "members": {
            host: [one.ports, one.subscription.value, one.attempt, one.tries, one.barred, one.confirmed]
            for host, one in info.members.items()
        },
    }


def _note_outcome(info: VpcInfo, revision: int, outcome: str) -> None:
    info.outcomes[revision] = outcome
    if outcome == PENDING:
        info.pending[revision] = None
    else:
        info.pending.pop(revision, None)
