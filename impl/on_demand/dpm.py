"""The core of DPM: it numbers the changes to each pod, and receives their outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from impl.core import IGNORED, Effects, Event, IllegalInput, Plain, Send
from impl.messages import Config, Message, Outcome, Pod, Report

PENDING: Final = "pending"

ENDS: Final = {PENDING: {Outcome.DONE, Outcome.SUPERSEDED, Outcome.FAILED}}
"""The legal moves of a change: it ends once, and its outcome stays."""


class Dpm:
    """Feed it decisions and reports; make its effects durable, publish, and acknowledge."""

    def __init__(self) -> None:
        self._places: dict[Pod, list[str | None]] = {}
        """The host of each version of a pod, from version 1. Entries never change."""
        self._outcomes: dict[tuple[Pod, int], str] = {}

    def place(self, pod: Pod, host: str) -> Effects:
        """Creates the pod at the host, or moves it there."""
        if self.place_of(pod) == host:
            raise IllegalInput(f"DPM: {pod} is at {host} already (version {self.latest(pod)}): place")
        return self._issue(pod, host)

    def remove(self, pod: Pod) -> Effects:
        """Removes the pod."""
        if self.place_of(pod) is None:
            raise IllegalInput(f"DPM: {pod} is nowhere (version {self.latest(pod)}): remove")
        return self._issue(pod, None)

    def resend(self, pod: Pod, version: int) -> Effects:
        """Sends a change again that has no outcome yet."""
        if self._outcomes.get((pod, version)) != PENDING:
            raise IllegalInput(f"DPM: version {version} of {pod} is not pending: resend")
        event = Event("resend", {"pod": pod, "version": version}, "on-demand.resend")
        return Effects(sends=(self._config(pod, version),), events=(event,))

    def receive(self, message: Message) -> Effects:
        """NCM reports how a change ended. The first report stays."""
        if not isinstance(message, Report):
            return self._ignore("not for DPM", message)
        state = self._outcomes.get((message.pod, message.version))
        if state is None:
            return self._ignore("about a change that was never made", message)
        if message.outcome not in ENDS.get(state, ()):
            return self._ignore("about a change that has ended", message)
        outcome = self._outcome(message).value
        return self._done(
            {"outcome": _key(message.pod), "version": message.version, "as": outcome},
            Event(
                "complete",
                {"pod": message.pod, "version": message.version, "outcome": outcome, "result": message.outcome.value},
                "on-demand.complete",
            ),
        )

    def _outcome(self, message: Report) -> Outcome:
        """The outcome that a report stands for."""
        return message.outcome

    def latest(self, pod: Pod) -> int:
        """The newest version of a pod; 0: none."""
        return len(self._places.get(pod, ()))

    def pending(self) -> list[tuple[Pod, int]]:
        """Changes without an outcome."""
        return [change for change, state in self._outcomes.items() if state == PENDING]

    def outcome_of(self, pod: Pod, version: int) -> str:
        """The outcome of a version; `none`: it was not issued."""
        return self._outcomes.get((pod, version), "none")

    def place_of(self, pod: Pod) -> str | None:
        """The host of the newest version of a pod; None: the pod does not exist."""
        return (self._places.get(pod) or [None])[-1]

    def places(self) -> dict[Pod, str]:
        """The pods that exist, each with its host."""
        placed = {pod: self.place_of(pod) for pod in self._places}
        return {pod: place for pod, place in placed.items() if place is not None}

    def _next_version(self, pod: Pod) -> int:
        """Every change has its own number."""
        return self.latest(pod) + 1

    def _issue(self, pod: Pod, place: str | None) -> Effects:
        version = self._next_version(pod)
        step = "on-demand.remove" if place is None else "on-demand.place"
        issued = Event("issue", {"pod": pod, "version": version, "place": place, "host": place}, step)
        effects = self._done({"issue": _key(pod), "version": version, "place": place}, issued)
        return Effects(effects.record, (self._config(pod, version),), effects.events)

    def _config(self, pod: Pod, version: int) -> Send:
        return Send("goal-states", Config(pod, version, self._places[pod][version - 1]), str(pod))

    def _ignore(self, reason: str, message: Message) -> Effects:
        return Effects(events=(Event("ignore", {"reason": reason, "message": type(message).__name__}, IGNORED),))

    def _done(self, record: Mapping[str, Plain], event: Event) -> Effects:
        self.apply(record)
        return Effects(record, (), (event,))

    def apply(self, record: Mapping[str, Any]) -> None:
        """Repeats a change from its durable record."""
        version: int = record["version"]
        if "issue" in record:
            pod = Pod(*record["issue"])
            places = self._places.setdefault(pod, [])
            places[version - 1 :] = [record["place"]]
            self._outcomes[pod, version] = PENDING
        else:
            self._outcomes[Pod(*record["outcome"]), version] = record["as"]

    def snapshot(self) -> dict[str, Plain]:
        """The whole durable state."""
        return {
            "places": [[*_key(pod), list(places)] for pod, places in self._places.items()],
            "outcomes": [[*_key(pod), version, state] for (pod, version), state in self._outcomes.items()],
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Replaces the state with a snapshot."""
        self._places = {Pod(vpc, address): list(places) for vpc, address, places in snapshot["places"]}
        self._outcomes = {(Pod(vpc, address), version): state for vpc, address, version, state in snapshot["outcomes"]}

    def observe(self) -> dict[str, Any]:
        """The state, for comparison: `latest`, `places` and `outcome`."""
        return {
            "latest": {pod: self.latest(pod) for pod in self._places},
            "places": {
                (pod, version): place
                for pod, places in self._places.items()
                for version, place in enumerate(places, start=1)
            },
            "outcome": dict(self._outcomes),
        }


def _key(pod: Pod) -> list[Plain]:
    return [pod.vpc, pod.address]
