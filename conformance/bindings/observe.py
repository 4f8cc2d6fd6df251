"""What is compared after each step: one row for each piece of the specification's state.

| the specification's | is compared with |
|---|---|
| state of DPM, NCM and the correct agents | what the cores say of themselves (`observe`) |
| messages | what was published and arrived, or is stored to be published |
| places, which a version names | what the agents take for the place of what they know |
| events | what the core said happened in this step |

`OBSERVED` has a row for every symbol but those in `NOT_COMPARED`, each with its reason; a test holds the two against the protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from conformance.bindings.on_demand_names import MESSAGES, Names, place_of
from model.language import Protocol
from model.language.terms import Formula
from model.reference.state import Element, State, Tuple

NOT_COMPARED: Final[Mapping[str, str]] = {
    "vpc_of": "a constant: part of every pod's name",
    "correct": "a constant: says which hosts have a core",
    "asked": "history: nobody holds it",
    "housed": "history: nobody holds it",
    "member": "history: nobody holds it",
    "must": "history: nobody holds it",
}


@dataclass
class Observation:
    """What was seen of all processes after a step."""

    names: Names
    dpm: Mapping[str, Any]
    ncm: Mapping[str, Any]
    agents: Mapping[str, Mapping[str, Any]]
    """Of the correct hosts."""
    hosts: tuple[str, ...]
    sent: Mapping[str, set[Tuple]]
    """Messages by the specification's name: published and arrived, or stored to be published."""
    used: set[Tuple]
    """Hosts with the requests that their agents were given."""


Row = Callable[[Observation], Any]

_CHANGES: Final = {"pending": "pending", "done": "done", "superseded": "superseded", "failed": "failed"}


def _of_pods(table: Mapping[Any, Any], names: Names) -> dict[Tuple, Element]:
    return {(names.pod_name(pod),): value for pod, value in table.items()}


def _changes(table: Mapping[Any, str], names: Names) -> dict[Tuple, Element]:
    return {(names.pod_name(pod), version): _CHANGES[state] for (pod, version), state in table.items()}


def _agents(of: str) -> Row:
    """A set of tuples, each agent's own with its host in front."""

    def read(seen: Observation) -> set[Tuple]:
        found: set[Tuple] = set()
        for host, state in seen.agents.items():
            found |= {(host, *key) for key in _AGENT_SETS[of](state[of], seen.names)}
        return found

    return read


_AGENT_SETS: Final[Mapping[str, Callable[[Any, Names], set[Tuple]]]] = {
    "installed": lambda pods, names: {(names.pod_name(pod),) for pod in pods},
    "waiting": lambda held, names: {
        (names.request_name(number), names.pod_name(source), names.pod_name(destination))
        for number, (source, destination) in held.items()
    },
    "paused": lambda pairs, names: {
        (names.pod_name(source), names.pod_name(destination)) for source, destination in pairs
    },
}


def _places(seen: Observation) -> set[Tuple]:
    return {
        (seen.names.pod_name(pod), version, place)
        for (pod, version), place in seen.dpm["places"].items()
        if place is not None
    }


def _known(seen: Observation) -> dict[Tuple, Element]:
    return {
        (host, seen.names.pod_name(pod)): version
        for host, state in seen.agents.items()
        for pod, (version, _) in state["known"].items()
    }


def _sent(name: str) -> Row:
    return lambda seen: set(seen.sent.get(name, set()))


OBSERVED: Final[Mapping[str, Row]] = {
    "latest": lambda seen: _of_pods(seen.dpm["latest"], seen.names),
    "at": _places,
    "outcome": lambda seen: _changes(seen.dpm["outcome"], seen.names),
    "recorded": lambda seen: _of_pods(seen.ncm["recorded"], seen.names),
    "greeted": lambda seen: {(host,): epoch for host, epoch in seen.ncm["greeted"].items()},
    "told": lambda seen: {(host, seen.names.pod_name(pod)) for host, pod in seen.ncm["told"]},
    "pending": lambda seen: {(seen.names.pod_name(pod), version, host) for pod, version, host in seen.ncm["pending"]},
    "change": lambda seen: _changes(seen.ncm["change"], seen.names),
    "removed": lambda seen: {(host,) for host in seen.hosts if host not in seen.ncm["greeted"]},
    "epoch": lambda seen: {(host,): state["epoch"] for host, state in seen.agents.items()},
    "known": _known,
    "installed": _agents("installed"),
    "waiting": _agents("waiting"),
    "used": lambda seen: seen.used,
    "paused": _agents("paused"),
    **{name: _sent(name) for name in MESSAGES},
}


@dataclass(frozen=True)
class Difference:
    """One field that is not as the specification says. Sets: what is missing, what is too much; functions: by argument."""

    field: str
    expected: Any
    observed: Any
    because: str = ""


def compare(protocol: Protocol, expected: State, seen: Observation) -> Difference | None:
    """The first field that differs, in the order of the specification."""
    # A deregistered host's epoch is history to the implementation: it keeps no record of the host at all.
    ignored = {("greeted", key) for key in expected.relations["removed"]}
    return differing(protocol, expected, {name: row(seen) for name, row in OBSERVED.items()}, ignored) or _misplaced(
        expected, seen
    )


def differing(
    protocol: Protocol, expected: State, seen: Mapping[str, Any], ignored: Collection[tuple[str, Tuple]] = ()
) -> Difference | None:
    """The first symbol, and of a function the first argument, of which something else is seen. What is not seen is not compared."""
    for symbol in protocol.symbols:
        if symbol.name not in seen:
            continue
        observed = seen[symbol.name]
        if symbol.result is Formula:
            wanted = expected.relations[symbol.name]
            if wanted != observed:
                return Difference(symbol.name, sorted(wanted - observed), sorted(observed - wanted))
            continue
        table = expected.functions[symbol.name]
        if observed == table:
            continue
        unset: Element = "none" if isinstance(next(iter(table.values())), str) else 0
        if observed.items() <= table.items() and _set(observed, unset) == _set(table, unset):
            continue  # as nearly always, and told without a look at each entry
        others = [key for key, value in table.items() if observed.get(key, unset) != value]
        others += [key for key, value in observed.items() if value != unset and key not in table]
        for key in others:
            if (symbol.name, key) not in ignored:
                place = f"{symbol.name}({', '.join(map(str, key))})"
                return Difference(place, table.get(key, unset), observed.get(key, unset))
    return None


def _set(table: Mapping[Tuple, Element], unset: Element) -> int:
    """How many entries have another value than at the start."""
    return len(table) - [*table.values()].count(unset)


def _misplaced(expected: State, seen: Observation) -> Difference | None:
    """The first pod that an agent takes to be elsewhere than the version that it knows says."""
    for host, state in seen.agents.items():
        for pod, (version, place) in state["known"].items():
            name = seen.names.pod_name(pod)
            said = place_of(expected, name, version)
            if place != said:
                return Difference(f"known({host}, {name}).place", said or "gone", place or "gone")
    return None
