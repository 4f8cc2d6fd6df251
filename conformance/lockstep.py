"""Lock-step replay: the trace decides what happens next, the implementation does it, and everything is compared after each step.

Every process is its core, its store and its session. What arrives is held unacknowledged and handed to the core when the trace
says so; thus messages overtake each other, come late, come twice or never, as the trace has it. A message is acknowledged after
the last step that takes it. A process that crashes closes its session without acknowledging, and starts anew from its store; where
in its work it crashes is the restart's `after`, so the driver looks ahead to the process's next step.

The states compared with are not the trace's own but those of its steps, executed with nothing forgotten: an implementation does not
forget what it has sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from conformance.named import PLACED, UNNAMED_REQUEST, Names, place_said
from conformance.observe import Difference, Observation, compare
from conformance.targets import Target, reader_of
from impl.aca import Aca
from impl.core import Effects, IllegalInput, Send
from impl.dpm import Dpm
from impl.errors import EnvironmentProblem
from impl.messages import Deregistered, Message, Registered
from impl.ncm import Channel, Ncm
from impl.store import Outgoing, Store
from impl.transport.interface import Delivery, Letter
from impl.wire.codec import decode, encode
from model.interpreter import Events, Interpreter
from model.state import Element, Occurrence, State, Trace, Tuple, initial_state
from spec.language import Action, Protocol

WAIT_SECONDS_MAX: Final = 10.0
"""For a published message to arrive; a healthy broker takes a millisecond."""


@dataclass(frozen=True)
class Cores:
    """What makes fresh cores; a test replaces one to see that replays catch it."""

    dpm: Callable[[], Dpm] = Dpm
    ncm: Callable[[], Ncm] = Ncm
    aca: Callable[[str], Aca] = Aca


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
    crashes: int
    seconds: float
    divergence: Divergence | None = None
    because: str = ""
    """Why it could not be driven."""


class NotDrivable(Exception):
    """The trace asks for something that cannot be arranged here; the text says what."""


def replay(trace: Trace, name: str, protocol: Protocol, target: Target, cores: Cores | None = None) -> Replay:
    """Replays one trace. `name` is for reports.

    Raises:
        EnvironmentProblem: the broker does not deliver; names trace, step and message.
    """
    started = time.perf_counter()
    run = _Run(trace, name, protocol, target, cores or Cores())
    actions = {action.name: action for action in protocol.actions}
    done, divergence, because = 0, None, ""
    try:
        run.start()
        divergence = run.compare(0, None, frozenset(), frozenset())
        while divergence is None and done < len(trace.steps):
            divergence = run.step(done)
            done += 1
    except NotDrivable as problem:
        because = f"step {done + 1}: {problem}"
    finally:
        run.finish()
    taken = [actions[step.action] for step in trace.steps[:done]]
    verdict: Literal["conforms", "diverges", "not driven"] = (
        "not driven" if because else "diverges" if divergence else "conforms"
    )
    return Replay(
        name,
        verdict,
        done,
        sum(bool(action.takes) for action in taken),
        sum(action.name in RESTARTS or action.name == "restart" for action in taken),
        time.perf_counter() - started,
        divergence,
        because,
    )


# -------------------------------------------------------------------------------------------------------- process


class _Process:
    """A core with its store and session. A host that is not honest has no core: the trace speaks in its place."""

    def __init__(self, name: str, target: Target, make: Callable[[], Any] | None, tag: str) -> None:
        self.name = name
        self.core: Any = make() if make else None
        self._make = make
        self._target = target
        self._tag = tag
        self._connection = target.connection(name)
        self._store: Store | None = target.store(name) if make else None
        self.session = target.session(name)
        self.held: dict[Message, list[Delivery]] = {}
        self.unpublished: list[Outgoing] = []
        self.down = False

    def perform(self, effects: Effects, crash: str) -> list[Send]:
        """The caller's duties of `impl.core`, up to the point where the process crashes. Returns what was published."""
        if crash == "idle" and effects.record is None and not effects.sends:
            return []
        assert self._store is not None
        outgoing = self._store.append(effects, self.core)
        self.down = crash in ("stored", "published")
        if crash == "stored":
            self.unpublished = outgoing
            return []
        self.publish([one.send for one in outgoing])
        if crash != "published":
            self._store.mark_sent(outgoing)
        return [one.send for one in outgoing]

    def publish(self, sends: Sequence[Send]) -> None:
        self._connection.publish([Letter(send.topic, encode(send.message), send.key, self._tag) for send in sends])

    def acknowledge(self, message: Message) -> None:
        self.session.acknowledge(self.held.pop(message, []))

    def restart(self) -> list[Send]:
        """Crashes, if it has not yet, and starts anew. Returns what was published again."""
        assert self._store is not None
        assert self._make is not None
        self.session.close()
        self._store.close()
        self.held, self.unpublished, self.down = {}, [], False
        self.core = self._make()
        self._store = self._target.store(self.name)
        outgoing = self._store.load(self.core)
        self.session = self._target.session(self.name)
        self.publish([one.send for one in outgoing])
        self._store.mark_sent(outgoing)
        return [one.send for one in outgoing]

    def take(self, seconds: float) -> Message | None:
        """Fetches one delivery; those of other runs are thrown away."""
        delivery = self.session.receive(seconds)
        if delivery is None:
            return None
        if delivery.tag != self._tag:
            self.session.acknowledge([delivery])
            return None
        message = decode(delivery.data)
        self.held.setdefault(message, []).append(delivery)
        return message

    def finish(self) -> None:
        for message in list(self.held):
            self.acknowledge(message)
        self._target.keep(self.name, self.session)
        if self._store is not None:
            self._store.close()


