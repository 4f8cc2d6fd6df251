"""The state of DPM, NCM and agents in lines of the on-demand protocol.

Every entry is read from the core, after the step, so that a missing update is visible.
"""

from __future__ import annotations

from collections.abc import Sequence

from impl.core import Event, Send
from impl.events.encoding import pod as word
from impl.events.encoding import request
from impl.events.line import Entry, State
from impl.messages import Pod, Route
from impl.on_demand.aca import Aca
from impl.on_demand.dpm import PENDING, Dpm
from impl.on_demand.ncm import Ncm


def _at(pod: Pod, version: int, place: str | None) -> tuple[Entry, ...]:
    """The host of a version; no entry if the pod is removed in it."""
    return ((word(pod), version, place, True),) if place is not None else ()


def _shown(**entries: tuple[Entry, ...]) -> State:
    return {symbol: found for symbol, found in entries.items() if found}


class OnDemandDpmProjection:
    """Projection of DPM."""

    def __init__(self, dpm: Dpm) -> None:
        self._dpm = dpm

    def after(self, event: Event, sends: Sequence[Send]) -> State:
        """The entries that an event concerns."""
        if not event.step.startswith("on-demand."):
            return {}
        dpm, pod, version = self._dpm, event.fields["pod"], event.fields["version"]
        name = word(pod)
        outcome = ((name, version, dpm.outcome_of(pod, version)),)
        if event.name != "issue":
            return {"outcome": outcome}
        latest = dpm.latest(pod)
        return _shown(latest=((name, latest),), at=_at(pod, latest, dpm.place_of(pod)), outcome=outcome)

    def state(self) -> State:
        """The whole state; of the versions' hosts, those of the newest versions, and of changes, those without an outcome."""
        seen = self._dpm.observe()
        return {
            "latest": tuple((word(pod), version) for pod, version in seen["latest"].items()),
            "at": tuple(
                entry for pod, version in seen["latest"].items() for entry in _at(pod, version, self._dpm.place_of(pod))
            ),
            "outcome": tuple(
                (word(pod), version, state) for (pod, version), state in seen["outcome"].items() if state == PENDING
            ),
        }


class OnDemandNcmProjection:
    """Projection of NCM."""

    def __init__(self, ncm: Ncm) -> None:
        self._ncm = ncm

    def after(self, event: Event, sends: Sequence[Send]) -> State:
        """The entries that an event concerns."""
        ncm, fields = self._ncm, event.fields
        match event.step:
            case "on-demand.store":
                return self._stored(fields["pod"], fields["version"], sends)
            case "on-demand.supersede" | "on-demand.report_done" | "on-demand.report_failed":
                pod, version = fields["pod"], fields["version"]
                return _shown(
                    change=((word(pod), version, ncm.outcome_of(pod, version)),),
                    pending=tuple((word(pod), version, host, True) for host in ncm.waited_for(pod, version)),
                )
            case "on-demand.greet" | "on-demand.greet_by_request" | "on-demand.deregister" | "host.registered":
                return self._of_host(fields["host"])
            case "on-demand.grant":
                return {"told": ((fields["host"], word(fields["pod"]), ncm.is_told(fields["host"], fields["pod"])),)}
            case "on-demand.acknowledge":
                return self._acknowledged(fields["confirmer"], fields["pod"], fields["version"], fields["counted"])
            case _:
                return {}

    def _stored(self, pod: Pod, version: int, sends: Sequence[Send]) -> State:
        ncm, name, place = self._ncm, word(pod), self._ncm.place_at(pod, version)
        waited = set(ncm.waited_for(pod, version))
        told = {send.message.host for send in sends if isinstance(send.message, Route)}
        hosts = sorted(waited | told | ({place} if place is not None else set()))
        return _shown(
            recorded=((name, ncm.recorded(pod)),),
            at=_at(pod, version, place),
            change=((name, version, ncm.outcome_of(pod, version)),),
            pending=tuple((name, version, host, host in waited) for host in hosts),
            told=((place, name, ncm.is_told(place, pod)),) if place is not None else (),
        )

    def _of_host(self, host: str) -> State:
        ncm = self._ncm
        epoch = ncm.met_epoch(host)
        return _shown(
            removed=((host, epoch is None),),
            greeted=((host, epoch),) if epoch is not None else (),
            told=tuple((host, word(pod), True) for pod in ncm.told_to(host)),
            pending=tuple((word(pod), version, host, True) for pod, version in ncm.owed_by(host)),
        )

    def _acknowledged(self, host: str, pod: Pod, version: int, counted: Sequence[int]) -> State:
        waited = {number for about, number in self._ncm.owed_by(host) if about == pod}
        numbers = sorted({version, *counted, *waited})
        return {"pending": tuple((word(pod), number, host, number in waited) for number in numbers)}

    def state(self) -> State:
        """The whole state; of the versions' hosts, those of the recorded versions, and of changes, the pending ones."""
        seen = self._ncm.observe()
        return {
            "recorded": tuple((word(pod), version) for pod, version in seen["recorded"].items()),
            "at": tuple(
                entry
                for pod, version in seen["recorded"].items()
                for entry in _at(pod, version, self._ncm.place_at(pod, version))
            ),
            "greeted": tuple((host, epoch) for host, epoch in seen["greeted"].items() if epoch),
            "told": tuple((host, word(pod), True) for host, pod in sorted(seen["told"])),
            "pending": tuple((word(pod), version, host, True) for pod, version, host in sorted(seen["pending"])),
            "change": tuple((word(pod), version, PENDING) for pod, version in self._ncm.pending()),
            "removed": tuple((host, True) for host in self._ncm.removed()),
        }


