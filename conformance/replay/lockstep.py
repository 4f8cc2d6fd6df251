"""Lock-step replay: the trace decides what happens next, the implementation does it, and everything is compared after each step.

A process consists of its core, its store and its session, and messages go over the target's broker. They overtake each other,
arrive late, twice or never, as the trace says, and a process that crashes starts again from its store.

The expected states are not those in the trace file: they come from executing the trace's steps without forgetting any message,
since an implementation does not forget what it has sent.

**Duplicates.** A broker may deliver anything again, at any time. So after the last step, and where a process has just restarted,
every message that has arrived there and that no enabled step takes is handed over once more, and nothing may change by that: it is
spent (and z3 shows of the specification that "what is spent enables nothing"), or it comes too early.

**Repetitions.** A message that is sent again does not change the state, so the messages of each step are compared in addition.

**Negative traces** are runs of a variant, up to the step at which it leaves the protocol. There the implementation gets the same
input, and has to do what the protocol does with it: one of the steps that are enabled then, or nothing.

**Offered steps.** The last step may be offered instead of demanded, since an implementation need not do all that is permitted.
Then the implementation may do it, or something else that is permitted with the same input, or nothing; the result says which.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from conformance.bindings.message_queue import MessageQueueDriver
from conformance.bindings.observe import Difference, compare
from conformance.bindings.on_demand import OnDemandDriver
from conformance.replay.cores import Cores
from conformance.replay.driver import Driver, NotDrivable, is_restart, process_of
from conformance.replay.judged_role import CoreFailed
from conformance.replay.memo import Memo
from conformance.replay.targets import Target
from impl.core import Effects, IllegalInput
from impl.wire.codec import MalformedMessage
from model.language import Action, Protocol
from model.reference.interpreter import NO_EVENTS, Events, interpreter_of
from model.reference.state import Occurrence, State, Trace, Tuple, initial_state


@dataclass(frozen=True)
class Leaving:
    """Where a trace leaves the protocol: at this step, from 1 on, it is a run of the variant only."""

    step: int
    variant: Protocol


Sent = frozenset[tuple[str, Tuple]]
"""Messages, by the specification's name and arguments."""


@dataclass(frozen=True)
class Expected:
    """What a step may lead to; `sent`: what it sends, whether for the first time or not. None: whatever it likes."""

    state: State
    events: Events = NO_EVENTS
    sent: Sent | None = frozenset()
    step: Occurrence | None = None
    """The step that leads there; none: nothing is done."""


