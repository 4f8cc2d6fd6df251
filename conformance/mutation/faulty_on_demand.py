"""Implementations with one rule changed: the same mistakes as the specification's variants, to see that replays catch them.

`FAULTY` has one for every variant, under its name: a mutant by its name in the mutation table, or cores where no mutant makes that
mistake. `RESTRICTIVE` has some that do nothing wrong: they leave undone what is permitted, in all situations or in some.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final

from conformance.replay.cores import Cores
from impl.core import Effects, Send
from impl.messages import Applied, Granted, Outcome, Pod, Reason, Refused, Report, Request, Route
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


class AnswersWhoHasLeft(Ncm):
    def _forget(self, host: str, registration: int) -> None:
        epoch = self._greeted.get(host)
        super()._forget(host, registration)
        if epoch is not None:
            self._greeted[host] = epoch


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
    "answers_who_has_left": Cores(ncm=AnswersWhoHasLeft),
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
}

RESTRICTIVE: Final[Mapping[str, Cores]] = {
    "never_evicts": Cores(aca=NeverEvicts),
    "evicts_only_what_is_gone": Cores(aca=EvictsOnlyWhatIsGone),
    "never_reminds": Cores(ncm=NeverReminds),
}
