"""Shrinks a divergence: candidates from hypotheses are run on the target, smallest first, each several times.

A candidate counts if it diverges likewise at least once; its rate is how often it does. One that never does refutes its
hypothesis, or refines it. The original run is the last candidate: if no other diverges, no hypothesis explains the failure, and the
original is reduced by trying shorter runs on the target, at most `TARGET_RUNS_MAX` of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from conformance.replay.driver import Cores
from conformance.replay.lockstep import Divergence, Leaving, Replay, replay
from conformance.replay.replays import Vector
from conformance.replay.targets import Target
from conformance.shrink.failure import Failure, failure_of, kind_of
from conformance.shrink.hypotheses import Candidate, InContext, hypotheses
from impl.cli.exits import Exit
from model.explore.shrinking import adapted, reduced
from model.reference.interpreter import Interpreter
from model.reference.runs import executed
from model.reference.state import Occurrence, Trace

FEW: Final = 3
"""Candidates that are always run, so that rates can be compared."""
TARGET_RUNS_MAX: Final = 120
"""Runs on the target if no hypothesis explains the failure: about a minute on a broker."""
LESSONS_MAX: Final = 8
"""How often a hypothesis may learn from a run that did not diverge."""

Progress = Callable[[int, str], None]


@dataclass(frozen=True)
class Tried:
    """The results of a candidate on the target."""

    candidate: Candidate
    times: int
    likewise: int
    """Runs that diverged in the same way."""
    otherwise: int
    """Runs that diverged differently, or could not be replayed."""
    divergence: Divergence | None
    """The divergence of the first run that diverged likewise."""

    @property
    def steps(self) -> int:
        """Steps of the run."""
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
    """The result of shrinking."""

    vector: Vector
    target: str
    times: int
    observed: int = 0
    """The run of the original trace that first diverged, from 1; 0 if none did."""
    divergence: Divergence | None = None
    """The divergence to shrink."""
    because: str = ""
    """Why the trace could not be replayed to its end."""
    tried: list[Tried] = field(default_factory=list)

    @property
    def smallest(self) -> Tried | None:
        """The shortest run that diverges likewise; of several, the one with the highest rate."""
        found = [item for item in self.tried if item.likewise]
        return min(found, key=lambda item: (item.steps, -item.likewise), default=None)

    @property
    def verdict(self) -> Literal["conforms", "diverges", "undecided"]:
        """The verdict on the original trace."""
        if self.divergence is not None:
            return "diverges"
        return "undecided" if self.because else "conforms"

    @property
    def exit(self) -> Exit:
        """The exit code of a command."""
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
    vector: Vector, target: Target, *, cores: Cores | None = None, times: int = 5, progress: Progress | None = None
) -> Shrunk:
    """Replays a trace at most `times` times until it diverges, and finds a smaller run that diverges likewise.

    Raises:
        EnvironmentProblem: the broker does not deliver.
    """
    report = progress or (lambda done, text: None)
    leaving = Leaving(vector.diverges_at, vector.protocol) if vector.diverges_at is not None else None
    shrunk = Shrunk(vector, target.name, times)
    for number in range(times):
        report(0, f"{vector.name}, run {number + 1}")
        result = replay(vector.trace, vector.name, vector.base, target, cores, leaving)
        if result.verdict == "not driven":
            shrunk.because = result.because
        if result.divergence is not None:
            shrunk.observed, shrunk.divergence = number + 1, result.divergence
            break
    if shrunk.divergence is None or shrunk.divergence.step == 0:
        return shrunk
    interpreter = Interpreter(vector.base, vector.trace.configuration)
    failure = failure_of(interpreter, vector.trace, shrunk.divergence, leaving)
    _Search(shrunk, failure, interpreter, target, cores, report).run()
    return shrunk


class _Search:
    """The search over the candidates of one failure."""

    def __init__(
        self,
        shrunk: Shrunk,
        failure: Failure,
        interpreter: Interpreter,
        target: Target,
        cores: Cores | None,
        report: Progress,
    ) -> None:
        self._shrunk = shrunk
        self._failure = failure
        self._interpreter = interpreter
        self._target = target
        self._cores = cores
        self._report = report
        self._lessons = 0
        self._seen: set[tuple[Occurrence, ...]] = set()
        self._waiting: list[Candidate] = []

    def run(self) -> None:
        """Runs candidates, smallest first, until no smaller untried one is left."""
        for hypothesis in hypotheses(self._failure, self._interpreter):
            self._report(len(self._shrunk.tried), hypothesis.text)
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
            candidate = self._reduced_on_target(smallest.candidate)
            if len(candidate.trace.steps) < smallest.steps:
                self._shrunk.tried.append(self._try(candidate))

    def _reduced_on_target(self, original: Candidate) -> Candidate:
        """The run reduced by trying it on the target; its last step is kept if that is the one that diverges."""
        runs, last = 0, self._failure.step
        because = "reduced on the target; no hypothesis explains it"

        def shows(trace: Trace) -> Candidate | None:
            nonlocal runs
            run = adapted(self._interpreter, trace, [last]) if last is not None else trace
            if runs >= TARGET_RUNS_MAX or (last is not None and len(run.steps) == len(trace.steps)):
                return None
            runs += 1
            self._report(len(self._shrunk.tried), f"{len(run.steps)} steps, {runs} runs")
            candidate = Candidate(run, None, because)
            divergence = self._replayed(candidate).divergence
            return candidate if divergence is not None and self._is_alike(candidate, divergence) else None

        found = reduced(self._interpreter, self._failure.trace, shows) if original.leaving is None else None
        return found[1] if found is not None else original

    def _add(self, candidates: Iterator[Candidate]) -> None:
        for candidate in candidates:
            if candidate.trace.steps not in self._seen:
                self._seen.add(candidate.trace.steps)
                self._waiting.append(candidate)

    def _given(self) -> Iterator[Candidate]:
        """The original run."""
        run, failure = self._failure.trace, self._failure
        if failure.step is None:
            yield Candidate(run, None, "the original run")
        elif failure.leaving is not None:
            trace = self._shrunk.vector.trace
            yield Candidate(trace, failure.leaving, "the original run")
        else:
            complete = executed(self._interpreter, run, [failure.step])
            assert complete is not None
            yield Candidate(complete, None, "the original run")

    def _try(self, candidate: Candidate) -> Tried:
        likewise, otherwise, first = 0, 0, None
        for number in range(self._shrunk.times):
            self._report(len(self._shrunk.tried), f"{len(candidate.trace.steps)} steps, run {number + 1}")
            result = self._replayed(candidate)
            if result.divergence is None:
                otherwise += result.verdict == "not driven"
            elif self._is_alike(candidate, result.divergence):
                likewise, first = likewise + 1, first or result.divergence
            else:
                otherwise += 1
        return Tried(candidate, self._shrunk.times, likewise, otherwise, first)

    def _is_alike(self, candidate: Candidate, divergence: Divergence) -> bool:
        """Whether the divergence is of the same kind, or a predicted symbol of the same step differs first."""
        kind, wanted = kind_of(candidate.trace, divergence, candidate.leaving), self._failure.kind
        at_the_end = divergence.step == len(candidate.trace.steps)
        same_place = at_the_end and (kind.of, kind.name) == (wanted.of, wanted.name)
        return kind == wanted or (same_place and kind.symbol in candidate.predicted)

    def _replayed(self, candidate: Candidate) -> Replay:
        name, base = self._shrunk.vector.name, self._shrunk.vector.base
        return replay(candidate.trace, name, base, self._target, self._cores, candidate.leaving)
