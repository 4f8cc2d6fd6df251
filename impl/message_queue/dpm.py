"""The core of DPM's message-queue part: the shared state of a VPC reaches each of its hosts, directly or by the VPC's topic.

External inputs are added and removed ports, new revisions, registrations, and the agents' messages. Everything else is DPM's own
decision (`impl.message_queue.decisions`); `due` lists the decisions that should be taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from impl.core import Effects, Event, IllegalInput
from impl.message_queue.cache import PENDING, Patch, Subscription, parts_plain
from impl.message_queue.decisions import Decisions
from impl.message_queue.rules import IN_USE
from impl.messages import (
    HOST_NAME,
    PAYLOAD_BYTES_MAX,
    VPC_NAME,
    Accepted,
    Confirmed,
    Declined,
    Deregistered,
    Hello,
    Kind,
    Message,
    Notice,
    Part,
    Registered,
)

Operation = partial[Effects]


class MessageQueueDpm(Decisions):
    """Feed it inputs, and take its decisions; make its effects durable, perform them in order, and acknowledge."""

    # ----------------------------------------------------------------------------------------- external inputs

    def register(self, message: Registered) -> Effects:
        """The host takes part from now on. A host that is registered again starts with empty state, and its subscriptions end."""
        if message.registration <= self._cache.node(message.host).registration:
            return self._ignore("registered already", message)
        return self._begin_anew(message.host, message.registration, registered=True)

    def deregister(self, message: Deregistered) -> Effects:
        """The host no longer takes part: nothing is sent to it, and no revision waits for it. Its ports still count."""
        node = self._cache.node(message.host)
        if not node.registered or message.registration < node.registration:
            return self._ignore("not registered", message)
        return self._begin_anew(message.host, message.registration, registered=False)

    def _begin_anew(self, host: str, registration: int, *, registered: bool) -> Effects:
        patch = Patch()
        patch.node(host, registration=registration, registered=registered, met=0)
        for vpc in self._vpcs_of(host):
            patch.member(vpc, host, confirmed=0, barred=False)
            if self._cache.member(host, vpc).subscription in IN_USE:
                patch.member(vpc, host, subscription=Subscription.LEAVING.value)
        name = "register" if registered else "deregister"
        return self._done(patch, Event(name, {"host": host, "registration": registration}, f"host.{name}ed"))

    def add_vpc(self, vpc: str) -> Effects:
        """Creates a VPC. (An unknown VPC is also created by its first port.)"""
        if not VPC_NAME.fullmatch(vpc):
            raise IllegalInput(
                f"DPM: {vpc!r} is no name for a VPC (letters, digits, dots and hyphens, 127 at most): add VPC"
            )
        if vpc in self._cache.vpcs:
            raise IllegalInput(f"DPM: {vpc} is known already: add VPC")
        patch = Patch()
        patch.vpc(vpc)
        return self._done(patch, Event("add vpc", {"vpc": vpc}, "vpc.added"))

    def add_port(self, host: str, vpc: str) -> Effects:
        """Adds a port of the VPC at the host, which may not be registered yet. The first port brings the shared state to the
        host."""
        if not HOST_NAME.fullmatch(host) or not VPC_NAME.fullmatch(vpc):
            raise IllegalInput(f"DPM: {host!r} is no host's name, or {vpc!r} no VPC's: add port")
        ports = self._cache.member(host, vpc).ports
        patch = Patch()
        patch.member(vpc, host, ports=ports + 1)
        effects = self._done(patch, Event("add port", {"host": host, "vpc": vpc}, "message-queue.add_port"))
        sends = self._pushes(vpc, [host]) if ports == 0 and self._tells_the_newcomer() else ()
        return Effects(effects.record, sends, effects.events)

    def remove_port(self, host: str, vpc: str) -> Effects:
        """Removes a port of the VPC from the host. The last one ends its subscription. No group is larger than its VPC."""
        member = self._cache.member(host, vpc)
        if member.ports == 0:
            raise IllegalInput(f"DPM: {host} has no port of {vpc}: remove port")
        patch = Patch()
        patch.member(vpc, host, ports=member.ports - 1)
        info = self._vpc(vpc)
        if info.group >= info.size:
            patch.vpc(vpc, group=self._group_within(info, info.size - 1))
        fields = {"host": host, "vpc": vpc, "remaining": member.ports - 1, "total": info.size - 1}
        events = [Event("remove port", fields, "message-queue.remove_port")]
        if member.ports == 1 and member.subscription in IN_USE and self._ends_with_the_last_port():
            self._leaves(patch, host, vpc, events)
        return self._done(patch, *events)

    def regroup(self, vpc: str, largest: int) -> Effects:
        """Sets the number of ports in the VPC's largest security group, which has at most all of them."""
        info, fields = self._vpc(vpc), {"vpc": vpc, "largest": largest}
        if not 0 <= largest <= info.size:
            raise IllegalInput(f"DPM: {vpc} has {info.size} ports, so no group of it can have {largest}: regroup")
        if largest == info.group:
            return Effects(events=(Event("regroup", fields, "group.unchanged"),))
        patch = Patch()
        patch.vpc(vpc, group=largest)
        return self._done(patch, Event("regroup", fields, "message-queue.regroup"))

    def revise(self, vpc: str, kind: Kind, data: bytes) -> Effects:
        """Changes one kind of the VPC's shared state; with the other kinds unchanged, it forms the next revision."""
        info = self._vpc(vpc)
        content = {part.kind: part.data for part in info.contents.get(info.rules, ())} | {kind: data}
        size = sum(map(len, content.values()))
        if size > PAYLOAD_BYTES_MAX:
            raise IllegalInput(
                f"DPM: what {vpc} shares would have {size} bytes, and {PAYLOAD_BYTES_MAX} are the most: revise"
            )
        revision = self._next_revision(info)
        parts = tuple(Part(item, content[item]) for item in Kind if item in content)
        patch = Patch()
        patch.vpc(vpc, rules=revision)
        patch.vpc(vpc, contents={str(revision): parts_plain(parts)}, outcomes={str(revision): PENDING})
        return self._done(patch, Event("revise", {"vpc": vpc, "revision": revision}, "message-queue.change_rules"))

    # --------------------------------------------------------------------------------------- messages from agents

    def receive(self, message: Message, speaker: str) -> Effects:
        """Takes a message that arrived on this host's own topic; the sender named in the payload does not count."""
        if not isinstance(message, Notice):
            return self._ignore("not for DPM", message)
        if not self._speaks_for(message.host, speaker):
            return self._ignore("from the channel of another", message)
        if not self._cache.node(message.host).registered:
            return self._ignore("not registered", message)
        match message:
            case Hello():
                return self._greet(message)
            case Accepted() | Declined():
                return self._answered(message)
            case Confirmed():
                return self._confirm(message)

    def _greet(self, message: Hello) -> Effects:
        """The agent has restarted: it knows nothing and reads no topic."""
        host, epoch = message.host, message.epoch
        if not self._is_new(host, epoch):
            return self._ignore("epoch met already", message)
        patch = Patch()
        patch.node(host, met=epoch)
        asked = []
        for vpc in self._vpcs_of(host):
            patch.member(vpc, host, confirmed=self._confirmed_after_greeting(host, vpc), barred=False)
            if self._cache.member(host, vpc).subscription in IN_USE and self._asks_after_greeting():
                asked.append(vpc)
        events = [Event("greet", {"host": host, "epoch": epoch}, "message-queue.greet")]
        subscribes = tuple(self._asks(patch, host, vpc, 1, epoch, events) for vpc in asked)
        effects = self._done(patch, *events)
        pushes = [push for vpc in self._vpcs_of(host) for push in self._pushes(vpc, [host])]
        return Effects(effects.record, (*pushes, *subscribes), effects.events)

    def _answered(self, message: Accepted | Declined) -> Effects:
        host, vpc = message.host, message.vpc
        member = self._cache.member(host, vpc)
        if not self._is_of_this_epoch(host, message.epoch):
            return self._ignore("of another epoch", message)
        if member.subscription != Subscription.ASKED or not self._is_the_newest(message.attempt, member.attempt):
            return self._ignore("no answer to what is asked", message)
        patch = Patch()
        fields = {"host": host, "epoch": message.epoch, "vpc": vpc, "attempt": message.attempt}
        if isinstance(message, Accepted):
            patch.member(vpc, host, subscription=Subscription.SUBSCRIBED.value)
            return self._done(patch, Event("accepted", fields, "message-queue.hear_acceptance"))
        events = [Event("declined", fields, "message-queue.hear_refusal")]
        self._leaves(patch, host, vpc, events)
        patch.member(vpc, host, barred=self._bars())
        return self._done(patch, *events)

    def _confirm(self, message: Confirmed) -> Effects:
        host, vpc, revision = message.host, message.vpc, message.revision
        if not self._is_of_this_epoch(host, message.epoch):
            return self._ignore("of another epoch", message)
        info = self._cache.vpcs.get(vpc)
        if info is None or host not in info.members or revision > info.sent:
            return self._ignore("of a revision that did not go out", message)
        if info.members[host].ports == 0:
            return self._ignore("the host has no port there", message)
        if revision <= info.members[host].confirmed:
            return self._ignore("nothing to confirm", message)
        patch = Patch()
        patch.member(vpc, host, confirmed=revision)
        fields = {"host": host, "epoch": message.epoch, "vpc": vpc, "revision": revision}
        return self._done(patch, Event("confirm", fields, "message-queue.acknowledge"))

    # ------------------------------------------------------------------------------------------------ due decisions

    def stirred(self) -> set[str]:
        """VPCs that have changed since the last call."""
        stirred, self._cache.stirred = self._cache.stirred, set()
        return stirred

    def due(self, vpc: str) -> Iterator[Operation]:
        """The decisions about a VPC that are due at once. Take each one before requesting the next; others may follow from it."""
        for may, do in ((self.may_open, self.open_topic), (self.may_close, self.close_topic)):
            if may(vpc):
                yield partial(do, vpc)
        for may_by_host, do_by_host in (
            (self.may_leave, self.leave),
            (self.may_end_subscription, self.end_subscription),
            (self.may_ask, self.ask),
        ):
            for host in list(self._vpc(vpc).members):
                if may_by_host(host, vpc):
                    yield partial(do_by_host, host, vpc)
        for may, do in (
            (self.may_send_directly, self.send_directly),
            (self.may_publish, self.publish),
            (self.may_finish_opening, self.finish_opening),
            (self.may_finish_closing, self.finish_closing),
        ):
            if may(vpc):
                yield partial(do, vpc)
        for revision in list(self._vpc(vpc).pending):
            if self.may_report_done(vpc, revision):
                yield partial(self.report_done, vpc, revision)

    def unconfirmed(self, vpc: str) -> list[str]:
        """The hosts to remind."""
        return [host for host in self._vpc(vpc).members if self.may_remind(host, vpc)]

    def unreported(self, vpc: str) -> list[int]:
        """The revisions sent that have no outcome, oldest first."""
        info = self._vpc(vpc)
        return [revision for revision in info.pending if revision <= info.sent]

    def hosts(self) -> list[str]:
        """The registered hosts."""
        return sorted(host for host, node in self._cache.nodes.items() if node.registered)

    def vpcs(self) -> list[str]:
        """The known VPCs."""
        return sorted(self._cache.vpcs)

    def asked(self, vpc: str) -> dict[str, int]:
        """The hosts that are asked to subscribe, each with the number of requests in a row."""
        members = self._vpc(vpc).members.items()
        return {host: member.tries for host, member in members if member.subscription == Subscription.ASKED}
