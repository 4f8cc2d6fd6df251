"""When two divergences are of the same kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conformance.replay.lockstep import Divergence
from model.reference.state import Occurrence


@dataclass(frozen=True)
class Kind:
    """What two similar divergences share: the same thing fails in the same way, whatever the hosts, pods and numbers."""

    again: bool
    """Whether a message that was delivered again makes the difference, or a step."""
    name: str
    """Of the message or the action."""
    symbol: str
    """The symbol that differs, without arguments and process: `known` of `known(h1, p2).place`, `may_evict` of `h1: may_evict`."""
    shape: tuple[Any, ...]
    """Sets: whether elements are missing or in excess, or which messages; numbers: which is larger."""


def kind_of(step: Occurrence | None, divergence: Divergence) -> Kind:
    """The kind of a divergence at a step, or at the start."""
    symbol = divergence.field.split(": ")[-1].split("(")[0].split(".")[0].split(" by ")[0]
    if divergence.again:
        ((name, _),) = divergence.again
    else:
        name = step.action if step is not None else "start"
    return Kind(bool(divergence.again), name, symbol, _shape(divergence))


def _shape(divergence: Divergence) -> tuple[Any, ...]:
    expected, observed = divergence.expected, divergence.observed
    if isinstance(expected, list) and isinstance(observed, list):
        if divergence.field in ("messages", "events"):
            return tuple(tuple(sorted({str(item[0]) for item in side})) for side in (expected, observed))
        return bool(expected), bool(observed)
    if isinstance(expected, int) and isinstance(observed, int):
        return ("less" if observed < expected else "more",)
    if divergence.field.endswith(".place"):
        return (expected == "gone", observed == "gone")
    return str(expected), str(observed)
