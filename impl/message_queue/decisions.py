"""What DPM's channel part decides of its own accord: about a VPC's channel, about subscriptions, and about what goes out.

Each decision has a method that says whether it may be taken now, and one that takes it. Whether it is time (for an answer that does
not come, a confirmation that is late) is for the caller to know. What a decision asks of the broker's administration is among the
sends, in its place: permission before the asking, for one.
"""

from __future__ import annotations

from impl.core import Effects, Event, Send
from impl.message_queue.cache import Channel, Patch, Subscription
from impl.message_queue.rules import BY_TOPIC, IN_USE, Rules
from impl.messages import CloseTopic, EndSubscription, OpenTopic, Outcome, Published


class Decisions(Rules):
    """The decisions, in three groups. One that may not be taken now is refused with the state that is in the way."""

    # -------------------------------------------------------------------------------- decisions about the channel

    def may_open(self, vpc: str) -> bool:
        """The VPC has become large."""
        info = self._vpc(vpc)
        return info.channel == Channel.GRPC and self._is_large(info)

    def open_topic(self, vpc: str) -> Effects:
        """From now on the VPC has a topic, and its hosts are asked to subscribe."""
        self._demand(vpc, "open topic", self.may_open(vpc))
        patch = Patch()
        patch.vpc(vpc, channel=Channel.OPENING.value)
        for host, member in self._vpc(vpc).members.items():
            if member.barred:
                patch.member(vpc, host, barred=False)
        return self._done(
            patch, self._switched(vpc, Channel.OPENING, "message-queue.open_topic"), administrative=[OpenTopic(vpc)]
        )

    def may_close(self, vpc: str) -> bool:
        """The VPC has become small."""
        info = self._vpc(vpc)
        return info.channel in BY_TOPIC and self._is_small(info)

    def close_topic(self, vpc: str) -> Effects:
        """From now on each host is told directly, and subscriptions end."""
        self._demand(vpc, "close topic", self.may_close(vpc))
        patch = Patch()
        patch.vpc(vpc, channel=Channel.CLOSING.value)
        return self._done(patch, self._switched(vpc, Channel.CLOSING, "message-queue.close_topic"))

    def may_finish_opening(self, vpc: str) -> bool:
        """Every host that was met has subscribed, or could not."""
        info = self._vpc(vpc)
        return (
            info.channel == Channel.OPENING
            and not self._is_small(info)
            and all(self._is_ready(info.members[host]) for host in info.members if self._may_hear(host, vpc))
        )

    def finish_opening(self, vpc: str) -> Effects:
        """The switch to the topic is complete."""
        self._demand(vpc, "finish opening", self.may_finish_opening(vpc))
        patch = Patch()
        patch.vpc(vpc, channel=Channel.MQ.value)
        return self._done(patch, self._switched(vpc, Channel.MQ, "message-queue.finish_opening"))

    def may_finish_closing(self, vpc: str) -> bool:
        """No subscription is left."""
        info = self._vpc(vpc)
        return info.channel == Channel.CLOSING and self._has_ended(info)

    def finish_closing(self, vpc: str) -> Effects:
        """The switch back is complete, and the topic goes."""
        self._demand(vpc, "finish closing", self.may_finish_closing(vpc))
        patch = Patch()
        patch.vpc(vpc, channel=Channel.GRPC.value)
        return self._done(
            patch, self._switched(vpc, Channel.GRPC, "message-queue.finish_closing"), administrative=[CloseTopic(vpc)]
        )

    # ------------------------------------------------------------------------------- decisions about subscriptions

    def may_ask(self, host: str, vpc: str) -> bool:
        """The host should read the VPC's topic, and does not."""
        info, member = self._vpc(vpc), self._cache.member(host, vpc)
        return (
            info.channel in BY_TOPIC
            and not self._is_small(info)
            and self._may_hear(host, vpc)
            and member.subscription == Subscription.NONE
            and not member.barred
        )

    def ask(self, host: str, vpc: str) -> Effects:
        """The host is permitted to read the topic, and asked to subscribe."""
        self._demand(vpc, f"ask {host}", self.may_ask(host, vpc))
        patch, events = Patch(), list[Event]()
        subscribe = self._asks(patch, host, vpc, 1, self._cache.nodes[host].met, events)
        effects = self._done(patch, *events, administrative=self._permission(host, vpc))
        return Effects(effects.record, (*effects.sends, subscribe), effects.events)

    def may_ask_again(self, host: str, vpc: str) -> bool:
        """The host has not answered, and patience is left."""
        member = self._cache.member(host, vpc)
        return member.subscription == Subscription.ASKED and self._has_patience(member)

    def ask_again(self, host: str, vpc: str) -> Effects:
        """No answer came in time."""
        self._demand(vpc, f"ask {host} again", self.may_ask_again(host, vpc))
        patch, events = Patch(), list[Event]()
        tries = self._cache.member(host, vpc).tries + 1
        subscribe = self._asks(patch, host, vpc, tries, self._cache.nodes[host].met, events)
        return Effects(self._done(patch).record, (subscribe,), tuple(events))

    def may_give_up(self, host: str, vpc: str) -> bool:
        """The host has not answered, and no patience is left."""
        member = self._cache.member(host, vpc)
        return member.subscription == Subscription.ASKED and not self._has_patience(member)

    def give_up(self, host: str, vpc: str) -> Effects:
        """The host is told directly from now on, until something changes."""
        self._demand(vpc, f"give {host} up", self.may_give_up(host, vpc))
        patch, events = Patch(), [Event("give up", {"host": host, "vpc": vpc}, "message-queue.give_up")]
        self._leaves(patch, host, vpc, events)
        patch.member(vpc, host, barred=self._bars())
        return self._done(patch, *events)

    def may_leave(self, host: str, vpc: str) -> bool:
        """The topic closes, and the host is to leave it."""
        info = self._vpc(vpc)
        return info.channel == Channel.CLOSING and self._cache.member(host, vpc).subscription in IN_USE

    def leave(self, host: str, vpc: str) -> Effects:
        """The host is to leave the closing topic. What it may have missed there it is told directly, in the same step."""
        self._demand(vpc, f"let {host} leave", self.may_leave(host, vpc))
        patch, events = Patch(), list[Event]()
        was_subscribed = self._cache.member(host, vpc).subscription == Subscription.SUBSCRIBED
        self._leaves(patch, host, vpc, events)
        effects = self._done(patch, *events)
        snapshot = self._pushes(vpc, [host]) if was_subscribed and self._sends_a_snapshot() else ()
        return Effects(effects.record, snapshot, effects.events)

    def may_end_subscription(self, host: str, vpc: str) -> bool:
        """The host is leaving."""
        return self._cache.member(host, vpc).subscription == Subscription.LEAVING

    def end_subscription(self, host: str, vpc: str) -> Effects:
        """Permission and subscription are taken away; the agent is not needed for that."""
        self._demand(vpc, f"end {host}'s subscription", self.may_end_subscription(host, vpc))
        patch = Patch()
        patch.member(vpc, host, subscription=Subscription.NONE.value)
        event = Event("end subscription", {"host": host, "vpc": vpc}, "message-queue.end_subscription")
        return self._done(patch, event, administrative=[EndSubscription(host, vpc)])

    # ---------------------------------------------------------------------------------- decisions about revisions

    def may_send_directly(self, vpc: str) -> bool:
        """A revision is to go out, to each host."""
        info = self._vpc(vpc)
        direct = info.channel == Channel.CLOSING or (info.channel == Channel.GRPC and not self._is_large(info))
        return info.sent < info.rules and direct

    def send_directly(self, vpc: str) -> Effects:
        """The newest revision goes out to each host."""
        self._demand(vpc, "send directly", self.may_send_directly(vpc))
        effects = self._out(vpc, "message-queue.send_directly")
        return Effects(effects.record, self._pushes(vpc, self._sent_to(vpc)), effects.events)

    def may_publish(self, vpc: str) -> bool:
        """A revision is to go out by the topic, and nobody's leaving is under way."""
        info = self._vpc(vpc)
        by_topic = info.channel in BY_TOPIC and not self._is_small(info)
        return info.sent < info.rules and by_topic and not self._somebody_leaves(info)

    def publish(self, vpc: str) -> Effects:
        """The newest revision goes out by the topic, once, and directly to those that do not read it."""
        self._demand(vpc, "publish", self.may_publish(vpc))
        effects = self._out(vpc, "message-queue.publish")
        info = self._vpc(vpc)
        published = Send(f"multicast-{vpc}", Published(vpc, info.sent, info.contents[info.sent]), vpc)
        return Effects(effects.record, (published, *self._pushes(vpc, self._sent_beside(vpc))), effects.events)

    def may_remind(self, host: str, vpc: str) -> bool:
        """The host has not confirmed what went out."""
        return self._may_hear(host, vpc) and self._cache.member(host, vpc).confirmed < self._vpc(vpc).sent

    def remind(self, host: str, vpc: str) -> Effects:
        """The newest revision that went out is sent again."""
        self._demand(vpc, f"remind {host}", self.may_remind(host, vpc))
        event = Event("remind", {"host": host, "vpc": vpc}, "message-queue.remind")
        return Effects(sends=self._pushes(vpc, [host]), events=(event,))

    def may_report_done(self, vpc: str, revision: int) -> bool:
        """All have confirmed a revision that went out, or a newer one."""
        return self._is_open(vpc, revision) and self._all_confirmed(vpc, revision)

    def report_done(self, vpc: str, revision: int) -> Effects:
        """The revision has ended well."""
        self._demand(vpc, f"report revision {revision} done", self.may_report_done(vpc, revision))
        return self._end(vpc, revision, Outcome.DONE)

    def may_report_failed(self, vpc: str, revision: int) -> bool:
        """Somebody has not confirmed a revision that went out. Whether it has been too long is the caller's to know."""
        return self._is_open(vpc, revision) and not self._all_confirmed(vpc, revision)

    def report_failed(self, vpc: str, revision: int) -> Effects:
        """Somebody has not confirmed for too long. Reminders go on."""
        self._demand(vpc, f"report revision {revision} failed", self.may_report_failed(vpc, revision))
        return self._end(vpc, revision, Outcome.FAILED)
