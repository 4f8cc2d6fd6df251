"""The engines that judge mutants of the cores: each is a column of the mutation table.

| engine | asks |
|---|---|
| `vectors` | every shipped run of the protocol, in lock-step, with what is recorded of it (`conformance.logs.recorded`) |
| `negative` | every shipped run of a variant, up to where it leaves the protocol |
| `free` | runs by chance (`conformance.mutation.cores.free_runs`), in lock-step, recorded too |
| `logs` | the logs of a fleet that runs freely with these cores: are they a behaviour of the specification? |

A mutant is replayed only in the runs that execute the line that it changes (`conformance.mutation.cores.executed`); in the others
it behaves like ours. A check is what is compared: a piece of the state, messages, what a core lists as due, what it has to refuse.
The place where it is noticed is a run and a step.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from conformance.bindings.message_queue import NOT_COMPARED
from conformance.bindings.observe import OBSERVED
from conformance.logs.fleet import record_in_memory
from conformance.logs.one_pass import validate
from conformance.logs.reading import LogFile
from conformance.logs.recorded import LINE, RECORDING
from conformance.mutation.cores.executed import Lines, comes_to, lines_of
from conformance.mutation.cores.free_runs import free_runs
from conformance.mutation.cores.modules import MODULES
from conformance.mutation.cores.source import Mutant
from conformance.mutation.digests import DIGITS, modules, of_modules
from conformance.mutation.kept import CORES, LOGS, code, digest_of, get, once, put
from conformance.mutation.logs import without_places
from conformance.mutation.table import SURVIVES, Answer, Check, Kill, Undecided, answer_json, answer_of
from conformance.replay.cores import Cores
from conformance.replay.lockstep import DRIVERS, Divergence
from conformance.replay.memo import Memo
from conformance.replay.replays import Replays, Vector, read_vectors, replay_all, vectors_of
from conformance.replay.targets import open_target
from impl.cli.exits import Problem
from model.language import Protocol

COMPARED: Final = "comparison"
"""The kind of check that replays are made of."""

LOGGED: Final = "line"
"""The kind of check that validation is made of: what of a line does not fit."""

LINES: Final = 2_000
AGENTS: Final = 6
"""The fleet that is recorded."""

Engine = Callable[[Protocol, Cores, Mutant | None], Answer]
"""Asked of cores with this mutant; none: with any change, or with none."""


@dataclass(frozen=True)
class _Run:
    """A run, and what ours execute in it."""

    vector: Vector
    about: str
    """The digest of the run."""
    executed: Lines


_Runs = Sequence[_Run]


@lru_cache(maxsize=4)
def _shipped(protocol: Protocol) -> tuple[_Runs, _Runs]:
    """The vectors of a protocol, and the negative ones."""
    read = read_vectors([vectors_of(protocol)], protocol)
    return (
        _with_lines([item for item in read if item.diverges_at is None]),
        _with_lines([item for item in read if item.diverges_at is not None]),
    )


@lru_cache(maxsize=4)
def _free(protocol: Protocol) -> _Runs:
    return _with_lines(free_runs(protocol))


_MEMO: Final = Memo()
"""All mutants follow the same runs."""


def _with_lines(runs: Iterable[Vector]) -> _Runs:
    return [_Run(run, _about(run), _executed(run)) for run in runs]


def _about(run: Vector) -> str:
    steps = [str(step) for step in run.trace.steps]
    return digest_of([run.name, run.protocol.digest(), run.diverges_at, repr(run.trace.configuration), steps])[:DIGITS]


def _executed(run: Vector) -> Lines:
    asked = {"executed in": _about(run), **_cores(run.base, None)}
    return frozenset((module, line) for module, line in once(asked, lambda: sorted(lines_of(lambda: _replay(run)))))


def _cores(protocol: Protocol, mutant: Mutant | None) -> dict[str, Any]:
    """What answers about cores depend on beside what is asked of them."""
    return {
        "of": protocol.digest(),
        "code": code(CORES),
        "cores": _unchanged(protocol),
        "mutant": mutant and mutant.name,
    }


@lru_cache(maxsize=4)
def _unchanged(protocol: Protocol) -> dict[str, str]:
    """The digests of a protocol's cores, with what they import; another protocol's are not among them."""
    return of_modules({file for name in MODULES[protocol.name] for file in modules(name, ("impl.",))})


def _replay(run: Vector, cores: Cores | None = None) -> Replays:
    """A replay in a system of its own, so that it depends on no earlier one."""
    with open_target("memory") as memory:
        return replay_all([run], memory, cores=cores, memo=_MEMO, drivers=RECORDING)


def _replayed(kind: str, runs: _Runs, cores: Cores, mutant: Mutant | None) -> Answer:
    """The first divergence. What a run has shown of a mutant is kept by itself, so a new run is all that is asked then."""
    asked = {"replayed": kind, **_cores(runs[0].vector.base, mutant)}
    kept: Mapping[str, Any] = (get(asked) or {}) if mutant is not None else {}
    known = dict(kept)
    found: Answer = SURVIVES
    for run in runs:
        if not comes_to(run.executed, mutant):
            continue
        answer = answer_of(known[run.about]) if run.about in known else _followed(run.vector, cores)
        known[run.about] = answer_json(answer)
        if isinstance(answer, Kill):
            found = answer
            break
        found = answer if found == SURVIVES else found
    if mutant is not None and known != kept:
        put(asked, known)
    return found


def _followed(run: Vector, cores: Cores) -> Answer:
    try:
        found = _replay(run, cores)
    except Exception as problem:  # ours follow all runs, so it is the mutant that brings the replay down
        return Kill(Check(COMPARED, "replay"), f"ends with {type(problem).__name__}")
    if found.divergence is not None:
        return killed_by(found.divergence)
    return Undecided(found.not_driven[0][1]) if found.not_driven else SURVIVES


def killed_by(divergence: Divergence) -> Kill:
    """A divergence as a kill: what was compared, where it differed, and after how many steps."""
    return Kill(Check(COMPARED, compared(divergence.field)), divergence.trace, divergence.step)


def comparisons(protocol: Protocol) -> list[Check]:
    """What every replay compares: each piece of the state that is seen, and each refusal of what a role does by itself.

    Listed items, effects of unauthorized messages, and fields within a piece or a line have names only once they differ.
    """
    unseen = {
        "on-demand": {symbol.name for symbol in protocol.symbols} - set(OBSERVED),
        "message-queue": set(NOT_COMPARED),
    }
    state = [symbol.name for symbol in protocol.symbols if symbol.name not in unseen[protocol.name]]
    refusals = [f"refusal: {item.name}" for item in DRIVERS[protocol.name].spontaneous]
    return [Check(COMPARED, name) for name in (*state, LINE, *refusals)]


def compared(field: str) -> str:
    """What was compared, without whom it is about: `known(h1, p2)` is `known`, `h1: evict(p2)` is `refusal: evict`."""
    name = field.partition(": ")[2]
    what = re.sub(r"\(.*?\)", "", name or field)
    if not name:
        return re.sub(r"received by .*", "received", what)
    return f"refusal: {what.strip()}" if "(" in name else f"listed: {what}"


@lru_cache(maxsize=1)
def _executed_by_the_fleet() -> Lines:
    with tempfile.TemporaryDirectory(prefix="ondemand-fleet-") as folder:
        return lines_of(lambda: record_in_memory(Path(folder), LINES, agents=AGENTS, cores=Cores()))


def _logged(protocol: Protocol, cores: Cores, mutant: Mutant | None) -> Answer:
    """The first line that does not fit, of a fleet's logs."""
    if not comes_to(_executed_by_the_fleet(), mutant):
        return SURVIVES
    if mutant is None:
        return _validated(protocol, cores)
    asked = {"logged": code(LOGS), **_cores(protocol, mutant)}
    return answer_of(once(asked, lambda: answer_json(_validated(protocol, cores))))