class OnDemandAcaProjection:
    """Projection of an agent."""

    def __init__(self, aca: Aca) -> None:
        self._aca = aca

    def after(self, event: Event, sends: Sequence[Send]) -> State:
        """The entries that an event concerns."""
        fields, aca, host = event.fields, self._aca, self._aca.host
        match event.step:
            case "on-demand.restart":
                return {"epoch": ((host, aca.epoch),)}
            case "on-demand.deliver":
                pod = fields["destination"]
                return _shown(**self._seen(pod), installed=((host, word(pod), aca.is_installed(pod)),))
            case "on-demand.learn" | "on-demand.learn_late":
                return _shown(**self._seen(fields["pod"]))
            case "on-demand.ask" | "on-demand.time_out":
                return {"waiting": self._waiting(event)}
            case "on-demand.release" | "on-demand.drop_as_gone":
                pod = fields["destination"]
                return _shown(
                    **self._seen(pod),
                    installed=((host, word(pod), aca.is_installed(pod)),),
                    waiting=self._waiting(event),
                )
            case "on-demand.drop_as_refused":
                return {"waiting": self._waiting(event), "paused": self._paused(event)}
            case "on-demand.resume" | "on-demand.drop":
                return {"paused": self._paused(event)}
            case "on-demand.evict":
                pod = fields["pod"]
                return _shown(**self._seen(pod), installed=((host, word(pod), aca.is_installed(pod)),))
            case _:
                return {}

    def _seen(self, pod: Pod) -> State:
        version, place = self._aca.seen(pod)
        return {"known": ((self._aca.host, word(pod), version),), "at": _at(pod, version, place)}

    def _waiting(self, event: Event) -> tuple[Entry, ...]:
        source, destination = event.fields["source"], event.fields["destination"]
        number = event.fields["request"]
        held = self._aca.holds(number, source, destination)
        question = request(event.fields["epoch"], number)
        return ((self._aca.host, question, word(source), word(destination), held),)

    def _paused(self, event: Event) -> tuple[Entry, ...]:
        source, destination = event.fields["source"], event.fields["destination"]
        paused = self._aca.is_paused(source, destination)
        return ((self._aca.host, word(source), word(destination), paused),)

    def state(self) -> State:
        """The whole state; of the versions' hosts, those of the known versions."""
        seen, host = self._aca.observe(), self._aca.host
        epoch: int = seen["epoch"]
        return {
            "epoch": ((host, epoch),),
            "known": tuple((host, word(pod), version) for pod, (version, _) in seen["known"].items()),
            "at": tuple(entry for pod, (version, place) in seen["known"].items() for entry in _at(pod, version, place)),
            "installed": tuple((host, word(pod), True) for pod in sorted(seen["installed"])),
            "waiting": tuple(
                (host, request(epoch, number), word(source), word(destination), True)
                for number, (source, destination) in seen["waiting"].items()
            ),
            "paused": tuple((host, word(one), word(other), True) for one, other in sorted(seen["paused"])),
        }
