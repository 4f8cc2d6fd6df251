"""Implementations with one rule changed: the same mistakes as the specification's variants, to see that replays catch them.

`FAULTY` has one for each variant, under its name: a mutant by its name in the mutation table, or cores where no mutant makes that
mistake. `WITHOUT` says of the other variants why they have none. `RESTRICTIVE` has some that do nothing wrong: they leave undone
what is permitted, in all situations or in some.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from conformance.replay.cores import Cores
from impl.core import Effects, Event, Send
from impl.messages import Applied, Config, Granted, Hello, Outcome, Pod, Reason, Refused, Report, Request, Route
from impl.on_demand.aca import Aca
from impl.on_demand.dpm import Dpm
from impl.on_demand.ncm import Ncm


class AnswersAnotherHost(Ncm):
    def _asker(self, message: Request) -> str:
        return next((host for host in self.hosts() if host != message.host), message.host)


class GrantsTheUnknown(Ncm):
    def answer(self, message: Request) -> Effects:
        effects = super().answer(message)
        return replace(effects, sends=tuple(self._consenting(send, message) for send in effects.sends))

    def _consenting(self, send: Send, message: Request) -> Send:
        refused = send.message
        if not isinstance(refused, Refused) or refused.reason not in (Reason.UNKNOWN, Reason.GONE):
            return send
        pod, version = message.destination, max(self.recorded(message.destination), 1)
        return replace(send, message=Granted(refused.host, refused.epoch, refused.request, pod, version, refused.host))


class ServesTheDeleted(Ncm):
    def _granted_version(self, pod: Pod) -> int:
        placed = [version for version, place in self._places[pod].items() if place is not None]
        return min(placed, default=self.recorded(pod))


class OlderOverwritesNewer(Ncm):
    def _is_newer(self, pod: Pod, version: int) -> bool:
        return True


class IgnoresARestart(Ncm):
    def _told_after_greeting(self, host: str) -> list[Pod]:
        return sorted(pod for told, pod in self._told if told == host)

    def _sent_after_greeting(self, host: str) -> list[Pod]:
        return []


class PushesToAll(Ncm):
    def _sent_to(self, pod: Pod, place: str | None) -> list[str]:
        return self.hosts()


class ConfirmsForAnother(Ncm):
    def _confirmer(self, message: Applied) -> str:
        return next((host for _, _, host in sorted(self._pending) if host != message.host), message.host)


class TellsOnlyTheHome(Ncm):
    def _sent_to(self, pod: Pod, place: str | None) -> list[str]:
        return [place] if place is not None and place in self._greeted else []


class GreetsWithoutSending(Ncm):
    def _sent_after_greeting(self, host: str) -> list[Pod]:
        return []


class GrantsTheNextVersion(Ncm):
    def answer(self, message: Request) -> Effects:
        effects = super().answer(message)
        sends = tuple(
            replace(send, message=replace(send.message, version=send.message.version + 1))
            if isinstance(send.message, Granted)
            else send
            for send in effects.sends
        )
        return replace(effects, sends=sends)


class TellsTheHomeNothing(Ncm):
    def _told_by_storing(self, place: str | None) -> str | None:
        return None


class ForgetsWhoHasConfirmed(Ncm):
    def confirm(self, message: Applied) -> Effects:
        effects = super().confirm(message)
        if effects.record is not None:
            self._told.discard((message.host, message.pod))
        return effects


class SendsToAHomeThatHasLeft(Ncm):
    def _store(self, message: Config) -> Effects:
        effects, home = super()._store(message), message.place
        if home is None or home not in self.removed():
            return effects
        route = Send(f"inbox-{home}", Route(home, 1, message.pod, message.version, home), home)
        return replace(effects, sends=(*effects.sends, route))


class RefusesWhatIsPlaced(Ncm):
    def _refusal(self, message: Request) -> Reason | None:
        return super()._refusal(message) or Reason.GONE


class SaysUnknownOfTheGone(Ncm):
    def _refusal(self, message: Request) -> Reason | None:
        reason = super()._refusal(message)
        return Reason.UNKNOWN if reason is Reason.GONE else reason


class WaitsForTheHomeOnly(Ncm):
    def _concerned(self, pod: Pod, place: str | None) -> list[str]:
        return [place] if place is not None and place in self._greeted else []

    def _sent_to(self, pod: Pod, place: str | None) -> list[str]:
        return super()._concerned(pod, place)


class FailsAtOnce(Ncm):
    def report_failed(self, pod: Pod, version: int) -> Effects:
        if (pod, version) not in self.pending():
            return super().report_failed(pod, version)
        return self._end(pod, version, Outcome.FAILED)


class SaysOtherVpcOfTheUnknown(Ncm):
    def _refusal(self, message: Request) -> Reason | None:
        reason = super()._refusal(message)
        return Reason.OTHER_VPC if reason is Reason.UNKNOWN else reason


class ExplainsToAnyTenant(Ncm):
    def _refusal(self, message: Request) -> Reason | None:
        reason = super()._refusal(message)
        own = [pod for pod in self._at(message.host) if pod.vpc == message.source.vpc]
        if reason is not Reason.NOT_YOUR_SOURCE or not own:
            return reason
        return super()._refusal(replace(message, source=own[0])) or Reason.GONE


class RefusesEveryHost(Ncm):
    def _refuse(self, asker: str, message: Request, reason: Reason, step: str = "on-demand.refuse") -> Effects:
        effects = super()._refuse(asker, message, reason, step)
        others = [host for host, epoch in self._greeted.items() if host != asker and epoch == message.epoch]
        reasons = {other: self._refusal(replace(message, host=other)) for other in others}
        sends = (
            Send(f"inbox-{other}", Refused(other, message.epoch, message.request, why), other)
            for other, why in reasons.items()
            if why is not None
        )
        return replace(effects, sends=(*effects.sends, *sends))


class AnswersWithoutGreeting(Ncm):
    def greet(self, message: Hello | Request) -> Effects:
        return Effects() if isinstance(message, Request) else super().greet(message)

    def _is_of_this_epoch(self, message: Request) -> bool:
        return self._greeted.get(message.host, 0) <= message.epoch


class SaysSupersededOfTheFailed(Ncm):
    def _end(self, pod: Pod, version: int, outcome: Outcome) -> Effects:
        effects = super()._end(pod, version, outcome)
        if outcome is not Outcome.FAILED or effects.record is None:
            return effects
        record = {**effects.record, "as": Outcome.SUPERSEDED.value}
        self.apply(record)
        report = Report(pod, version, Outcome.SUPERSEDED)
        return Effects(record, tuple(replace(send, message=report) for send in effects.sends), effects.events)


class LosesAHeldPacket(Aca):
    def time_out(self, request: int) -> Effects:
        super().time_out(request)
        return Effects()


class HoldsAgainAfterAPause(Aca):
    def __init__(self, host: str) -> None:
        super().__init__(host)
        self._refused: dict[tuple[Pod, Pod], int] = {}

    def _give_up(self, message: Refused) -> Effects:
        if message.request in self._waiting:
            self._refused[self._waiting[message.request]] = message.request
        return super()._give_up(message)

    def resume(self, source: Pod, destination: Pod) -> Effects:
        effects = super().resume(source, destination)
        self._waiting[self._refused[source, destination]] = (source, destination)
        return effects


class ReleasesAndDrops(Aca):
    def _accept(self, message: Granted) -> Effects:
        effects = super()._accept(message)
        released = [event for event in effects.events if event.name == "release"]
        dropped = (Event("give up", {**event.fields, "reason": "it is sent"}, event.step) for event in released)
        return replace(effects, events=(*effects.events, *dropped))


class AsksInItsOwnName(Aca):
    def packet(self, request: int, source: Pod, destination: Pod) -> Effects:
        if source != destination or self._is_local(source):
            return super().packet(request, source, destination)
        self._waiting[request] = (source, destination)
        question = Request(self.host, self._epoch, request, source, destination)
        return Effects(sends=(self._to_ncm(question),))


class ForgetsWhatIsComplete(Dpm):
    def apply(self, record: Mapping[str, Any]) -> None:
        super().apply(record)
        if "outcome" in record:
            places = self._places[Pod(*record["outcome"])]
            if record["version"] < len(places):
                places[record["version"] - 1] = None


class FillsInTheVersionBefore(Dpm):
    def apply(self, record: Mapping[str, Any]) -> None:
        super().apply(record)
        places = self._places[Pod(*record["issue"])] if "issue" in record else []
        if len(places) > 1:
            places[-2] = places[-2] or places[-1]


class ForgetsOnEvicting(Aca):
    def _forget_evicted(self, pod: Pod) -> None:
        del self._known[pod]


class TakesTheGrantedForTheNewest(Aca):
    def _takes_granted(self, message: Granted) -> bool:
        return True


class AppliesWithoutConfirming(Aca):
    def _learn(self, message: Route) -> Effects:
        return replace(super()._learn(message), sends=())


class DeliversWithoutARoute(Aca):
    def _is_usable(self, pod: Pod) -> bool:
        return pod in self._known


class RemembersOverARestart(Aca):
    _kept: ClassVar[dict[str, dict[Pod, tuple[int, str | None]]]] = {}

    def start(self) -> Effects:
        effects = super().start()
        if self._epoch > 1:
            self._known = self._kept.get(self.host, {})
        self._kept[self.host] = self._known
        return effects


class TakesEveryReportForDone(Dpm):
    def _outcome(self, message: Report) -> Outcome:
        return Outcome.DONE


class NeverEvicts(Aca):
    def evict(self, pod: Pod) -> Effects:
        return Effects()


class EvictsOnlyWhatIsGone(Aca):
    def may_evict(self, pod: Pod) -> bool:
        return super().may_evict(pod) and self._known[pod][1] is None


class NeverReminds(Ncm):
    def remind(self, host: str, pod: Pod) -> Effects:
        return Effects()


FAULTY: Final[Mapping[str, Cores | str]] = {
    "answers_another_host": Cores(ncm=AnswersAnotherHost),
    "grants_the_unknown": Cores(ncm=GrantsTheUnknown),
    "answers_in_anothers_name": "on_demand.ncm.Ncm._refusal: drop a condition: if not self._source_is_its_own(message): → nothing",
    "leaks_to_another_tenant": "on_demand.ncm.Ncm._refusal: drop a condition: if not self._in_one_vpc(message): → nothing",
    "serves_the_deleted": Cores(ncm=ServesTheDeleted),
    "older_overwrites_newer": Cores(ncm=OlderOverwritesNewer),
    "forgets_whom_it_told": "on_demand.ncm.Ncm._marks_told: another constant: True → False",
    "ignores_a_restart": Cores(ncm=IgnoresARestart),
    "pushes_to_all": Cores(ncm=PushesToAll),
    "reports_without_waiting": "on_demand.ncm.Ncm._all_confirmed: another constant: 0 → 1",
    "tells_the_home_nothing": Cores(ncm=TellsTheHomeNothing),
    "forgets_who_has_confirmed": Cores(ncm=ForgetsWhoHasConfirmed),
    "sends_to_a_home_that_has_left": Cores(ncm=SendsToAHomeThatHasLeft),
    "refuses_what_is_placed": Cores(ncm=RefusesWhatIsPlaced),
    "says_unknown_of_the_gone": Cores(ncm=SaysUnknownOfTheGone),
    "waits_for_the_home_only": Cores(ncm=WaitsForTheHomeOnly),
    "fails_at_once": Cores(ncm=FailsAtOnce),
    "learns_the_older": (
        "on_demand.aca.Aca._learn: drop a condition: if not self._is_newer(message.pod, message.version): → nothing"
    ),
    "forgets_on_evicting": Cores(aca=ForgetsOnEvicting),
    "takes_the_granted_for_the_newest": Cores(aca=TakesTheGrantedForTheNewest),
    "listens_to_older_epochs": (
        "on_demand.aca.Aca.receive: drop a condition: if not self._is_of_this_epoch(message.epoch): → nothing"
    ),
    "releases_to_nowhere": "on_demand.aca.Aca._accept: drop a condition: if not self._may_release(place): → nothing",
    "confirms_for_another": Cores(ncm=ConfirmsForAnother),
    "counts_older_for_newer": "on_demand.ncm.Ncm.confirm: drop a conjunct: self._counts(message.version, version) → nothing",
    "confirms_without_applying": "on_demand.aca.Aca._applies: another constant: True → False",
    "answers_older_epochs": "on_demand.ncm.Ncm.answer: drop a condition: if not self._is_of_this_epoch(message): → nothing",
    "tells_only_the_home": Cores(ncm=TellsOnlyTheHome),
    "greets_without_sending": Cores(ncm=GreetsWithoutSending),
    "grants_the_next_version": Cores(ncm=GrantsTheNextVersion),
    "applies_without_confirming": Cores(aca=AppliesWithoutConfirming),
    "releases_again": "on_demand.aca.Aca._done_with: drop a statement: del self._waiting[request] → nothing",
    "reuses_a_version": "on_demand.dpm.Dpm._next_version: drop an operand: self.latest(pod) + 1 → 1",
    "delivers_without_a_route": Cores(aca=DeliversWithoutARoute),
    "asks_for_another": "on_demand.aca.Aca.packet: drop a condition: if not self._is_local(source): → nothing",
    "takes_every_report_for_done": Cores(dpm=TakesEveryReportForDone),
    "remembers_over_a_restart": Cores(aca=RemembersOverARestart),
    "answers_about_the_source": "on_demand.ncm.Ncm.answer: another field: message.destination → message.source",
    "refuses_every_host": Cores(ncm=RefusesEveryHost),
    "explains_to_any_tenant": Cores(ncm=ExplainsToAnyTenant),
    "says_unknown_of_another_vpc": "on_demand.ncm.Ncm._refusal: another member: Reason.OTHER_VPC → Reason.UNKNOWN",
    "says_other_vpc_of_the_unknown": Cores(ncm=SaysOtherVpcOfTheUnknown),
    "answers_without_greeting": Cores(ncm=AnswersWithoutGreeting),
    "loses_a_held_packet": Cores(aca=LosesAHeldPacket),
    "holds_again_after_a_pause": Cores(aca=HoldsAgainAfterAPause),
    "releases_and_drops": Cores(aca=ReleasesAndDrops),
    "releases_without_a_route": (
        "on_demand.aca.Aca._accept: drop a statement: self._installed[message.pod] = None → nothing"
    ),
    "delivers_for_another": "on_demand.aca.Aca.packet: drop a condition: if not self._is_local(source): → nothing",
    "delivers_to_another_vpc": "on_demand.aca.Aca.packet: drop a disjunct: source.vpc != destination.vpc → nothing",
    "asks_in_its_own_name": Cores(aca=AsksInItsOwnName),
    "forgets_what_is_complete": Cores(dpm=ForgetsWhatIsComplete),
    "fills_in_the_version_before": Cores(dpm=FillsInTheVersionBefore),
    "issues_without_sending": "on_demand.dpm.Dpm._issue: drop a send: (self._config(pod, version),) → ()",
    "ends_without_reporting": (
        "on_demand.ncm.Ncm._end: drop a send: (Send('outcomes', Report(pod, version, outcome), str(pod)),) → ()"
    ),
    "waits_for_the_told_only": (
        "on_demand.ncm.Ncm._concerned: drop an operand: "
        "told | ({place} if place in self._greeted and place is not None else set()) → told"
    ),
    "says_superseded_of_the_failed": Cores(ncm=SaysSupersededOfTheFailed),
    "restarts_in_silence": "on_demand.aca.Aca.start: drop a send: self.say_hello().sends → ()",
}

WITHOUT: Final[Mapping[str, str]] = {
    "grants_a_host_that_has_left": "NCM does not listen to a host that has left, so its core does not come to answer",
    "refuses_a_host_that_has_left": "NCM does not listen to a host that has left, so its core does not come to answer",
    "greets_a_host_that_has_left": "NCM does not listen to a host that has left, so its core does not come to greet",
    "times_out_what_is_not_held": "an agent does not know the pods of a packet that it does not hold",
    "confirms_no_failed_version": "an agent does not know which versions have failed",
}
"""Variants without a faulty implementation, each with the reason."""

RESTRICTIVE: Final[Mapping[str, Cores]] = {
    "never_evicts": Cores(aca=NeverEvicts),
    "evicts_only_what_is_gone": Cores(aca=EvictsOnlyWhatIsGone),
    "never_reminds": Cores(ncm=NeverReminds),
}
