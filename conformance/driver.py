"""Driving the implementation along a trace: each step is made to happen in the process that takes it.

What arrives is held unacknowledged and handed to the core when the trace says so. A message is acknowledged after the last step
that takes it. Where in its work a process crashes is the `after` of its restart, so the driver looks ahead to its next step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from conformance.named import PLACED, UNNAMED_REQUEST, Names, place_said
from conformance.observe import Difference, Observation
from conformance.process import Process, asked
from conformance.targets import Target, reader_of
from impl.aca import Aca
from impl.core import Effects, Send
from impl.dpm import Dpm
from impl.errors import EnvironmentProblem
from impl.messages import Deregistered, Message, Registered
from impl.ncm import Ncm
from impl.service.ncm import channel_of
from model.interpreter import Interpreter
from model.state import Element, Occurrence, State, Trace, Tuple
from spec.language import Action

WAIT_SECONDS_MAX: Final = 10.0
"""For a published message to arrive; a healthy broker takes a millisecond."""

RESTARTS: Final = frozenset({"restart_dpm", "restart_ncm"})
"""Actions that are a crash and a start of a process that keeps its state."""

FORGED: Final[Mapping[str, str]] = {"forge_hello": "hello", "forge_request": "request", "forge_applied": "applied"}
"""What an agent that is not honest sends."""

Choices = Mapping[str, Any]


@dataclass(frozen=True)
class Cores:
    """What makes fresh cores; a test replaces one to see that replays catch it."""

    dpm: Callable[[], Dpm] = Dpm
    ncm: Callable[[], Ncm] = Ncm
    aca: Callable[[str], Aca] = Aca


class NotDrivable(Exception):
    """The trace asks for something that cannot be arranged here; the text says what."""


class Driver:
    """All processes of one trace. `actions` has the action of every step."""

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
        self.names = Names(trace.configuration)
        self.misplaced: Difference | None = None
        """The first message whose place is not that of its version."""
        self._hosts = trace.configuration.sorts["Host"]
        self._requests = trace.configuration.sorts["Request"]
        self._honest = {str(key[0]) for key in trace.states[0].relations["honest"]}
        self._processes: dict[str, Process] = {}
        self._sent: dict[str, set[Tuple]] = {}
        self._used: set[Tuple] = set()
        self._state: State = trace.states[0]
        self._plan = [process_of(action, step) for action, step in zip(actions, trace.steps, strict=True)]
        self._last_use = {
            self.taken(action, step, self._state): number
            for number, (action, step) in enumerate(zip(actions, trace.steps, strict=True))
            if action.takes
        }

    def start(self) -> None:
        """Fresh processes, all hosts registered."""
        self._target.prepare(self._hosts)
        self._target.next_trace()
        tag = f"{self._name} {time.time_ns()}"
        factories: dict[str, Callable[[], Any] | None] = {"dpm": self._cores.dpm, "ncm": self._cores.ncm}
        for host in self._hosts:
            factories[host] = partial(self._cores.aca, host) if host in self._honest else None
        for process, make in factories.items():
            self._processes[process] = Process(process, self._target, make, tag)
        for host in self._hosts:
            self._by_operator(Registered(host))

    def finish(self) -> None:
        """Gives everything back."""
        for process in self._processes.values():
            process.finish()

    def observed(self) -> Observation:
        """What is seen of all processes now."""
        cores = {name: process.core for name, process in self._processes.items() if process.core is not None}
        return Observation(
            self.names,
            cores["dpm"].observe(),
            cores["ncm"].observe(),
            {host: cores[host].observe() for host in self._hosts if host in cores},
            self._hosts,
            self._sent,
            self._used,
        )

    # ------------------------------------------------------------------------------------------------- steps

    def step(self, number: int, before: State, after: State) -> Effects:
        """Makes a step happen; `before` and `after` are the specification's states. Returns what the core answered.

        Raises:
            IllegalInput: the core refuses to.
            CoreFailed: it raises anything else.
            MalformedMessage: a process sent what does not parse.
            NotDrivable: it cannot be arranged.
            EnvironmentProblem: the broker does not deliver.
        """
        self._state = after
        process, crash = self._processes[self._plan[number]], self._crash(number)
        try:
            return self._perform(process, number, before, crash)
        finally:
            self._arrive()

    def _perform(self, process: Process, number: int, before: State, crash: str) -> Effects:
        action, occurrence = self._actions[number], self._trace.steps[number]
        choices: Choices = dict(occurrence.choices)
        if action.name in RESTARTS:
            self._published(process.restart())
            return Effects()
        if process.down:
            raise NotDrivable(f"{process.name} has crashed, and the trace goes on with it")
        if action.name == "restart":
            self._published(process.restart())
            with asked(process.core):
                effects: Effects = process.core.start()
            return self._done(process, effects, crash)
        if action.name == "deregister":
            return self._by_operator(Deregistered(str(choices["host"])), crash)
        if action.name in FORGED:
            message = self.names.message(FORGED[action.name], tuple(choices.values()), before)
            send = Send(f"requests-{process.name}", message, process.name)
            process.publish([send])
            self._published([send])
            return Effects(sends=(send,))
        if not action.takes:
            with asked(process.core):
                effects = self._by_itself(process.core, action, choices)
            return self._done(process, effects, crash)
        key = self.taken(action, occurrence, before)
        taken = self.names.message(*key, before)
        self._wait_for(process, taken, f"{key[0]}{key[1]} (step {number + 1}, {action.name})")
        if action.name == "greet_by_request":
            # The specification greets and answers in two steps, the implementation in one: here the first half. The whole is tried
            # on a copy (`greeted_at_once`).
            with asked(process.core):
                effects = process.core.greet(taken)
        else:
            effects = process.receive(taken)
        self._done(process, effects, crash)
        if not process.down and self._last_use[key] == number:
            process.acknowledge(taken)
        return effects

    def _done(self, process: Process, effects: Effects, crash: str = "") -> Effects:
        """The duties that follow from what a core answered."""
        self._published(process.perform(effects, crash))
        for one in process.unpublished:  # what is stored to be published counts as sent
            self._note(one.send.message)
        return effects

    def _by_itself(self, core: Any, action: Action, choices: Choices) -> Effects:
        """What a role does of its own accord."""
        names = self.names
        effects: Effects
        match action.name:
            case "place":
                effects = core.place(names.pod(choices["pod"]), choices["host"])
            case "remove":
                effects = core.remove(names.pod(choices["pod"]))
            case "resend":
                effects = core.resend(names.pod(choices["pod"]), choices["version"])
            case "remind":
                effects = core.remind(choices["host"], names.pod(choices["pod"]))
            case "report_done":
                effects = core.report(names.pod(choices["pod"]), choices["version"])
            case "report_failed":
                effects = core.fail(names.pod(choices["pod"]), choices["version"])
            case "ask" | "deliver" | "drop":
                effects = self._packet(core, choices)
            case "resume":
                effects = core.resume(names.pod(choices["source"]), names.pod(choices["destination"]))
            case "time_out":
                effects = core.time_out(names.request(choices["asked_by"]))
            case "evict":
                effects = core.evict(names.pod(choices["pod"]))
            case unknown:
                raise NotDrivable(f"nobody knows how to do {unknown}")
        return effects

    def _packet(self, core: Any, choices: Choices) -> Effects:
        """A packet is sent; what becomes of it is the core's choice. Where the trace names no request, a new number is given."""
        host, free = choices["host"], (one for one in self._requests if (choices["host"], one) not in self._used)
        name = choices.get("asked_by") or next(free, None)
        number = UNNAMED_REQUEST if name is None else self.names.request(name)
        source, destination = self.names.pod(choices["source"]), self.names.pod(choices["destination"])
        effects: Effects = core.packet(number, source, destination)
        self._used |= {
            (host, self.names.request_name(event.fields["request"])) for event in effects.events if event.name == "ask"
        }
        return effects

    def _by_operator(self, message: Registered | Deregistered, crash: str = "") -> Effects:
        """A host is registered or deregistered: by a message, like everything else."""
        self._processes["dpm"].publish([Send("hosts", message)])
        ncm = self._processes["ncm"]
        self._fetch(ncm, message, f"{type(message).__name__} of {message.host}")
        effects = self._done(ncm, ncm.receive(message), crash)
        if not ncm.down:
            ncm.acknowledge(message)
        return effects

    def greeted_at_once(self, number: int, before: State) -> tuple[Effects, Observation]:
        """What a copy of NCM answers to a request of a new epoch; and what is seen when it has crashed behind that."""
        occurrence = self._trace.steps[number]
        taken = self.names.message(*self.taken(self._actions[number], occurrence, before), before)
        stored = self._processes["ncm"].core.snapshot()
        ncm, again = self._cores.ncm(), self._cores.ncm()
        ncm.restore(stored)
        again.restore(stored)
        with asked(ncm):
            effects = ncm.receive(taken, channel_of(f"requests-{dict(occurrence.choices)['host']}"))
        if effects.record is not None:
            again.apply(effects.record)
        sent = {name: set(messages) for name, messages in self._sent.items()}
        for send in effects.sends:
            name, arguments = self.names.said(send.message)
            sent.setdefault(name, set()).add(arguments)
        return effects, replace(self.observed(), ncm=again.observe(), sent=sent)

    # ------------------------------------------------------------------------------------------------- duplicates

    def arrived(self, taken: Collection[tuple[str, Tuple]], of: str = "") -> Iterator[tuple[str, Message]]:
        """What has arrived and is not among these messages, with the process where; `of`: at this process only."""
        for process in [self._processes[of]] if of else self._processes.values():
            for message in list(process.arrived) if process.core is not None and not process.down else ():
                if not isinstance(message, Registered | Deregistered) and self.names.said(message) not in taken:
                    yield process.name, message

    def again(self, name: str, message: Message) -> Effects:
        """Hands over once more what has arrived at a process."""
        process = self._processes[name]
        effects = self._done(process, process.receive(message))
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
        return taken.symbol.name, tuple(self._interpreter.evaluate(one, state, choices) for one in taken.arguments)

    # ------------------------------------------------------------------------------------------------- messages

    def _published(self, sends: Sequence[Send]) -> None:
        """Waits until what was published has arrived at its readers."""
        for send in sends:
            if isinstance(send.message, Registered | Deregistered):
                continue
            reader = self._processes.get(reader_of(send.topic))
            if reader is None:
                raise NotDrivable(f"nobody reads {send.topic}")
            if not reader.down:
                self._fetch(reader, send.message, f"{type(send.message).__name__} on {send.topic}")
            self._note(send.message)

    def _fetch(self, process: Process, wanted: Message, what: str) -> None:
        end = time.monotonic() + WAIT_SECONDS_MAX
        while wanted not in process.held:
            if process.take(max(0.0, min(end - time.monotonic(), 1.0))) is None and time.monotonic() > end:
                raise EnvironmentProblem(
                    f"{self._name}: waited {WAIT_SECONDS_MAX:g} s for {what} to arrive at {process.name}; "
                    "see that the broker runs and is not overloaded"
                )

    def _wait_for(self, process: Process, taken: Message, what: str) -> None:
        if taken not in process.held:
            name, arguments = self.names.said(taken)
            if arguments not in self._sent.get(name, set()) or self._is_unpublished(taken):
                raise NotDrivable(f"{what} takes a message that is not published")
            self._fetch(process, taken, what)

    def _is_unpublished(self, message: Message) -> bool:
        stored = (one.send.message for process in self._processes.values() for one in process.unpublished)
        return any(message == one for one in stored)

    def _arrive(self) -> None:
        """Takes in what has come besides."""
        for process in self._processes.values():
            if not process.down:
                while process.take(0.0) is not None:
                    pass

    def _note(self, message: Message) -> None:
        if isinstance(message, Registered | Deregistered):
            return
        name, arguments = self.names.said(message)
        self._sent.setdefault(name, set()).add(arguments)
        if name in PLACED and self.misplaced is None:
            place = getattr(message, "place", None)
            said = place_said(name, arguments, self._state)
            if place != said:
                shown = f"{name}({', '.join(map(str, arguments))}).place"
                self.misplaced = Difference(shown, said or "gone", place or "gone")


def process_of(action: Action, occurrence: Occurrence) -> str:
    """Who takes a step: `dpm`, `ncm`, or a host's name."""
    if action.role.each is None:
        return action.role.name.lower()
    host: Element = occurrence.choices[0][1]
    return str(host)


def is_restart(action: Action) -> bool:
    """The action is a crash and a new start of a process."""
    return action.name in RESTARTS or action.name == "restart"
