"""Implementations of the message queue with one rule changed: the same mistakes as the specification's variants, and some more.

Each faulty overrides the one method in which a core states the rule. `FAULTY` has one for every variant that a wrong core can be,
under its name; `WITHOUT` says of the others why not. Random runs of the cores (tests/impl/message_queue) notice most of them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from conformance.replay.cores import Cores
from impl.core import ADMINISTRATION, Effects, Event, Send
from impl.message_queue.aca import MessageQueueAca
from impl.message_queue.cache import Member, Patch, Subscription, VpcInfo
from impl.message_queue.dpm import MessageQueueDpm
from impl.messages import (
    Accepted,
    Administrative,
    Confirmed,
    Declined,
    EndSubscription,
    Hello,
    Published,
    Push,
    Shared,
    Subscribe,
)


class PublishesTooEarly(MessageQueueDpm):
    def _sent_beside(self, vpc: str) -> list[str]:
        """As if asking were subscribing."""
        members = self._vpc(vpc).members
        return [host for host in super()._sent_beside(vpc) if members[host].subscription.value != "asked"]


class LeavesWithoutASnapshot(MessageQueueDpm):
    def _sends_a_snapshot(self) -> bool:
        return False


class PublishesWhileSomebodyLeaves(MessageQueueDpm):
    def _somebody_leaves(self, info: VpcInfo) -> bool:
        return False

    def _sent_beside(self, vpc: str) -> list[str]:
        members = self._vpc(vpc).members
        return [host for host in super()._sent_beside(vpc) if members[host].subscription.value != "leaving"]


class KeepsTheSubscriptionOfTheLastPort(MessageQueueDpm):
    def _ends_with_the_last_port(self) -> bool:
        return False


class TellsNewcomersNothing(MessageQueueDpm):
    def _tells_the_newcomer(self) -> bool:
        return False


class TakesAnyAnswer(MessageQueueDpm):
    def _is_the_newest(self, attempt: int, newest: int) -> bool:
        return True

    def _is_of_this_epoch(self, host: str, epoch: int) -> bool:
        return True


class CountsOverARestart(MessageQueueDpm):
    def _confirmed_after_greeting(self, host: str, vpc: str) -> int:
        return self._cache.member(host, vpc).confirmed


class TellsThoseWithoutPorts(MessageQueueDpm):
    def _is_member(self, host: str, vpc: str) -> bool:
        return self._cache.node(host).registered


class AsksForEver(MessageQueueDpm):
    def _bars(self) -> bool:
        return False


class PermitsNobody(MessageQueueDpm):
    def _permission(self, host: str, vpc: str) -> list[Administrative]:
        return []


class WaitsForTheBarred(MessageQueueDpm):
    def _is_ready(self, member: Member) -> bool:
        return member.subscription.value == "subscribed"


class IsNeverLarge(MessageQueueDpm):
    def _is_large(self, info: VpcInfo) -> bool:
        return False


class ReportsWithoutWaiting(MessageQueueDpm):
    def _all_confirmed(self, vpc: str, revision: int) -> bool:
        return True


class FinishesTooEarly(MessageQueueDpm):
    def _has_ended(self, info: VpcInfo) -> bool:
        return True


class DoesNotAskAnew(MessageQueueDpm):
    def _asks_after_greeting(self) -> bool:
        return False


class ConfirmsWithoutApplying(MessageQueueAca):
    def _applies(self) -> bool:
        return False


class TakesTheOlder(MessageQueueAca):
    def _is_newer(self, revision: int, known: int) -> bool:
        return revision != known


class TakesARefusalForSuccess(MessageQueueDpm):
    def _answered(self, message: Accepted | Declined) -> Effects:
        return super()._answered(Accepted(message.host, message.epoch, message.vpc, message.attempt))


class SendsNothingAtEquality(MessageQueueDpm):
    def _is_large(self, info: VpcInfo) -> bool:
        return self.decision.is_large(max(info.size - 1, 0), max(info.group - 1, 0))


class SendsNothingToTheSubscribed(MessageQueueDpm):
    def publish(self, vpc: str) -> Effects:
        effects = super().publish(vpc)
        return replace(effects, sends=tuple(send for send in effects.sends if not isinstance(send.message, Published)))


class PublishesBeforeItSubscribes(MessageQueueDpm):
    def _asks(self, patch: Patch, host: str, vpc: str, tries: int, epoch: int, events: list[Event]) -> Send:
        asked = super()._asks(patch, host, vpc, tries, epoch, events)
        patch.member(vpc, host, subscription=Subscription.SUBSCRIBED.value)
        return asked


class HasNoHysteresis(MessageQueueDpm):
    def _is_small(self, info: VpcInfo) -> bool:
        return not self._is_large(info)


class DecidesOnTheSizeBefore(MessageQueueDpm):
    def _is_small(self, info: VpcInfo) -> bool:
        return self.decision.is_small(max(info.size - 1, 0), info.group)


class CountsPortsOnly(MessageQueueDpm):
    def _is_large(self, info: VpcInfo) -> bool:
        return self.decision.is_large(info.size, 0)


class CountsNoTries(MessageQueueDpm):
    def _has_patience(self, member: Member) -> bool:
        return True


class ClosesTheTopicAtOnce(MessageQueueDpm):
    def close_topic(self, vpc: str) -> Effects:
        effects = super().close_topic(vpc)
        members = self._vpc(vpc).members
        subscribed = [host for host, one in members.items() if one.subscription == Subscription.SUBSCRIBED]
        ended = tuple(Send(ADMINISTRATION, EndSubscription(host, vpc)) for host in subscribed)
        return replace(effects, sends=(*effects.sends, *ended))


class CountsAnyConfirmation(MessageQueueDpm):
    def _confirm(self, message: Confirmed) -> Effects:
        info = self._cache.vpcs.get(message.vpc)
        return super()._confirm(replace(message, revision=info.sent) if info is not None else message)


class ForgetsThatItUnsubscribed(MessageQueueDpm):
    def leave(self, host: str, vpc: str) -> Effects:
        effects = super().leave(host, vpc)
        self._cache.member(host, vpc).subscription = Subscription.SUBSCRIBED
        return replace(effects, sends=(*effects.sends, Send(ADMINISTRATION, EndSubscription(host, vpc))))


class PushesToNobodyOnTheTopic(MessageQueueDpm):
    def _sent_beside(self, vpc: str) -> list[str]:
        return []


class LeavesARevisionOut(MessageQueueDpm):
    def _next_revision(self, info: VpcInfo) -> int:
        return info.rules + 2


class GreetsWithoutASnapshot(MessageQueueDpm):
    def _greet(self, message: Hello) -> Effects:
        effects = super()._greet(message)
        return replace(effects, sends=tuple(send for send in effects.sends if not isinstance(send.message, Push)))


class EndsNothingAtTheBroker(MessageQueueDpm):
    def end_subscription(self, host: str, vpc: str) -> Effects:
        return replace(super().end_subscription(host, vpc), sends=())


class AcknowledgesWhateverComes(MessageQueueAca):
    def may_acknowledge(self, message: Shared) -> bool:
        return True


class AppliesWithoutConfirming(MessageQueueAca):
    def _take(self, message: Shared) -> Effects:
        return replace(super()._take(message), sends=())


class IgnoresWhatIsNew(MessageQueueAca):
    def _is_newer(self, revision: int, known: int) -> bool:
        return False


class ListensToOlderEpochs(MessageQueueAca):
    def _is_of_this_epoch(self, epoch: int) -> bool:
        return True


class AcceptsWithoutSubscribing(MessageQueueAca):
    def accept(self, message: Subscribe) -> Effects:
        effects = super().accept(message)
        self._consumers.discard(message.vpc)
        return effects


FAULTY: Final[Mapping[str, Cores]] = {
    "takes_a_refusal_for_success": Cores(message_queue_dpm=TakesARefusalForSuccess),
    "sends_nothing_at_equality": Cores(message_queue_dpm=SendsNothingAtEquality),
    "sends_nothing_to_the_subscribed": Cores(message_queue_dpm=SendsNothingToTheSubscribed),
    "replays_over_newer": Cores(message_queue_aca=TakesTheOlder),
    "publishes_before_it_subscribes": Cores(message_queue_dpm=PublishesBeforeItSubscribes),
    "has_no_hysteresis": Cores(message_queue_dpm=HasNoHysteresis),
    "asks_for_ever": Cores(message_queue_dpm=CountsNoTries),
    "forgets_that_it_fell_back": Cores(message_queue_dpm=AsksForEver),
    "leaves_without_a_snapshot": Cores(message_queue_dpm=LeavesWithoutASnapshot),
    "closes_the_topic_at_once": Cores(message_queue_dpm=ClosesTheTopicAtOnce),
    "counts_any_confirmation": Cores(message_queue_dpm=CountsAnyConfirmation),
    "reports_before_they_confirm": Cores(message_queue_dpm=ReportsWithoutWaiting),
    "forgets_that_it_unsubscribed": Cores(message_queue_dpm=ForgetsThatItUnsubscribed),
    "keeps_the_subscription": Cores(message_queue_dpm=KeepsTheSubscriptionOfTheLastPort),
    "decides_on_the_size_before": Cores(message_queue_dpm=DecidesOnTheSizeBefore),
    "counts_ports_only": Cores(message_queue_dpm=CountsPortsOnly),
    "acknowledges_whatever_comes": Cores(message_queue_aca=AcknowledgesWhateverComes),
    "takes_any_answer": Cores(message_queue_dpm=TakesAnyAnswer),
    "publishes_while_somebody_leaves": Cores(message_queue_dpm=PublishesWhileSomebodyLeaves),
    "pushes_to_nobody_on_the_topic": Cores(message_queue_dpm=PushesToNobodyOnTheTopic),
    "pushes_to_all_hosts": Cores(message_queue_dpm=TellsThoseWithoutPorts),
    "sends_the_next_revision": Cores(message_queue_dpm=LeavesARevisionOut),
    "applies_without_confirming_it": Cores(message_queue_aca=AppliesWithoutConfirming),
    "confirms_what_it_did_not_apply": Cores(message_queue_aca=ConfirmsWithoutApplying),
    "finishes_closing_early": Cores(message_queue_dpm=FinishesTooEarly),
    "greets_without_a_snapshot": Cores(message_queue_dpm=GreetsWithoutASnapshot),
    "ends_it_at_the_broker_later": Cores(message_queue_dpm=EndsNothingAtTheBroker),
    "ignores_what_is_pushed": Cores(message_queue_aca=IgnoresWhatIsNew),
}

WITHOUT: Final[Mapping[str, str]] = {
    "the_channels_overtake_each_other": "the same wrong core as replays_over_newer: an agent has one rule for both channels",
    "leaves_far_too_late": "a core with other thresholds for leaving; has_no_hysteresis changes the same rule",
    "never_unsubscribes": "nobody does it: a run in which somebody must is no vector's",
    "has_no_fallback": "nobody does it: a run in which somebody must is no vector's",
    "waits_for_the_dead": "nobody does it: a run in which somebody must is no vector's",
}
"""Variants without a faulty, each with the reason."""

FURTHER: Final[Mapping[str, Cores]] = {
    "publishes too early": Cores(message_queue_dpm=PublishesTooEarly),
    "tells newcomers nothing": Cores(message_queue_dpm=TellsNewcomersNothing),
    "counts over a restart": Cores(message_queue_dpm=CountsOverARestart),
    "permits nobody": Cores(message_queue_dpm=PermitsNobody),
    "waits for the barred": Cores(message_queue_dpm=WaitsForTheBarred),
    "is never large": Cores(message_queue_dpm=IsNeverLarge),
    "does not ask anew": Cores(message_queue_dpm=DoesNotAskAnew),
    "listens to older epochs": Cores(message_queue_aca=ListensToOlderEpochs),
    "accepts without subscribing": Cores(message_queue_aca=AcceptsWithoutSubscribing),
}
"""Further mistakes, which no variant states."""
