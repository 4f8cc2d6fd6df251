"""The slot of each host in a VPC's topic; no two hosts share one.

The design document derives a host's slot from a hash of its address, and two addresses of one VPC may collide: with random
addresses, the first collision occurs after a median of 302 hosts. Here slots are assigned one after the other, and a key is looked
up for each.

The core is stored with DPM's state: every change is a record, so that slots survive a restart.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from impl.core import Effects, Event, IllegalInput, Plain
from impl.errors import BadDeployment
from impl.messages import FIRST_SLOT, LAST_SLOT

HOSTS_MAX: Final = LAST_SLOT - FIRST_SLOT + 1
"""The maximum number of hosts of one VPC: 65 535."""


@dataclass
class _Slots:
    """The slots of one VPC. A slot is assigned to a host, given back, or not used yet (from `fresh` on)."""

    of_host: dict[str, int] = field(default_factory=dict)
    given_back: list[int] = field(default_factory=list)
    """A heap: the smallest is assigned first."""
    fresh: int = FIRST_SLOT

    def take(self, host: str, slot: int) -> None:
        self.of_host[host] = slot
        if slot == self.fresh:
            self.fresh += 1
        else:
            self.given_back.remove(slot)
            heapq.heapify(self.given_back)

    def free(self) -> int | None:
        """The slot that is assigned next."""
        if self.given_back:
            return self.given_back[0]
        return self.fresh if self.fresh <= LAST_SLOT else None


class Allotment:
    """Feed it hosts that join and leave; make its effects durable."""

    def __init__(self) -> None:
        self._vpcs: dict[str, _Slots] = {}

    def slot(self, vpc: str, host: str) -> int | None:
        """The slot of a host in a VPC, if it has one."""
        slots = self._vpcs.get(vpc)
        return None if slots is None else slots.of_host.get(host)

    def vpcs(self) -> list[str]:
        """The VPCs that have had hosts."""
        return sorted(self._vpcs)

    def hosts(self, vpc: str) -> dict[str, int]:
        """The slot of each host of a VPC."""
        slots = self._vpcs.get(vpc)
        return {} if slots is None else dict(slots.of_host)

    def fresh(self, vpc: str) -> int:
        """The first of the slots that no host of the VPC has had."""
        slots = self._vpcs.get(vpc)
        return FIRST_SLOT if slots is None else slots.fresh

    def allot(self, vpc: str, host: str) -> Effects:
        """Assigns a slot to a host of the VPC; a host that has one keeps it.

        Raises:
            BadDeployment: every slot of the VPC is assigned. The state does not change.
        """
        if self.slot(vpc, host) is not None:
            return Effects()
        slot = self._vpcs[vpc].free() if vpc in self._vpcs else FIRST_SLOT
        if slot is None:
            raise BadDeployment(
                f"{host}: all {HOSTS_MAX:,} slots of VPC {vpc} have a host; release one that has left, "
                "or serve this host by gRPC"
            )
        return self._done({"do": "allot", "vpc": vpc, "host": host, "slot": slot})

    def release(self, vpc: str, host: str) -> Effects:
        """The host gives its slot back. The caller ensures that the topic holds nothing for it, and that it does not read the
        topic.

        Raises:
            IllegalInput: the host has no slot.
        """
        slot = self.slot(vpc, host)
        if slot is None:
            raise IllegalInput(f"DPM: {host} has no slot in VPC {vpc}: release")
        return self._done({"do": "release", "vpc": vpc, "host": host, "slot": slot})

    def _done(self, record: dict[str, Plain]) -> Effects:
        self.apply(record)
        return Effects(
            record, (), (Event(f"slot.{record['do']}", {name: record[name] for name in ("vpc", "host", "slot")}),)
        )

    def apply(self, record: Mapping[str, Any]) -> None:
        """Repeats a change from its durable record."""
        slots = self._vpcs.setdefault(record["vpc"], _Slots())
        if record["do"] == "allot":
            slots.take(record["host"], record["slot"])
        else:
            heapq.heappush(slots.given_back, slots.of_host.pop(record["host"]))

    def snapshot(self) -> dict[str, Plain]:
        """The whole state."""
        vpcs: dict[str, Plain] = {
            vpc: {"hosts": dict(slots.of_host), "given_back": list(slots.given_back), "fresh": slots.fresh}
            for vpc, slots in self._vpcs.items()
        }
        return {"vpcs": vpcs}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Replaces the state with a snapshot."""
        self._vpcs = {
            vpc: _Slots(dict(kept["hosts"]), list(kept["given_back"]), kept["fresh"])
            for vpc, kept in snapshot["vpcs"].items()
        }
