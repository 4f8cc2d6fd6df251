"""Implementations of the message queue with one rule changed: the same mistakes as the specification's variants.

`FAULTY` has one for every variant that a wrong core can be, under its name: a mutant by its name in the mutation table, or cores
where no mutant makes that mistake. `WITHOUT` says of the other variants why they have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from conformance.replay.cores import Cores
from impl.core import ADMINISTRATION, Effects, Send
from impl.message_queue.aca import MessageQueueAca
from impl.message_queue.cache import Subscription, VpcInfo
from impl.message_queue.dpm import MessageQueueDpm
from impl.messages import (
    Accepted,
    Confirmed,
    Declined,
    EndSubscription,
    Push,
    Shared,
)


class PublishesWhileSomebodyLeaves(MessageQueueDpm):
    def _somebody_leaves(self, info: VpcInfo) -> bool:
        return False

    def _sent_beside(self, vpc: str) -> list[str]:
        members = self._vpc(vpc).members
        return [host for host in super()._sent_beside(vpc) if members[host].subscription.value != "leaving"]


class TakesAnyAnswer(MessageQueueDpm):
    def _is_the_newest(self, attempt: int, newest: int) -> bool:
        return True

    def _is_of_this_epoch(self, host: str, epoch: int) -> bool:
        return True


class TakesARefusalForSuccess(MessageQueueDpm):
    def _answered(self, message: Accepted | Declined) -> Effects:
        return super()._answered(Accepted(message.host, message.epoch, message.vpc, message.attempt))


class SendsNothingAtEquality(MessageQueueDpm):
    def _is_large(self, info: VpcInfo) -> bool:
        return self.decision.is_large(max(info.size - 1, 0), max(info.group - 1, 0))


class HasNoHysteresis(MessageQueueDpm):
    def _is_small(self, info: VpcInfo) -> bool:
        return not self._is_large(info)


class DecidesOnTheSizeBefore(MessageQueueDpm):
    def _is_small(self, info: VpcInfo) -> bool:
        return self.decision.is_small(max(info.size - 1, 0), info.group)


class CountsPortsOnly(MessageQueueDpm):
    def _is_large(self, info: VpcInfo) -> bool:
        return self.decision.is_large(info.size, 0)


class OpensAtAFifthOfThePorts(MessageQueueDpm):
    def _is_large(self, info: VpcInfo) -> bool:
        return 5 * info.size == self.decision.many_ports


class OpensAtAFifthOfTheGroup(MessageQueueDpm):
    def _is_large(self, info: VpcInfo) -> bool:
        return 5 * info.group == self.decision.many_in_a_group


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


class FailsWhatAllHaveConfirmed(MessageQueueDpm):
    def may_report_failed(self, vpc: str, revision: int) -> bool:
        return self._is_open(vpc, revision)


class CountsTheNextRevisionAsApplied(MessageQueueAca):
    def _take(self, message: Shared) -> Effects:
        effects = super()._take(message)
        if isinstance(message, Push) and self._known.get(message.vpc) == message.revision:
            self._known[message.vpc] += 1
        return effects


class NeverAcknowledges(MessageQueueAca):
    def may_acknowledge(self, message: Shared) -> bool:
        return False


class AcknowledgesWhateverComes(MessageQueueAca):
    def may_acknowledge(self, message: Shared) -> bool:
        return True


FAULTY: Final[Mapping[str, Cores | str]] = {
    "takes_a_refusal_for_success": Cores(message_queue_dpm=TakesARefusalForSuccess),
    "sends_nothing_at_equality": Cores(message_queue_dpm=SendsNothingAtEquality),
    "sends_nothing_to_the_subscribed": (
        "message_queue.decisions.Decisions.publish: drop a send: "
        "(published, *self._pushes(vpc, self._sent_beside(vpc))) → (*self._pushes(vpc, self._sent_beside(vpc)),)"
    ),
    "replays_over_newer": (
        "message_queue.aca.MessageQueueAca._take: drop a condition: "
        "if not self._is_newer(message.revision, self.known(vpc)): → nothing"
    ),
    "publishes_before_it_subscribes": (
        "message_queue.rules.Rules._asks: another member: Subscription.ASKED → Subscription.SUBSCRIBED"
    ),
    "has_no_hysteresis": Cores(message_queue_dpm=HasNoHysteresis),
    "asks_for_ever": (
        "message_queue.rules.Rules._has_patience: another comparison: "
        "member.tries < self.decision.patience → member.tries <= self.decision.patience"
    ),
    "forgets_that_it_fell_back": "message_queue.rules.Rules._bars: another constant: True → False",
    "leaves_without_a_snapshot": "message_queue.rules.Rules._sends_a_snapshot: another constant: True → False",
    "closes_the_topic_at_once": Cores(message_queue_dpm=ClosesTheTopicAtOnce),
    "counts_any_confirmation": Cores(message_queue_dpm=CountsAnyConfirmation),
    "reports_before_they_confirm": (
        "message_queue.rules.Rules._all_confirmed: another comparison: "
        "members[host].confirmed >= revision → members[host].confirmed <= revision"
    ),
    "forgets_that_it_unsubscribed": Cores(message_queue_dpm=ForgetsThatItUnsubscribed),
    "keeps_the_subscription": "message_queue.rules.Rules._ends_with_the_last_port: another constant: True → False",
    "decides_on_the_size_before": Cores(message_queue_dpm=DecidesOnTheSizeBefore),
    "counts_ports_only": Cores(message_queue_dpm=CountsPortsOnly),
    "acknowledges_whatever_comes": Cores(message_queue_aca=AcknowledgesWhateverComes),
    "takes_any_answer": Cores(message_queue_dpm=TakesAnyAnswer),
    "opens_only_with_everybody": "message_queue.rules.Rules._is_ready: drop a disjunct: member.barred → nothing",
    "publishes_while_somebody_leaves": Cores(message_queue_dpm=PublishesWhileSomebodyLeaves),
    "fails_what_all_have_confirmed": Cores(message_queue_dpm=FailsWhatAllHaveConfirmed),
    "pushes_to_nobody_on_the_topic": (
        "message_queue.decisions.Decisions.publish: drop a send: "
        "(published, *self._pushes(vpc, self._sent_beside(vpc))) → (published,)"
    ),
    "pushes_to_all_hosts": (
        "message_queue.rules.Rules._is_member: drop a conjunct: self._cache.member(host, vpc).ports > 0 → nothing"
    ),
    "remembers_who_could_not_subscribe": (
        "message_queue.decisions.Decisions.open_topic: another constant: False → True"
    ),
    "sends_the_next_revision": "message_queue.rules.Rules._next_revision: another constant: 1 → 2",
    "applies_without_confirming_it": (
        "message_queue.aca.MessageQueueAca._take: drop a send: (self._confirmation(vpc, message.revision),) → ()"
    ),
    "confirms_what_it_did_not_apply": "message_queue.aca.MessageQueueAca._applies: another constant: True → False",
    "finishes_closing_early": (
        "message_queue.decisions.Decisions.may_finish_closing: drop a conjunct: self._has_ended(info) → nothing"
    ),
    "greets_without_a_snapshot": "message_queue.dpm.MessageQueueDpm._greet: drop a send: (*pushes, *subscribes) → (*subscribes,)",
    "ends_it_at_the_broker_later": (
        "message_queue.decisions.Decisions.end_subscription: drop a send: [EndSubscription(host, vpc)] → ()"
    ),
    "opens_at_a_fifth_of_the_ports": Cores(message_queue_dpm=OpensAtAFifthOfThePorts),
    "opens_at_a_fifth_of_the_group": Cores(message_queue_dpm=OpensAtAFifthOfTheGroup),
    "closes_at_four_fifths_of_the_ports": (
        "message_queue.thresholds.Thresholds.is_small: another comparison: "
        "5 * ports < 4 * self.many_ports → 5 * ports <= 4 * self.many_ports"
    ),
    "closes_at_four_fifths_of_the_group": (
        "message_queue.thresholds.Thresholds.is_small: another comparison: "
        "5 * largest_group < 4 * self.many_in_a_group → 5 * largest_group <= 4 * self.many_in_a_group"
    ),
    "reports_done_before_it_goes_out": (
        "message_queue.rules.Rules._is_open: drop a conjunct: revision <= info.sent → nothing"
    ),
    "waits_for_newer_confirmations": (
        "message_queue.rules.Rules._all_confirmed: another comparison: "
        "members[host].confirmed >= revision → members[host].confirmed > revision"
    ),
    "counts_the_next_revision_as_applied": Cores(message_queue_aca=CountsTheNextRevisionAsApplied),
    "does_not_say_that_it_started": (
        "message_queue.aca.MessageQueueAca.begin: drop a send: self.say_hello().sends → ()"
    ),
    "ignores_confirmations": (
        "message_queue.dpm.MessageQueueDpm._confirm: drop a statement: "
        "patch.member(vpc, host, confirmed=revision) → nothing"
    ),
    "never_acknowledges": Cores(message_queue_aca=NeverAcknowledges),
    "ignores_what_is_pushed": (
        "message_queue.aca.MessageQueueAca._is_newer: negate a condition: revision > known → not revision > known"
    ),
}

WITHOUT: Final[Mapping[str, str]] = {
    "the_channels_overtake_each_other": "the same wrong core as replays_over_newer: an agent has one rule for both channels",
    "fails_what_did_not_go_out": "the same wrong core as reports_done_before_it_goes_out: both reports have one rule",
    "forgets_what_it_sent": "a store that loses what it holds, not a core that decides otherwise",
    "leaves_far_too_late": "a core with other thresholds for leaving; has_no_hysteresis changes the same rule",
    "never_unsubscribes": "nobody does it: a run in which somebody must is no vector's",
    "has_no_fallback": "nobody does it: a run in which somebody must is no vector's",
    "fails_the_newest_revision_only": "nobody does it: a run in which somebody must is no vector's",
    "waits_for_its_own_confirmation": "nobody does it: a run in which somebody must is no vector's",
    "reports_the_newest_revision_only": "nobody does it: a run in which somebody must is no vector's",
    "waits_for_the_dead": "nobody does it: a run in which somebody must is no vector's",
}
"""Variants without a faulty, each with the reason."""
