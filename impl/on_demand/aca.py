"""The core of an agent (ACA): it requests a route for each destination that its pods send to and that it has no route for.

Its knowledge of a pod is a version floor that only grows. An answer installs a route; evicting the route keeps the floor. Only the
epoch is durable: an agent that restarts knows nothing, and asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from impl.core import IGNORED, REPEATED, Effects, Event, IllegalInput, Plain, Send
from impl.messages import Applied, Granted, Hello, Message, Pod, Refused, Request, Route

PACKETS_HELD_MAX: Final = 10_000
"""Packets that wait for an answer at one agent. Further packets are dropped, so that a scanning pod cannot fill the host's
memory."""


class Phase(Enum):
    """The agent's state regarding one remote pod."""

    UNKNOWN = "unknown"
    ASKING = "asking"
    INSTALLED = "installed"
    EVICTED = "evicted"
    REFUSED = "refused"


class Aca:
    """One host's agent. Feed it packets and messages; make its effects durable, publish, and acknowledge."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._epoch = 0
        self._known: dict[Pod, tuple[int, str | None]] = {}
        """The newest version seen of each pod, with its host. Versions only grow."""
        self._installed: dict[Pod, None] = {}
        """Pods with a route; all of them are known."""
        self._waiting: dict[int, tuple[Pod, Pod]] = {}
        """Held packets by request: source and destination."""
        self._paused: dict[tuple[Pod, Pod], None] = {}
        """Pairs of source and destination that were refused a moment ago."""

    # ----------------------------------------------------------------------------------------------- inputs

    def start(self) -> Effects:
        """Begins a new epoch with empty knowledge."""
        self._forget()
        self._epoch += 1
        event = Event("start", {"epoch": self._epoch}, "on-demand.restart")
        return Effects({"epoch": self._epoch}, self.say_hello().sends, (event,))

    def say_hello(self) -> Effects:
        """Repeats the greeting while no message from NCM has arrived in this epoch: NCM may have registered the host after the
        first one."""
        if self._epoch == 0:
            raise IllegalInput(f"ACA {self.host}: has not started: say hello")
        event = Event("say hello", {"message": "Hello"}, REPEATED)
        return Effects(sends=(self._to_ncm(Hello(self.host, self._epoch)),), events=(event,))

    def packet(self, request: int, source: Pod, destination: Pod) -> Effects:
        """A pod of this host sends to another pod of its VPC. The request number must be new."""
        if not self._is_local(source):
            raise IllegalInput(f"ACA {self.host}: {source} is not a pod of this host: packet")
        if source.vpc != destination.vpc or source == destination:
            return _drop("not in one VPC", source, destination, "packet.dropped")
        if self._is_usable(destination):
            place = self._known[destination][1]
            sent = {"source": source, "destination": destination, "place": place}
            return Effects(events=(Event("deliver", sent, "on-demand.deliver"),))
        if (source, destination) in self._paused:
            return _drop("refused a moment ago", source, destination, "on-demand.drop")
        if len(self._waiting) >= PACKETS_HELD_MAX:
            return _drop("too many packets are held", source, destination, "packet.dropped")
        assert request not in self._waiting, "a request's number is used once"
        self._waiting[request] = (source, destination)
        question = Request(self.host, self._epoch, request, source, destination)
        fields = {"request": request, "epoch": self._epoch, "source": source, "destination": destination}
        return Effects(sends=(self._to_ncm(question),), events=(Event("ask", fields, "on-demand.ask"),))

    def receive(self, message: Message) -> Effects:
        """Takes one message from NCM."""
        if not isinstance(message, Route | Granted | Refused) or message.host != self.host:
            return self._ignore("not for this agent", message)
        if not self._is_of_this_epoch(message.epoch):
            return self._ignore("of another epoch", message)
        match message:
            case Route():
                return self._learn(message)
            case Granted():
                return self._accept(message)
            case Refused():
                return self._give_up(message)

    def time_out(self, request: int) -> Effects:
        """No answer arrived in time."""
        if request not in self._waiting:
            raise IllegalInput(f"ACA {self.host}: no packet is held under request {request}: time out")
        return self._drop(request, "no answer", "on-demand.time_out")

    def resume(self, source: Pod, destination: Pod) -> Effects:
        """The pause after a refusal is over."""
        if (source, destination) not in self._paused:
            raise IllegalInput(f"ACA {self.host}: {source} to {destination} is not paused: resume")
        del self._paused[source, destination]
        return Effects(events=(Event("resume", {"source": source, "destination": destination}, "on-demand.resume"),))

    def evict(self, pod: Pod) -> Effects:
        """Removes an idle remote route. The version floor of the pod stays."""
        if not self.may_evict(pod):
            state = "local" if self._is_local(pod) else self.phase(pod).value
            raise IllegalInput(f"ACA {self.host}: the route to {pod} is {state}: evict")
        del self._installed[pod]
        self._forget_evicted(pod)
        return Effects(events=(Event("evict", {"pod": pod}, "on-demand.evict"),))

    # -------------------------------------------------------------------------------------------- transitions

    def _learn(self, message: Route) -> Effects:
        if not self._is_newer(message.pod, message.version):
            # Confirmed again: NCM repeats a route only if the last confirmation was lost.
            confirmed = self._confirmation(message.pod)
            return Effects(sends=(confirmed,), events=(self._ignored("not newer", message),))
        return self._see(message, "on-demand.learn")

    def _accept(self, message: Granted) -> Effects:
        newer, held = message.version > self._version(message.pod), self._is_held(message)
        learned = Effects()
        if self._takes_granted(message):
            learned = self._see(message, "" if held else "on-demand.learn_late")
        if not held:
            return learned if newer else self._ignore("no packet is held for it", message)
        source, destination = self._waiting[message.request]
        self._installed[message.pod] = None
        place = self._known[message.pod][1]
        if not self._may_release(place):
            dropped = self._drop(
                message.request, "the destination is gone", "on-demand.drop_as_gone", version=message.version
            )
            return Effects(None, learned.sends, learned.events + dropped.events)
        self._done_with(message.request)
        released = {
            "request": message.request,
            "epoch": message.epoch,
            "source": source,
            "destination": destination,
            "version": message.version,
            "place": place,
        }
        return Effects(None, learned.sends, (*learned.events, Event("release", released, "on-demand.release")))

    def _give_up(self, message: Refused) -> Effects:
        if message.request not in self._waiting:
            return self._ignore("no packet is held for it", message)
        if self._pauses():
            self._paused[self._waiting[message.request]] = None
        return self._drop(message.request, message.reason.value, "on-demand.drop_as_refused")

    def _see(self, message: Route | Granted, step: str) -> Effects:
        pod, version, place = message.pod, message.version, message.place
        newer = version > self._version(pod)
        if self._applies():
            self._known[pod] = (version, place)
        sends = (self._to_ncm(Applied(self.host, self._epoch, pod, version)),) if newer else ()
        fields = {"epoch": message.epoch, "pod": pod, "version": version, "place": place}
        if isinstance(message, Granted):
            fields["request"] = message.request
        return Effects(sends=sends, events=(Event("learn", fields, step),))

    def _confirmation(self, pod: Pod) -> Send:
        return self._to_ncm(Applied(self.host, self._epoch, pod, self._version(pod)))

    def _drop(self, request: int, reason: str, step: str, version: int = 0) -> Effects:
        source, destination = self._waiting.pop(request)
        fields = {
            "request": request,
            "epoch": self._epoch,
            "source": source,
            "destination": destination,
            "version": version,
            "reason": reason,
        }
        return Effects(events=(Event("give up", fields, step),))

    # ----------------------------------------------------------------------------- the rules, one method each

    def _is_of_this_epoch(self, epoch: int) -> bool:
        return epoch == self._epoch

    def _is_newer(self, pod: Pod, version: int) -> bool:
        return version > self._version(pod)

    def _takes_granted(self, message: Granted) -> bool:
        """A granted version raises the floor; a late one does not lower it."""
        return message.version > self._version(message.pod)

    def _is_held(self, message: Granted) -> bool:
        return self._waiting.get(message.request, (None, None))[1] == message.pod

    def _may_release(self, place: str | None) -> bool:
        return place is not None

    def _done_with(self, request: int) -> None:
        del self._waiting[request]

    def _is_usable(self, pod: Pod) -> bool:
        return self._is_local(pod) or (pod in self._installed and self._place(pod) is not None)

    def _forget_evicted(self, pod: Pod) -> None:
        """The floor stays: an older message must not count again."""

    def _applies(self) -> bool:
        return True

    def _pauses(self) -> bool:
        return True

    def _forget(self) -> None:
        self._known.clear()
        self._installed.clear()
        self._waiting.clear()
        self._paused.clear()

    # ------------------------------------------------------------------------------------------------- state

    def may_evict(self, pod: Pod) -> bool:
        """Whether a remote route to the pod is installed."""
        return pod in self._installed and not self._is_local(pod)

    @property
    def epoch(self) -> int:
        """Counts the starts; 0: not started yet."""
        return self._epoch

    def seen(self, pod: Pod) -> tuple[int, str | None]:
        """The newest version seen of a pod, and its host; version 0: none."""
        return self._known.get(pod, (0, None))

    def is_installed(self, pod: Pod) -> bool:
        """Whether a route to the pod is installed."""
        return pod in self._installed

    def holds(self, request: int, source: Pod, destination: Pod) -> bool:
        """Whether a packet from the source to the destination is held under the request."""
        return self._waiting.get(request) == (source, destination)

    def held(self) -> list[int]:
        """The requests under which packets are held."""
        return list(self._waiting)

    def paused(self) -> list[tuple[Pod, Pod]]:
        """The pairs that were refused and are not requested at the moment."""
        return list(self._paused)

    def remote(self) -> list[Pod]:
        """The pods to which a remote route is installed."""
        return [pod for pod in self._installed if self.may_evict(pod)]

    def is_paused(self, source: Pod, destination: Pod) -> bool:
        """Whether the pair was refused and is not requested at the moment."""
        return (source, destination) in self._paused

    def phase(self, pod: Pod) -> Phase:
        """The agent's state regarding a pod."""
        if pod in self._installed:
            return Phase.INSTALLED
        if any(destination == pod for _, destination in self._waiting.values()):
            return Phase.ASKING
        if any(destination == pod for _, destination in self._paused):
            return Phase.REFUSED
        return Phase.EVICTED if pod in self._known else Phase.UNKNOWN

    def _version(self, pod: Pod) -> int:
        return self._known.get(pod, (0, None))[0]

    def _place(self, pod: Pod) -> str | None:
        return self._known.get(pod, (0, None))[1]

    def _is_local(self, pod: Pod) -> bool:
        return self._place(pod) == self.host

    def _to_ncm(self, message: Hello | Request | Applied) -> Send:
        return Send(f"requests-{self.host}", message, self.host)

    def _ignore(self, reason: str, message: Message) -> Effects:
        return Effects(events=(self._ignored(reason, message),))

    def _ignored(self, reason: str, message: Message) -> Event:
        return Event("ignore", {"reason": reason, "message": type(message).__name__}, IGNORED)

    def apply(self, record: Mapping[str, Any]) -> None:
        """Repeats a change from its durable record."""
        self._epoch = record["epoch"]

    def snapshot(self) -> dict[str, Plain]:
        """The whole durable state."""
        return {"epoch": self._epoch}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Replaces the state with a snapshot."""
        self._forget()
        self._epoch = snapshot["epoch"]

    def observe(self) -> dict[str, Any]:
        """The state, for comparison: `epoch`, `known` (with places), `installed`, `waiting` and `paused`."""
        return {
            "epoch": self._epoch,
            "known": dict(self._known),
            "installed": set(self._installed),
            "waiting": dict(self._waiting),
            "paused": set(self._paused),
        }


def _drop(reason: str, source: Pod, destination: Pod, step: str) -> Effects:
    fields = {"source": source, "destination": destination, "reason": reason}
    return Effects(events=(Event("drop", fields, step),))
