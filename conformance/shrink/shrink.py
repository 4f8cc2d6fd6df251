"""A divergence made small: candidates from hypotheses, run on the target, the smallest first, each several times.

A candidate counts if it diverges likewise at least once; how often it does is its rate. One that never does refutes its hypothesis,
or teaches it. The run that was given is the last candidate of all: if no other diverges, no hypothesis explains what is wrong, and
the target itself is asked, so many times at most, what the run can do without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from conformance.replay.driver import Cores
from conformance.replay.lockstep import Divergence, Leaving, Replay, replay
from conformance.replay.replays import Vector
from conformance.replay.targets import Target
from conformance.shrink.hypotheses import Candidate, InContext, hypotheses
from conformance.shrink.wrong import Wrong, kind_of, wrong_of
from impl.cli.exits import Exit
from model.explore.shrinking import adapted, reduced
from model.reference.interpreter import Interpreter
from model.reference.runs import executed
from model.reference.state import Occurrence, Trace

FEW: Final = 3
"""Candidates that are run in any case, so that a rate stands beside others."""
ASKED_MAX: Final = 120
"""Runs on the target at most where no hypothesis explains what is wrong: on a broker that takes a minute."""
LESSONS_MAX: Final = 8
"""How often a hypothesis learns from a run that went well, at most."""

Told = Callable[[int, str], None]


@dataclass(frozen=True)
class Tried:
    """What became of a candidate on the target."""

    candidate: Candidate
    times: int
    likewise: int
    """Runs that diverged in the same way."""
    otherwise: int
    """Runs that diverged in another way, or could not be driven."""
    divergence: Divergence | None
    """Of the first run that diverged likewise."""

    @property
    def steps(self) -> int:
        """The length of the run."""
        return len(self.candidate.trace.steps)

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        return {
            "steps": self.steps,
            "times": self.times,
            "likewise": self.likewise,
            "otherwise": self.otherwise,
            "because": self.candidate.because,
            "divergence": self.divergence.as_json() if self.divergence else None,
        }


@dataclass
class Shrunk:
    """What came of it."""

    vector: Vector
    target: str
    times: int
    observed: int = 0
    """Runs of the whole trace until it diverged; 0: it never did."""
    divergence: Divergence | None = None
    """The one that was to be made small."""
    because: str = ""
    """Why the trace could not be driven to its end."""
    tried: list[Tried] = field(default_factory=list)

    @property
    def smallest(self) -> Tried | None:
        """The shortest run that diverges likewise; of several, the one that does so most often."""
        found = [item for item in self.tried if item.likewise]
        return min(found, key=lambda item: (item.steps, -item.likewise), default=None)

    @property
    def verdict(self) -> Literal["conforms", "diverges", "undecided"]:
        """Of the trace that was given."""
        if self.divergence is not None:
            return "diverges"
        return "undecided" if self.because else "conforms"

    @property
    def exit(self) -> Exit:
        """What a command ends with."""
        return {"conforms": Exit.HOLDS, "diverges": Exit.VIOLATED, "undecided": Exit.UNDECIDED}[self.verdict]

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        return {
            "trace": self.vector.name,
            "target": self.target,
            "verdict": self.verdict,
            "runs_until_it_diverged": self.observed,
            "divergence": self.divergence.as_json() if self.divergence else None,
            "because": self.because,
            "steps": self.divergence.step if self.divergence else None,
            "smallest": self.smallest.as_json() if self.smallest else None,
            "tried": [item.as_json() for item in self.tried],
        }


def shrink(
    vector: Vector, target: Target, *, cores: Cores | None = None, times: int = 5, progress: Told | None = None
) -> Shrunk:
    """Replays a trace until it diverges, `times` times at most, and finds a smaller run that diverges likewise.

    Raises:
        EnvironmentProblem: the broker does not deliver.
    """
    told = progress or (lambda done, word: None)
    leaving = Leaving(vector.diverges_at, vector.protocol) if vector.diverges_at is not None else None
    shrunk = Shrunk(vector, target.name, times)
    for number in range(times):
        told(0, f"{vector.name}, run {number + 1}")
        result = replay(vector.trace, vector.name, vector.base, target, cores, leaving)
        if result.verdict == "not driven":
            shrunk.because = result.because
        if result.divergence is not None:
            shrunk.observed, shrunk.divergence = number + 1, result.divergence
            break
    if shrunk.divergence is None or shrunk.divergence.step == 0:
        return shrunk
    interpreter = Interpreter(vector.base, vector.trace.configuration)
    wrong = wrong_of(interpreter, vector.trace, shrunk.divergence, leaving)
    _Search(shrunk, wrong, interpreter, target, cores, told).run()
    return shrunk


class _Search:
    """The candidates of one wrong, and what became of them."""

    def __init__(
        self, shrunk: Shrunk, wrong: Wrong, interpreter: Interpreter, target: Target, cores: Cores | None, told: Told
    ) -> None:
        self._shrunk = shrunk
        self._wrong = wrong
        self._interpreter = interpreter
        self._target = target
        self._cores = cores
        self._told = told
        self._lessons = 0
        self._seen: set[tuple[Occurrence, ...]] = set()
        self._waiting: list[Candidate] = []

    def run(self) -> None:
        """Runs candidates, the smallest first, until no smaller one is left that was not tried."""
        for hypothesis in hypotheses(self._wrong, self._interpreter):
            self._told(len(self._shrunk.tried), hypothesis.words)
            self._add(hypothesis.candidates())
        self._add(self._given())
        while self._waiting:
            self._waiting.sort(key=lambda item: len(item.trace.steps))
            candidate = self._waiting.pop(0)
            best = self._shrunk.smallest
            if best is not None and len(candidate.trace.steps) >= best.steps and len(self._shrunk.tried) >= FEW:
                break
            tried = self._try(candidate)
            self._shrunk.tried.append(tried)
            learning = candidate.hypothesis
            if not tried.likewise and isinstance(learning, InContext) and self._lessons < LESSONS_MAX:
                self._lessons += 1
                if learning.went_well(candidate.trace):
                    self._add(learning.candidates())

        smallest = self._shrunk.smallest
        if smallest is not None and smallest.candidate.hypothesis is None:
            candidate = self._asked(smallest.candidate)
            if len(candidate.trace.steps) < smallest.steps:
                self._shrunk.tried.append(self._try(candidate))

    def _asked(self, whole: Candidate) -> Candidate:
        """What is left over of a run by asking the target; its last step is kept, if it is that one that diverges."""
        asked, last = 0, self._wrong.step
        word = "what the target needs to diverge; no hypothesis explains it"

        def shows(trace: Trace) -> Candidate | None:
            nonlocal asked
            run = adapted(self._interpreter, trace, [last]) if last is not None else trace
            if asked >= ASKED_MAX or (last is not None and len(run.steps) == len(trace.steps)):
                return None
            asked += 1
            self._told(len(self._shrunk.tried), f"{len(run.steps)} steps, asked {asked} times")
            candidate = Candidate(run, None, word)
            divergence = self._replayed(candidate).divergence
            return candidate if divergence is not None and self._is_alike(candidate, divergence) else None

        found = reduced(self._interpreter, self._wrong.trace, shows) if whole.leaving is None else None
        return found[1] if found is not None else whole

    def _add(self, candidates: Iterator[Candidate]) -> None:
        for candidate in candidates:
            if candidate.trace.steps not in self._seen:
                self._seen.add(candidate.trace.steps)
                self._waiting.append(candidate)

    def _given(self) -> Iterator[Candidate]:
        """The run that was observed."""
        run, wrong = self._wrong.trace, self._wrong
        if wrong.step is None:
            yield Candidate(run, None, "the run that was given")
        elif wrong.leaving is not None:
            trace = self._shrunk.vector.trace
            yield Candidate(trace, wrong.leaving, "the run that was given")
        else:
            whole = executed(self._interpreter, run, [wrong.step])
            assert whole is not None
            yield Candidate(whole, None, "the run that was given")

    def _try(self, candidate: Candidate) -> Tried:
        likewise, otherwise, first = 0, 0, None
        for number in range(self._shrunk.times):
            self._told(len(self._shrunk.tried), f"{len(candidate.trace.steps)} steps, run {number + 1}")
            result = self._replayed(candidate)
            if result.divergence is None:
                otherwise += result.verdict == "not driven"
            elif self._is_alike(candidate, result.divergence):
                likewise, first = likewise + 1, first or result.divergence
            else:
                otherwise += 1
        return Tried(candidate, self._shrunk.times, likewise, otherwise, first)

    def _is_alike(self, candidate: Candidate, divergence: Divergence) -> bool:
        """It is of the same kind; or what goes wrong is what was foretold, and another of its effects is noticed first."""
        kind, wanted = kind_of(candidate.trace, divergence, candidate.leaving), self._wrong.kind
        at_the_end = divergence.step == len(candidate.trace.steps)
        same_place = at_the_end and (kind.of, kind.name) == (wanted.of, wanted.name)
        return kind == wanted or (same_place and kind.symbol in candidate.foretold)

    def _replayed(self, candidate: Candidate) -> Replay:
        name, base = self._shrunk.vector.name, self._shrunk.vector.base
        return replay(candidate.trace, name, base, self._target, self._cores, candidate.leaving)
