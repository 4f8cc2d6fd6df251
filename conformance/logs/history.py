"""What history certainly was, by what the state still tells.

The matcher keeps no history, which promises read and nothing else. What a promise needs as an excuse is told here as far as it can
have been: a pod was at most where its versions say, and a host asked in its epoch for what its requests say, which last as long as
the epoch. What a promise demands something of is told as far as it is certain: whoever is still waited for was to confirm. So what
is called broken is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from model.matching.layout import Tables
from model.state import Tuple
from spec.language import Protocol

History = Mapping[str, set[Tuple]]
"""Entries of history by symbol."""


def _of_pods(tables: Tables, constants: Mapping[str, Callable[..., Any]]) -> History:
    housed: set[Tuple] = {
        (host, pod) for (pod, version, host), _ in tables.entries("at") if version <= tables.get("recorded", (pod,))
    }
    return {
        "asked": {(host, epoch, pod) for (host, epoch, _, _, pod), _ in tables.entries("request")},
        "housed": housed,
        "member": {(host, constants["vpc_of"](pod)) for host, pod in housed},
        "must": {
            (pod, version, host, tables.get("greeted", (host,)))
            for (pod, version, host), _ in tables.entries("pending")
        },
    }


_KNOWN: Mapping[str, Callable[[Tables, Mapping[str, Callable[..., Any]]], History]] = {"on-demand": _of_pods}


def history_of(protocol: Protocol, tables: Tables, constants: Mapping[str, Callable[..., Any]]) -> History:
    """Entries of history, for the symbols of which they can be told."""
    known = _KNOWN.get(protocol.name)
    return known(tables, constants) if known is not None else {}
