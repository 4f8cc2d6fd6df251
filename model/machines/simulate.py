"""Simulate: long random runs of the role machines, with every promise checked at every step.

Hypothesis drives them: each action is a rule, applicable when it is enabled; each run leaves out some rules at random (swarm
testing), so that rare combinations occur; a violation is shrunk. A seed reproduces a simulation exactly.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.providers import HypothesisProvider
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from model.language import Promise, Protocol
from model.language.protocol import DEADLOCK
from model.language.transient import is_transient
from model.language.walk import unfolded
from model.machines.machines import Contradiction, System
from model.reference.configuration import Configuration
from model.reference.cut import Cut, counted_by_number
from model.reference.deadlock import is_deadlock
from model.reference.interpreter import NO_EVENTS, Interpreter
from model.reference.state import Occurrence, State, Trace, initial_state

FOUND: Final = "Found by simulation."
"""What is said of its runs."""

Progress = Callable[[int, int], None]
"""Called now and then with the number of runs and steps done."""


@dataclass(frozen=True)
class Simulation:
    """The result of a simulation. Only `holds` is green, and it is no proof."""

    configuration: str
    runs: int
    idle: int
    """Runs that took no step."""
    steps: int
    seed: int
    verdict: Literal["holds", "violated", "undecided"]
    violated: str
    """The name of the promise, or `deadlock`; empty if nothing is violated."""
    trace: Trace | None
    """The shortest run that was found."""
    actions: Mapping[str, int]
    """How often each action was taken."""
    reached: frozenset[str]
    """The reachable claims that were reached."""
    cut: Mapping[Cut, int]
    """Steps that were not possible in the states of the runs, because they would have left the bounds."""
    bounds: Mapping[str, int]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The result as the command line writes it."""
        return {
            "config": self.configuration,
            "runs": self.runs,
            "idle": self.idle,
            "steps": self.steps,
            "seed": self.seed,
            "verdict": self.verdict,
            "violated": self.violated or None,
            "actions": dict(sorted(self.actions.items())),
            "cut": counted_by_number(self.cut),
            "seconds": round(self.seconds, 3),
        }


class PromiseBroken(Exception):
    """A run broke a promise, or ended in a deadlock."""

    def __init__(self, name: str, trace: Trace) -> None:
        super().__init__(name)
        self.name = name
        self.trace = trace


class _Counts:
    """Totals over all runs."""

    def __init__(self, progress: Progress | None) -> None:
        self.runs = 0
        self.moved = 0
        """Runs that took a step."""
        self.steps = 0
        self.actions: Counter[str] = Counter()
        self.reached: set[str] = set()
        self.cut: Counter[Cut] = Counter()
        self._progress = progress

    def step(self, action: str) -> None:
        self.steps += 1
        self.actions[action] += 1
        if self._progress is not None and self.steps % 500 == 0:
            self._progress(self.runs, self.steps)


