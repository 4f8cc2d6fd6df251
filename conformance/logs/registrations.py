"""Registration and deregistration of hosts. In the statement all hosts exist from the start; one registered again is a new host.

- NCM stores a version whose place is not registered: for this step the host counts as removed, so it is not told, and nobody waits
  for it.
- NCM registers a host, for the first time or again: its line must say that it told the host what is placed there, and that no
  confirmation of the host is pending. Lines of DPM are accepted as they are.
- A host with ports is not, or no longer, registered with DPM: when DPM decides about a VPC the host counts as having no ports
  there, so nobody waits for it.

A log that begins in its middle does not show earlier registrations, and another implementation may log none: then every host counts
as registered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from conformance.logs.causal_order import Process
from conformance.logs.matcher import MatcherState
from impl.events.line import Entry, Line
from model.matching.compiled import Changes
from model.matching.observed import Misfit
from model.reference.state import Tuple

REGISTERED: Final = "host.registered"
_GONE: Final = frozenset({"host.deregistered"})


@dataclass
class Registrations:
    """The registered hosts of each process, as far as the logs show."""

    hosts: dict[str, set[str]] = field(default_factory=dict)
    """By process. For NCM also deregistered hosts: deregistration is a step of the protocol."""
    is_stated: bool = True
    """Whether the registrations changed no state: then every state is one of the statement."""

    def fork(self) -> Registrations:
        """A copy."""
        return Registrations({name: set(some) for name, some in self.hosts.items()}, self.is_stated)

    def note(
        self, process: Process, line: Line, matchers: Mapping[str, MatcherState]
    ) -> tuple[MatcherState, Misfit] | None:
        """Takes a line about a registration; returns the misfit, with its matcher, if the line contradicts the model."""
        if line.event != REGISTERED and line.event not in _GONE:
            return None
        host = str(line.attributes["host"])
        known = self.hosts.setdefault(process.name, set())
        if line.event == REGISTERED:
            known.add(host)
        else:
            known.discard(host)
        for name, matcher in matchers.items():
            prefix = f"{name}."
            stated = {
                key.removeprefix(prefix): some for key, some in (line.after or {}).items() if key.startswith(prefix)
            }
            if process.role == "ncm":
                found = _registered_at_ncm(matcher, host, stated) if "told" in matcher.tables.layout.kept else {}
                if isinstance(found, Misfit):
                    return matcher, found
                self._put(matcher, found)
            else:
                self._put(matcher, {(symbol, item[:-1]): item[-1] for symbol, some in stated.items() for item in some})
        return None

    def _put(self, matcher: MatcherState, changes: Changes) -> None:
        for (symbol, arguments), value in changes.items():
            self.is_stated = self.is_stated and matcher.tables.get(symbol, arguments) == value
            matcher.tables.put(symbol, arguments, value)

    @contextmanager
    def absent(self, process: Process, matcher: MatcherState, action: str, line: Line) -> Iterator[bool]:
        """Makes unregistered hosts absent for one step, inside the block. Yields whether there are any."""
        changed = [] if process.late else list(self._absent(process, matcher, action, line))
        self.is_stated = self.is_stated and not changed
        before = [(symbol, key, matcher.tables.get(symbol, key)) for symbol, key, _ in changed]
        for symbol, key, value in changed:
            matcher.tables.put(symbol, key, value)
        try:
            yield bool(changed)
        finally:
            for symbol, key, value in before:
                matcher.tables.put(symbol, key, value)

    def _absent(
        self, process: Process, matcher: MatcherState, action: str, line: Line
    ) -> Iterator[tuple[str, Tuple, bool | int]]:
        known, given, tables = self.hosts.get(process.name, set()), line.attributes, matcher.tables
        if process.role == "ncm" and action == "store":
            version = (given.get("pod"), given.get("version"))
            places = [key for key in tables.table("at") if key[:2] == version]
            places += [entry[:3] for entry in (line.after or {}).get("at", ()) if entry[:2] == version and entry[3]]
            for host in {key[2] for key in places} - known:
                yield "removed", (host,), True
        elif process.role == "dpm" and known and "ports" in tables.layout.kept and "host" not in given:
            for key, _ in tables.entries("ports"):
                if key[1] == given.get("vpc") and key[0] not in known:
                    yield "ports", key, 0


def _registered_at_ncm(matcher: MatcherState, host: str, stated: Mapping[str, Sequence[Entry]]) -> Changes | Misfit:
    """The changes when NCM registers a host: it is told what is placed there, nothing is pending. Else a misfit."""
    tables = matcher.tables
    at = tables.table("at")
    placed = {(host, pod) for (pod,), version in tables.table("recorded").items() if (pod, version, host) in at}
    told = {tuple(item[:-1]) for item in stated.get("told", ())}
    for entry in sorted(placed ^ told):
        return Misfit("after", "after.told", entry in placed, entry in told, entry=entry)
    for owed in stated.get("pending", ()):
        return Misfit("after", "after.pending", False, True, entry=tuple(owed[:-1]))
    changes: Changes = {
        (symbol, key): False
        for symbol, place in (("told", 0), ("pending", 2))
        for key, _ in tables.entries_with(symbol, place, host)
    }
    changes |= {("told", entry): True for entry in placed}
    return changes | {("greeted", (host,)): 0, ("removed", (host,)): False}
