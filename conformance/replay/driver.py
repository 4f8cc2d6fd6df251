"""Driving the implementation along a trace: each step is made to happen in the process that takes it.

What arrives is held unacknowledged and handed to the core when the trace says so. A message is acknowledged after the last step
that takes it. Where in its work a process crashes is the `after` of its restart, so the driver looks ahead to its next step.

Here is what all protocols have in common. The spontaneous actions of a role, what is observed, and what an agent may receive are
defined by the driver of one protocol: `conformance.bindings.on_demand`, `conformance.bindings.message_queue`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, Protocol

from conformance.bindings.observe import Difference
from conformance.replay.cores import Cores
from conformance.replay.enabledness import EnabledList, SpontaneousAction, UnauthorizedMessage, View, enabledness
from conformance.replay.held_process import HeldProcess
from conformance.replay.judged_role import CoreFailed, answered, calling, querying
from conformance.replay.memo import Memo
from conformance.replay.targets import Target, reader_of
from impl.core import Effects, IllegalInput, Send
from impl.errors import EnvironmentProblem
from impl.messages import Message
from impl.outputs import Role
from impl.timers import Timer, Timers, When
from model.language import Action
from model.reference.interpreter import Events, Interpreter
from model.reference.state import Element, Occurrence, State, Trace, Tuple

WAIT_SECONDS_MAX: Final = 10.0
"""For a published message to arrive; a healthy broker takes a millisecond."""

RESTARTS: Final = frozenset({"restart_dpm", "restart_ncm"})
"""Actions that are a crash and a start of a process that keeps its state."""

Choices = Mapping[str, Any]


class NotDrivable(Exception):
    """The trace asks for something that cannot be arranged here; the text says what."""


class Naming(Protocol):
    """Maps names of the implementation to those of the specification."""

    def message(self, name: str, arguments: Tuple, state: State) -> Message:
        """The implementation's message for one of the specification's."""

    def said(self, message: Message) -> tuple[str, Tuple]:
        """The specification's name and arguments of a message."""

    def shown(self, message: Message) -> str:
        """A message in the specification's words, for reports."""