def _validated(protocol: Protocol, cores: Cores) -> Answer:
    with tempfile.TemporaryDirectory(prefix="ondemand-mutant-") as folder:
        try:
            made = record_in_memory(Path(folder), LINES, agents=AGENTS, cores=cores)
            found = validate([LogFile(path) for path in made.files], protocols=[protocol])
        except Problem:
            return Kill(Check(LOGGED, "lines"), "no line of a log")
        except Exception as problem:  # whatever a wrong core raises ends its process, and everybody sees it
            return Kill(Check(LOGGED, "processes"), f"one ends with {type(problem).__name__}")
    if found.divergence is not None:
        line, field = found.divergence.record.line, re.sub(r"\(.*\)", "", found.divergence.misfit.field)
        return Kill(Check(LOGGED, field or "guard"), f"{line.process}, {line.event}", found.events + 1)
    return SURVIVES if found.verdict == "conforms" else Undecided(without_places(found.why))


ENGINES: Final[Mapping[str, tuple[str, Engine]]] = {
    "vectors": (
        "every shipped run of the protocol, in lock-step, with the lines that are recorded of it",
        lambda protocol, cores, mutant: _replayed("vectors", _shipped(protocol)[0], cores, mutant),
    ),
    "negative": (
        "the same for every shipped run of a variant, up to the step at which it leaves the protocol",
        lambda protocol, cores, mutant: _replayed("negative", _shipped(protocol)[1], cores, mutant),
    ),
    "free": (
        "the same for runs by chance from fixed seeds",
        lambda protocol, cores, mutant: _replayed("free", _free(protocol), cores, mutant),
    ),
    "logs": ("the logs of a fleet that runs freely, validated", _logged),
}
"""The columns, each with what it asks."""
