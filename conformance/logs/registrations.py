"""Hosts that come and go. To the statement every host is there from the beginning, and one registered anew is another one.

- NCM stores a version whose place it has not registered: for this step the host is one that is removed, so that it is not told, and
  nobody waits for it.
- NCM registers a host, for the first time or anew: it has to say that it told the host of what is placed there, and that the host
  owes nothing. DPM is taken at its word.
- A host has ports and is not registered with DPM, or is so no more: for what DPM decides about a VPC it is one without ports there,
  so that nobody waits for it.

A log that begins in its middle does not say who was registered before, and one of another implementation perhaps tells of none:
everybody counts as registered then.
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
    """Who is registered with whom, as far as logs tell."""

    hosts: dict[str, set[str]] = field(default_factory=dict)
    """By process. With NCM those that ever were: that one is gone is a step of the protocol."""
    is_stated: bool = True
    """Whether the statement has a step for all that these lines changed: they came before anything was said of their hosts."""

    def fork(self) -> Registrations:
        """Another one, as far as this one has come."""
        return Registrations({name: set(some) for name, some in self.hosts.items()}, self.is_stated)

    def note(
        self, process: Process, line: Line, matchers: Mapping[str, MatcherState]
    ) -> tuple[MatcherState, Misfit] | None:
        """Takes a line about a registration; what it says of the host that it must not say, if anything."""
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
            said = {
                key.removeprefix(prefix): some for key, some in (line.after or {}).items() if key.startswith(prefix)
            }
            if process.role == "ncm":
                found = _begins_at_ncm(matcher, host, said) if "told" in matcher.tables.layout.kept else {}
                if isinstance(found, Misfit):
                    return matcher, found
                self._put(matcher, found)
            else:
                self._put(matcher, {(symbol, item[:-1]): item[-1] for symbol, some in said.items() for item in some})
        return None

    def _put(self, matcher: MatcherState, changes: Changes) -> None:
        for (symbol, arguments), value in changes.items():
            self.is_stated = self.is_stated and matcher.tables.get(symbol, arguments) == value
            matcher.tables.put(symbol, arguments, value)

    @contextmanager
    def absent(self, process: Process, matcher: MatcherState, action: str, line: Line) -> Iterator[bool]:
        """While it lasts, hosts that are not registered are not there for this step. Whether there are any."""
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
        known, said, tables = self.hosts.get(process.name, set()), line.attributes, matcher.tables
        if process.role == "ncm" and action == "store":
            version = (said.get("pod"), said.get("version"))
            places = [key for key in tables.table("at") if key[:2] == version]
            places += [entry[:3] for entry in (line.after or {}).get("at", ()) if entry[:2] == version and entry[3]]
            for host in {key[2] for key in places} - known:
                yield "removed", (host,), True
        elif process.role == "dpm" and known and "ports" in tables.layout.kept and "host" not in said:
            for key, _ in tables.entries("ports"):
                if key[1] == said.get("vpc") and key[0] not in known:
                    yield "ports", key, 0


def _begins_at_ncm(matcher: MatcherState, host: str, said: Mapping[str, Sequence[Entry]]) -> Changes | Misfit:
    """The host is told of what is placed there, and owes nothing: what that changes. Where NCM says otherwise, that."""
    tables = matcher.tables
    at = tables.table("at")
    placed = {(host, pod) for (pod,), version in tables.table("recorded").items() if (pod, version, host) in at}
    told = {tuple(item[:-1]) for item in said.get("told", ())}
    for entry in sorted(placed ^ told):
        return Misfit("after", "after.told", entry in placed, entry in told, entry=entry)
    for owed in said.get("pending", ()):
        return Misfit("after", "after.pending", False, True, entry=tuple(owed[:-1]))
    changes: Changes = {
        (symbol, key): False
        for symbol, place in (("told", 0), ("pending", 2))
        for key, _ in tables.entries_with(symbol, place, host)
    }
    changes |= {("told", entry): True for entry in placed}
    return changes | {("greeted", (host,)): 0, ("removed", (host,)): False}
