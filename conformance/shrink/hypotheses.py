"""Hypotheses about a failure, each with the runs in which it would show.

| hypothesis | shows where |
|---|---|
| a fault (`model.explaining.fault_hypotheses`) | its effect differs from the protocol's in the observed symbol |
| a context | the action is enabled under the conditions that separate the failure from runs without it |

A context says nothing about the cause and is learned: a run in which the action succeeds adds a condition.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from conformance.replay.lockstep import Leaving
from conformance.shrink.failure import Failure
from model.explaining.fault_hypotheses import (
    Difference,
    Effects,
    FaultHypothesis,
    Input,
    action_of,
    fault_hypotheses_of,
    input_of,
    matches,
    never_done,
    never_leaves,
    never_shows,
)
from model.explore.shrinking import reduced, shortest
from model.language import Action, Message, Promise
from model.language.terms import Apply
from model.reference.contexts import Context, Contexts, Taken
from model.reference.interpreter import Interpreter
from model.reference.runs import prefix
from model.reference.state import Element, Occurrence, Trace

FAULTS_MAX = 4
"""Fault hypotheses that are tried; those that explain the observation exactly come first."""


@dataclass(frozen=True)
class Candidate:
    """A run in which a hypothesis would show."""

    trace: Trace
    leaving: Leaving | None
    because: str
    """The hypothesis as text."""
    hypothesis: Hypothesis | None = None
    members: frozenset[Element] = frozenset()
    """Members that the failure involves, in addition to those of the run."""
    predicted: frozenset[str] = frozenset()
    """The symbols that differ according to an exact hypothesis; any of them may be noticed first."""


class Hypothesis(ABC):
    """A possible fault, and where it would show."""

    text: str
    searched = True
    """Whether to search for a shortest run in which it shows."""
    _exact = False

    def __init__(self, failure: Failure, interpreter: Interpreter) -> None:
        self._failure = failure
        self._interpreter = interpreter

    @abstractmethod
    def shows(self, trace: Trace) -> Candidate | None:
        """The run extended by the failing step, if the hypothesis shows at its end; else None."""

    @abstractmethod
    def _never(self) -> Promise:
        """The claim that it never shows."""

    def candidates(self) -> Iterator[Candidate]:
        """Runs to try: the observed run reduced, and a shortest one."""
        trace = self._failure.trace
        ends = (prefix(trace, length) for length in range(len(trace.steps) + 1))
        first = next((end for end in ends if self.shows(end) is not None), None)
        found = reduced(self._interpreter, first, self.shows) if first is not None else None
        if found is None:
            return
        smaller, candidate = found
        yield candidate
        if self.searched:
            extended = replace(smaller, steps=candidate.trace.steps, states=candidate.trace.states)
            shorter = shortest(
                self._interpreter, extended, self._never(), also=candidate.members, steps_max=len(smaller.steps) - 1
            )
            other = self.shows(shorter) if shorter is not None else None
            if other is not None:
                yield other

    def _candidate(
        self, trace: Trace, members: frozenset[Element] = frozenset(), difference: Difference | None = None
    ) -> Candidate:
        leaving = self._failure.leaving
        if leaving is not None:
            leaving = Leaving(len(trace.steps), leaving.variant)
        predicted = frozenset(difference or {}) if self._exact else frozenset[str]()
        return Candidate(trace, leaving, self.text, self, members, predicted)


class FaultShows(Hypothesis):
    """A fault acts instead of the step, or where the protocol does nothing."""

    def __init__(
        self, failure: Failure, interpreter: Interpreter, effects: Effects, hypothesis: FaultHypothesis, *, exact: bool
    ) -> None:
        super().__init__(failure, interpreter)
        self._effects = effects
        self._fault = hypothesis
        self._exact = exact
        self.text = hypothesis.words

    def shows(self, trace: Trace) -> Candidate | None:
        state = trace.states[-1]
        for done in self._effects.possible(state, self._fault):
            given = input_of(self._interpreter, state, done)
            members = frozenset(value for _, value in done.choices)
            if self._failure.step is None:
                difference = self._effects.difference(state, None, self._fault, done)
                if self._differs(difference) and self._is_ignored(trace, given):
                    return self._candidate(trace, members, difference)
                continue
            for step in self._interpreter.enabled(state, self._failure.step.action):
                if matches(self._interpreter, state, step, given):
                    difference = self._effects.difference(state, step, self._fault, done)
                    if self._differs(difference):
                        after = self._interpreter.apply(state, step)[0]
                        longer = replace(trace, states=(*trace.states, after), steps=(*trace.steps, step))
                        return self._candidate(longer, members, difference)
        return None

    def _differs(self, difference: Difference) -> bool:
        return self._failure.kind.symbol in difference

    def _is_ignored(self, trace: Trace, given: Input) -> bool:
        """Whether no enabled step takes the message."""
        state = trace.states[-1]
        steps = self._interpreter.enabled(state)
        return all(input_of(self._interpreter, state, step).message != given.message for step in steps)

    def _never(self) -> Promise:
        protocol, step = self._interpreter.protocol, self._failure.step
        base = action_of(protocol, step.action) if step is not None else None
        return never_shows(protocol, self._fault, self._failure.kind.symbol, instead_of=base)


class LeavesProtocol(Hypothesis):
    """A step of a variant that the protocol does not have, as in a negative vector."""

    def __init__(
        self, failure: Failure, interpreter: Interpreter, effects: Effects, hypothesis: FaultHypothesis
    ) -> None:
        super().__init__(failure, interpreter)
        self._effects = effects
        self._fault = hypothesis
        self.text = hypothesis.words

    def shows(self, trace: Trace) -> Candidate | None:
        state = trace.states[-1]
        for done in self._effects.possible(state, self._fault):
            own = replace(done, choices=done.choices[: len(self._fault.of.parameters)])
            possible = self._interpreter.is_enabled(state, own)
            if not possible or self._effects.difference(state, own, self._fault, done):
                after = self._effects.result(state, self._fault, done)
                return self._candidate(replace(trace, states=(*trace.states, after), steps=(*trace.steps, done)))
        return None

    def _never(self) -> Promise:
        return never_leaves(self._interpreter.protocol, self._fault)


class InContext(Hypothesis):
    """The action is taken, or the message is delivered again, in a context described by some conditions."""

    def __init__(self, failure: Failure, interpreter: Interpreter) -> None:
        super().__init__(failure, interpreter)
        if failure.step is not None:
            self._action = action_of(interpreter.protocol, failure.step.action)
            bad = failure.step
        else:
            ((name, arguments),) = failure.divergence.again
            self._action = _repeated_delivery(
                next(message for message in interpreter.protocol.messages if message.name == name)
            )
            names = (parameter.name for parameter in self._action.parameters)
            bad = Occurrence(self._action.name, tuple(zip(names, arguments, strict=True)))
        self._contexts = Contexts(interpreter, tuple(dict.fromkeys((*interpreter.protocol.actions, self._action))))
        self._bad = self._contexts.of(failure.trace.states[-1], bad, self._taken(failure.trace))
        self._good = self._earlier(failure.trace)
        self._conditions: tuple[str, ...] = ()
        self._learn()

    def _earlier(self, trace: Trace) -> list[Context]:
        """The contexts in which a run takes the action."""
        found, taken = [], set[Taken]()
        for state, step in zip(trace.states, trace.steps, strict=False):
            if step.action == self._action.name:
                found.append(self._contexts.of(state, step, taken))
            taken.update(self._contexts.taken(state, step))
        return found

    def went_well(self, trace: Trace) -> bool:
        """Learns from a run in which it should show but that did not diverge. Returns whether the conditions changed."""
        if self._failure.step is not None:
            self._good.append(self._earlier(trace)[-1])
        else:
            self._good += [context for _, context in self._possible(trace)]
        before = self._conditions
        self._learn()
        return self._conditions != before

    def _learn(self) -> None:
        """Chooses greedily few conditions of the failing context, of which each successful context lacks one."""
        left = [set(self._bad.words) - set(good.words) for good in self._good]
        left = [item for item in left if item]
        chosen: list[str] = []
        while left:
            best = max(self._bad.words, key=lambda condition: sum(condition in item for item in left))
            chosen.append(best)
            left = [item for item in left if best not in item]
        self._conditions = tuple(chosen)
        self.searched = not chosen and self._failure.step is not None
        where = f"where {' and '.join(chosen)}" if chosen else "wherever it is possible"
        self.text = f"{self._action.name}, {where}"

    def shows(self, trace: Trace) -> Candidate | None:
        for step, context in self._possible(trace):
            if set(self._conditions) <= set(context.words):
                if self._failure.step is None:
                    return self._candidate(trace)
                after = self._interpreter.apply(trace.states[-1], step)[0]
                return self._candidate(replace(trace, states=(*trace.states, after), steps=(*trace.steps, step)))
        return None

    def _possible(self, trace: Trace) -> Iterator[tuple[Occurrence, Context]]:
        """The steps or deliveries that may fail after a run, each with its context."""
        state = trace.states[-1]
        if self._failure.step is not None:
            steps = self._interpreter.enabled(state, self._action.name)
        else:
            (message,) = self._failure.divergence.again
            takes = {input_of(self._interpreter, state, item).message for item in self._interpreter.enabled(state)}
            names = [parameter.name for parameter in self._action.parameters]
            steps = [
                Occurrence(self._action.name, tuple(zip(names, arguments, strict=True)))
                for arguments in sorted(state.relations[message[0]])
                if (message[0], arguments) not in takes
            ]
        taken = self._taken(trace) if steps else set()
        for step in steps:
            yield step, self._contexts.of(state, step, taken)

    def _taken(self, trace: Trace) -> set[Taken]:
        pairs = zip(trace.states, trace.steps, strict=False)
        return {message for state, step in pairs for message in self._contexts.taken(state, step)}

    def _never(self) -> Promise:
        return never_done(self._action)


def _repeated_delivery(message: Message[Any]) -> Action:
    """A repeated delivery as an action that takes the message and does nothing."""
    taken = Apply(message, message.parameters)
    action = Action(message.receiver, message.parameters, (taken,), (taken,), (), (), (), "It comes once more.")
    object.__setattr__(action, "name", f"{message.name} once more")
    return action


def hypotheses(failure: Failure, interpreter: Interpreter) -> list[Hypothesis]:
    """The hypotheses about a failure, exact explanations first."""
    effects = Effects(interpreter)
    if failure.leaving is not None:
        assert failure.step is not None
        variant = next(
            each_variant
            for each_variant in interpreter.protocol.variants
            if failure.leaving.variant.name.endswith(f" with {each_variant.name}")
        )
        return [
            LeavesProtocol(
                failure,
                interpreter,
                effects,
                FaultHypothesis(variant.name, variant.action, variant.replaces, ignores=True),
            )
        ]
    hypotheses, exact = _explaining(failure, interpreter, effects)
    found = [FaultShows(failure, interpreter, effects, fault, exact=exact) for fault in hypotheses[:FAULTS_MAX]]
    return [*found, InContext(failure, interpreter)]


def _explaining(failure: Failure, interpreter: Interpreter, effects: Effects) -> tuple[list[FaultHypothesis], bool]:
    """The fault hypotheses that explain the observation, and whether they do so exactly."""
    state = failure.trace.states[-1]
    if failure.step is None:
        ((name, arguments),) = failure.divergence.again
        message = next(each_message for each_message in interpreter.protocol.messages if each_message.name == name)
        member = arguments[0] if message.receiver.each is not None else None
        given, action = Input(message.receiver.name, member, (name, arguments), {}), None
    else:
        given = input_of(interpreter, state, failure.step)
        action = action_of(interpreter.protocol, failure.step.action)
    exact, near, seen = [], [], set[Any]()
    for hypothesis in fault_hypotheses_of(interpreter, state, given, action):
        text = (hypothesis.action.guard, hypothesis.action.changes, hypothesis.action.emits)
        if text in seen:
            continue
        seen.add(text)
        for done in effects.possible(state, hypothesis):
            if matches(interpreter, state, done, given):
                difference = effects.difference(state, failure.step, hypothesis, done)
                if _is_the_same(failure, difference):
                    exact.append(hypothesis)
                    break
                if failure.kind.symbol in difference:
                    near.append(hypothesis)
                    break
    return (exact, True) if exact else (near, False)


def _is_the_same(failure: Failure, difference: Difference) -> bool:
    """Whether the first difference is exactly the observed one."""
    divergence = failure.divergence
    if failure.kind.symbol not in difference or next(iter(difference)) != failure.kind.symbol:
        return False
    expected, observed = difference[failure.kind.symbol]
    if isinstance(expected, list):
        return (divergence.expected, divergence.observed) == (expected, observed)
    seen = (divergence.field, divergence.expected), (divergence.field, divergence.observed)
    return bool(seen == (expected, observed))
