"""Hypotheses about a wrong, each with the runs in which it would show.

| hypothesis | shows where |
|---|---|
| a fault (`model.explaining.fault_hypotheses`) | its effect differs from the protocol's in the symbol where that was seen |
| a context | the action is possible in the words that tell where it went wrong from where it did not |

The second knows nothing of how the wrong comes about, and is learned: a run in which the action went well takes a word more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from conformance.replay.lockstep import Leaving
from conformance.shrink.wrong import Wrong
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

SUSPECTS_MAX = 4
"""Suspects that are followed; those that explain what was seen exactly come first."""


@dataclass(frozen=True)
class Candidate:
    """A run in which a hypothesis would show."""

    trace: Trace
    leaving: Leaving | None
    because: str
    """The hypothesis in words."""
    hypothesis: Hypothesis | None = None
    members: frozenset[Element] = frozenset()
    """What the wrong would be about, besides the run's own members."""
    foretold: frozenset[str] = frozenset()
    """The symbols that are to differ, by a hypothesis that explains exactly what was seen; any of them may be noticed first."""


class Hypothesis(ABC):
    """What may be wrong, and where it would show."""

    words: str
    searched = True
    """Whether a shortest run to where it shows is searched for."""
    _exact = False

    def __init__(self, wrong: Wrong, interpreter: Interpreter) -> None:
        self._wrong = wrong
        self._interpreter = interpreter

    @abstractmethod
    def shows(self, trace: Trace) -> Candidate | None:
        """The run with the step that would go wrong at its end, if it shows there."""

    @abstractmethod
    def _never(self) -> Promise:
        """The claim that it never shows."""

    def candidates(self) -> Iterator[Candidate]:
        """The runs that are worth a try: what is left over of the run that is known, and a shortest one."""
        trace = self._wrong.trace
        ends = (prefix(trace, length) for length in range(len(trace.steps) + 1))
        first = next((end for end in ends if self.shows(end) is not None), None)
        found = reduced(self._interpreter, first, self.shows) if first is not None else None
        if found is None:
            return
        smaller, candidate = found
        yield candidate
        if self.searched:
            whole = replace(smaller, steps=candidate.trace.steps, states=candidate.trace.states)
            shorter = shortest(
                self._interpreter, whole, self._never(), also=candidate.members, steps_max=len(smaller.steps) - 1
            )
            other = self.shows(shorter) if shorter is not None else None
            if other is not None:
                yield other

    def _candidate(
        self, trace: Trace, members: frozenset[Element] = frozenset(), difference: Difference | None = None
    ) -> Candidate:
        leaving = self._wrong.leaving
        if leaving is not None:
            leaving = Leaving(len(trace.steps), leaving.variant)
        foretold = frozenset(difference or {}) if self._exact else frozenset[str]()
        return Candidate(trace, leaving, self.words, self, members, foretold)


class Hypothesized(Hypothesis):
    """A hypothesis does what it does in the place of the step, or of nothing."""

    def __init__(
        self, wrong: Wrong, interpreter: Interpreter, effects: Effects, hypothesis: FaultHypothesis, *, exact: bool
    ) -> None:
        super().__init__(wrong, interpreter)
        self._effects = effects
        self._suspect = hypothesis
        self._exact = exact
        self.words = hypothesis.words

    def shows(self, trace: Trace) -> Candidate | None:
        state = trace.states[-1]
        for done in self._effects.possible(state, self._suspect):
            given = input_of(self._interpreter, state, done)
            members = frozenset(value for _, value in done.choices)
            if self._wrong.step is None:
                difference = self._effects.difference(state, None, self._suspect, done)
                if self._differs(difference) and self._is_ignored(trace, given):
                    return self._candidate(trace, members, difference)
                continue
            for step in self._interpreter.enabled(state, self._wrong.step.action):
                if matches(self._interpreter, state, step, given):
                    difference = self._effects.difference(state, step, self._suspect, done)
                    if self._differs(difference):
                        after = self._interpreter.apply(state, step)[0]
                        longer = replace(trace, states=(*trace.states, after), steps=(*trace.steps, step))
                        return self._candidate(longer, members, difference)
        return None

    def _differs(self, difference: Difference) -> bool:
        return self._wrong.kind.symbol in difference

    def _is_ignored(self, trace: Trace, given: Input) -> bool:
        """No step that is possible takes the message."""
        state = trace.states[-1]
        steps = self._interpreter.enabled(state)
        return all(input_of(self._interpreter, state, step).message != given.message for step in steps)

    def _never(self) -> Promise:
        protocol, step = self._interpreter.protocol, self._wrong.step
        base = action_of(protocol, step.action) if step is not None else None
        return never_shows(protocol, self._suspect, self._wrong.kind.symbol, instead_of=base)


