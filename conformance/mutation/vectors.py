"""Does replay notice a mutant of the statement, with a correct implementation?

Each shipped vector is compared with the mutant as a replay does, with the protocol in the implementation's place: every
step has to be enabled, and to lead to the same state, events and messages (what nobody holds, history, is not compared). Where a
negative vector leaves the protocol, what the protocol does then has to be among what the mutant allows. Behind the last step, a
message that no step of the mutant takes is handed over once more, and nothing may change by that.

A test replays vectors on the implementation with a mutant as the statement, and finds the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.mutation.table import Check, Kill
from conformance.replay.replays import Vector, read_vectors, vectors_of
from model.language import Action, Protocol
from model.language.notation import notation
from model.mutation.rules import Mutant
from model.reference.interpreter import Events, Interpreter
from model.reference.state import Occurrence, State, Tuple, initial_state

KIND = "vector"


@dataclass(frozen=True)
class Outcome:
    """What is seen of a step."""

    state: State
    """Without history."""
    events: Events
    sent: frozenset[tuple[str, Tuple]]


@dataclass(frozen=True)
class _Run:
    """A vector as the implementation runs it: nothing is forgotten."""

    vector: Vector
    states: tuple[State, ...]
    steps: tuple[Occurrence, ...]
    """Without the one that leaves the protocol, if it is negative."""
    leaving: tuple[Action, Occurrence] | None

    @property
    def check(self) -> Check:
        return Check(KIND, self.vector.name)


class Vectors:
    """The vectors of a protocol, ready to be compared with mutants."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._hidden = {symbol.name for symbol in protocol.symbols if symbol.kind in ("history", "constant")}
        self._messages = [message.name for message in protocol.messages]
        self._interpreters: dict[str, Interpreter] = {}
        self._runs = [self._run(vector) for vector in read_vectors([vectors_of(protocol)], protocol)]

    @property
    def checks(self) -> list[Check]:
        """All of them."""
        return [run.check for run in self._runs]

    def noticed(self, mutant: Mutant) -> Kill | None:
        """The first vector that the mutant is noticed by, with the step and what differs, and all others."""
        changed: dict[str, Interpreter] = {}
        found = []
        for run in self._runs:
            name = run.vector.trace.configuration.name
            if name not in changed:
                changed[name] = self._interpreters[name].with_action(mutant.action)
            seen = self._difference(run, mutant, self._interpreters[name], changed[name])
            if seen is not None:
                found.append((run.check, *seen))
        if not found:
            return None
        check, step, where = found[0]
        return Kill(check, where, step, tuple(one for one, *_ in found[1:]))

    def _run(self, vector: Vector) -> _Run:
        trace = vector.trace
        name = trace.configuration.name
        if name not in self._interpreters:
            self._interpreters[name] = Interpreter(self._protocol, trace.configuration)
        interpreter = self._interpreters[name]
        steps, leaving = trace.steps, None
        if vector.diverges_at is not None:
            step = trace.steps[vector.diverges_at - 1]
            action = next(each_action for each_action in vector.protocol.actions if each_action.name == step.action)
            steps, leaving = trace.steps[: vector.diverges_at - 1], (action, step)
        states = [initial_state(self._protocol, trace.configuration)]
        for step in steps:
            states.append(interpreter.apply(states[-1], step)[0])
        return _Run(vector, tuple(states), steps, leaving)

    def _difference(
        self, run: _Run, mutant: Mutant, stated: Interpreter, changed: Interpreter
    ) -> tuple[int, str] | None:
        """The first step, from 1 on, at which the mutant differs, and what differs there."""
        for number, step in enumerate(run.steps):
            if step.action == mutant.original.name:
                before = run.states[number]
                if not changed.is_enabled(before, step):
                    return number + 1, _why_not(changed, before, step)
                one, other = self._outcome(stated, before, step), self._outcome(changed, before, step)
                if one != other:
                    return number + 1, _what(one, other)
        last = run.states[-1]
        if self._enabled(stated, mutant.original, last) == self._enabled(changed, mutant.original, last):
            return None  # what may happen now does not depend on it
        if run.leaving is not None:
            return self._where_it_leaves(run, stated, changed)
        return self._once_more(run, stated, changed)

    def _enabled(self, interpreter: Interpreter, action: Action, state: State) -> list[tuple[Occurrence, Outcome]]:
        return [(item, self._outcome(interpreter, state, item)) for item in interpreter.enabled(state, action.name)]

    def _where_it_leaves(self, run: _Run, stated: Interpreter, changed: Interpreter) -> tuple[int, str] | None:
        assert run.leaving is not None
        does = self._allowed(stated, run.states[-1], *run.leaving)
        may = self._allowed(changed, run.states[-1], *run.leaving)
        if any(doe in may for doe in does):
            return None
        return len(run.steps) + 1, "what is done is not allowed"

    def _allowed(self, interpreter: Interpreter, before: State, action: Action, step: Occurrence) -> list[Outcome]:
        """What may be done with the message that a step takes, or instead of a step that takes none; mostly one thing."""
        taken = _taken(interpreter, action, step, before)
        found = []
        for item in interpreter.enabled(before):
            other = interpreter.action(item.action)
            if taken is not None:
                fits = _taken(interpreter, other, item, before) == taken
            else:
                choices = dict(step.choices)
                fits = other.name == action.name and all(
                    choices.get(name, value) == value for name, value in item.choices
                )
            if fits:
                found.append(self._outcome(interpreter, before, item))
        return found or [Outcome(self._seen(before), frozenset(), frozenset())]

    def _once_more(self, run: _Run, stated: Interpreter, changed: Interpreter) -> tuple[int, str] | None:
        last = run.states[-1]
        takes = {_taken(changed, changed.action(item.action), item, last) for item in changed.enabled(last)}
        for item in stated.enabled(last):
            message = _taken(stated, stated.action(item.action), item, last)
            if message is not None and message not in takes:
                outcome = self._outcome(stated, last, item)
                if (outcome.state, outcome.events) != (self._seen(last), frozenset()):
                    return len(run.steps), f"{_shown(message)} comes once more"
        return None

    # ---------------------------------------------------------------------------------------------------- steps

    def _outcome(self, interpreter: Interpreter, before: State, step: Occurrence) -> Outcome:
        after, events = interpreter.apply(before, step)
        # What is sent shows where nothing was sent before, since no effect depends on that.
        silent = State({**before.relations, **{name: frozenset() for name in self._messages}}, before.functions)
        sends = interpreter.apply(silent, step)[0].relations
        sent = frozenset((name, send) for name in self._messages for send in sends[name])
        return Outcome(self._seen(after), events, sent)

    def _seen(self, state: State) -> State:
        return State(
            {name: value for name, value in state.relations.items() if name not in self._hidden},
            {name: value for name, value in state.functions.items() if name not in self._hidden},
        )


