"""Replays of many traces: which ones, on which target, and what came of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from conformance.bindings.binding import Bind, follow
from conformance.bindings.failover import FailoverBinding
from conformance.bindings.slots import SlotsBinding
from conformance.data.files import kept
from conformance.protocols import base
from conformance.replay.cores import Cores
from conformance.replay.driver import Driver
from conformance.replay.lockstep import Divergence, Leaving, Replay, replay
from conformance.replay.memo import Memo
from conformance.replay.targets import Target
from conformance.vectors import scenario
from impl.cli.exits import Exit, Problem
from model.language import Protocol
from model.reference import itf
from model.reference.state import Trace

FOUND: Final = "found"
NEGATIVE: Final = "negative"
"""Folders of vectors that are generated: by a search, and as counterexamples of variants. The others are written by hand."""

SUFFIXES: Final = (scenario.SUFFIX, itf.SUFFIX)


def vectors_of(protocol: Protocol) -> Path:
    """The folder of a protocol's vectors: scenarios, also in the folders `found` and `negative`."""
    return kept("scenarios", base(protocol).name)


BINDINGS: Final[Mapping[str, Bind]] = {"slots": SlotsBinding, "failover": FailoverBinding}
"""By protocol: what its runs are followed through; the others have drivers (`conformance.replay.lockstep`)."""


@dataclass(frozen=True)
class Vector:
    """A trace from a file. A negative one is a run of a variant, and leaves the protocol at a step."""

    name: str
    trace: Trace
    protocol: Protocol
    """Whose run it is."""
    base: Protocol
    """The protocol that implementations are held against; the same, if the trace is not negative."""
    diverges_at: int | None = None
    """The step, from 1 on, that is not the protocol's."""
    unmet: tuple[str, ...] = ()
    """A sentence for each expectation of a scenario that its run does not meet."""


@dataclass
class Replays:
    """What became of all traces on one target."""

    target: str
    results: list[tuple[Vector, Replay]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def verdict(self) -> Literal["conforms", "diverges", "undecided"]:
        """Conforms only if every trace was driven to its end that the implementation can express; nothing replayed is undecided."""
        verdicts = {result.verdict for _, result in self.results if not result.unexpressed}
        if "diverges" in verdicts:
            return "diverges"
        return "conforms" if verdicts == {"conforms"} else "undecided"

    @property
    def divergence(self) -> Divergence | None:
        """The first one."""
        return next((result.divergence for _, result in self.results if result.divergence is not None), None)

    @property
    def not_driven(self) -> list[tuple[str, str]]:
        """Traces that could not be driven, each with the reason."""
        return [(vector.name, result.because) for vector, result in self.results if result.verdict == "not driven"]

    @property
    def unsettled(self) -> list[tuple[str, str]]:
        """Those of them that keep the whole from being decided."""
        return [
            (vector.name, result.because)
            for vector, result in self.results
            if result.verdict == "not driven" and not result.unexpressed
        ]

    def mark(self, result: Replay) -> Literal["holds", "violated", "undecided"]:
        """What a trace says of the target."""
        marks: Mapping[str, Literal["holds", "violated", "undecided"]] = {"conforms": "holds", "diverges": "violated"}
        return marks.get(result.verdict, "undecided")

    def total(self, what: Callable[[Replay], int]) -> int:
        """The sum over all traces."""
        return sum(what(result) for _, result in self.results)

    @property
    def exit(self) -> Exit:
        """What a command ends with."""
        return {"conforms": Exit.HOLDS, "diverges": Exit.VIOLATED, "undecided": Exit.UNDECIDED}[self.verdict]

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        divergence = self.divergence
        return {
            "target": self.target,
            "traces": len(self.results),
            "steps": self.total(lambda item: item.steps),
            "seconds": round(self.seconds, 3),
            "verdict": self.verdict,
            "divergence": divergence.as_json() if divergence else None,
            "not_driven": [{"trace": name, "because": because} for name, because in self.not_driven],
        }


def read_vectors(paths: Iterable[Path], *protocols: Protocol, unmet: bool = False) -> list[Vector]:
    """Reads scenarios and ITF files of these protocols, and those in folders.

    `unmet`: scenarios with expectations that are not met are taken too, and name them.

    Raises:
        BadInput: a file is no trace of any of the protocols.
        Problem: there is no file in a folder, or an expectation is not met.
    """
    files: list[Path] = []
    for path in paths:
        found = trace_files(path) if path.is_dir() else [path]
        if not found:
            raise Problem(f"{path}: no traces (*.scenario or *.itf.json) there", Exit.BAD_INPUT)
        files += found
    vectors = [_read(path, protocols) for path in files]
    for vector in vectors:
        if vector.unmet and not unmet:
            raise Problem(vector.unmet[0], Exit.VIOLATED)
    return vectors


def read_vector(path: Path, *protocols: Protocol, unmet: bool = False) -> Vector:
    """Reads one scenario or ITF file, as `read_vectors` does.

    Raises:
        BadInput: the file is no trace of any of the protocols.
        Problem: it is a folder, or an expectation is not met.
    """
    if path.is_dir():
        raise Problem(f"{path}: is a folder; name one trace file in it", Exit.BAD_INPUT)
    (vector,) = read_vectors([path], *protocols, unmet=unmet)
    return vector


def trace_files(folder: Path) -> list[Path]:
    """The scenarios and ITF files in a folder."""
    return sorted(file for suffix in SUFFIXES for file in folder.rglob(f"*{suffix}"))


def _read(path: Path, protocols: Sequence[Protocol]) -> Vector:
    if path.suffix == scenario.SUFFIX:
        found = scenario.read(path, protocols)
        return Vector(path.stem, found.trace, found.protocol, base(found.protocol), found.leaves, found.unmet)
    trace, meta, of = itf.read_with_meta(path, *protocols)
    expected = meta.get("diverges_at")
    if expected is not None and (type(expected) is not int or not 0 < expected <= len(trace.steps)):
        raise Problem(f"{path}: #meta.diverges_at: expected a step of the trace, found {expected!r}", Exit.BAD_INPUT)
    return Vector(path.name.removesuffix(itf.SUFFIX), trace, of, base(of), expected)


def replay_all(
    vectors: Sequence[Vector],
    target: Target,
    *,
    cores: Cores | None = None,
    progress: Callable[[int, str], None] | None = None,
    stop_at_divergence: bool = False,
    memo: Memo | None = None,
    drivers: Mapping[str, type[Driver]] | None = None,
) -> Replays:
    """Replays all vectors, one after the other. `memo`: what earlier replays of the same vectors have found out. `drivers`: by
    protocol, if not the usual ones.

    Raises:
        EnvironmentProblem: the broker does not deliver.
    """
    found = Replays(target.name)
    started = time.perf_counter()
    # All hosts are registered with the broker at once, and stay over all traces.
    target.prepare(sorted({host for vector in vectors for host in vector.trace.configuration.sorts.get("Host", ())}))
    for number, vector in enumerate(vectors):
        if progress is not None:
            progress(number, vector.name)
        leaving = Leaving(vector.diverges_at, vector.protocol) if vector.diverges_at is not None else None
        bind = BINDINGS.get(vector.base.name)
        if bind is not None:
            result = follow(vector.trace, vector.name, vector.base, target, bind, leaving)
        else:
            result = replay(vector.trace, vector.name, vector.base, target, cores, leaving, memo=memo, drivers=drivers)
        found.results.append((vector, result))
        if stop_at_divergence and result.verdict == "diverges":
            break
    found.seconds = time.perf_counter() - started
    return found
