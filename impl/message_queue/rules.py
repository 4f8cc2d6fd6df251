"""The rules of DPM's message-queue part, one method each, and the state that they use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from impl.core import ADMINISTRATION, IGNORED, Effects, Event, IllegalInput, Plain, Send
from impl.message_queue.cache import PENDING, Cache, Channel, Member, Patch, Subscription, VpcInfo
from impl.message_queue.thresholds import Thresholds
from impl.messages import Administrative, Message, Outcome, Permit, Push, Subscribe

BY_TOPIC: Final = (Channel.OPENING, Channel.MQ)
IN_USE: Final = (Subscription.ASKED, Subscription.SUBSCRIBED)


class Rules:
    """The base of inputs and decisions."""

    def __init__(self, decision: Thresholds | None = None) -> None:
        self.decision = decision or Thresholds()
        self._cache = Cache()

    # ----------------------------------------------------------------------------------------------- the rules

    def _is_large(self, info: VpcInfo) -> bool:
        return self.decision.is_large(info.size, info.group)

    def _is_small(self, info: VpcInfo) -> bool:
        return self.decision.is_small(info.size, info.group)

    def _group_within(self, info: VpcInfo, size: int) -> int:
        """Until the groups of a shrinking VPC are counted again, no group has more ports than the VPC itself."""
        return min(info.group, size)

    def _is_member(self, host: str, vpc: str) -> bool:
        """The host takes part, and has a port of the VPC."""
        return self._cache.node(host).registered and self._cache.member(host, vpc).ports > 0

    def _may_hear(self, host: str, vpc: str) -> bool:
        """Nothing of a VPC goes to a host without a port there, or to a host whose agent was never seen."""
        return self._is_member(host, vpc) and self._cache.node(host).met > 0

    def _next_revision(self, info: VpcInfo) -> int:
        return info.rules + 1

    def _sent_to(self, vpc: str) -> list[str]:
        """The hosts that are sent to directly while there is no topic."""
        return self._members(vpc)

    def _sent_beside(self, vpc: str) -> list[str]:
        """The hosts that are sent to directly beside a publication: all that are not known to read the topic."""
        members = self._vpc(vpc).members
        return [host for host in self._members(vpc) if members[host].subscription != Subscription.SUBSCRIBED]

    def _somebody_leaves(self, info: VpcInfo) -> bool:
        return any(member.subscription == Subscription.LEAVING for member in info.members.values())

    def _is_ready(self, member: Member) -> bool:
        """An opening topic no longer waits for this host."""
        return member.subscription == Subscription.SUBSCRIBED or member.barred

    def _has_ended(self, info: VpcInfo) -> bool:
        return all(member.subscription == Subscription.NONE for member in info.members.values())

    def _has_patience(self, member: Member) -> bool:
        return member.tries < self.decision.patience

    def _bars(self) -> bool:
        """A host that could not subscribe is not asked again at once."""
        return True

    def _tells_the_newcomer(self) -> bool:
        return True

    def _ends_with_the_last_port(self) -> bool:
        return True

    def _sends_a_snapshot(self) -> bool:
        return True

    def _permission(self, host: str, vpc: str) -> list[Administrative]:
        return [Permit(host, vpc)]

    def _speaks_for(self, host: str, speaker: str) -> bool:
        return host == speaker

    def _is_new(self, host: str, epoch: int) -> bool:
        return epoch > self._cache.node(host).met

    def _is_of_this_epoch(self, host: str, epoch: int) -> bool:
        return epoch == self._cache.node(host).met

    def _is_the_newest(self, attempt: int, newest: int) -> bool:
        return attempt == newest

    def _confirmed_after_greeting(self, host: str, vpc: str) -> int:
        """An agent that has restarted knows nothing."""
        return 0

    def _asks_after_greeting(self) -> bool:
        return True

    def _all_confirmed(self, vpc: str, revision: int) -> bool:
        members = self._vpc(vpc).members
        return all(members[host].confirmed >= revision for host in self._members(vpc))

    # --------------------------------------------------------------------------------------------- shared steps

    def _members(self, vpc: str) -> list[str]:
        return [host for host in self._vpc(vpc).members if self._is_member(host, vpc)]

    def _vpcs_of(self, host: str) -> list[str]:
        return sorted(self._cache.node(host).vpcs)

    def _vpc(self, vpc: str) -> VpcInfo:
        info = self._cache.vpcs.get(vpc)
        if info is None:
            raise IllegalInput(f"DPM: {vpc} is unknown: place a pod there first")
        return info

    def _is_open(self, vpc: str, revision: int) -> bool:
        """The revision was sent, and has no outcome."""
        info = self._vpc(vpc)
        return revision <= info.sent and info.outcomes.get(revision) == PENDING

    def _pushes(self, vpc: str, hosts: Iterable[str]) -> tuple[Send, ...]:
        """The newest revision sent, to those of these hosts that may receive it."""
        info = self._vpc(vpc)
        return tuple(
            Send(
                f"inbox-{host}",
                Push(host, self._cache.nodes[host].met, vpc, info.sent, info.contents[info.sent]),
                host,
            )
            for host in (hosts if info.sent else ())
            if self._may_hear(host, vpc)
        )

    def _asks(self, patch: Patch, host: str, vpc: str, tries: int, epoch: int, events: list[Event]) -> Send:
        """Asks the host to subscribe, under a new attempt number."""
        attempt = self._cache.member(host, vpc).attempt + 1
        patch.member(vpc, host, subscription=Subscription.ASKED.value, attempt=attempt, tries=tries)
        # If another event precedes it, the request belongs to that event's step.
        step = "" if events else "message-queue.ask" if tries == 1 else "message-queue.ask_again"
        events.append(Event("ask", {"host": host, "vpc": vpc, "attempt": attempt, "tries": tries}, step))
        return Send(f"inbox-{host}", Subscribe(host, epoch, vpc, attempt), host)

    def _leaves(self, patch: Patch, host: str, vpc: str, events: list[Event]) -> None:
        patch.member(vpc, host, subscription=Subscription.LEAVING.value)
        events.append(Event("leave", {"host": host, "vpc": vpc}, "" if events else "message-queue.leave"))

    def _out(self, vpc: str, step: str) -> Effects:
        """Marks the newest revision as sent."""
        revision = self._vpc(vpc).rules
        patch = Patch()
        patch.vpc(vpc, sent=revision)
        return self._done(patch, Event("sent", {"vpc": vpc, "revision": revision}, step))

    def _end(self, vpc: str, revision: int, outcome: Outcome) -> Effects:
        patch = Patch()
        patch.vpc(vpc, outcomes={str(revision): outcome.value})
        fields = {"vpc": vpc, "revision": revision, "outcome": outcome.value}
        return self._done(patch, Event("revision ended", fields, f"message-queue.report_{outcome.value}"))

    def _switched(self, vpc: str, channel: Channel, step: str) -> Event:
        return Event("switch", {"vpc": vpc, "channel": channel.value}, step)

    def _demand(self, vpc: str, what: str, allowed: bool) -> None:
        if not allowed:
            info = self._vpc(vpc)
            raise IllegalInput(
                f"DPM: {vpc} is on {info.channel.value} with {info.size} ports ({info.group} in a group), revision {info.sent} of "
                f"{info.rules} sent: {what}"
            )

    def _ignore(self, reason: str, message: Message) -> Effects:
        return Effects(events=(Event("ignore", {"reason": reason, "message": type(message).__name__}, IGNORED),))

    def _done(self, patch: Patch, *events: Event, administrative: Iterable[Administrative] = ()) -> Effects:
        record = patch.record()
        self.apply(record)
        return Effects(record, tuple(Send(ADMINISTRATION, item) for item in administrative), events)

    # ---------------------------------------------------------------------------------------------------- state

    def apply(self, record: Mapping[str, Any]) -> None:
        """Repeats a change from its durable record."""
        for part in record.get("all", [record]):
            self._cache.apply(part)

    def snapshot(self) -> dict[str, Plain]:
        """The whole durable state."""
        return self._cache.snapshot()

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Replaces the state with a snapshot."""
        self._cache.restore(snapshot)

    def vpc(self, vpc: str) -> VpcInfo:
        """The state of a VPC, read-only; a default `VpcInfo` if it is unknown."""
        return self._cache.vpcs.get(vpc) or VpcInfo()

    def member(self, host: str, vpc: str) -> Member:
        """A host as seen by a VPC, read-only."""
        return self._cache.member(host, vpc)

    def vpcs_of(self, host: str) -> list[str]:
        """The VPCs in which the host has, or had, a port."""
        return self._vpcs_of(host)

    def met(self, host: str) -> int:
        """The newest epoch seen of a host since it was registered; 0: none."""
        return self._cache.node(host).met

    def observe(self) -> dict[str, Any]:
        """The state, for comparison.

        By VPC `rules`, `sent`, `size`, `group` and `channel`; by VPC and revision `outcome`; by host and VPC `ports`,
        `subscription`, `attempt`, `tries`, `barred` and `confirmed`; by registered host `met`.
        """
        vpcs, nodes = self._cache.vpcs, self._cache.nodes
        members = {(host, vpc): one for vpc, info in vpcs.items() for host, one in info.members.items()}
        return {
            **{
                name: {vpc: getattr(info, name) for vpc, info in vpcs.items()}
                for name in ("rules", "sent", "size", "group")
            },
            "channel": {vpc: info.channel.value for vpc, info in vpcs.items()},
            "outcome": {
                (vpc, revision): said for vpc, info in vpcs.items() for revision, said in info.outcomes.items()
            },
            **{
                name: {key: getattr(one, name) for key, one in members.items()}
                for name in ("ports", "attempt", "tries", "barred", "confirmed")
            },
            "subscription": {key: one.subscription.value for key, one in members.items()},
            "met": {host: node.met for host, node in nodes.items() if node.registered},
        }
