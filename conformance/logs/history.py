"""What history can at most be, by what the state still tells.

The matcher keeps no history, which promises read and nothing else. But where a pod ever was is what its versions say, and what a
host asked for in its epoch is what its requests say, which last as long as the epoch. So a promise that needs more history than
this is broken for certain. `must` is told by nothing that is left; promises that read it are not judged.
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
    }


_KNOWN: Mapping[str, Callable[[Tables, Mapping[str, Callable[..., Any]]], History]] = {"on-demand": _of_pods}


def at_most(protocol: Protocol, tables: Tables, constants: Mapping[str, Callable[..., Any]]) -> History:
    """Entries of history that there can be, for the symbols of which that can be told."""
    known = _KNOWN.get(protocol.name)
    return known(tables, constants) if known is not None else {}
