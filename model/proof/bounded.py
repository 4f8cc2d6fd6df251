"""Bounded: is there a violation within a given number of steps? The symbolic counterpart of explore, for large state spaces.

Runs are unrolled step by step in one solver. At every depth all promises about states and steps are checked at once, so the first
violation found is a shortest one; reachable claims are checked too. The interpreter executes every result before it is reported.
Finding nothing within a bound says nothing about longer runs: it is undecided, never green.

The encoding uses grounded propositions over bounded numbers, not functions over enumerated sorts with unbounded numbers: both were
tried on the variants of the on-demand protocol. The first finds a shortest run to each in about a second, up to 13 steps; the
second needs 2 seconds for 4 steps, 15 for 6, and gives up on 7. Neither leaving out steps that change nothing nor ordering
independent steps helped: fewer runs, but slower answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import z3

from model.explore.kernel.ground import Ground
from model.explore.kernel.instances import Instance
from model.language import Promise, Protocol, Sometimes
from model.language.protocol import DEADLOCK
from model.language.terms import Formula
from model.proof.unrolled import Question, Unrolling
from model.reference.configuration import Configuration
from model.reference.cut import Cut
from model.reference.deadlock import is_deadlock
from model.reference.interpreter import NO_EVENTS, Interpreter
from model.reference.state import Element, Occurrence, Trace, initial_state

STEPS_MAX: Final = 10
"""The default maximum of steps of a run."""

SECONDS_MAX: Final = 600.0
"""The default time limit for all questions together."""

Verdict = Literal["violated", "undecided"]
"""There is no third: longer runs are never examined."""


@dataclass(frozen=True)
class Bounded:
    """The result. Nothing here is green."""

    configuration: str
    verdict: Verdict
    because: Literal["", "bound", "time", "unknown"]
    """Why it is undecided."""
    depth: int
    """No run of this many steps breaks a promise; or, if one is broken, the length of a shortest run to it."""
    violated: str
    """The name of the promise, or `deadlock`; empty if nothing is violated."""
    trace: Trace | None
    reached: Mapping[str, int]
    """The reachable claims that were reached, with the length of a shortest run to each."""
    cut: Mapping[Cut, int]
    """Why steps were cut, with the length of a shortest run to a state in which one is."""
    bounds: Mapping[str, int]
    seconds: float
    facts: int
    """Propositions about one state."""
    instances: int
    """Actions with their choices."""

    def as_json(self) -> dict[str, Any]:
        """The result as the command line writes it."""
        return {
            "config": self.configuration,
            "verdict": self.verdict,
            "because": self.because or None,
            "depth": self.depth,
            "violated": self.violated or None,
            "reached": dict(self.reached),
            "cut": {why.shown(self.bounds): depth for why, depth in self.cut.items()},
            "seconds": round(self.seconds, 3),
            "facts": self.facts,
            "instances": self.instances,
        }


Progress = Callable[[int, float], None]
"""Called after every depth with the depth and the seconds."""


def bounded(
    protocol: Protocol,
    configuration: Configuration,
    *,
    steps_max: int = STEPS_MAX,
    seconds_max: float = SECONDS_MAX,
    promises: Sequence[Promise] | None = None,
    sometimes: Sequence[Sometimes] | None = None,
    deadlocks: bool = True,
    any_constants: bool = False,
    progress: Progress | None = None,
) -> Bounded:
    """Looks for a shortest violation of at most `steps_max` steps.

    `promises`: those to check; by default all but the lemmas. `sometimes`: the reachable claims to check; by default all.
    `any_constants`: instead of the configured constants, any values
    that break a promise soonest.

    Raises:
        BadInput: the configuration is too large to be grounded, or its constants violate an assumption.
    """
    if not any_constants:
        Interpreter(protocol, configuration)  # no run is possible with constants that are not as assumed
    started = time.perf_counter()
    checked = [promise for promise in protocol.promises if not promise.lemma] if promises is None else list(promises)
    wanted = list(protocol.sometimes if sometimes is None else sometimes)
    search = _Search(protocol, configuration, any_constants, started + seconds_max)
    search.about(checked, wanted, deadlocks)
    because, depth = search.run(steps_max, lambda depth: progress and progress(depth, time.perf_counter() - started))
    trace, violated = (None, "") if because else search.replayed(checked)
    return Bounded(
        configuration.name,
        "undecided" if because else "violated",
        because,
        depth,
        violated,
        trace,
        *search.found(),
        configuration.bounds,
        time.perf_counter() - started,
        search.facts,
        len(search.ground.instances),
    )


class _Search:
    """One unrolling, and the questions about it."""

    def __init__(self, protocol: Protocol, configuration: Configuration, any_constants: bool, until: float) -> None:
        self._protocol = protocol
        self._configuration = configuration
        self._until = until
        self.ground = Ground(protocol, configuration, any_constants=any_constants)
        self._solver = z3.SolverFor("QF_FD")  # propositions go to an incremental SAT solver
        self._runs = Unrolling(self.ground, self._solver)
        for assumed in protocol.assumptions:
            self._runs.assume(assumed)
        self._wrong: list[Question] = []
        self._to_reach: list[Question] = []
        self.reached: dict[str, int] = {}
        self._cuts = {f"cut {number}": why for number, why in enumerate(self.ground.cut_reasons())}

    @property
    def facts(self) -> int:
        """Propositions about one state."""
        return self._runs.facts

    def about(
        self,
        promises: Sequence[Promise],
        sometimes: Sequence[Sometimes],
        deadlocks: bool,
    ) -> None:
        """The questions at every depth."""
        self._wrong = [self._runs.broken(promise) for promise in promises]
        if deadlocks:
            self._wrong.append(self._runs.stuck())
        self._to_reach = [self._runs.reached(claim) for claim in sometimes]
        self._to_reach += [self._runs.cut(name, why) for name, why in self._cuts.items()]

    def run(
        self, steps_max: int, progress: Callable[[int], object]
    ) -> tuple[Literal["", "bound", "time", "unknown"], int]:
        """Unrolls until a violation is found (then the reason is empty), or something else ends the search.

        Also returns the depth: of the violation, or the last one without any.
        """
        for depth in range(steps_max + 1):
            if depth:
                self._runs.grow()
            wrong = self._named(f"wrong{depth}", [self._runs.ask(question) for question in self._wrong])
            answer = self._check(wrong)
            if answer == z3.sat:
                return "", depth
            if answer == z3.unknown:
                return "time" if time.perf_counter() >= self._until else "unknown", depth - 1
            self._solver.add(z3.Not(wrong))
            self._reach(depth)
            progress(depth)
        return "bound", steps_max

    def _reach(self, depth: int) -> None:
        """Records the claims reached at this depth and not before. A claim that is not decided in time counts as not reached."""
        asked = {
            question.name: self._named(f"{question.name}{depth}", [self._runs.ask(question)])
            for question in self._to_reach
        }
        while asked:
            if self._check(self._named(f"reached{depth}.{len(asked)}", list(asked.values()))) != z3.sat:
                break
            model = self._solver.model()
            for name in [name for name, term in asked.items() if z3.is_true(model.eval(term))]:
                self.reached[name] = depth
                del asked[name]
        self._to_reach = [question for question in self._to_reach if question.name not in self.reached]

    def found(self) -> tuple[dict[str, int], dict[Cut, int]]:
        """The claims that were reached, and why steps were cut, with the lengths of shortest runs."""
        cut = {why: self.reached[name] for name, why in self._cuts.items() if name in self.reached}
        return {name: depth for name, depth in self.reached.items() if name not in self._cuts}, cut

    def _named(self, name: str, parts: Sequence[Any]) -> Any:
        """A proposition that is true if one of these is."""
        named = z3.FreshBool(name)  # a claim may have any name
        self._solver.add(named == z3.Or(*parts))
        return named

    def _check(self, assumed: Any) -> Any:
        left = self._until - time.perf_counter()
        if left <= 0:
            return z3.unknown
        self._solver.set("timeout", max(int(left * 1000), 1))
        return self._solver.check(assumed)

    # ------------------------------------------------------------------------------------------------ what is found

    def replayed(self, promises: Sequence[Promise]) -> tuple[Trace, str]:
        """The run that the solver has found, executed by the interpreter, and what it breaks."""
        model = self._solver.model()
        configuration = self._with_constants(model)
        interpreter = Interpreter(self._protocol, configuration)
        states, steps = [initial_state(self._protocol, configuration)], []
        before, events = states[0], NO_EVENTS
        for instance in self._runs.steps(model):
            step = self._occurrence(instance)
            assert interpreter.is_enabled(states[-1], step), (
                "the interpreter does not take the step that the solver took"
            )
            before = states[-1]
            after, events = interpreter.apply(before, step)
            states.append(after)
            steps.append(step)
        about = [promise for promise in promises if steps or promise.kind == "always"]
        broken = interpreter.violated(before, states[-1], events, about)
        name = DEADLOCK if broken is None else broken.name
        assert broken or is_deadlock(interpreter, states[-1]), (
            "the interpreter does not find what the solver found wrong"
        )
        return Trace(self._protocol.name, configuration, tuple(states), tuple(steps)), name

    def _occurrence(self, instance: Instance) -> Occurrence:
        parameters = instance.action.parameters
        names = self.ground.names([parameter.sort for parameter in parameters], instance.choices)
        return Occurrence(
            instance.action.name, tuple(zip((parameter.name for parameter in parameters), names, strict=True))
        )

    def _with_constants(self, model: Any) -> Configuration:
        """The configuration with the constants of the run, where they were left open."""
        relations: dict[str, set[tuple[Element, ...]]] = {}
        functions: dict[str, dict[tuple[Element, ...], Element]] = {}
        for place in sorted(self.ground.open):
            symbol, arguments = self.ground.places[place]
            names, value = self.ground.names(symbol.arguments, arguments), self._runs.value(model, 0, place)
            if symbol.result is Formula:
                relations.setdefault(symbol.name, set()).update([names] if value else [])
            else:
                functions.setdefault(symbol.name, {})[names] = self.ground.sizes[symbol.result][value]
        chosen = {name: frozenset(tuples) for name, tuples in relations.items()}
        return replace(self._configuration, constants={**self._configuration.constants, **chosen, **functions})
