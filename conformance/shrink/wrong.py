"""What was seen to be wrong, and when two divergences are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from conformance.replay.lockstep import Divergence, Leaving
from model.reference.interpreter import Interpreter
from model.reference.runs import executed
from model.reference.state import Occurrence, Trace, initial_state


@dataclass(frozen=True)
class Kind:
    """What makes two divergences alike: whatever their hosts, pods and numbers are, the same thing goes wrong in the same way."""

    of: Literal["step", "message again", "step that leaves"]
    name: str
    """Of the action, or of the message that had come once more."""
    symbol: str
    """What differs, without its arguments."""
    shape: tuple[Any, ...]
    """Sets: whether something is missing, and whether something is too much, or which messages; numbers: which is larger."""


@dataclass(frozen=True)
class Wrong:
    """A divergence, and the run to it."""

    kind: Kind
    trace: Trace
    """Steps that are followed, nothing forgotten: without the one that diverges."""
    step: Occurrence | None
    """The one that diverges; none: a message that had come once more does."""
    leaving: Leaving | None
    """Where the step is not the protocol's."""
    divergence: Divergence


def kind_of(trace: Trace, divergence: Divergence, leaving: Leaving | None = None) -> Kind:
    """What kind of wrong a divergence is."""
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
    """What differs, without arguments and process: of `known(h1, p2).place` it is `known`, of `h1: may_evict` it is `may_evict`."""
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


def wrong_of(interpreter: Interpreter, trace: Trace, divergence: Divergence, leaving: Leaving | None) -> Wrong:
    """The divergence of a trace's replay, with the run to it."""
    kind = kind_of(trace, divergence, leaving)
    steps = trace.steps[: divergence.step - (kind.of != "message again")]
    start = Trace(
        interpreter.protocol.name, trace.configuration, (initial_state(interpreter.protocol, trace.configuration),), ()
    )
    run = executed(interpreter, start, steps)
    assert run is not None, "what was followed is a run"
    step = None if kind.of == "message again" else trace.steps[divergence.step - 1]
    return Wrong(kind, run, step, leaving if kind.of == "step that leaves" else None, divergence)
