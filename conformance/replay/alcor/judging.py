"""Compares what NCM does with the run of the specification: the goal states that arrive at hosts, and what DPM is told.

A goal state may come again, or late; nothing may come that the run has not sent to that host, and what it says must be so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.bindings.on_demand_names import place_of
from conformance.replay.alcor.peers import Answer, Peers
from conformance.replay.alcor.received import Arrival, Heard
from conformance.replay.alcor.scene import Scene
from conformance.replay.alcor.statement import Statement
from model.language import Protocol
from model.reference.state import Element, Tuple

NOTHING: Final = "nothing"
FROM_DPM: Final = "PushGoalStatesStream of DPM"
"""Begins what is said of DPM's own calls."""


UNEXPECTED: Final[Mapping[str, str]] = {
    "invents_nothing": "a host is pushed what DPM never said",
    "newer_wins": "a host is pushed a revision that was superseded",
    "learns_only_on_demand": "a host is pushed a port of its network that it neither asked for nor houses",
    "stays_in_its_vpc": "a host is pushed a port of a network in which it has none",
    "versions_are_immutable": "a host is pushed a port with another place than DPM said",
}
"""Kinds of goal states that must not come, by the promise that they break."""


@dataclass
class Diverges(Exception):
    """NCM did something that the run does not allow."""

    kind: str
    """What is wrong, without names, so that divergences of one kind are counted together."""
    field: str
    """What is concerned, in the words of Alcor's wire."""
    expected: str
    observed: str
    because: str
    """What the statement says of it."""
    behind: int = 0
    """How many steps after the present one, where several are made at once."""


@contextmanager
def noted(found: list[Diverges], behind: int = 0) -> Iterator[None]:
    """Notes what diverges within; the run goes on behind it, since what NCM has to do does not depend on what it did."""
    try:
        yield
    except Diverges as one:
        one.behind = behind
        found.append(one)


def promised(protocol: Protocol, name: str) -> str:
    """A promise by name, with its sentence."""
    (doc,) = (promise.doc for promise in protocol.promises if promise.name == name)
    return f"{name}: {' '.join(doc.split(chr(10) * 2)[0].split())}"


