"""The spontaneous decisions of DPM's message-queue part: about a VPC's channel, about subscriptions, and about sending revisions.

Each decision has a method that says whether it is enabled, and one that takes it. Timing (an answer that does not arrive, a late
confirmation) is the caller's responsibility. Requests to the broker's administration are among the sends, in their order: for
example, the permission comes before the subscribe request.
"""

from __future__ import annotations

from impl.core import Effects, Event, Send
from impl.message_queue.cache import Channel, Patch, Subscription
from impl.message_queue.rules import BY_TOPIC, IN_USE, Rules
from impl.messages import CloseTopic, EndSubscription, OpenTopic, Outcome, Published


class Decisions(Rules):
    """The decisions, in three groups. A decision that is not enabled is refused with the state that prevents it."""

    # -------------------------------------------------------------------------------- decisions about the channel

    def may_open(self, vpc: str) -> bool:
        """The VPC has become large."""
        info = self._vpc(vpc)
        return info.channel == Channel.GRPC and self._is_large(info)

    def open_topic(self, vpc: str) -> Effects:
        """Gives the VPC a topic, and asks its hosts to subscribe."""
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
        """Sends to each host directly from now on, and ends the subscriptions."""
        self._demand(vpc, "close topic", self.may_close(vpc))
        patch = Patch()
        patch.vpc(vpc, channel=Channel.CLOSING.value)
        return self._done(patch, self._switched(vpc, Channel.CLOSING, "message-queue.close_topic"))

    def may_finish_opening(self, vpc: str) -> bool:
        """Every host seen so far has subscribed, or could not."""
        info = self._vpc(vpc)
        return (
            info.channel == Channel.OPENING
            and not self._is_small(info)
            and all(self._is_ready(info.members[host]) for host in info.members if self._may_hear(host, vpc))
        )

    def finish_opening(self, vpc: str) -> Effects:
        """Completes the switch to the topic."""
        self._demand(vpc, "finish opening", self.may_finish_opening(vpc))
        patch = Patch()
        patch.vpc(vpc, channel=Channel.MQ.value)
        return self._done(patch, self._switched(vpc, Channel.MQ, "message-queue.finish_opening"))

    def may_finish_closing(self, vpc: str) -> bool:
        """No subscription is left."""
        info = self._vpc(vpc)
        return info.channel == Channel.CLOSING and self._has_ended(info)

    def finish_closing(self, vpc: str) -> Effects:
        """Completes the switch back, and deletes the topic."""
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
        """Permits the host to read the topic, and asks it to subscribe."""
        self._demand(vpc, f"ask {host}", self.may_ask(host, vpc))
        patch, events = Patch(), list[Event]()
        subscribe = self._asks(patch, host, vpc, 1, self._cache.nodes[host].met, events)
        effects = self._done(patch, *events, administrative=self._permission(host, vpc))
        return Effects(effects.record, (*effects.sends, subscribe), effects.events)

    def may_ask_again(self, host: str, vpc: str) -> bool:
        """The host has not answered, and attempts are left."""
        member = self._cache.member(host, vpc)
        return member.subscription == Subscription.ASKED and self._has_patience(member)

    def ask_again(self, host: str, vpc: str) -> Effects:
        """No answer arrived in time: asks the host again."""
        self._demand(vpc, f"ask {host} again", self.may_ask_again(host, vpc))
        patch, events = Patch(), list[Event]()
        tries = self._cache.member(host, vpc).tries + 1
        subscribe = self._asks(patch, host, vpc, tries, self._cache.nodes[host].met, events)
        return Effects(self._done(patch).record, (subscribe,), tuple(events))

    def may_give_up(self, host: str, vpc: str) -> bool:
        """The host has not answered, and no attempt is left."""
        member = self._cache.member(host, vpc)
        return member.subscription == Subscription.ASKED and not self._has_patience(member)

    def give_up(self, host: str, vpc: str) -> Effects:
        """Sends to the host directly from now on, until something changes."""
        self._demand(vpc, f"give {host} up", self.may_give_up(host, vpc))
        patch, events = Patch(), [Event("give up", {"host": host, "vpc": vpc}, "message-queue.give_up")]
        self._leaves(patch, host, vpc, events)
        patch.member(vpc, host, barred=self._bars())
        return self._done(patch, *events)

    def may_leave(self, host: str, vpc: str) -> bool:
        """The topic closes, and the host is still subscribed."""
        info = self._vpc(vpc)
        return info.channel == Channel.CLOSING and self._cache.member(host, vpc).subscription in IN_USE

    def leave(self, host: str, vpc: str) -> Effects:
        """Makes the host leave the closing topic. What it may have missed there is sent directly, in the same step."""
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
        """Revokes the permission and deletes the subscription; this does not need the agent."""
        self._demand(vpc, f"end {host}'s subscription", self.may_end_subscription(host, vpc))
        patch = Patch()
        patch.member(vpc, host, subscription=Subscription.NONE.value)
        event = Event("end subscription", {"host": host, "vpc": vpc}, "message-queue.end_subscription")
        return self._done(patch, event, administrative=[EndSubscription(host, vpc)])

    # ---------------------------------------------------------------------------------- decisions about revisions

    def may_send_directly(self, vpc: str) -> bool:
        """A revision is due, directly to each host."""
        info = self._vpc(vpc)
        direct = info.channel == Channel.CLOSING or (info.channel == Channel.GRPC and not self._is_large(info))
        return info.sent < info.rules and direct

    def send_directly(self, vpc: str) -> Effects:
        """Sends the newest revision to each host."""
        self._demand(vpc, "send directly", self.may_send_directly(vpc))
        effects = self._out(vpc, "message-queue.send_directly")
        return Effects(effects.record, self._pushes(vpc, self._sent_to(vpc)), effects.events)

    def may_publish(self, vpc: str) -> bool:
        """A revision is due by the topic, and no host is leaving."""
        info = self._vpc(vpc)
        by_topic = info.channel in BY_TOPIC and not self._is_small(info)
        return info.sent < info.rules and by_topic and not self._somebody_leaves(info)

    def publish(self, vpc: str) -> Effects:
        """Publishes the newest revision once on the topic, and sends it directly to the hosts that do not read the topic."""
        self._demand(vpc, "publish", self.may_publish(vpc))
        effects = self._out(vpc, "message-queue.publish")
        info = self._vpc(vpc)
        published = Send(f"multicast-{vpc}", Published(vpc, info.sent, info.contents[info.sent]), vpc)
        return Effects(effects.record, (published, *self._pushes(vpc, self._sent_beside(vpc))), effects.events)

    def may_remind(self, host: str, vpc: str) -> bool:
        """The host has not confirmed the newest revision sent."""
        return self._may_hear(host, vpc) and self._cache.member(host, vpc).confirmed < self._vpc(vpc).sent

    def remind(self, host: str, vpc: str) -> Effects:
        """Sends the newest revision that was sent again."""
        self._demand(vpc, f"remind {host}", self.may_remind(host, vpc))
        event = Event("remind", {"host": host, "vpc": vpc}, "message-queue.remind")
        return Effects(sends=self._pushes(vpc, [host]), events=(event,))

    def may_report_done(self, vpc: str, revision: int) -> bool:
        """All members have confirmed the revision, or a newer one."""
        return self._is_open(vpc, revision) and self._all_confirmed(vpc, revision)

    def report_done(self, vpc: str, revision: int) -> Effects:
        """Reports the revision as done."""
        self._demand(vpc, f"report revision {revision} done", self.may_report_done(vpc, revision))
        return self._end(vpc, revision, Outcome.DONE)

    def may_report_failed(self, vpc: str, revision: int) -> bool:
        """A member has not confirmed a revision that was sent. Whether it has been too long is for the caller to decide."""
        return self._is_open(vpc, revision) and not self._all_confirmed(vpc, revision)

    def report_failed(self, vpc: str, revision: int) -> Effects:
        """Reports the revision as failed: a member has not confirmed it for too long. Reminders continue."""
        self._demand(vpc, f"report revision {revision} failed", self.may_report_failed(vpc, revision))
        return self._end(vpc, revision, Outcome.FAILED)
