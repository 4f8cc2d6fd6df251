"""Lock-step replay: the trace decides what happens next, the implementation does it, and everything is compared after each step.

Every process is its core, its store and its session, and messages go over the target's broker: thus they overtake each other, come
late, come twice or never, as the trace has it, and a process that crashes starts anew from its store.

The states compared with are not the trace's own but those of its steps, executed with nothing forgotten: an implementation does not
forget what it has sent.

**Duplicates.** A broker may deliver anything again, at any time. So behind the last step, and where a process has just restarted,
every message that has arrived there and is spent is handed over once more, and nothing may change by that: what z3 shows of the
specification ("what is spent enables nothing") is seen here of the implementation.

**Negative traces** are runs of a variant, up to the step at which it leaves the protocol. There the implementation gets the same
input, and has to do what the protocol does with it: one of the steps that are enabled then, or nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Literal

from conformance.driver import Cores, Driver, NotDrivable, is_restart, process_of
from conformance.observe import Difference, compare
from conformance.process import CoreFailed
from conformance.targets import Target
from impl.core import Effects, IllegalInput
from impl.wire.codec import MalformedMessage
from model.configuration import Configuration
from model.interpreter import NO_EVENTS, Events, Interpreter
from model.state import Element, Occurrence, State, Trace, Tuple, initial_state
from spec.language import Action, Protocol


@dataclass(frozen=True)
class Leaving:
    """Where a trace leaves the protocol: at this step, from 1 on, it is a run of the variant only."""

    step: int
    variant: Protocol


@dataclass(frozen=True)
class Divergence:
    """Where an implementation first does something else than the specification."""

    trace: str
    step: int
    """From 1 on; 0 is the start."""
    action: str
    field: str
    expected: Any
    observed: Any
    because: str

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        return {
            "trace": self.trace,
            "step": self.step,
            "action": self.action,
            "field": self.field,
            "expected": _plain(self.expected),
            "observed": _plain(self.observed),
            "because": self.because,
        }


def _plain(value: Any) -> Any:
    return [list(one) for one in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Replay:
    """What became of one trace."""

    trace: str
    verdict: Literal["conforms", "diverges", "not driven"]
    steps: int
    deliveries: int
    """Steps that hand a message to a process."""
    duplicates: int
    """Messages that were handed over once more when they were spent."""
    crashes: int
    seconds: float
    divergence: Divergence | None = None
    because: str = ""
    """Why it could not be driven."""


def replay(
    trace: Trace,
    name: str,
    protocol: Protocol,
    target: Target,
    cores: Cores | None = None,
    leaving: Leaving | None = None,
) -> Replay:
    """Replays one trace of the protocol, or one that leaves it. `name` is for reports.

    Raises:
        EnvironmentProblem: the broker does not deliver; names trace, step and message.
    """
    started = time.perf_counter()
    run = _Run(trace, name, protocol, target, cores or Cores(), leaving)
    divergence, because = None, ""
    try:
        divergence = run.all()
    except NotDrivable as problem:
        because = f"step {run.done + 1}: {problem}"
    finally:
        run.driver.finish()
    taken = run.actions[: run.done]
    return Replay(
        name,
        "not driven" if because else "diverges" if divergence else "conforms",
        run.done,
        sum(bool(action.takes) for action in taken),
        run.duplicates,
        sum(map(is_restart, taken)),
        time.perf_counter() - started,
        divergence,
        because,
    )


class _Run:
    """One replay: what is expected after each step, beside what the driver makes happen."""

    def __init__(
        self, trace: Trace, name: str, protocol: Protocol, target: Target, cores: Cores, leaving: Leaving | None
    ) -> None:
        if leaving is not None:
            trace = replace(trace, states=trace.states[: leaving.step + 1], steps=trace.steps[: leaving.step])
        self._trace = trace
        self._name = name
        self._protocol = protocol
        self._leaves_at = leaving.step if leaving else None
        self._interpreter = _interpreter(protocol, trace.configuration)
        self.actions = [_named(protocol, step) for step in trace.steps]
        if leaving is not None:
            self.actions[-1] = _named(leaving.variant, trace.steps[-1])
        self.driver = Driver(trace, name, self.actions, self._interpreter, target, cores)
        self._expected = initial_state(protocol, trace.configuration)
        self.done = 0
        self.duplicates = 0

    def all(self) -> Divergence | None:
        """Every step, and the duplicates; the first divergence, if there is one."""
        self.driver.start()
        divergence = self._compared("start", 0, [(self._expected, NO_EVENTS)], NO_EVENTS, Effects())
        while divergence is None and self.done < len(self._trace.steps):
            divergence = self._step(self.done)
            action, occurrence = self.actions[self.done], self._trace.steps[self.done]
            self.done += 1
            if divergence is None and is_restart(action):
                divergence = self._duplicates(process_of(action, occurrence))
        return divergence or self._duplicates()

    def _step(self, number: int) -> Divergence | None:
        occurrence, before = self._trace.steps[number], self._expected
        leaves = number + 1 == self._leaves_at
        allowed = self._allowed(number, before) if leaves else [self._interpreter.apply(before, occurrence)]
        try:
            effects = self.driver.step(number, before, allowed[0][0])
        except IllegalInput as problem:
            if not leaves:
                return self._divergence(
                    str(occurrence), number + 1, Difference("action", "taken", "refused", str(problem))
                )
            effects = Effects()
        except MalformedMessage as problem:
            broken = Difference("messages", "messages that parse", "one that does not", str(problem))
            return self._divergence(str(occurrence), number + 1, broken)
        except CoreFailed as problem:
            return self._divergence(
                str(occurrence), number + 1, Difference("action", "taken", "an error", str(problem))
            )
        host = dict(occurrence.choices).get("host", "")
        return self._compared(str(occurrence), number + 1, allowed, self._happened(host, effects), effects)

    def _allowed(self, number: int, before: State) -> list[tuple[State, Events]]:
        """What the protocol may do where a trace leaves it.

        With a message: a step that takes it; if there is none, nothing. With what a role does of its own accord: that very step; if
        it is not enabled, one of its alternatives, or nothing.
        """
        action, occurrence = self.actions[number], self._trace.steps[number]
        choices, process = dict(occurrence.choices), process_of(action, occurrence)
        key = self.driver.taken(action, occurrence, before) if action.takes else None
        groups = [{choice.name for choice in group.choices} for group in self._protocol.alternatives]
        others = set().union(*(group for group in groups if action.name in group))
        same, instead = [], []
        for one in self._interpreter.enabled(before):
            other = _named(self._protocol, one)
            if process_of(other, one) != process or bool(other.takes) != bool(action.takes):
                continue
            if key is not None:
                if self.driver.taken(other, one, before) == key:
                    same.append(self._interpreter.apply(before, one))
            elif all(choices.get(name, value) == value for name, value in one.choices):
                if other.name == action.name:
                    same.append(self._interpreter.apply(before, one))
                elif other.name in others:
                    instead.append(self._interpreter.apply(before, one))
        return same or [*instead, (before, NO_EVENTS)]

    def _duplicates(self, of: str = "") -> Divergence | None:
        unspent = self._interpreter.forget_spent(self._expected)
        for process, message in self.driver.arrived(unspent, of):
            self.duplicates += 1
            what = f"{self.driver.names.shown(message)} comes once more to {process}"
            try:
                effects = self.driver.again(process, message)
            except (CoreFailed, IllegalInput) as problem:
                return self._divergence(what, self.done, Difference("action", "ignored", "an error", str(problem)))
            happened = self._happened(process, effects)
            divergence = self._compared(what, self.done, [(self._expected, NO_EVENTS)], happened, effects)
            if divergence is not None:
                return divergence
        return None

    # ------------------------------------------------------------------------------------------------- comparing

    def _compared(
        self, action: str, step: int, allowed: Sequence[tuple[State, Events]], happened: Events, effects: Effects
    ) -> Divergence | None:
        """Holds what is seen against the states and events that are allowed now; goes on from the one that fits."""
        seen, differences = self.driver.observed(), []
        for state, events in allowed:
            difference = compare(self._protocol, state, seen) or self.driver.misplaced
            if difference is None and events != happened:
                difference = Difference("events", sorted(events - happened), sorted(happened - events))
            if difference is None:
                self._expected = state
                return None
            differences.append(difference)
        said = "; ".join(f"{event.name} {_fields(event.fields)}" for event in effects.events)
        because = f"the implementation said: {said}" if said else "the implementation did nothing"
        first = differences[0]
        return self._divergence(action, step, replace(first, because=first.because or because))

    def _divergence(self, action: str, step: int, found: Difference) -> Divergence:
        return Divergence(self._name, step, action, found.field, found.expected, found.observed, found.because)

    def _happened(self, host: Element, effects: Effects) -> Events:
        """The events of the specification that the core reported."""
        names = self.driver.names
        found: set[tuple[str, Tuple]] = set()
        for event in effects.events:
            if event.name in _EVENTS and not (event.name == "give up" and "request" not in event.fields):
                pair = (names.pod_name(event.fields["source"]), names.pod_name(event.fields["destination"]))
                request = (names.request_name(event.fields["request"]),) if "request" in event.fields else ()
                found.add((_EVENTS[event.name], (host, *request, *pair)))
        return frozenset(found)


@lru_cache(maxsize=32)
def _interpreter(protocol: Protocol, configuration: Configuration) -> Interpreter:
    """One interpreter for all traces of a configuration: it compiles what it executes."""
    return Interpreter(protocol, configuration)


_EVENTS: Final = {"deliver": "delivered", "release": "released", "give up": "dropped"}
"""The core's words for the specification's events."""


def _named(protocol: Protocol, occurrence: Occurrence) -> Action:
    return next(action for action in protocol.actions if action.name == occurrence.action)


def _fields(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in fields.items())
