"""What DPM keeps of VPCs and hosts, and how it changes: by patches, which are its durable records.

A patch names the fields that change, and is applied by the same code when it happens and when it is read back. The names
`VpcInfo` and `NodeInfo` are the original design's; its `PortInfo` is what `impl.on_demand.dpm` keeps of pods, and is counted here
by host and VPC.
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
    """How a VPC's hosts are told what they share."""

    GRPC = "grpc"
    """Each directly."""
    OPENING = "opening"
    """By the VPC's topic, and those directly that do not subscribe yet."""
    MQ = "mq"
    """By the VPC's topic, and those directly that cannot subscribe."""
    CLOSING = "closing"
    """Each directly again, while subscriptions end."""


class Subscription(Enum):
    """How a host stands to a VPC's topic."""

    NONE = "none"
    ASKED = "asked"
    SUBSCRIBED = "subscribed"
    LEAVING = "leaving"
    """It may still be there, and counts for nothing; only DPM and the broker are needed to end it."""


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
    """A host as one VPC sees it."""

    ports: int = 0
    subscription: Subscription = Subscription.NONE
    attempt: int = 0
    """The newest asking. It counts up for ever, whatever else begins anew."""
    tries: int = 0
    """Askings in a row; what it was when the last row ended stays until the next."""
    barred: bool = False
    """Could not subscribe; is not asked again before something has changed."""
    confirmed: int = 0
    """The newest revision confirmed in the epoch that was met; never beyond `sent`."""


@dataclass(slots=True)
class VpcInfo:
    """What DPM keeps of a VPC."""

    group: int = 0
    """The ports of its largest security group."""
    channel: Channel = Channel.GRPC
    rules: int = 0
    """The newest revision issued."""
    sent: int = 0
    """The newest revision that went out; never beyond `rules`."""
    contents: dict[int, tuple[Part, ...]] = field(default_factory=dict)
    """What the revisions `sent` and `rules` say. Nobody asks for others any more."""
    outcomes: dict[int, str] = field(default_factory=dict)
    """Of each revision."""
    pending: dict[int, None] = field(default_factory=dict)
    """Those of them that have not ended, oldest first."""
    members: dict[str, Member] = field(default_factory=dict)
    """Every host that ever had a port here."""
    size: int = 0
    """The ports of all members together."""


@dataclass(slots=True)
class NodeInfo:
    """What DPM keeps of a host."""

    registration: int = 0
    """The newest heard of. It only grows."""
    registered: bool = False
    met: int = 0
    """The newest epoch met since the host was registered; 0: none yet."""
    vpcs: set[str] = field(default_factory=set)
    """Where it is a member."""


class Patch:
    """A change of the cache, under construction."""

    def __init__(self) -> None:
        self._nodes: dict[str, dict[str, Plain]] = {}
        self._vpcs: dict[str, dict[str, Any]] = {}

    def node(self, host: str, **fields: Plain) -> None:
        """Fields of a host."""
        self._nodes.setdefault(host, {}).update(fields)

    def vpc(self, vpc: str, **fields: Plain) -> None:
        """Fields of a VPC. `contents` and `outcomes` are added to those there are."""
        self._vpcs.setdefault(vpc, {}).update(fields)

    def member(self, vpc: str, host: str, **fields: Plain) -> None:
        """Fields of a member."""
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
        """VPCs of which something has changed since this was last emptied."""

    def member(self, host: str, vpc: str) -> Member:
        """A host as a VPC sees it; one that never had a port there is seen as nothing."""
        info = self.vpcs.get(vpc)
        return (info.members.get(host) if info else None) or Member()

    def node(self, host: str) -> NodeInfo:
        """What is known of a host."""
        return self.nodes.get(host) or NodeInfo()

    def apply(self, record: Mapping[str, Any]) -> None:
        """Changes what the record names."""
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
        """Everything."""
        return {
            "nodes": {
                host: {"registration": node.registration, "registered": node.registered, "met": node.met}
                for host, node in self.nodes.items()
            },
            "vpcs": {vpc: _plain_vpc(info) for vpc, info in self.vpcs.items()},
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Takes over a snapshot."""
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
    """The content of a revision as a record has it."""
    return {part.kind.value: b64encode(part.data).decode() for part in parts}


def plain_parts(plain: Mapping[str, str]) -> tuple[Part, ...]:
    """The content of a revision from a record."""
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