class Leaves(Hypothesis):
    """A step that is a variant's and not the protocol's, as in a negative vector."""

    def __init__(self, wrong: Wrong, interpreter: Interpreter, effects: Effects, hypothesis: FaultHypothesis) -> None:
        super().__init__(wrong, interpreter)
        self._effects = effects
        self._suspect = hypothesis
        self.words = hypothesis.words

    def shows(self, trace: Trace) -> Candidate | None:
        state = trace.states[-1]
        for done in self._effects.possible(state, self._suspect):
            own = replace(done, choices=done.choices[: len(self._suspect.of.parameters)])
            possible = self._interpreter.is_enabled(state, own)
            if not possible or self._effects.difference(state, own, self._suspect, done):
                after = self._effects.result(state, self._suspect, done)
                return self._candidate(replace(trace, states=(*trace.states, after), steps=(*trace.steps, done)))
        return None

    def _never(self) -> Promise:
        return never_leaves(self._interpreter.protocol, self._suspect)


class InContext(Hypothesis):
    """Something happens in a context that some words tell: the action is taken, or the message comes once more."""

    def __init__(self, wrong: Wrong, interpreter: Interpreter) -> None:
        super().__init__(wrong, interpreter)
        if wrong.step is not None:
            self._action = action_of(interpreter.protocol, wrong.step.action)
            bad = wrong.step
        else:
            ((name, arguments),) = wrong.divergence.again
            self._action = _coming_again(
                next(message for message in interpreter.protocol.messages if message.name == name)
            )
            names = (parameter.name for parameter in self._action.parameters)
            bad = Occurrence(self._action.name, tuple(zip(names, arguments, strict=True)))
        self._situations = Contexts(interpreter, tuple(dict.fromkeys((*interpreter.protocol.actions, self._action))))
        self._bad = self._situations.of(wrong.trace.states[-1], bad, self._taken(wrong.trace))
        self._good = self._earlier(wrong.trace)
        self._told: tuple[str, ...] = ()
        self._learn()

    def _earlier(self, trace: Trace) -> list[Context]:
        """The contexts in which a run takes the action."""
        found, taken = [], set[Taken]()
        for state, step in zip(trace.states, trace.steps, strict=False):
            if step.action == self._action.name:
                found.append(self._situations.of(state, step, taken))
            taken.update(self._situations.taken(state, step))
        return found

    def went_well(self, trace: Trace) -> bool:
        """A run in which it shows did not diverge. Returns whether that teaches anything."""
        if self._wrong.step is not None:
            self._good.append(self._earlier(trace)[-1])
        else:
            self._good += [context for _, context in self._possible(trace)]
        told = self._told
        self._learn()
        return self._told != told

    def _learn(self) -> None:
        """The fewest words, roughly, of which each context that went well lacks one."""
        left = [set(self._bad.words) - set(good.words) for good in self._good]
        left = [item for item in left if item]
        told: list[str] = []
        while left:
            best = max(self._bad.words, key=lambda word: sum(word in item for item in left))
            told.append(best)
            left = [item for item in left if best not in item]
        self._told = tuple(told)
        self.searched = not told and self._wrong.step is not None
        where = f"where {' and '.join(told)}" if told else "wherever it is possible"
        self.words = f"{self._action.name}, {where}"

    def shows(self, trace: Trace) -> Candidate | None:
        for step, context in self._possible(trace):
            if set(self._told) <= set(context.words):
                if self._wrong.step is None:
                    return self._candidate(trace)
                after = self._interpreter.apply(trace.states[-1], step)[0]
                return self._candidate(replace(trace, states=(*trace.states, after), steps=(*trace.steps, step)))
        return None

    def _possible(self, trace: Trace) -> Iterator[tuple[Occurrence, Context]]:
        """Where it may happen behind a run, and in which context."""
        state = trace.states[-1]
        if self._wrong.step is not None:
            steps = self._interpreter.enabled(state, self._action.name)
        else:
            (message,) = self._wrong.divergence.again
            takes = {input_of(self._interpreter, state, item).message for item in self._interpreter.enabled(state)}
            names = [parameter.name for parameter in self._action.parameters]
            steps = [
                Occurrence(self._action.name, tuple(zip(names, arguments, strict=True)))
                for arguments in sorted(state.relations[message[0]])
                if (message[0], arguments) not in takes
            ]
        taken = self._taken(trace) if steps else set()
        for step in steps:
            yield step, self._situations.of(state, step, taken)

    def _taken(self, trace: Trace) -> set[Taken]:
        pairs = zip(trace.states, trace.steps, strict=False)
        return {message for state, step in pairs for message in self._situations.taken(state, step)}

    def _never(self) -> Promise:
        return never_done(self._action)


