"""Replays a run through a binding: the run decides what happens next, the binding does it, and everything is compared after it.

The expected states come from executing the steps without forgetting any message, since an implementation does not forget what it
has sent. A run of a variant is followed up to the step at which it leaves the protocol. There the implementation gets the same
input, and does what the protocol does with it, or nothing.

An implementation may do less than it is permitted. A step before the end of a variant's run that it never does is no divergence:
the run is not driven, and the result says why. The runs of the protocol itself are driven to their end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

from conformance.bindings.observe import Difference
from conformance.replay.judged_role import CoreFailed
from conformance.replay.lockstep import Divergence, Leaving, Replay
from conformance.replay.targets import Target
from impl.core import IllegalInput
from impl.wire.codec import MalformedMessage
from model import language
from model.language import Action
from model.reference.interpreter import Interpreter
from model.reference.runs import prefix
from model.reference.state import Occurrence, State, Trace, initial_state

CRASHES: Final = frozenset({"crash", "restart_dpm"})


class Refused(Exception):
    """The implementation does not do a step; the text says why."""


class Diverges(Exception):
    """The implementation or the broker does something else than the run."""

    def __init__(self, field: str, expected: Any, observed: Any) -> None:
        super().__init__(f"{field}: expected {expected}, observed {observed}")
        self.difference = Difference(field, expected, observed)


class Binding(Protocol):
    """What has the steps of one run happen on the implementation."""

    CHOSEN: Mapping[str, str]
    """By action: the choice that the implementation makes by itself, so that a step gives no input for it."""

    def step(self, step: Occurrence) -> None:
        """Has a step happen.

        Raises:
            Refused: the implementation does not do it.
            Diverges: it does something else.
        """

    def observed(self, expected: State) -> Iterator[tuple[str, Any, Any]]:
        """What is to be compared: a name, the expected and the observed value."""

    def end(self, state: State) -> None:
        """Looks at what is left after the last step. Raises `Diverges`."""

    def close(self) -> None:
        """Gives everything back."""


Bind = Callable[[Trace, Target], Binding]


def follow(
    trace: Trace, name: str, protocol: language.Protocol, target: Target, bind: Bind, leaving: Leaving | None = None
) -> Replay:
    """Replays one run of the protocol, or one that leaves it. `name` is for reports.

    Raises:
        EnvironmentProblem: the broker does not answer.
    """
    started = time.perf_counter()
    if leaving is not None:
        trace = prefix(trace, leaving.step)
    target.next_trace()
    binding = bind(trace, target)
    followed = _Followed(trace, protocol, binding, leaving)
    divergence, refused = None, ""
    try:
        followed.all()
    except (Diverges, CoreFailed, MalformedMessage) as problem:
        error = Difference("action", "taken", f"an error: {problem}")
        done, wrong = followed.done, problem.difference if isinstance(problem, Diverges) else error
        action = str(trace.steps[done - 1]) if done else "start"
        divergence = Divergence(
            name, done, action, wrong.field, wrong.expected, wrong.observed, "the run was followed so far"
        )
    except Refused as problem:
        refused = f"step {followed.done}: the implementation never does {trace.steps[followed.done - 1]}: {problem}"
    finally:
        binding.close()
    taken = followed.actions[: followed.done]
    return Replay(
        name,
        "diverges" if divergence else "not driven" if refused else "conforms",
        followed.done,
        sum(bool(action.takes) for action in taken),
        0,
        sum(action.name in CRASHES for action in taken),
        time.perf_counter() - started,
        divergence,
        refused,
        unexpressed=bool(refused),
    )


class _Followed:
    """One run, as far as it was followed."""

    def __init__(self, trace: Trace, protocol: language.Protocol, binding: Binding, leaving: Leaving | None) -> None:
        self._trace, self._protocol, self._binding, self._leaving = trace, protocol, binding, leaving
        self._interpreter = Interpreter(protocol, trace.configuration)
        self.actions = [_named(protocol, step) for step in trace.steps]
        if leaving is not None:
            self.actions[-1] = _named(leaving.variant, trace.steps[-1])
        self.done = 0

    def all(self) -> None:
        """Every step, and what is left at the end."""
        state = initial_state(self._protocol, self._trace.configuration)
        self._compare(state)
        for number, step in enumerate(self._trace.steps, start=1):
            self.done = number
            leaves = self._leaving is not None and self.done == self._leaving.step
            allowed = list(self._allowed(state)) if leaves else [self._interpreter.apply(state, step)[0]]
            try:
                self._binding.step(step)
            except Refused as problem:
                if self._leaving is None:
                    raise Diverges("action", "taken", f"refused: {problem}") from problem
                if not leaves:
                    raise
                allowed = [state]
            except IllegalInput as problem:
                if not leaves:
                    raise Diverges("action", "taken", f"refused: {problem}") from problem
                allowed = [state]
            state = self._fitting(allowed)
        self._binding.end(state)

    def _fitting(self, allowed: list[State]) -> State:
        """The one of these states that is seen; the first one counts for a report."""
        first: Diverges | None = None
        for state in allowed:
            try:
                self._compare(state)
            except Diverges as problem:
                first = first or problem
            else:
                return state
        assert first is not None
        raise first

    def _compare(self, state: State) -> None:
        for name, expected, observed in self._binding.observed(state):
            if expected != observed:
                raise _differing(name, expected, observed)

    def _allowed(self, before: State) -> Iterator[State]:
        """What the protocol does with the input of the step that leaves it; and nothing."""
        step, action = self._trace.steps[-1], self.actions[-1]
        given = _given(self._binding, step)
        for item in self._interpreter.enabled(before):
            other = _named(self._protocol, item)
            if self._same_input(action, other) and all(
                given.get(name, value) == value for name, value in _given(self._binding, item).items()
            ):
                yield self._interpreter.apply(before, item)[0]
        yield before

    def _same_input(self, action: Action, other: Action) -> bool:
        """Whether two actions are about the same: the same action, an alternative to it, or one that takes the same message."""
        together = any(
            {action.name, other.name} <= {choice.name for choice in group.choices}
            for group in self._protocol.alternatives
        )
        messages = {take.symbol for take in action.takes} & {take.symbol for take in other.takes}
        return action.name == other.name or together or bool(messages)


def _given(binding: Binding, step: Occurrence) -> dict[str, Any]:
    """The choices of a step that are an input of the implementation."""
    return {name: value for name, value in step.choices if binding.CHOSEN.get(step.action) != name}


def _differing(name: str, expected: Any, observed: Any) -> Diverges:
    """Of sets, what is missing and what is too much."""
    if isinstance(expected, (set, frozenset)) and isinstance(observed, (set, frozenset)):
        return Diverges(name, sorted(expected - observed, key=str), sorted(observed - expected, key=str))
    return Diverges(name, expected, observed)


def _named(protocol: language.Protocol, step: Occurrence) -> Action:
    return next(action for action in protocol.actions if action.name == step.action)
