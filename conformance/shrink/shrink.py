"""Shrinks a divergence by delta debugging: parts of the run are left out, as long as the target still diverges in the same way.

Candidates are runs of the statement (`model.reference.runs.adapted`), and are cut where they diverge. First halves are left out,
then quarters and so on down to single steps. The original run and the smallest are run several times, so that both have a rate: in
how many of the runs they diverged in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from conformance.replay.cores import Cores
from conformance.replay.lockstep import Divergence, Leaving, Replay, replay
from conformance.replay.replays import Vector
from conformance.replay.targets import Target
from conformance.shrink.kinds import kind_of
from impl.cli.exits import Exit
from model.language import Protocol
from model.reference.interpreter import Interpreter
from model.reference.runs import adapted
from model.reference.state import Occurrence, Trace, initial_state

TARGET_RUNS_MAX: Final = 200
"""Shorter runs that are tried on the target: about a minute on a broker."""

Progress = Callable[[int, str], None]
Steps = tuple[Occurrence, ...]


@dataclass(frozen=True)
class Tried:
    """The results of a run on the target."""

    because: str
    """Where the run is from."""
    trace: Trace
    protocol: Protocol
    """The trace's; a variant, if the last step is only that one's."""
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
        return len(self.trace.steps)

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        return {
            "steps": self.steps,
            "times": self.times,
            "likewise": self.likewise,
            "otherwise": self.otherwise,
            "because": self.because,
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
    """The original run, and the smallest if it is smaller."""

    @property
    def smallest(self) -> Tried | None:
        """The shortest run that diverges likewise."""
        return min((item for item in self.tried if item.likewise), key=lambda item: item.steps, default=None)

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
    if shrunk.divergence is not None and shrunk.divergence.step:
        search = _Search(shrunk, shrunk.divergence, target, cores, report)
        shrunk.tried += search.tried()
    return shrunk


class _Search:
    """The search for a smaller run that diverges like the original."""

    def __init__(
        self, shrunk: Shrunk, divergence: Divergence, target: Target, cores: Cores | None, report: Progress
    ) -> None:
        self._vector = vector = shrunk.vector
        self._times = shrunk.times
        self._target = target
        self._cores = cores
        self._report = report
        self._interpreter = Interpreter(vector.base, vector.trace.configuration)
        self._start = replace(vector.trace, states=(initial_state(vector.base, vector.trace.configuration),), steps=())
        steps = vector.trace.steps[: divergence.step]
        # Where a message that comes again makes the difference, no step does.
        self._last = None if divergence.again else steps[-1]
        self._others = self._front(steps)
        self._leaves = self._last is not None and divergence.step == vector.diverges_at
        self._kind = kind_of(self._last, divergence)
        self._attempts = 1
        self._seen: set[Steps] = set()

    def tried(self) -> list[Tried]:
        """The original run and the smallest, each with its rate."""
        original = self._run(self._others)
        assert original is not None, "the followed steps form a run"
        found = [self._rated("the original run", original)]
        self._attempts = 1 if found[0].likewise == self._times else self._times
        smallest = self._smallest(original)
        if len(smallest.steps) < len(original.steps):
            found.append(self._rated("reduced on the target", smallest))
        return found

    def _smallest(self, run: Trace) -> Trace:
        """The run without the steps that it does not need to diverge."""
        size = len(run.steps)
        while True:
            before, end = run, len(self._front(run.steps))
            while end > 0:
                front = self._front(run.steps)
                shorter = self._shown((*front[: max(end - size, 0)], *front[end:]))
                if shorter is not None:
                    run = shorter
                end = min(end - size, len(self._front(run.steps)))
            if size == 1 and run is before:
                return run
            size = max(min(size, len(run.steps)) // 2, 1)

    def _front(self, steps: Steps) -> Steps:
        return steps if self._last is None else steps[:-1]

    def _shown(self, front: Sequence[Occurrence]) -> Trace | None:
        """The run of these steps up to its divergence; None if it does not diverge likewise, or was tried before."""
        run = self._run(front)
        if run is None or run.steps in self._seen or len(self._seen) >= TARGET_RUNS_MAX:
            return None
        self._seen.add(run.steps)
        for _ in range(self._attempts):
            self._report(len(self._seen), f"{len(run.steps)} steps")
            divergence = self._replayed(run).divergence
            if divergence is not None and self._is_alike(run, divergence):
                return replace(run, states=run.states[: divergence.step + 1], steps=run.steps[: divergence.step])
        return None

    def _run(self, front: Sequence[Occurrence]) -> Trace | None:
        """The run of these steps and the last; None if that is not possible there."""
        run = adapted(self._interpreter, self._start, front)
        if self._last is None:
            return run
        if not self._leaves:
            longer = adapted(self._interpreter, run, [self._last])
        else:
            longer = adapted(Interpreter(self._vector.protocol, run.configuration), run, [self._last])
            if longer == adapted(self._interpreter, run, longer.steps[-1:]):
                return None  # the protocol does it too
        return longer if len(longer.steps) > len(run.steps) else None

    def _rated(self, because: str, run: Trace) -> Tried:
        likewise, otherwise, first = 0, 0, None
        for number in range(self._times):
            self._report(len(self._seen), f"{because}, {len(run.steps)} steps, run {number + 1}")
            result = self._replayed(run)
            if result.divergence is not None and self._is_alike(run, result.divergence):
                likewise, first = likewise + 1, first or result.divergence
            else:
                otherwise += result.divergence is not None or result.verdict == "not driven"
        protocol = self._vector.protocol if self._leaves else self._vector.base
        return Tried(because, run, protocol, self._times, likewise, otherwise, first)

    def _is_alike(self, run: Trace, divergence: Divergence) -> bool:
        return kind_of(run.steps[divergence.step - 1] if divergence.step else None, divergence) == self._kind

    def _replayed(self, run: Trace) -> Replay:
        vector = self._vector
        leaving = Leaving(len(run.steps), vector.protocol) if self._leaves else None
        return replay(run, vector.name, vector.base, self._target, self._cores, leaving)