class Driver(ABC):
    """All processes of one trace. `actions` has the action of every step."""

    names: Naming
    forged: ClassVar[Mapping[str, str]]
    """What a Byzantine agent sends, by action."""
    services: ClassVar[tuple[str, ...]]
    """The processes beside hosts."""
    spontaneous: ClassVar[tuple[SpontaneousAction, ...]]
    """The spontaneous actions of roles, by calls that a core has to refuse where they are not enabled."""
    at_once: ClassVar[Collection[str]] = ()
    """Those for which no time has to pass, so that no timer is set."""
    timed: ClassVar[Mapping[str, tuple[str, ...]]]
    """By action that a timer is for: the choices that it is about. Cores and timers have the specification's names of actions."""

    def __init__(
        self,
        trace: Trace,
        name: str,
        actions: Sequence[Action],
        interpreter: Interpreter,
        target: Target,
        cores: Cores,
    ) -> None:
        self._trace = trace
        self._name = name
        self._actions = actions
        self._interpreter = interpreter
        self._target = target
        self._cores = cores
        self.wrong: Difference | None = None
        """The first message with wrong content, or at a process that it is not for."""
        self._hosts = trace.configuration.sorts["Host"]
        self._correct = {str(key[0]) for key in trace.states[0].relations["correct"]}
        self._processes: dict[str, HeldProcess] = {}
        self._willing = enabledness(interpreter, self.spontaneous)
        self._meanings: dict[str, Mapping[tuple[Any, ...], Tuple]] = {}
        self._sent: dict[str, set[Tuple]] = {}
        self._state: State = trace.states[0]
        self._now = 0
        self._demanded = True
        self._plan = [process_of(action, step) for action, step in zip(actions, trace.steps, strict=True)]
        self._timers: dict[str, dict[Timer, list[int]]] = {}
        """By process: the steps at which its timers fire."""
        for number, step in enumerate(trace.steps):
            timer = self._timer(step.action, dict(step.choices))
            if timer is not None:
                self._timers.setdefault(self._plan[number], {}).setdefault(timer, []).append(number)
        self._last_use = {
            self.taken(action, step, self._state): number
            for number, (action, step) in enumerate(zip(actions, trace.steps, strict=True))
            if action.takes
        }

    @abstractmethod
    def _role(self, process: str, when: When) -> Role:
        """A new role for a service or a host. A Byzantine host has none."""

    @abstractmethod
    def _begin(self) -> None:
        """What comes before the first step."""

    @abstractmethod
    def compare(self, expected: State) -> Difference | None:
        """The first field of the state that is seen to differ."""

    def said(self, host: Element, effects: Effects, expected: State, events: Events) -> Difference | None:
        """What a core says of its step that is not as expected, beside messages. `host`: whose step it is, if a host's."""
        return None

    def _views(self, process: HeldProcess, state: State) -> Iterator[View]:
        """What a core says of its state when it is asked."""
        return iter(())

    def _strangers(self, process: HeldProcess, state: State) -> Iterator[UnauthorizedMessage]:
        """What must change nothing."""
        return iter(())

    def _listings(self, process: HeldProcess) -> Iterator[EnabledList]:
        """What a role says that it could do now: its timers are set for what is enabled."""
        timers: Timers = process.role.timers
        for own in self._willing.spontaneous_of(process.name, self._hosts):
            if own.name in self.timed and own.name not in self.at_once:
                meant = self._meant(own)
                about = timers.set_for(own.name)
                yield EnabledList(f"timer: {own.name}", (own.name,), frozenset(meant.get(item, item) for item in about))

    def _meant(self, own: SpontaneousAction) -> Mapping[tuple[Any, ...], Tuple]:
        """By what a timer is about: the choices of its action, in the order of its parameters."""
        if own.name not in self._meanings:
            self._meanings[own.name] = {
                tuple(self._word(name, value) for name, value in zip(own.parameters, choices, strict=True)): choices
                for choices in self._willing.choices[own.name]
            }
        return self._meanings[own.name]

    @abstractmethod
    def _by_itself(self, core: Any, action: Action, choices: Choices, before: State) -> Effects:
        """What a core does spontaneously and without a timer."""

    def _by_byzantine(self, process: HeldProcess, action: Action, choices: Choices) -> Effects:
        """What a Byzantine host does beside speaking."""
        raise NotDrivable(f"nobody knows how {process.name} does {action.name}")

    @abstractmethod
    def _word(self, choice: str, value: Element) -> Any:
        """The implementation's word for the value of a choice."""

    def _timer(self, action: str, choices: Choices) -> Timer | None:
        """The timer that an action is taken by; None: by none."""
        about = self.timed.get(action)
        return None if about is None else Timer(action, tuple(self._word(name, choices[name]) for name in about))

    def _take(self, process: HeldProcess, action: Action, taken: Message, before: State, crash: str) -> Effects:
        """A message is handed to the process that a step takes it for."""
        return process.deliver(taken, crash)

    @abstractmethod
    def _is_named(self, message: Message) -> bool:
        """Whether the specification knows the message as one."""

    @abstractmethod
    def _is_for(self, host: str, message: Message) -> bool:
        """Whether a host may receive the message."""

    @abstractmethod
    def _note_content(self, name: str, arguments: Tuple, message: Message) -> None:
        """What the specification's arguments do not show."""

    @abstractmethod
    def _performed(self, send: Send, *, stored: bool = False) -> None:
        """What the specification does not know as a message has been done or published, or is stored to be."""

    def start(self) -> None:
        """Fresh processes, all hosts registered."""
        self._target.prepare(self._hosts)
        self._target.next_trace()
        tag = f"{self._name} {time.time_ns()}"
        for process in (*self.services, *self._hosts):
            correct = process in self.services or process in self._correct
            self._processes[process] = HeldProcess(
                process,
                self._target,
                partial(self._role, process) if correct else None,
                tag,
                runner=self._cores.runner,
                twins=process in self.services,
                plan=self._timers.get(process),
            )
        self._begin()
        for held in self._processes.values():
            self._let_pass(held, -1)

    @property
    def processes(self) -> list[str]:
        """All of them, by name."""
        return list(self._processes)

    def received(self) -> dict[str, list[str]]:
        """What has come to each agent, in the order in which it came first."""
        return {
            host: [self.names.shown(item) for item in self._processes[host].arrived]
            for host in self._hosts
            if host in self._processes
        }

    def finish(self) -> None:
        """Releases all resources."""
        for process in self._processes.values():
            process.finish()

    # ------------------------------------------------------------------------------------------------- steps

    def step(self, number: int, before: State, after: State, *, demanded: bool = True) -> Effects:
        """Makes a step happen; `before` and `after` are the specification's states. Returns what the core answered.

        `demanded`: the process has to take the step; if not, it may refuse to, and what it would do is seen even if it would
        not come to it.

        Raises:
            IllegalInput: the core refuses to, or no timer is set for it.
            CoreFailed: it raises anything else.
            MalformedMessage: a process sent what does not parse.
            NotDrivable: it cannot be arranged.
            EnvironmentProblem: the broker does not deliver.
        """
        self._state = after
        process, crash = self._processes[self._plan[number]], self._crash(number)
        self._now, self._demanded = number, demanded
        try:
            effects = self._perform(process, number, before, crash)
            self._let_pass(process, number)
            return effects
        finally:
            self._arrive()

    def _let_pass(self, process: HeldProcess, number: int) -> None:
        """The time between a step and the next one, in which no timer may fire."""
        if process.core is not None and not process.down:
            _, fired = process.time(number + 0.5)
            if fired:
                raise CoreFailed(f"a timer of {process.name} fires besides: {fired[0]}")

    def _fired(self, process: HeldProcess, timer: Timer, crash: str = "") -> Effects:
        """The clock of the process goes on to the step's time, at which its timer fires, and no other."""
        effects, fired = process.time(self._now, crash)
        if not fired and self._demanded:
            raise IllegalInput(f"{process.name} has no timer for {timer}")
        if fired and fired != [timer]:
            raise CoreFailed(f"{', '.join(map(str, fired))} fires, and not {timer}")
        return effects if fired else process.fire(timer)

    def _perform(self, process: HeldProcess, number: int, before: State, crash: str) -> Effects:
        action, occurrence = self._actions[number], self._trace.steps[number]
        choices: Choices = dict(occurrence.choices)
        if action.name in RESTARTS:
            process.restart()
            self._published(process.published)
            return Effects()
        if process.down:
            raise NotDrivable(f"{process.name} has crashed, and the trace goes on with it")
        if action.name == "restart":
            process.restart()
            self._published(process.published)
            return self._done(process, process.begin(crash))
        if action.name in self.forged:
            message = self.names.message(self.forged[action.name], tuple(choices.values()), before)
            send = Send(self._speaks_by(process.name), message, process.name)
            process.speak(send)
            self._published([send])
            return Effects(sends=(send,))
        if not action.takes:
            if process.core is None:
                return self._by_byzantine(process, action, choices)
            timer = self._timer(action.name, choices)
            if timer is not None:
                return self._done(process, self._fired(process, timer, crash))
            return self._done(
                process, process.command(lambda core: self._by_itself(core, action, choices, before), crash)
            )
        key = self.taken(action, occurrence, before)
        taken = self.names.message(*key, before)
        self._wait_for(process, taken, f"{key[0]}{key[1]} (step {number + 1}, {action.name})")
        effects = self._take(process, action, taken, before, crash)
        self._done(process, effects)
        if not process.down and self._last_use[key] == number:
            process.acknowledge(taken)
        return effects

    @abstractmethod
    def _speaks_by(self, host: str) -> str:
        """The topic by which a host says what it says."""

    def _done(self, process: HeldProcess, effects: Effects) -> Effects:
        """Waits until what an input published has arrived, and counts what it stored to be published."""
        self._published(process.published)
        for item in process.unpublished:  # what is stored to be published counts as sent
            if self._is_named(item.send.message):
                self._note(item.send.message)
            else:
                self._performed(item.send, stored=True)
        return effects

    def messages(self, effects: Effects) -> frozenset[tuple[str, Tuple]]:
        """The messages that a core sends, by the specification's name and arguments."""
        return frozenset(self.names.said(send.message) for send in effects.sends if self._is_named(send.message))

    # ------------------------------------------------------------------------------------- what it would do besides

    def unwilling(self, name: str, state: State, memo: Memo, only: int | None = None) -> Difference | None:
        """The first action that a process may take and does not list, or takes and may not (`conformance.replay.enabledness`).

        Trying everything that is not enabled takes longer than a step; `only`: try only the kind of action with this number,
        in turn.

        Raises:
            CoreFailed: the core raises anything but a refusal.
        """
        process = self._processes[name]
        if process.core is None or process.down:
            return None
        spontaneous = self._willing.spontaneous_of(name, self._hosts)
        possible = memo.get(state, ("possible", name), lambda: self._willing.possible(name, spontaneous, state))
        with querying(process.core):
            for question, wanted, seen in self._views(process, state):
                if wanted != seen:
                    return Difference(f"{name}: {question}", wanted, seen, "it says something else of its state")
            for listing in self._listings(process):
                missing, too_much = self._willing.differing(listing, possible)
                if missing or too_much:
                    return Difference(f"{name}: {listing.question}", missing, too_much, "what is enabled is different")
            for item in spontaneous if only is None or not spontaneous else [spontaneous[only % len(spontaneous)]]:
                for choices in self._willing.choices[item.name]:
                    if choices not in possible[item.name] and self._does(process, item, choices, state):
                        what = f"{item.name}({', '.join(map(str, choices))})"
                        return Difference(f"{name}: {what}", "refused", "done", "it is not enabled")
        return None

    def swayed(self, name: str, state: State) -> Difference | None:
        """The first unauthorized message that a process acts on. The state has to be compared afterwards, too.

        Raises:
            CoreFailed: the core raises anything but a refusal.
        """
        process = self._processes[name]
        if process.core is None or process.down:
            return None
        with querying(process.core):
            unauthorized_messages = list(self._strangers(process, state))
        for unauthorized_message in unauthorized_messages:
            try:
                with calling(process.core):
                    effects = answered(process.core, unauthorized_message.hand())
            except IllegalInput:
                effects = Effects()
            sent = {send.message for send in effects.sends}
            if effects.record is not None or sent != unauthorized_message.answer:
                wanted, seen = (sorted(map(str, messages)) for messages in (unauthorized_message.answer, sent))
                return Difference(
                    f"{name}: stranger ({unauthorized_message.what})", wanted, seen, "it may change nothing"
                )
        return None

    def _does(self, process: HeldProcess, own: SpontaneousAction, choices: Tuple, state: State) -> bool:
        """Whether a core does something when it is told to."""
        given = {"host": process.name, **dict(zip(own.parameters, choices, strict=True))}
        try:
            action = self._willing.action(own)
            timer = self._timer(action.name, given)
            does = self._by_itself(process.core, action, given, state) if timer is None else process.role.fire(timer)
            effects = answered(process.core, does)
        except IllegalInput:
            return False
        return not self._is_nothing(process, effects)

    def _is_nothing(self, process: HeldProcess, effects: Effects) -> bool:
        return effects.record is None and not effects.sends

    # ------------------------------------------------------------------------------------------------- duplicates

    def arrived(self, taken: Collection[tuple[str, Tuple]], of: str = "") -> Iterator[tuple[str, Message]]:
        """What has arrived and is not among these messages, with the process where; `of`: at this process only."""
        for process in [self._processes[of]] if of else self._processes.values():
            for message in list(process.arrived) if process.core is not None and not process.down else ():
                listens = process.arrived[message] in process.listening
                if listens and self._may_come_again(process, message) and self.names.said(message) not in taken:
                    yield process.name, message

    def _may_come_again(self, process: HeldProcess, message: Message) -> bool:
        return self._is_named(message)

    def again(self, name: str, message: Message) -> Effects:
        """Hands over once more what has arrived at a process."""
        process = self._processes[name]
        effects = self._done(process, process.deliver(message))
        self._arrive()
        return effects

    # ------------------------------------------------------------------------------------------------- planning

    def _crash(self, number: int) -> str:
        """Where the process crashes in this step: as its next step says, if that is a restart; nowhere: empty."""
        name = self._plan[number]
        for later in range(number + 1, len(self._plan)):
            if self._plan[later] == name:
                step = self._trace.steps[later]
                return str(dict(step.choices)["after"]) if step.action in RESTARTS else ""
        return ""

    def taken(self, action: Action, occurrence: Occurrence, state: State) -> tuple[str, Tuple]:
        """The message that a step takes, by the specification's name and arguments."""
        (taken,) = action.takes
        choices = dict(occurrence.choices)
        return taken.symbol.name, tuple(
            self._interpreter.evaluate(argument, state, choices) for argument in taken.arguments
        )

    # ------------------------------------------------------------------------------------------------- messages

    def _published(self, sends: Sequence[Send]) -> None:
        """Waits until what was published has arrived at its readers."""
        for send in sends:
            if not self._is_named(send.message):
                self._performed(send)
                continue
            reader = self._processes.get(reader_of(send.topic))
            if reader is None:
                self.wrong = self.wrong or Difference("messages", "a topic that somebody reads", send.topic)
            elif not reader.down:
                self._fetch(reader, send.message, f"{type(send.message).__name__} on {send.topic}")
            self._note(send.message)

    def _note(self, message: Message) -> None:
        name, arguments = self.names.said(message)
        self._sent.setdefault(name, set()).add(arguments)
        self._note_content(name, arguments, message)

    def _fetch(self, process: HeldProcess, wanted: Message, what: str) -> None:
        end = time.monotonic() + WAIT_SECONDS_MAX
        while wanted not in process.held:
            if process.fetch(max(0.0, min(end - time.monotonic(), 1.0))) is None and time.monotonic() > end:
                raise EnvironmentProblem(
                    f"{self._name}: waited {WAIT_SECONDS_MAX:g} s for {what} to arrive at {process.name}; "
                    "see that the broker runs and is not overloaded"
                )

    def _wait_for(self, process: HeldProcess, taken: Message, what: str) -> None:
        if taken not in process.held:
            name, arguments = self.names.said(taken)
            if arguments not in self._sent.get(name, set()) or self._is_unpublished(taken):
                raise NotDrivable(f"{what} takes a message that is not published")
            self._fetch(process, taken, what)

    def _is_unpublished(self, message: Message) -> bool:
        stored = (item.send.message for process in self._processes.values() for item in process.unpublished)
        return any(message == item for item in stored)

    def _arrive(self) -> None:
        """Takes in what has come besides, and looks at what each agent has received."""
        for process in self._processes.values():
            if not process.down:
                while process.fetch(0.0) is not None:
                    pass
        for host in self._hosts:
            for message in self._processes[host].newly_arrived():
                if self.wrong is None and not self._is_for(host, message):
                    shown = self.names.shown(message)
                    self.wrong = Difference(f"received by {host}", "what is for it, or for its VPCs", shown)


def process_of(action: Action, occurrence: Occurrence) -> str:
    """Who takes a step: `dpm`, `ncm`, or a host's name."""
    if action.role.each is None:
        return action.role.name.lower()
    host: Element = occurrence.choices[0][1]
    return str(host)


def is_restart(action: Action) -> bool:
    """The action is a crash and a new start of a process."""
    return action.name in RESTARTS or action.name == "restart"