@dataclass(frozen=True)
class Answer:
    """What an implementation made of a step that was offered."""

    kind: Literal["done", "refused"]
    because: str = ""
    """How it was refused."""


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
    again: Sent = frozenset()
    """The message that had come once more, if the divergence is an effect of that; empty: it is one of the step."""

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
    return [list(item) for item in value] if isinstance(value, list) else value


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
    received: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What came to each agent, in the order in which it came first."""
    answer: Answer | None = None
    """To the step that was offered; none if there was no such step, or the run did not get as far."""
    unexpressed: bool = False
    """Not driven, since the implementation has no such step: it does less than it is permitted."""


def replay(
    trace: Trace,
    name: str,
    protocol: Protocol,
    target: Target,
    cores: Cores | None = None,
    leaving: Leaving | None = None,
    *,
    offered: bool = False,
    memo: Memo | None = None,
    drivers: Mapping[str, type[Driver]] | None = None,
) -> Replay:
    """Replays one trace of the protocol, or one that leaves it. `name` is for reports; `offered`: the last step need not be done.
    `memo`: what replays of the same trace have found out about the specification. `drivers`: by protocol, if not the usual ones.

    Raises:
        EnvironmentProblem: the broker does not deliver; names trace, step and message.
    """
    started = time.perf_counter()
    made = (drivers or DRIVERS)[protocol.name]
    run = _Run(trace, name, protocol, target, cores or Cores(), leaving, memo or Memo(), made, offered=offered)
    divergence, because = None, ""
    try:
        divergence = run.all()
    except NotDrivable as problem:
        because = f"step {run.done + 1}: {problem}"
    finally:
        received = run.driver.received()
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
        received,
        run.answer,
    )


class _Run:
    """One replay: what is expected after each step, beside what the driver makes happen."""

    def __init__(
        self,
        trace: Trace,
        name: str,
        protocol: Protocol,
        target: Target,
        cores: Cores,
        leaving: Leaving | None,
        memo: Memo,
        driver: type[Driver],
        *,
        offered: bool,
    ) -> None:
        if leaving is not None:
            trace = replace(trace, states=trace.states[: leaving.step + 1], steps=trace.steps[: leaving.step])
        self._trace = trace
        self._name = name
        self._protocol = protocol
        self._leaves_at = leaving.step if leaving else None
        self._interpreter = interpreter_of(protocol, trace.configuration)
        self.actions = [_named(protocol, step) for step in trace.steps]
        if leaving is not None:
            self.actions[-1] = _named(leaving.variant, trace.steps[-1])
        self.driver: Driver = driver(trace, name, self.actions, self._interpreter, target, cores)
        self._memo = memo
        self._expected = memo.get(trace.states[0], "start", lambda: initial_state(protocol, trace.configuration))
        self._offered_at = len(trace.steps) if offered else None
        self._became: Occurrence | None = None
        """The step that was seen last; none: nothing was done."""
        self.answer: Answer | None = None
        self.done = 0
        self.duplicates = 0

    def all(self) -> Divergence | None:
        """Every step, and the duplicates; the first divergence, if there is one."""
        try:
            self.driver.start()
            divergence = self._compared("start", 0, [Expected(self._expected)], "", Effects())
            divergence = divergence or self._unwilling("start", 0, *self.driver.processes)
        except (CoreFailed, IllegalInput) as problem:
            return self._divergence("start", 0, Difference("action", "taken", "an error", str(problem)))
        while divergence is None and self.done < len(self._trace.steps):
            divergence = self._step(self.done)
            action, occurrence = self.actions[self.done], self._trace.steps[self.done]
            self.done += 1
            if divergence is None and is_restart(action):
                process = process_of(action, occurrence)
                divergence = self._duplicates(process) or self._swayed(process)
        divergence = divergence or self._duplicates()
        try:
            divergence = divergence or self._swayed(*self.driver.processes)
            return divergence or self._unwilling("the end", self.done, *self.driver.processes, everything=True)
        except CoreFailed as problem:
            return self._divergence("the end", self.done, Difference("action", "refused", "an error", str(problem)))

    def _step(self, number: int) -> Divergence | None:
        occurrence, before = self._trace.steps[number], self._expected
        leaves, offered = number + 1 == self._leaves_at, number + 1 == self._offered_at
        at_once = None
        if occurrence.action == "greet_by_request" and not leaves:
            at_once = self._at_once(number, before)
            if at_once is not None and not offered:
                return at_once
        if leaves:
            allowed = self._allowed(number, before)
        else:
            allowed = [self._expect(before, occurrence), *(self._instead(number, before) if offered else ())]
        refused = ""
        try:
            try:
                effects = self.driver.step(number, before, allowed[0].state, demanded=not leaves and not offered)
            except IllegalInput as problem:
                if not leaves and not offered:
                    return self._divergence(
                        str(occurrence), number + 1, Difference("action", "taken", "refused", str(problem))
                    )
                effects, refused = Effects(), str(problem)
            host = str(dict(occurrence.choices).get("host", ""))
            divergence = self._compared(str(occurrence), number + 1, allowed, host, effects)
            if not offered:
                process = process_of(self.actions[number], occurrence)
                return divergence or self._unwilling(str(occurrence), number + 1, process)
        except MalformedMessage as problem:
            broken = Difference("messages", "messages that parse", "one that does not", str(problem))
            return self._divergence(str(occurrence), number + 1, broken)
        except CoreFailed as problem:
            return self._divergence(
                str(occurrence), number + 1, Difference("action", "taken", "an error", str(problem))
            )
        if divergence is None:
            self.answer = _answer(occurrence, self._became, refused)
            return at_once if self.answer.kind == "done" else None
        return divergence

    def _unwilling(self, action: str, step: int, *processes: str, everything: bool = False) -> Divergence | None:
        """What these processes would do now, and may not, or the other way round."""
        for process in processes:
            difference = self.driver.unwilling(process, self._expected, self._memo, None if everything else step)
            if difference is not None:
                return self._divergence(action, step, difference)
        return None

    def _swayed(self, *processes: str) -> Divergence | None:
        """What an unauthorized message makes these processes do, although it must change nothing."""
        for process in processes:
            what = f"a stranger to {process}"
            try:
                difference = self.driver.swayed(process, self._expected) or self.driver.compare(self._expected)
            except CoreFailed as problem:
                difference = Difference("action", "ignored", "an error", str(problem))
            if difference is not None:
                return self._divergence(what, self.done, difference)
        return None

    def _at_once(self, number: int, before: State) -> Divergence | None:
        """A request of a new epoch greets and is answered, which are two steps here and one message to NCM."""
        occurrence = self._trace.steps[number]
        greeting = self._expect(before, occurrence)
        taken = self.driver.taken(self.actions[number], occurrence, before)
        steps = ((_named(self._protocol, item), item) for item in self._enabled(greeting.state))
        (answer,) = (one for action, one in steps if action.takes and self.driver.taken(action, one, before) == taken)
        expected = self._expect(greeting.state, answer)
        what = f"{occurrence} and {answer} at once"
        assert isinstance(self.driver, OnDemandDriver)
        try:
            effects, seen = self.driver.greeted_at_once(number, before)
        except (CoreFailed, IllegalInput) as problem:
            return self._divergence(what, number + 1, Difference("action", "taken", "an error", str(problem)))
        difference = compare(self._protocol, expected.state, seen)
        sent = self.driver.messages(effects)
        wanted = (greeting.sent or frozenset()) | (expected.sent or frozenset())
        if difference is None and sent != wanted:
            difference = Difference("messages", sorted(wanted - sent), sorted(sent - wanted))
        return None if difference is None else self._divergence(what, number + 1, difference)

    def _expect(self, before: State, occurrence: Occurrence) -> Expected:
        return self._memo.get(before, occurrence, lambda: self._found(before, occurrence))

    def _enabled(self, state: State) -> list[Occurrence]:
        return self._memo.get(state, "enabled", lambda: self._interpreter.enabled(state))

    def _found(self, before: State, occurrence: Occurrence) -> Expected:
        """What the specification does. What it sends shows where nothing was sent before, since no effect depends on that."""
        state, events = self._interpreter.apply(before, occurrence)
        names = [message.name for message in self._protocol.messages]
        silent = State({**before.relations, **{name: frozenset() for name in names}}, before.functions)
        after, _ = self._interpreter.apply(silent, occurrence)
        sent = frozenset((name, relation) for name in names for relation in after.relations[name])
        return Expected(state, events, sent, occurrence)

    def _allowed(self, number: int, before: State) -> list[Expected]:
        """What the protocol may do where a trace leaves it.

        With a message: a step that takes it; if there is none, nothing. With what a role does of its own accord: that very step; if
        it is not enabled, one of its alternatives, or nothing.
        """
        same, instead = self._possible(number, before)
        by_itself = not self.actions[number].takes
        return same or [*instead, Expected(before, sent=frozenset() if by_itself else None)]

    def _instead(self, number: int, before: State) -> list[Expected]:
        """What the protocol may do where a step is offered: another one with the same input, or nothing."""
        same, instead = self._possible(number, before)
        others = (item for item in (*same, *instead) if item.step != self._trace.steps[number])
        return [*others, Expected(before)]

    def _possible(self, number: int, before: State) -> tuple[list[Expected], list[Expected]]:
        """The steps that are enabled with the same input as this one, and the alternatives of what is done without any."""
        action, occurrence = self.actions[number], self._trace.steps[number]
        choices, process = dict(occurrence.choices), process_of(action, occurrence)
        key = self.driver.taken(action, occurrence, before) if action.takes else None
        groups = [{choice.name for choice in group.choices} for group in self._protocol.alternatives]
        others = set().union(*(group for group in groups if action.name in group))
        same, instead = [], []
        for item in self._enabled(before):
            other = _named(self._protocol, item)
            if process_of(other, item) != process or bool(other.takes) != bool(action.takes):
                continue
            if key is not None:
                if self.driver.taken(other, item, before) == key:
                    same.append(self._expect(before, item))
            elif all(choices.get(name, value) == value for name, value in item.choices):
                if other.name == action.name:
                    same.append(self._expect(before, item))
                elif other.name in others:
                    instead.append(self._expect(before, item))
        return same, instead

    def _duplicates(self, of: str = "") -> Divergence | None:
        before = self._expected
        steps = ((_named(self._protocol, item), item) for item in self._enabled(before))
        taken = {self.driver.taken(action, one, before) for action, one in steps if action.takes}
        for process, message in self.driver.arrived(taken, of):
            self.duplicates += 1
            again = frozenset({self.driver.names.said(message)})
            what = f"{self.driver.names.shown(message)} comes once more to {process}"
            try:
                effects = self.driver.again(process, message)
                divergence = self._compared(what, self.done, [Expected(before, sent=None)], process, effects)
            except (CoreFailed, IllegalInput, MalformedMessage) as problem:
                failed = Difference("action", "ignored", "an error", str(problem))
                return replace(self._divergence(what, self.done, failed), again=again)
            if divergence is not None:
                return replace(divergence, again=again)
        return None

    # ------------------------------------------------------------------------------------------------- comparing

    def _compared(
        self, action: str, step: int, allowed: Sequence[Expected], host: str, effects: Effects
    ) -> Divergence | None:
        """Holds what is seen against what is allowed now; goes on from the one that fits. `host`: whose step it is, if a host's."""
        differences = []
        for item in allowed:
            difference = self.driver.wrong or self.driver.compare(item.state)
            difference = difference or self._difference(item, host, effects)
            if difference is None:
                self._expected, self._became = item.state, item.step
                return None
            differences.append(difference)
        said = "; ".join(f"{event.name} {_fields(event.fields)}" for event in effects.events)
        because = f"the implementation said: {said}" if said else "the implementation did nothing"
        first = differences[0]
        return self._divergence(action, step, replace(first, because=first.because or because))

    def _difference(self, expected: Expected, host: str, effects: Effects) -> Difference | None:
        """What a core says of its step that is not as expected: what happened, and messages."""
        difference = self.driver.said(host, effects, expected.state, expected.events)
        sent = self.driver.messages(effects)
        if difference is None and expected.sent is not None and expected.sent != sent:
            return Difference("messages", sorted(expected.sent - sent), sorted(sent - expected.sent))
        return difference

    def _divergence(self, action: str, step: int, found: Difference) -> Divergence:
        return Divergence(self._name, step, action, found.field, found.expected, found.observed, found.because)


DRIVERS: Final[Mapping[str, type[Driver]]] = {"on-demand": OnDemandDriver, "message-queue": MessageQueueDriver}
"""By protocol: what drives its runs."""


def _named(protocol: Protocol, occurrence: Occurrence) -> Action:
    return next(action for action in protocol.actions if action.name == occurrence.action)


def _answer(offered: Occurrence, became: Occurrence | None, refused: str) -> Answer:
    if refused:
        return Answer("refused", refused)
    if became == offered:
        return Answer("done")
    return Answer("refused", f"it does {became} instead" if became else "it does nothing")


def _fields(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in fields.items())