@dataclass
class Judge:
    """See the module. One for each run."""

    scene: Scene
    statement: Statement
    peers: Peers
    farewells: set[tuple[str, int]] = field(default_factory=set)
    """Versions by which pods go when the trace is over; everybody may hear of them."""
    _since: dict[str, int] = field(default_factory=dict)

    def forget(self, host: Element) -> None:
        """The host's agent has started: what came before does not count any more."""
        self._since[str(host)] = self.peers.mark

    # ------------------------------------------------------------------------------------------ what comes

    def unexpected(self, host: str, heard: Heard) -> Diverges | None:
        """What is wrong with a statement that arrived at a host; none if it may arrive."""
        state, scene = self.statement.state, self.scene
        pod, version = scene.pod(heard), heard.version
        if pod is None:
            return self._wrong(host, heard, f"no pod at {heard.ip} of {heard.network}", "invents_nothing")
        if (pod, version) in self.farewells and heard.place is None:
            return None
        if not 0 < version <= int(state.functions["latest"][pod,]):
            return self._wrong(host, heard, f"no revision {version} of {pod}: DPM issued none", "invents_nothing")
        place = place_of(state, pod, version)
        if (pod, version) not in self._sent(host):
            return self._wrong(host, heard, f"nothing of {pod} as of revision {version}", self._why(host, pod, version))
        # A port that had the address before, or has left for another host, goes; that says nothing of the pod.
        leaves = (
            heard.kind == "PORT" and heard.place is None and (place != host or heard.id != self._port(pod, version))
        )
        if heard.place != (scene.addresses[place] if place is not None else None) and not leaves:
            return self._wrong(host, heard, scene.expected(pod, version, state), "versions_are_immutable")
        return None

    def _port(self, pod: str, version: int) -> str:
        return self.scene.port(pod, version, self.statement.state)

    def _why(self, host: str, pod: str, version: int) -> str:
        """The promise that is broken by a pod that the run has not sent to the host."""
        state = self.statement.state
        if version < int(state.functions["recorded"][pod,]):
            return "newer_wins"
        vpc = state.functions["vpc_of"][pod,]
        return "learns_only_on_demand" if (host, vpc) in state.relations["member"] else "stays_in_its_vpc"

    def _wrong(self, host: str, heard: Heard, expected: str, promise: str) -> Diverges:
        because = promised(self.statement.protocol, promise)
        return Diverges(
            UNEXPECTED[promise],
            f"PushGoalStatesStream to {self.named(host)}",
            expected,
            self.scene.shown(heard),
            because,
        )

    def _sent(self, host: str) -> set[tuple[Element, Element]]:
        relations = self.statement.state.relations
        routes = {(pod, version) for to, _, pod, version in relations["route"] if to == host}
        return routes | {(pod, version) for to, _, _, pod, version in relations["granted"] if to == host}

    # ------------------------------------------------------------------------------------------ what must come

    def has_come(self, host: str, pod: Element, version: int, until: int | None = None, since: int = 0) -> bool:
        """Whether a version of a pod has come to a host since its agent started, so that an agent of Alcor took it."""
        place = place_of(self.statement.state, pod, version)
        address = self.scene.addresses[place] if place is not None else None
        return any(
            heard.version == version and heard.place == address and not heard.refused
            for heard in self._of(host, pod, until, since)
        )

    def _of(self, host: str, pod: Element, until: int | None, since: int) -> Iterator[Heard]:
        for arrival in self.peers.since(max(since, self._since[host]), until):
            if arrival.host == host:
                yield from (message for message in arrival.heard if self.scene.pod(message) == pod)

    def wait(self, routes: Sequence[Tuple], since: int) -> None:
        """Waits until these have come, but not for long."""

        def all_came() -> bool:
            return all(self.has_come(str(host), pod, int(version), since=since) for host, _, pod, version in routes)

        self.peers.wait(all_came, self.peers.waits.push)

    def must_have_come(self, host: Element, pod: Element, version: Element, since: int) -> None:
        """A version that was sent to a host is there.

        Raises:
            Diverges: it did not come in time.
        """
        to, number = str(host), int(version)
        if not self.has_come(to, pod, number, since=since):
            gone = place_of(self.statement.state, pod, version) is None
            raise Diverges(
                f"a host that has to hear of it is not pushed a port that {'is deleted' if gone else 'came or moved'}",
                f"PushGoalStatesStream to {self.named(to)}",
                self.scene.expected(pod, version, self.statement.state),
                f"{self.came(to, pod, since)} within {self.peers.waits.push:g} s of NCM's reply",
                promised(self.statement.protocol, "whoever_was_told_is_told_the_newest"),
            )

    def came(self, host: str, pod: Element, since: int, until: int | None = None) -> str:
        """What arrived at a host about a pod, in words."""
        shown = [self.scene.shown(heard) for heard in self._of(host, pod, until, since)]
        problems = self._problems(host, since)
        return "; ".join([*shown, *problems]) or f"{NOTHING} of {pod}"

    def _problems(self, host: str, since: int) -> list[str]:
        arrivals: Sequence[Arrival] = self.peers.since(since)
        return [
            f"a goal state that could not be read: {arrival.problem}"
            for arrival in arrivals
            if arrival.host == host and arrival.problem
        ]

    def elsewhere(self, host: str, pod: Element, since: int) -> str:
        """What arrived at other hosts about a pod meanwhile, in words; empty if nothing did."""
        others = [
            each_host
            for each_host in self.scene.hosts
            if each_host != host and any(self._of(each_host, pod, None, since))
        ]
        return "; ".join(f"{self.named(other)} was pushed {self.came(other, pod, since)}" for other in others)

    # ---------------------------------------------------------------------------------------- what DPM hears

    def change(self, pod: Element, version: int, answer: Answer) -> set[str]:
        """The statuses that NCM gives the port of a version, by name; empty: it says nothing, which Alcor's never does.

        Raises:
            Diverges: it did not reply, or says what is not so.
        """
        schema, state = self.scene.schema, self.statement.state
        port = self.scene.port(pod, version, state)
        what = f"{FROM_DPM} ({port}, revision {version})"
        superseded = state.functions["change"][pod, version] == "superseded"
        because = promised(self.statement.protocol, "dpm_hears_what_happened")
        if answer.reply is None:
            raise Diverges("DPM gets no reply", what, "one GoalStateOperationReply", answer.problem, because)
        numbers = {
            operation_statuse.operation_status
            for operation_statuse in answer.reply.operation_statuses
            if operation_statuse.resource_id == port and operation_statuse.resource_type == schema.ResourceType.PORT
        }
        said = {status_name(schema, number) for number in numbers}
        allowed = {"OUT_OF_ORDER", "PENDING"} if superseded else {"SUCCESS", "PENDING", "FAILURE"}
        if not said <= allowed:
            outcome = "superseded: a newer revision was stored before" if superseded else "stored: it is the newest"
            expected = f"{' or '.join(sorted(allowed))}, or no status; the change is {outcome}"
            kind = f"{', '.join(sorted(said))} for a change that is {'superseded' if superseded else 'stored'}"
            raise Diverges(kind, f"{what}: status", expected, ", ".join(sorted(said)), because)
        return said

    def named(self, host: str) -> str:
        """A host with its address."""
        return f"{host} ({self.scene.addresses[host]})"


def status_name(schema: Any, number: int) -> str:
    """The name of a status, or its number if it has no name."""
    names = schema.OperationStatus
    return str(names.Name(number)) if number in names.values() else str(number)