# ------------------------------------------------------------------------------------------------------------ run

RESTARTS: Final[Mapping[str, str]] = {"restart_dpm": "dpm", "restart_ncm": "ncm"}
"""Actions that are a crash and a start of a process that keeps its state."""

Choices = Mapping[str, Any]


class _Run:
    def __init__(self, trace: Trace, name: str, protocol: Protocol, target: Target, cores: Cores) -> None:
        self._trace = trace
        self._name = name
        self._protocol = protocol
        self._target = target
        self._cores = cores
        self._names = Names(trace.configuration)
        self._interpreter = Interpreter(protocol, trace.configuration)
        self._actions: dict[str, Action] = {action.name: action for action in protocol.actions}
        self._hosts = trace.configuration.sorts["Host"]
        self._honest = {str(key[0]) for key in initial_state(protocol, trace.configuration).relations["honest"]}
        self._expected: State = initial_state(protocol, trace.configuration)
        self._processes: dict[str, _Process] = {}
        self._sent: dict[str, set[Tuple]] = {}
        self._misplaced: Difference | None = None
        self._used: set[Tuple] = set()
        self._numbers = UNNAMED_REQUEST
        self._plan = [self._process_of(step) for step in trace.steps]
        self._last_use = self._last_uses()

    def start(self) -> None:
        self._target.prepare(self._hosts)
        self._target.next_trace()
        tag = f"{self._name} {time.time_ns()}"
        factories: dict[str, Callable[[], Any] | None] = {"dpm": self._cores.dpm, "ncm": self._cores.ncm}
        for host in self._hosts:
            factories[host] = partial(self._cores.aca, host) if host in self._honest else None
        for process, make in factories.items():
            self._processes[process] = _Process(process, self._target, make, tag)
        for host in self._hosts:
            self._by_operator(Registered(host))

    def finish(self) -> None:
        for process in self._processes.values():
            process.finish()

    # ------------------------------------------------------------------------------------------------- stepping

    def step(self, number: int) -> Divergence | None:
        occurrence = self._trace.steps[number]
        before = self._expected
        self._expected, events = self._interpreter.apply(before, occurrence)
        # What the implementation may refuse is a divergence, said in its own words.
        try:
            effects = self._drive(number, occurrence, before)
        except IllegalInput as problem:
            self._arrive()
            return self._divergence(number, occurrence, Difference("action", str(occurrence), "refused", str(problem)))
        return self.compare(number + 1, occurrence, events, self._happened(occurrence, effects), effects)

    def _drive(self, number: int, occurrence: Occurrence, before: State) -> Effects:
        choices: dict[str, Any] = dict(occurrence.choices)
        action = self._actions[occurrence.action]
        name = self._plan[number]
        process = self._processes[name]
        if occurrence.action in RESTARTS or occurrence.action == "restart":
            self._published(process.restart())
            effects = process.core.start() if occurrence.action == "restart" else Effects()
        elif process.down:
            raise NotDrivable(f"{name} has crashed, and the trace goes on with it")
        elif occurrence.action == "deregister":
            effects = self._by_operator(Deregistered(str(choices["host"])), self._crash(number))
            self._arrive()
            return effects
        elif occurrence.action in FORGED:
            message = self._names.message(FORGED[occurrence.action], tuple(choices.values()), before)
            send = Send(f"requests-{name}", message, name)
            process.publish([send])
            self._published([send])
            self._arrive()
            return Effects()
        else:
            taken = self._taken(action, choices, before)
            if taken is not None:
                self._wait_for(process, taken, occurrence, number)
            effects = self._call(process, occurrence, choices, taken)
            self._published(process.perform(effects, self._crash(number)))
            self._sent_by(process)
            if taken is not None and not process.down and self._last_use.get(self._key(number, before)) == number:
                process.acknowledge(taken)
            self._arrive()
            return effects
        self._published(process.perform(effects, self._crash(number)))
        self._sent_by(process)
        self._arrive()
        return effects

    def _call(self, process: _Process, occurrence: Occurrence, choices: Choices, taken: Message | None) -> Effects:
        """Hands the input of a step to the core."""
        if taken is None:
            effects: Effects = self._by_itself(process.core, occurrence, choices)
            return effects
        match process.name:
            case "dpm":
                effects = process.core.receive(taken)
            case "ncm":
                channel = Channel("host", choices["host"]) if "host" in choices else Channel("dpm")
                # The specification greets and answers in two steps, the implementation in one: here the first half.
                halves = occurrence.action == "greet_by_request"
                effects = process.core.greet(taken) if halves else process.core.receive(taken, channel)
            case _:
                effects = process.core.receive(taken)
        return effects

    def _by_itself(self, core: Any, occurrence: Occurrence, choices: Choices) -> Any:
        """What a role does of its own accord."""
        names = self._names
        match occurrence.action:
            case "place":
                return core.place(names.pod(choices["pod"]), choices["host"])
            case "remove":
                return core.remove(names.pod(choices["pod"]))
            case "resend":
                return core.resend(names.pod(choices["pod"]), choices["version"])
            case "remind":
                return core.remind(choices["host"], names.pod(choices["pod"]))
            case "report_done":
                return core.report(names.pod(choices["pod"]), choices["version"])
            case "report_failed":
                return core.fail(names.pod(choices["pod"]), choices["version"])
            case "ask" | "deliver" | "drop":
                number = self._request(choices)
                return core.packet(number, names.pod(choices["source"]), names.pod(choices["destination"]))
            case "resume":
                return core.resume(names.pod(choices["source"]), names.pod(choices["destination"]))
            case "time_out":
                return core.time_out(names.request(choices["asked_by"]))
            case "evict":
                return core.evict(names.pod(choices["pod"]))
            case unknown:
                raise NotDrivable(f"nobody knows how to do {unknown}")

    def _request(self, choices: Choices) -> int:
        if "asked_by" not in choices:
            self._numbers += 1
            return self._numbers
        self._used.add((choices["host"], choices["asked_by"]))
        return self._names.request(choices["asked_by"])

    def _by_operator(self, message: Registered | Deregistered, crash: str = "") -> Effects:
        """A host is registered or deregistered: by a message, like everything else."""
        self._processes["dpm"].publish([Send("hosts", message)])
        ncm = self._processes["ncm"]
        self._fetch(ncm, message, f"{type(message).__name__} of {message.host}")
        effects: Effects = ncm.core.receive(message, Channel("dpm"))
        self._published(ncm.perform(effects, crash))
        if not ncm.down:
            ncm.acknowledge(message)
        return effects

    # ------------------------------------------------------------------------------------------------- planning

    def _process_of(self, occurrence: Occurrence) -> str:
        action = self._actions[occurrence.action]
        if action.role.each is None:
            return action.role.name.lower()
        return str(occurrence.choices[0][1])

    def _crash(self, number: int) -> str:
        """Where the process crashes in this step: as its next step says, if that is a restart; nowhere: empty."""
        name = self._plan[number]
        for later in range(number + 1, len(self._plan)):
            if self._plan[later] == name:
                step = self._trace.steps[later]
                return str(dict(step.choices)["after"]) if step.action in RESTARTS else ""
        return ""

    def _taken(self, action: Action, choices: Choices, before: State) -> Message | None:
        if not action.takes:
            return None
        (taken,) = action.takes
        arguments = tuple(self._interpreter.evaluate(one, before, choices) for one in taken.arguments)
        return self._names.message(taken.symbol.name, arguments, before)

    def _key(self, number: int, state: State) -> tuple[str, Tuple]:
        step = self._trace.steps[number]
        (taken,) = self._actions[step.action].takes
        arguments = tuple(self._interpreter.evaluate(one, state, dict(step.choices)) for one in taken.arguments)
        return taken.symbol.name, arguments

    def _last_uses(self) -> dict[tuple[str, Tuple], int]:
        return {
            self._key(number, self._expected): number
            for number, step in enumerate(self._trace.steps)
            if self._actions[step.action].takes
        }

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

    def _fetch(self, process: _Process, wanted: Message, what: str) -> None:
        end = time.monotonic() + WAIT_SECONDS_MAX
        while wanted not in process.held:
            if process.take(max(0.0, min(end - time.monotonic(), 1.0))) is None and time.monotonic() > end:
                raise EnvironmentProblem(
                    f"{self._name}: waited {WAIT_SECONDS_MAX:g} s for {what} to arrive at {process.name}; "
                    "see that the broker runs and is not overloaded"
                )

    def _wait_for(self, process: _Process, taken: Message, occurrence: Occurrence, number: int) -> None:
        if taken not in process.held:
            name = self._names.said(taken)
            if name[1] not in self._sent.get(name[0], set()) or self._is_unpublished(taken):
                raise NotDrivable(f"{occurrence} takes a message that is not published")
            self._fetch(process, taken, f"{name[0]}{name[1]} (step {number + 1}, {occurrence.action})")

    def _is_unpublished(self, message: Message) -> bool:
        stored = (one.send.message for process in self._processes.values() for one in process.unpublished)
        return any(message == one for one in stored)

    def _sent_by(self, process: _Process) -> None:
        """What is stored to be published counts as sent."""
        for one in process.unpublished:
            self._note(one.send.message)

    def _arrive(self) -> None:
        """Takes in what has come besides."""
        for process in self._processes.values():
            if not process.down:
                while process.take(0.0) is not None:
                    pass

    def _note(self, message: Message) -> None:
        if isinstance(message, Registered | Deregistered):
            return
        name, arguments = self._names.said(message)
        self._sent.setdefault(name, set()).add(arguments)
        if name in PLACED and self._misplaced is None:
            place = getattr(message, "place", None)
            said = place_said(name, arguments, self._expected)
            if place != said:
                shown = f"{name}({', '.join(map(str, arguments))}).place"
                self._misplaced = Difference(shown, said or "gone", place or "gone")

    # ------------------------------------------------------------------------------------------------- comparing

    def compare(
        self, step: int, occurrence: Occurrence | None, events: Events, happened: Events, effects: Effects | None = None
    ) -> Divergence | None:
        cores = {name: process.core for name, process in self._processes.items() if process.core is not None}
        seen = Observation(
            self._names,
            cores["dpm"].observe(),
            cores["ncm"].observe(),
            {host: cores[host].observe() for host in self._hosts if host in cores},
            self._hosts,
            self._sent,
            self._used,
        )
        difference = compare(self._protocol, self._expected, seen) or self._misplaced
        if difference is None and events != happened:
            difference = Difference("events", sorted(events - happened), sorted(happened - events))
        if difference is None:
            return None
        said = "; ".join(f"{event.name} {_fields(event.fields)}" for event in effects.events) if effects else ""
        because = difference.because or (
            f"the implementation said: {said}" if said else "the implementation did nothing"
        )
        return self._divergence(step - 1, occurrence, Difference(*_shown(difference), because))

    def _divergence(self, number: int, occurrence: Occurrence | None, difference: Difference) -> Divergence:
        action = str(occurrence) if occurrence else "start"
        return Divergence(self._name, number + 1, action, *_shown(difference), difference.because)

    def _happened(self, occurrence: Occurrence, effects: Effects) -> Events:
        """The events of the specification that the core reported."""
        found: set[tuple[str, Tuple]] = set()
        host: Element = dict(occurrence.choices).get("host", "")
        for event in effects.events:
            if event.name in _EVENTS and not (event.name == "give up" and "request" not in event.fields):
                pair = (
                    self._names.pod_name(event.fields["source"]),
                    self._names.pod_name(event.fields["destination"]),
                )
                request = (self._names.request_name(event.fields["request"]),) if "request" in event.fields else ()
                found.add((_EVENTS[event.name], (host, *request, *pair)))
        return frozenset(found)


_EVENTS: Final = {"deliver": "delivered", "release": "released", "give up": "dropped"}
"""The core's words for the specification's events."""

FORGED: Final[Mapping[str, str]] = {
    "forge_hello": "hello",
    "forge_request": "request",
    "forge_applied": "applied",
}
"""What an agent that is not honest sends."""


def _shown(difference: Difference) -> tuple[str, Any, Any]:
    return difference.field, difference.expected, difference.observed


def _fields(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in fields.items())