def _coming_again(message: Message[Any]) -> Action:
    """That a message comes once more, as if it were an action that takes it and does nothing."""
    taken = Apply(message, message.parameters)
    action = Action(message.receiver, message.parameters, (taken,), (taken,), (), (), (), "It comes once more.")
    object.__setattr__(action, "name", f"{message.name} once more")
    return action


def hypotheses(wrong: Wrong, interpreter: Interpreter) -> list[Hypothesis]:
    """What may be wrong, the most exact explanations first."""
    effects = Effects(interpreter)
    if wrong.leaving is not None:
        assert wrong.step is not None
        variant = next(
            each_variant
            for each_variant in interpreter.protocol.variants
            if wrong.leaving.variant.name.endswith(f" with {each_variant.name}")
        )
        return [
            Leaves(
                wrong,
                interpreter,
                effects,
                FaultHypothesis(variant.name, variant.action, variant.replaces, ignores=True),
            )
        ]
    hypotheses, exact = _explaining(wrong, interpreter, effects)
    found = [
        Hypothesized(wrong, interpreter, effects, hypothese, exact=exact) for hypothese in hypotheses[:SUSPECTS_MAX]
    ]
    return [*found, InContext(wrong, interpreter)]


def _explaining(wrong: Wrong, interpreter: Interpreter, effects: Effects) -> tuple[list[FaultHypothesis], bool]:
    """The hypotheses that explain what was seen, and whether they do so exactly."""
    state = wrong.trace.states[-1]
    if wrong.step is None:
        ((name, arguments),) = wrong.divergence.again
        message = next(each_message for each_message in interpreter.protocol.messages if each_message.name == name)
        member = arguments[0] if message.receiver.each is not None else None
        given, action = Input(message.receiver.name, member, (name, arguments), {}), None
    else:
        given = input_of(interpreter, state, wrong.step)
        action = action_of(interpreter.protocol, wrong.step.action)
    exact, near, seen = [], [], set[Any]()
    for hypothesis in fault_hypotheses_of(interpreter, state, given, action):
        text = (hypothesis.action.guard, hypothesis.action.changes, hypothesis.action.emits)
        if text in seen:
            continue
        seen.add(text)
        for done in effects.possible(state, hypothesis):
            if matches(interpreter, state, done, given):
                difference = effects.difference(state, wrong.step, hypothesis, done)
                if _is_the_same(wrong, difference):
                    exact.append(hypothesis)
                    break
                if wrong.kind.symbol in difference:
                    near.append(hypothesis)
                    break
    return (exact, True) if exact else (near, False)


def _is_the_same(wrong: Wrong, difference: Difference) -> bool:
    """The first difference is the very one that was observed."""
    divergence = wrong.divergence
    if wrong.kind.symbol not in difference or next(iter(difference)) != wrong.kind.symbol:
        return False
    expected, observed = difference[wrong.kind.symbol]
    if isinstance(expected, list):
        return (divergence.expected, divergence.observed) == (expected, observed)
    seen = (divergence.field, divergence.expected), (divergence.field, divergence.observed)
    return bool(seen == (expected, observed))
