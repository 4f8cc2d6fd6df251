"""History symbols, derived from the current state.

The matcher keeps no history, since only promises read it. Where history excuses a promise, this module over-approximates: a pod was
at most at the places of its versions, and a host asked in its epoch what its requests say, which last as long as the epoch. Where
history obliges, it under-approximates: only hosts that are still waited for had to confirm. So every promise reported as broken is
broken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from model.language import Protocol
from model.matching.layout import Tables
from model.reference.state import Tuple

History = Mapping[str, set[Tuple]]
"""Entries of history by symbol."""


def _of_pods(tables: Tables, constants: Mapping[str, Callable[..., Any]]) -> History:
    housed: set[Tuple] = {
        (host, pod) for (pod, version, host), _ in tables.entries("at") if version <= tables.get("recorded", (pod,))
    } | tables.past.get("housed", set())
    return {
        "asked": {(host, epoch, pod) for (host, epoch, _, _, pod), _ in tables.entries("request")}
        | tables.past.get("asked", set()),
        "housed": housed,
        "member": {(host, constants["vpc_of"](pod)) for host, pod in housed},
        "must": {
            (pod, version, host, tables.get("greeted", (host,)))
            for (pod, version, host), _ in tables.entries("pending")
        },
    }


def keep_past(tables: Tables, name: str, arguments: Tuple) -> None:
    """Keeps the history that an entry implies before the entry is dropped."""
    if name == "request":
        host, epoch, _, _, pod = arguments
        tables.past.setdefault("asked", set()).add((host, epoch, pod))
    elif name == "at":
        pod, _, host = arguments
        tables.past.setdefault("housed", set()).add((host, pod))


def drop_past(tables: Tables) -> None:
    """Drops the history of past epochs, in which nothing is sent to agents any more."""
    asked = tables.past.get("asked")
    if asked:
        tables.past["asked"] = {item for item in asked if item[1] >= tables.get("greeted", (item[0],))}


_KNOWN: Mapping[str, Callable[[Tables, Mapping[str, Callable[..., Any]]], History]] = {"on-demand": _of_pods}


def history_of(protocol: Protocol, tables: Tables, constants: Mapping[str, Callable[..., Any]]) -> History:
    """Entries of history, for the symbols for which they can be derived."""
    known = _KNOWN.get(protocol.name)
    return known(tables, constants) if known is not None else {}