def _taken(interpreter: Interpreter, action: Action, step: Occurrence, state: State) -> tuple[str, Tuple] | None:
    for taken in action.takes:
        return taken.symbol.name, tuple(
            interpreter.evaluate(argument, state, dict(step.choices)) for argument in taken.arguments
        )
    return None


def _shown(message: tuple[str, Tuple]) -> str:
    return f"{message[0]}({', '.join(map(str, message[1]))})"


def _why_not(interpreter: Interpreter, before: State, step: Occurrence) -> str:
    false = (part.node for part in interpreter.conjuncts(before, step) if not part.held)
    return next((f"not {notation(node)}" for node in false), "beyond a bound")


def _what(outcome: Outcome, other: Outcome) -> str:
    """The first difference between what is seen."""
    return next(_differing(outcome, other))


def _differing(outcome: Outcome, other: Outcome) -> Iterator[str]:
    tables: Sequence[tuple[str, object, object]] = [
        *((name, value, other.state.relations[name]) for name, value in outcome.state.relations.items()),
        *((name, value, other.state.functions[name]) for name, value in outcome.state.functions.items()),
    ]
    yield from (name for name, mine, its in tables if mine != its)
    yield from ("events",) * (outcome.events != other.events)
    yield from (f"sends {name}" for name in sorted({name for name, _ in outcome.sent ^ other.sent}))
