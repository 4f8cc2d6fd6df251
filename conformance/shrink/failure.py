"""Observed failures, and when two divergences are of the same kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from conformance.replay.lockstep import Divergence, Leaving
from model.reference.interpreter import Interpreter
from model.reference.runs import executed
from model.reference.state import Occurrence, Trace, initial_state


@dataclass(frozen=True)
class Kind:
    """What two similar divergences share: the same thing fails in the same way, whatever the hosts, pods and numbers."""

    of: Literal["step", "message again", "step that leaves"]
    name: str
    """Of the action, or of the message that was delivered again."""
    symbol: str
    """The symbol that differs."""
    shape: tuple[Any, ...]
    """Sets: whether elements are missing or in excess, or which messages; numbers: which is larger."""


@dataclass(frozen=True)
class Failure:
    """A divergence with the run that leads to it."""

    kind: Kind
    trace: Trace
    """The steps before the one that diverges."""
    step: Occurrence | None
    """The step that diverges; None if a repeated delivery does."""
    leaving: Leaving | None
    """Set if the step is not the protocol's but a variant's."""
    divergence: Divergence


def kind_of(trace: Trace, divergence: Divergence, leaving: Leaving | None = None) -> Kind:
    """The kind of a divergence."""
    symbol = symbol_of(divergence)
    shape = _shape(divergence)
    if divergence.again:
        ((name, _),) = divergence.again
        return Kind("message again", name, symbol, shape)
    name = trace.steps[divergence.step - 1].action if divergence.step else "start"
    if leaving is not None and divergence.step == leaving.step:
        return Kind("step that leaves", name, symbol, shape)
    return Kind("step", name, symbol, shape)


def symbol_of(divergence: Divergence) -> str:
    """The symbol that differs, without arguments and process: `known` of `known(h1, p2).place`, `may_evict` of `h1: may_evict`."""
    return divergence.field.split(": ")[-1].split("(")[0].split(".")[0].split(" by ")[0]


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


def failure_of(interpreter: Interpreter, trace: Trace, divergence: Divergence, leaving: Leaving | None) -> Failure:
    """The failure for the divergence of a replayed trace."""
    kind = kind_of(trace, divergence, leaving)
    steps = trace.steps[: divergence.step - (kind.of != "message again")]
    start = Trace(
        interpreter.protocol.name, trace.configuration, (initial_state(interpreter.protocol, trace.configuration),), ()
    )
    run = executed(interpreter, start, steps)
    assert run is not None, "the followed steps form a run"
    step = None if kind.of == "message again" else trace.steps[divergence.step - 1]
    return Failure(kind, run, step, leaving if kind.of == "step that leaves" else None, divergence)
