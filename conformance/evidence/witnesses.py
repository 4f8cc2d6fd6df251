"""Evidence that a witness says what it names: at which step each kept run reaches it first.

A witness that says less is reached all the more, so no exploration can object. `conformance/data/witnesses` holds, for each run
that is written by hand, the first step at which it reaches each witness. A witness that is reached earlier says less than it did.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from conformance.data.files import kept
from conformance.evidence.mistakes import Mistake
from conformance.protocols import base
from conformance.replay.replays import FOUND, NEGATIVE, Vector, read_vectors, trace_files, vectors_of
from impl.cli.exits import Exit, Problem
from model.language import Protocol, Sometimes
from model.language.transient import is_transient
from model.reference.interpreter import interpreter_of

Firsts = Mapping[str, Mapping[str, int]]
"""By run, and then by witness: after how many steps it is reached first. A witness that the run does not reach is not there."""

ALL: Final = "*"
"""In the place of a run: every witness that there was when the file was written; a newer one cannot say less than it did."""


def file_of(protocol: Protocol) -> Path:
    """The file of a protocol."""
    return kept("witnesses", f"{base(protocol).name}.json")


def by_hand(protocol: Protocol) -> list[Path]:
    """The files of the runs that are written by hand: those that a search finds, the next search may replace."""
    return [file for file in trace_files(vectors_of(protocol)) if file.parent.name not in (FOUND, NEGATIVE)]


def runs_of(protocol: Protocol) -> list[Vector]:
    """The runs that are written by hand."""
    return read_vectors(by_hand(protocol), protocol)


def first(witness: Sometimes, vector: Vector) -> int | None:
    """After how many steps a run first reaches a witness; one about a step is reached by that step."""
    trace = vector.trace
    interpreter = interpreter_of(vector.protocol, trace.configuration)
    if not is_transient(witness.formula):
        reached = (interpreter.counterexample(witness, state) is not None for state in trace.states)
        return next((number for number, is_reached in enumerate(reached) if is_reached), None)
    for number, (step, before, after) in enumerate(zip(trace.steps, trace.states[:-1], trace.states[1:], strict=True)):
        events = interpreter.apply(before, step)[1]
        if interpreter.counterexample(witness, before, after=after, events=events) is not None:
            return number + 1
    return None


def firsts(protocol: Protocol, vectors: Sequence[Vector]) -> Firsts:
    """What these runs reach."""
    found: dict[str, dict[str, int]] = {ALL: {witness.name: 0 for witness in protocol.sometimes}}
    for vector in vectors:
        reached = ((witness.name, first(witness, vector)) for witness in protocol.sometimes)
        found[vector.name] = {name: number for name, number in reached if number is not None}
    return found


def read_witnesses(protocol: Protocol) -> Firsts:
    """What was reached when the file was written; nothing if there is no file.

    Raises:
        Problem: the file cannot be read.
    """
    path = file_of(protocol)
    if not path.exists():
        return {}
    try:
        found: dict[str, dict[str, int]] = json.loads(path.read_text(encoding="utf-8"))
        return {run: dict(reached) for run, reached in found.items()}
    except (OSError, ValueError, AttributeError, TypeError) as problem:
        raise Problem(
            f"{path}: cannot be read ({problem}); run `ondemand golden witnesses`", Exit.BAD_INPUT
        ) from problem


def earlier(mutant: Sometimes, witness: str, vectors: Sequence[Vector], pinned: Firsts) -> Iterator[tuple[Vector, int]]:
    """The runs that reach a mutant of a witness earlier than the witness, each with the number of steps."""
    for vector in vectors:
        number, was = first(mutant, vector), pinned[vector.name].get(witness)
        if number is not None and (was is None or number < was):
            yield vector, number


def weakened(pinned: Firsts, found: Firsts, protocol: Protocol) -> Iterator[str]:
    """A sentence for each witness that says less than it did: a run reaches it earlier, or it holds before any step."""
    known = {*pinned, *pinned.get(ALL, {})}
    for run, reached in found.items():
        for name, number in reached.items():
            was = pinned.get(run, {}).get(name)
            if {run, name} <= known and (was is None or number < was):
                before = "did not reach it" if was is None else f"reached it at step {was}"
                yield f"{run}: {name} is reached at step {number} and the run {before}, so the witness says less than it did"
    for witness in protocol.sometimes:
        runs = [reached[witness.name] for run, reached in found.items() if run != ALL and witness.name in reached]
        if runs and max(runs) == 0:
            yield f"{witness.name}: holds before any step in every run that reaches it, so it shows nothing"


def write_witnesses(protocol: Protocol) -> None:
    """Writes what the kept runs reach.

    Raises:
        Mistake: a witness says less than it did.
    """
    found = firsts(protocol, runs_of(protocol))
    path = file_of(protocol)
    for sentence in weakened(read_witnesses(protocol), found, protocol):
        raise Mistake(
            f"The witnesses of {protocol.name} are not written: {sentence}. If that is meant, delete the line of the run in {path}."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ",\n".join(f" {json.dumps(run)}: {json.dumps(reached)}" for run, reached in sorted(found.items()))
    path.write_text(f"{{\n{rows}\n}}\n", encoding="utf-8")
