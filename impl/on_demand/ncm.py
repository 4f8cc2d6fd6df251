"""The core of NCM: the newest version of every pod, the hosts that were told of it, and the hosts that still have to confirm it.

Every state change is one durable record. The same code applies it when it happens and when it is read back after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from impl.core import IGNORED, Effects, Event, IllegalInput, Plain, Send, joined
from impl.messages import (
    Applied,
    Config,
    Deregistered,
    Granted,
    Hello,
    Message,
    Outcome,
    Pod,
    Reason,
    Refused,
    Registered,
    Report,
    Request,
    Route,
)

PENDING: Final = "pending"

ENDS: Final = {PENDING: {Outcome.DONE, Outcome.FAILED}, None: {Outcome.SUPERSEDED}}
"""The legal moves of a change at NCM; None: NCM has not received it."""

ENDED: Final = {
    Outcome.DONE: "on-demand.report_done",
    Outcome.FAILED: "on-demand.report_failed",
    Outcome.SUPERSEDED: "on-demand.supersede",
}
"""The step that ends a change with this outcome."""


@dataclass(frozen=True, slots=True)
class Channel:
    """The origin of a message, as authenticated by the transport. What the payload claims does not count."""

    role: str
    """`dpm` or `host`."""
    host: str = ""


class Ncm:
    """Feed it messages with their channel; make its effects durable, publish, and acknowledge."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._places: dict[Pod, dict[int, str | None]] = {}
        """The host of each stored version of a pod; the largest version is the recorded one."""
        self._newest: dict[Pod, int] = {}
        """That largest version, cached because there may be very many."""
        self._greeted: dict[str, int] = {}
        """The registered hosts, each with the newest epoch seen; 0: none yet."""
        self._registrations: dict[str, int] = {}
        """The newest registration received for every host that was ever registered. It only grows."""
        self._told: set[tuple[str, Pod]] = set()
        """Invariant: the host of every pair is registered, and its pod recorded."""
        self._pending: set[tuple[Pod, int, str]] = set()
        """Invariant: the change of every entry is pending, and its host was told of the pod."""
        self._changes: dict[tuple[Pod, int], str] = {}
        """Every change received: pending, or its outcome."""
        self._under_way: dict[tuple[Pod, int], None] = {}
        """The pending changes, oldest first. They are few, while the relations above grow with the history."""

    # --------------------------------------------------------------------------------------------- messages

    def receive(self, message: Message, channel: Channel) -> Effects:
        """Takes one message. A request of a new epoch greets and is answered at once."""
        match message:
            case Config() | Registered() | Deregistered() if channel.role != "dpm":
                return self._ignore("not from DPM", message)
            case Config():
                return self.configure(message)
            case Registered():
                return self.register(message)
            case Deregistered():
                return self.deregister(message)
            case Request() if not self._speaks_for(message.host, channel):
                return self._turn_down(message, channel)
            case Hello() | Applied() if not self._speaks_for(message.host, channel):
                return self._ignore("from the channel of another", message)
            case Hello():
                return self.greet(message)
            case Request():
                greeting = self.greet(message) if self._is_new(message.host, message.epoch) else Effects()
                return joined(greeting, self.answer(message))
            case Applied():
                return self.confirm(message)
            case _:
                return self._ignore("not for NCM", message)

    def register(self, message: Registered) -> Effects:
        """The host takes part from now on. A host that is registered again starts with empty state."""
        host, registration = message.host, message.registration
        if registration <= self._registrations.get(host, 0):
            return Effects(events=(self._ignored("registered already", message),))
        record: dict[str, Plain] = {"do": "register", "host": host, "registration": registration}
        fields = {"host": host, "registration": registration}
        return self._done(record, events=(Event("register", fields, "host.registered"),))

    def deregister(self, message: Deregistered) -> Effects:
        """The host no longer takes part: nothing is sent to it, and no change waits for it."""
        host, registration = message.host, message.registration
        if host not in self._greeted or registration < self._registrations[host]:
            return Effects(events=(self._ignored("not registered", message),))
        record: dict[str, Plain] = {"do": "deregister", "host": host, "registration": registration}
        return self._done(record, events=(Event("deregister", {"host": host}, "on-demand.deregister"),))

    def configure(self, message: Config) -> Effects:
        """A version from DPM: stored if it is newer, superseded if it comes too late, and reported again if it has ended."""
        pod, version = message.pod, message.version
        state = self._changes.get((pod, version))
        if state is not None:
            return self._repeated(message, state)
        if self._is_newer(pod, version):
            return self._store(message)
        return self._end(pod, version, Outcome.SUPERSEDED)

    def _repeated(self, message: Config, state: str) -> Effects:
        stored = self._places.get(message.pod, {})
        if message.version in stored and stored[message.version] != message.place:
            return self._ignore("another place for a version that is stored", message)
        if state == PENDING:
            return self._ignore("stored already", message)
        report = Report(message.pod, message.version, Outcome(state))
        ended = self._ignored("ended already", message)
        return Effects(sends=(Send("outcomes", report, str(message.pod)),), events=(ended,))

    def _store(self, message: Config) -> Effects:
        pod, version, place = message.pod, message.version, message.place
        concerned = self._concerned(pod, place)
        effects = self._done(
            {
                "do": "store",
                "pod": _key(pod),
                "version": version,
                "place": place,
                "confirm": list(concerned),
                "told": self._told_by_storing(place),
            }
        )
        sends = tuple(self._route(host, pod, version) for host in self._sent_to(pod, place) if self._greeted[host])
        return Effects(effects.record, sends, (Event("store", {"pod": pod, "version": version}, "on-demand.store"),))

    def greet(self, message: Hello | Request) -> Effects:
        """The agent has restarted and knows nothing: the pods placed at its host are sent again."""
        host, epoch = message.host, message.epoch
        if host not in self._greeted:
            return self._ignore("not registered", message)
        if not self._is_new(host, epoch):
            return self._ignore("epoch met already", message)
        kept = self._told_after_greeting(host)
        effects = self._done({"do": "greet", "host": host, "epoch": epoch, "told": [_key(pod) for pod in kept]})
        sends = tuple(self._route(host, pod, self.recorded(pod)) for pod in self._sent_after_greeting(host))
        event = Event("greet", {"host": host, "epoch": epoch}, "on-demand.greet")
        if isinstance(message, Request):
            event = Event("greet", _asked(message), "on-demand.greet_by_request")
        return Effects(effects.record, sends, (event,))

    def answer(self, message: Request) -> Effects:
        """Answers a request of the present epoch: granted, or refused with the reason."""
        host = message.host
        if host not in self._greeted:
            return self._ignore("not registered", message)
        if not self._is_of_this_epoch(message):
            return self._ignore("of another epoch", message)
        reason = self._refusal(message)
        asker = self._asker(message)
        if reason is not None:
            return self._refuse(asker, message, reason)
        pod = message.destination
        version = self._granted_version(pod)
        new = (host, pod) not in self._told and self._marks_told()
        effects = self._done({"do": "tell", "host": host, "pod": _key(pod)}) if new else Effects()
        granted = Granted(asker, message.epoch, message.request, pod, version, self._places[pod][version] or "")
        event = Event("grant", {**_asked(message), "pod": pod, "version": version}, "on-demand.grant")
        return Effects(effects.record, (Send(f"inbox-{asker}", granted, asker),), (event,))

    def _turn_down(self, message: Request, channel: Channel) -> Effects:
        """A request in another host's name: the owner of the channel is refused, and the host that the request names receives
        nothing."""
        if self._greeted.get(channel.host) != message.epoch:
            return self._ignore("from the channel of another", message)
        return self._refuse(channel.host, message, Reason.NOT_YOUR_CHANNEL, "request.turned_down")

    def _refuse(self, asker: str, message: Request, reason: Reason, step: str = "on-demand.refuse") -> Effects:
        refused = Refused(asker, message.epoch, message.request, reason)
        fields = {**_asked(message), "host": asker, "named": message.host, "reason": reason.value}
        event = Event("refuse", fields, step)
        return Effects(sends=(Send(f"inbox-{asker}", refused, asker),), events=(event,))

    def confirm(self, message: Applied) -> Effects:
        """A host knows a version: it need not confirm this or any older version again."""
        if self._greeted.get(message.host) != message.epoch:
            return self._ignore("of another epoch", message)
        if message.version > self.recorded(message.pod):
            return self._ignore("of a version that is not recorded", message)
        host = self._confirmer(message)
        counted = sorted(
            version
            for pod, version, waited in self._pending
            if pod == message.pod and waited == host and self._counts(message.version, version)
        )
        if not counted:
            return self._ignore("nothing to confirm", message)
        record: dict[str, Plain] = {"do": "confirm", "host": host, "pod": _key(message.pod), "versions": [*counted]}
        said = {"host": message.host, "epoch": message.epoch, "pod": message.pod, "version": message.version}
        fields = {**said, "confirmer": host, "counted": counted}
        return self._done(record, events=(Event("confirm", fields, "on-demand.acknowledge"),))

    # ------------------------------------------------------------------------------------ spontaneous actions

    def due(self) -> list[tuple[Pod, int]]:
        """Changes that all hosts have confirmed."""
        waited_for = {(pod, version) for pod, version, _ in self._pending}
        return [change for change in self.pending() if change not in waited_for]

    def report_done(self, pod: Pod, version: int) -> Effects:
        """Reports a change as done."""
        if self._changes.get((pod, version)) != PENDING or not self._all_confirmed(pod, version):
            raise IllegalInput(f"NCM: version {version} of {pod} is not confirmed by all: report done")
        return self._end(pod, version, Outcome.DONE)

    def report_failed(self, pod: Pod, version: int) -> Effects:
        """Reports a change as failed: a host has not confirmed it for too long."""
        if self._changes.get((pod, version)) != PENDING or self._all_confirmed(pod, version):
            raise IllegalInput(f"NCM: nobody is waited for at version {version} of {pod}: report failed")
        return self._end(pod, version, Outcome.FAILED)

    def pending(self) -> list[tuple[Pod, int]]:
        """Pending changes."""
        return list(self._under_way)

    def was_met(self, host: str) -> bool:
        """Whether the host is registered and its agent has sent a message."""
        return self._greeted.get(host, 0) > 0

    def met_epoch(self, host: str) -> int | None:
        """The newest epoch seen of a registered host, 0: none yet; None: the host is not registered."""
        return self._greeted.get(host)

    def retell(self) -> Effects:
        """Sends every known host the newest version of each pod that it was told of, for a transport that keeps no message
        beyond its process."""
        told = [(host, pod) for host, pod in sorted(self._told) if self._greeted[host]]
        return Effects(sends=tuple(self._route(host, pod, self.recorded(pod)) for host, pod in told))

    def unconfirmed(self) -> list[tuple[str, Pod]]:
        """Pairs of a host and a pod that the host still has to confirm."""
        return sorted({(host, pod) for pod, _, host in self._pending})

    def remind(self, host: str, pod: Pod) -> Effects:
        """Sends the recorded version again to a host that has not confirmed it."""
        waited_for = any(entry[0] == pod and entry[2] == host for entry in self._pending)
        if not waited_for or not self._greeted.get(host):
            raise IllegalInput(f"NCM: {host} is not waited for about {pod}, or was never met: remind")
        event = Event("remind", {"host": host, "pod": pod}, "on-demand.remind")
        return Effects(sends=(self._route(host, pod, self.recorded(pod)),), events=(event,))

    # ----------------------------------------------------------------------------- the rules, one method each

    def _speaks_for(self, host: str, channel: Channel) -> bool:
        return channel.role == "host" and channel.host == host

    def _is_new(self, host: str, epoch: int) -> bool:
        return epoch > self._greeted.get(host, epoch)

    def _is_of_this_epoch(self, message: Request) -> bool:
        return self._greeted.get(message.host) == message.epoch

    def _is_newer(self, pod: Pod, version: int) -> bool:
        return version > self.recorded(pod)

    def _concerned(self, pod: Pod, place: str | None) -> list[str]:
        """The hosts that must confirm a new version: all that were told of the pod, and its new host."""
        told = {host for host in self._greeted if (host, pod) in self._told}
        return sorted(told | ({place} if place in self._greeted and place is not None else set()))

    def _sent_to(self, pod: Pod, place: str | None) -> list[str]:
        return self._concerned(pod, place)

    def _told_by_storing(self, place: str | None) -> str | None:
        return place if place in self._greeted else None

    def _told_after_greeting(self, host: str) -> list[Pod]:
        return self._at(host)

    def _sent_after_greeting(self, host: str) -> list[Pod]:
        return self._at(host)

    def _source_is_its_own(self, message: Request) -> bool:
        return self._home(message.source) == message.host

    def _in_one_vpc(self, message: Request) -> bool:
        return message.source.vpc == message.destination.vpc

    def _refusal(self, message: Request) -> Reason | None:
        """The sender is checked first, so that an unauthorized sender learns nothing from the reason."""
        if not self._source_is_its_own(message):
            return Reason.NOT_YOUR_SOURCE
        if not self._in_one_vpc(message):
            return Reason.OTHER_VPC
        if not self.recorded(message.destination):
            return Reason.UNKNOWN
        if self._places[message.destination][self._granted_version(message.destination)] is None:
            return Reason.GONE
        return None

    def _granted_version(self, pod: Pod) -> int:
        return self.recorded(pod)

    def _marks_told(self) -> bool:
        return True

    def _asker(self, message: Request) -> str:
        return message.host

    def _confirmer(self, message: Applied) -> str:
        return message.host

    def _counts(self, confirmed: int, waited_for: int) -> bool:
        return waited_for <= confirmed

    def _all_confirmed(self, pod: Pod, version: int) -> bool:
        return not any(entry[0] == pod and entry[1] == version for entry in self._pending)

    # ------------------------------------------------------------------------------------------------- state

    def recorded(self, pod: Pod) -> int:
        """The newest version stored; 0: none."""
        return self._newest.get(pod, 0)

    def hosts(self) -> list[str]:
        """The registered hosts."""
        return sorted(self._greeted)

    def removed(self) -> list[str]:
        """The hosts that were registered and no longer are."""
        return sorted(self._registrations.keys() - self._greeted.keys())

    def place_at(self, pod: Pod, version: int) -> str | None:
        """The pod's host in a stored version; None: the pod is removed in it, or the version is not stored."""
        return self._places.get(pod, {}).get(version)

    def outcome_of(self, pod: Pod, version: int) -> str:
        """The outcome of a version; `none`: it was never received."""
        return self._changes.get((pod, version), "none")

    def is_told(self, host: str, pod: Pod) -> bool:
        """Whether the host is told of every newer version of the pod."""
        return (host, pod) in self._told

    def told_to(self, host: str) -> list[Pod]:
        """The pods that the host was told of."""
        return sorted(pod for told, pod in self._told if told == host)

    def waited_for(self, pod: Pod, version: int) -> list[str]:
        """The hosts that still have to confirm the version."""
        return sorted(host for about, number, host in self._pending if (about, number) == (pod, version))

    def owed_by(self, host: str) -> list[tuple[Pod, int]]:
        """The versions that the host still has to confirm."""
        return sorted((pod, version) for pod, version, waited in self._pending if waited == host)

    def _home(self, pod: Pod) -> str | None:
        return self._places[pod][self.recorded(pod)] if pod in self._places else None

    def _at(self, host: str) -> list[Pod]:
        return sorted(pod for pod in self._places if self._home(pod) == host)

    def _route(self, host: str, pod: Pod, version: int) -> Send:
        return Send(f"inbox-{host}", Route(host, self._greeted[host], pod, version, self._places[pod][version]), host)

    def _end(self, pod: Pod, version: int, outcome: Outcome) -> Effects:
        assert outcome in ENDS[self._changes.get((pod, version))]
        effects = self._done({"do": "end", "pod": _key(pod), "version": version, "as": outcome.value})
        event = Event("end", {"pod": pod, "version": version, "outcome": outcome.value}, ENDED[outcome])
        return Effects(effects.record, (Send("outcomes", Report(pod, version, outcome), str(pod)),), (event,))

    def _ignore(self, reason: str, message: Message) -> Effects:
        return Effects(events=(self._ignored(reason, message),))

    def _ignored(self, reason: str, message: Message) -> Event:
        return Event("ignore", {"reason": reason, "message": type(message).__name__}, IGNORED)

    def _done(self, record: Mapping[str, Plain], events: tuple[Event, ...] = ()) -> Effects:
        self.apply(record)
        return Effects(record, (), events)

    def apply(self, record: Mapping[str, Any]) -> None:
        """Repeats a change from its durable record."""
        for part in record.get("all", [record]):
            self._apply(part)

    def _apply(self, record: Mapping[str, Any]) -> None:
        host: str = record.get("host", "")
        match record["do"]:
            case "register":
                self._forget(host, record["registration"])
                self._greeted[host] = 0
                self._told |= {(host, pod) for pod in self._at(host)}
            case "deregister":
                self._forget(host, record["registration"])
            case "store":
                pod, version = Pod(*record["pod"]), record["version"]
                self._places.setdefault(pod, {})[version] = record["place"]
                self._newest[pod] = max(version, self._newest.get(pod, 0))
                self._changes[pod, version] = PENDING
                self._under_way[pod, version] = None
                self._pending |= {(pod, version, waited) for waited in record["confirm"]}
                if record["told"] is not None:
                    self._told.add((record["told"], pod))
            case "greet":
                self._greeted[host] = record["epoch"]
                kept = {Pod(*key) for key in record["told"]}
                self._told = {entry for entry in self._told if entry[0] != host} | {(host, pod) for pod in kept}
                self._pending = {entry for entry in self._pending if entry[2] != host or entry[0] in kept}
            case "tell":
                self._told.add((host, Pod(*record["pod"])))
            case "confirm":
                pod = Pod(*record["pod"])
                self._pending -= {(pod, version, host) for version in record["versions"]}
            case "end":
                pod, version = Pod(*record["pod"]), record["version"]
                self._changes[pod, version] = record["as"]
                self._under_way.pop((pod, version), None)
                self._pending = {entry for entry in self._pending if entry[:2] != (pod, version)}
            case unknown:
                raise AssertionError(f"a record of an unknown kind: {unknown}")

    def _forget(self, host: str, registration: int) -> None:
        self._registrations[host] = registration
        self._greeted.pop(host, None)
        self._told = {entry for entry in self._told if entry[0] != host}
        self._pending = {entry for entry in self._pending if entry[2] != host}

    def snapshot(self) -> dict[str, Plain]:
        """The whole durable state."""
        return {
            "places": [
                [*_key(pod), version, place]
                for pod, places in self._places.items()
                for version, place in places.items()
            ],
            "registrations": dict(self._registrations.items()),
            "greeted": dict(self._greeted.items()),
            "told": [[host, *_key(pod)] for host, pod in sorted(self._told)],
            "pending": [[*_key(pod), version, host] for pod, version, host in sorted(self._pending)],
            "changes": [[*_key(pod), version, state] for (pod, version), state in self._changes.items()],
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Replaces the state with a snapshot."""
        self._clear()
        for vpc, address, version, place in snapshot["places"]:
            self._places.setdefault(Pod(vpc, address), {})[version] = place
        self._newest = {pod: max(places) for pod, places in self._places.items()}
        self._registrations = dict(snapshot["registrations"])
        self._greeted = dict(snapshot["greeted"])
        self._told = {(host, Pod(vpc, address)) for host, vpc, address in snapshot["told"]}
        self._pending = {(Pod(vpc, address), version, host) for vpc, address, version, host in snapshot["pending"]}
        self._changes = {(Pod(vpc, address), version): state for vpc, address, version, state in snapshot["changes"]}
        self._under_way = {change: None for change, state in self._changes.items() if state == PENDING}

    def observe(self) -> dict[str, Any]:
        """The state, for comparison: `recorded`, `greeted`, `told`, `pending` and `change`."""
        return {
            "recorded": {pod: self.recorded(pod) for pod in self._places},
            "greeted": dict(self._greeted),
            "told": set(self._told),
            "pending": set(self._pending),
            "change": dict(self._changes),
        }


def _asked(message: Request) -> dict[str, Any]:
    """The fields of a request, for events."""
    return {
        "host": message.host,
        "epoch": message.epoch,
        "request": message.request,
        "source": message.source,
        "destination": message.destination,
    }


def _key(pod: Pod) -> list[Plain]:
    return [pod.vpc, pod.address]