def simulate(
    protocol: Protocol,
    configuration: Configuration,
    *,
    runs: int = 200,
    steps: int = 60,
    from_seed: int = 0,
    progress: Progress | None = None,
) -> Simulation:
    """Runs the machines at random: `runs` runs of at most `steps` steps. The promises are checked in the initial state too."""
    counts = _Counts(progress)
    machine = seed(from_seed)(_machine(protocol, configuration, counts))
    chosen = settings(
        max_examples=runs,
        stateful_step_count=max(steps, 1),
        deadline=None,
        database=None,
        verbosity=Verbosity.quiet,
        print_blob=False,
        report_multiple_bugs=False,  # only the first one is needed, and two would be raised as one exception of another kind
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    started = time.perf_counter()
    broken = _broken_at_start(protocol, configuration, counts)
    if broken is None and steps:
        try:
            # Hypothesis mixes in constants of the loaded modules; a seed must mean the same without them.
            with patch.object(HypothesisProvider, "_maybe_draw_constant", lambda *_, **__: None):
                run_state_machine_as_test(machine, settings=chosen)
        except PromiseBroken as found:
            broken = found
    trace = _without_detours(protocol, broken) if broken else None
    seconds = time.perf_counter() - started
    return Simulation(
        configuration.name,
        counts.runs,
        counts.runs - counts.moved,
        counts.steps,
        from_seed,
        "violated" if broken else "holds" if counts.steps else "undecided",
        broken.name if broken else "",
        trace,
        counts.actions,
        frozenset(counts.reached),
        counts.cut,
        configuration.bounds,
        seconds,
    )


def _broken_at_start(protocol: Protocol, configuration: Configuration, counts: _Counts) -> PromiseBroken | None:
    """What is broken before any step; notes the claims that are reached there."""
    interpreter, start = Interpreter(protocol, configuration), initial_state(protocol, configuration)
    trace = Trace(protocol.name, configuration, (start,), (), FOUND)
    promises = [promise for promise in protocol.promises if not promise.lemma and promise.kind == "always"]
    for claim in protocol.sometimes:
        if not is_transient(unfolded(claim.formula)) and interpreter.counterexample(claim, start) is not None:
            counts.reached.add(claim.name)
    broken = interpreter.violated(start, start, NO_EVENTS, promises)
    if broken is not None:
        return PromiseBroken(broken.name, trace)
    return PromiseBroken(DEADLOCK, trace) if is_deadlock(interpreter, start) else None


def _without_detours(protocol: Protocol, broken: PromiseBroken) -> Trace:
    """The run without unneeded steps: Hypothesis may keep some when it shrinks, since its choices depend on each other."""
    interpreter = Interpreter(protocol, broken.trace.configuration)
    promises = [promise for promise in protocol.promises if promise.name == broken.name]
    if not promises and broken.name != DEADLOCK:  # the machines disagree with the protocol
        return broken.trace
    trace, place = broken.trace, len(broken.trace.steps) - 2
    while place >= 0:
        shorter = _executed(interpreter, trace, (*trace.steps[:place], *trace.steps[place + 1 :]), promises)
        trace, place = (trace, place - 1) if shorter is None else (shorter, min(place, len(shorter.steps) - 2))
    return trace


def _executed(
    interpreter: Interpreter, trace: Trace, steps: tuple[Occurrence, ...], promises: list[Promise]
) -> Trace | None:
    """The run of these steps, if they are enabled and the last one breaks a promise; without promises, if it ends in a deadlock."""
    states, events = [trace.states[0]], NO_EVENTS
    for step in steps:
        if not interpreter.is_enabled(states[-1], step):
            return None
        after, events = interpreter.apply(states[-1], step)
        states.append(after)
    if promises:
        wrong = interpreter.violated(states[-2], states[-1], events, promises) is not None
    else:
        wrong = is_deadlock(interpreter, states[-1])
    if not wrong:
        return None
    return replace(trace, states=tuple(states), steps=steps)


def _machine(protocol: Protocol, configuration: Configuration, counts: _Counts) -> type[RuleBasedStateMachine]:
    """A state machine class for Hypothesis, with a rule for each action."""
    interpreter = Interpreter(protocol, configuration)
    promises = [promise for promise in protocol.promises if not promise.lemma]
    of_steps = {claim.name for claim in protocol.sometimes if is_transient(unfolded(claim.formula))}
    start = initial_state(protocol, configuration)
    # One system for all runs, since making its machines takes longer than a run.
    system = System(protocol, configuration)

    class Run(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            system.load(start)
            self.states: list[State] = [start]
            self.steps: list[Occurrence] = []
            self.enabled: dict[str, list[Occurrence]] = {}
            counts.runs += 1
            self.look()

        @precondition(lambda self: not self.enabled)
        @rule()
        def rest(self) -> None:
            """No action is enabled; Hypothesis needs some applicable rule."""

        def look(self) -> None:
            self.enabled = {}
            for occurrence, cut in system.guarded():
                if cut is None:
                    self.enabled.setdefault(occurrence.action, []).append(occurrence)
                else:
                    counts.cut[cut] += 1
            if is_deadlock(interpreter, self.states[-1]):
                raise PromiseBroken(DEADLOCK, self.trace())

        def take(self, action: str, number: int) -> None:
            among = self.enabled[action]
            occurrence = among[number % len(among)]
            before = self.states[-1]
            try:
                events = system.take(occurrence)
            except Contradiction as problem:
                self.done(occurrence, system.state)
                raise PromiseBroken(str(problem), self.trace()) from problem
            after = system.state
            counts.step(action)
            counts.moved += not self.steps
            self.done(occurrence, after)
            broken = interpreter.violated(before, after, events, promises)
            if broken is not None:
                raise PromiseBroken(broken.name, self.trace())
            for claim in protocol.sometimes:
                seen = before if claim.name in of_steps else after
                if (
                    claim.name not in counts.reached
                    and interpreter.counterexample(claim, seen, after=after, events=events) is not None
                ):
                    counts.reached.add(claim.name)
            self.look()

        def done(self, occurrence: Occurrence, after: State) -> None:
            self.states.append(after)
            self.steps.append(occurrence)

        def trace(self) -> Trace:
            return Trace(protocol.name, configuration, tuple(self.states), tuple(self.steps), FOUND)

    numbers = st.integers(0, 1023)
    for name in system.executables:
        setattr(Run, f"rule_{name}", _rule(name, numbers))
    return Run


def _rule(name: str, numbers: st.SearchStrategy[int]) -> Any:
    def possible(run: Any) -> bool:
        return name in run.enabled

    def take(self: Any, number: int) -> None:
        self.take(name, number)

    take.__name__ = name
    return precondition(possible)(rule(number=numbers)(take))
