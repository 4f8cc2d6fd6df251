"""The driver of the on-demand protocol: DPM, NCM and agents, and pods that come, move and go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import product
from typing import Any, ClassVar, Final

from conformance.bindings.observe import Difference, Observation, compare
from conformance.bindings.on_demand_names import PLACED, UNNAMED_REQUEST, Names, place_of, place_said
from conformance.replay.cores import Cores
from conformance.replay.driver import Choices, Driver, NotDrivable
from conformance.replay.enabledness import EnabledList, SpontaneousAction, UnauthorizedMessage, View, own
from conformance.replay.held_process import HeldProcess
from conformance.replay.judged_role import answered, calling
from conformance.replay.targets import Target
from impl.broker import topics
from impl.core import Effects, Send
from impl.messages import (
    Applied,
    Config,
    Deregistered,
    Granted,
    Hello,
    Message,
    Outcome,
    Pod,
    Reason,
    Refused,
    Registered,
    Report,
    Request,
    Route,
)
from impl.outputs import Role
from impl.roles.on_demand_roles import AcaRole, DpmRole, NcmRole, channel_of
from impl.roles.timing import Timing
from impl.timers import When
from model.language import Action
from model.language.terms import Node
from model.reference.interpreter import Events, Interpreter
from model.reference.state import Element, State, Trace, Tuple

UNPLACED: Final = Pod("nowhere", "nothing")
"""A pod that no configuration has."""

_EVENTS: Final = {"deliver": "delivered", "release": "released", "give up": "dropped"}
"""The core's words for the specification's events."""

_FORWARDS: Final = ("deliver", "release")
"""Those of them that say where a packet goes."""


class OnDemandDriver(Driver):
    """See the module."""

    names: Names
    forged: ClassVar[Mapping[str, str]] = {
        "forge_hello": "hello",
        "forge_request": "request",
        "forge_applied": "applied",
    }

    services = ("dpm", "ncm")
    spontaneous = (
        own("place", "pod", "host"),
        own("remove", "pod"),
        own("resend", "pod", "version"),
        own("remind", "host", "pod"),
        own("report_done", "pod", "version"),
        own("report_failed", "pod", "version"),
        SpontaneousAction("packet", ("ask", "deliver", "drop"), ("source", "destination")),
        own("resume", "source", "destination"),
        own("time_out", "asked_by"),
        own("evict", "pod"),
    )

    timed: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "resend": ("pod", "version"),
        "remind": ("host", "pod"),
        "report_done": ("pod", "version"),
        "report_failed": ("pod", "version"),
        "resume": ("source", "destination"),
        "time_out": ("asked_by",),
        "evict": ("pod",),
    }

    def __init__(
        self,
        trace: Trace,
        name: str,
        actions: Sequence[Action],
        interpreter: Interpreter,
        target: Target,
        cores: Cores,
    ) -> None:
        self.names = Names(trace.configuration)
        self._requests = trace.configuration.sorts["Request"]
        self._used: set[Tuple] = set()
        super().__init__(trace, name, actions, interpreter, target, cores)

    def _role(self, process: str, when: When) -> Role:
        match process:
            case "dpm":
                return self._cores.role(DpmRole)(self._cores.dpm(), Timing(), when)
            case "ncm":
                return self._cores.role(NcmRole)(self._cores.ncm(), Timing(), when)
            case host:
                return self._cores.role(AcaRole)(self._cores.aca(host), Timing(), when)

    def _word(self, choice: str, value: Element) -> Any:
        if choice in ("pod", "source", "destination"):
            return self.names.pod(value)
        return self.names.request(value) if choice == "asked_by" else value

    def _begin(self) -> None:
        for host in self._hosts:
            self._by_operator(Registered(host))

    def _speaks_by(self, host: str) -> str:
        return topics.requests(host)

    def _is_named(self, message: Message) -> bool:
        return not isinstance(message, Registered | Deregistered)

    def _is_for(self, host: str, message: Message) -> bool:
        return getattr(message, "host", "") == host

    def _note_content(self, name: str, arguments: Tuple, message: Message) -> None:
        if name in PLACED and self.wrong is None:
            place = getattr(message, "place", None)
            said = place_said(name, arguments, self._state)
            if place != said:
                shown = f"{name}({', '.join(map(str, arguments))}).place"
                self.wrong = Difference(shown, said or "gone", place or "gone")

    def _performed(self, send: Send, *, stored: bool = False) -> None:
        """Registrations are no messages to the specification; nothing is to be noted of them."""

    # ------------------------------------------------------------------------------------------------- observing

    def observed(self) -> Observation:
        """What is seen of all processes now."""
        seen = {name: process.observed() for name, process in self._processes.items() if process.core is not None}
        return Observation(
            self.names,
            seen["dpm"],
            seen["ncm"],
            {host: seen[host] for host in self._hosts if host in seen},
            self._hosts,
            self._sent,
            self._used,
        )

    def compare(self, expected: State) -> Difference | None:
        return compare(self._interpreter.protocol, expected, self.observed())

    def said(self, host: Element, effects: Effects, expected: State, events: Events) -> Difference | None:
        happened = self._happened(host, effects)
        if events != happened:
            return Difference("events", sorted(events - happened), sorted(happened - events))
        for event in effects.events:
            if event.name in _FORWARDS:
                pod = self.names.pod_name(event.fields["destination"])
                said = place_of(expected, pod, expected.functions["known"][host, pod])
                if event.fields["place"] != said:
                    return Difference(f"{_EVENTS[event.name]}.place", said, event.fields["place"])
        return None

    def _happened(self, host: Element, effects: Effects) -> Events:
        """The events of the specification that the core reported."""
        names = self.names
        found: set[tuple[str, Tuple]] = set()
        for event in effects.events:
            if event.name in _EVENTS and not (event.name == "give up" and "request" not in event.fields):
                pair = (names.pod_name(event.fields["source"]), names.pod_name(event.fields["destination"]))
                request = (names.request_name(event.fields["request"]),) if "request" in event.fields else ()
                found.add((_EVENTS[event.name], (host, *request, *pair)))
        return frozenset(found)

    def _views(self, process: HeldProcess, state: State) -> Iterator[View]:
        core, names, functions = process.core, self.names, state.functions
        if process.name == "dpm":
            placed = {names.pod(pod): place_of(state, pod, latest) for (pod,), latest in functions["latest"].items()}
            yield "places", {pod: place for pod, place in placed.items() if place}, core.places()
        elif process.name == "ncm":
            registered = [host for host in self._hosts if (host,) not in state.relations["removed"]]
            epochs = {host: int(functions["greeted"][host,]) for host in registered}
            yield "hosts", sorted(registered), core.hosts()
            yield "removed", sorted(one for (one,) in state.relations["removed"]), core.removed()
            yield "was_met", [bool(epochs.get(host)) for host in self._hosts], [*map(core.was_met, self._hosts)]
            yield "met_epoch", [epochs.get(host) for host in self._hosts], [*map(core.met_epoch, self._hosts)]
            told = {
                ("route", (host, epochs[str(host)], pod, functions["recorded"][pod,]))
                for host, pod in state.relations["told"]
                if epochs[str(host)]
            }
            yield "retell", told, self.messages(core.retell())
        else:
            host, epoch = process.name, functions["epoch"][process.name,]
            for pod in self._trace.configuration.sorts["Pod"]:
                given = {"host": host, "pod": pod}
                said = self._interpreter.evaluate(self._route_state, state, given)
                yield "phase", said, core.phase(names.pod(pod)).value
                yield "seen", functions["known"][host, pod], core.seen(names.pod(pod))[0]
            if epoch:
                yield "say_hello", {("hello", (host, epoch))}, self.messages(core.say_hello())

    def _strangers(self, process: HeldProcess, state: State) -> Iterator[UnauthorizedMessage]:
        if process.name == "dpm":
            yield from self._strangers_to_dpm(process, state)
        elif process.name == "ncm":
            yield from self._strangers_to_ncm(process, state)
        else:
            other = next((host for host in self._hosts if host != process.name), "nobody")
            for message in process.arrived:
                assert isinstance(message, Route | Granted | Refused)
                theirs = replace(message, host=other)
                yield UnauthorizedMessage(
                    f"{type(message).__name__} for {other}", partial(process.core.receive, theirs)
                )
            yield UnauthorizedMessage("Config", partial(process.core.receive, Config(UNPLACED, 1, None)))
            if state.functions["epoch"][process.name,] == 0:
                yield UnauthorizedMessage("say_hello before the start", process.core.say_hello)

    def _strangers_to_dpm(self, process: HeldProcess, state: State) -> Iterator[UnauthorizedMessage]:
        receive = process.core.receive
        yield UnauthorizedMessage("Config", partial(receive, Config(UNPLACED, 1, None)))
        yield UnauthorizedMessage("Report of nothing", partial(receive, Report(UNPLACED, 1, Outcome.DONE)))
        for (pod, version), outcome in state.functions["outcome"].items():
            if outcome == "pending":
                yield UnauthorizedMessage("Config", partial(receive, Config(self.names.pod(pod), int(version), None)))
            if outcome not in ("none", "pending"):
                for other in Outcome:
                    again = Report(self.names.pod(pod), int(version), other)
                    yield UnauthorizedMessage(f"Report of what has ended, {other.value}", partial(receive, again))

    def _strangers_to_ncm(self, process: HeldProcess, state: State) -> Iterator[UnauthorizedMessage]:
        core, tried = process.core, process.tried
        greeted, removed = state.functions["greeted"], state.relations["removed"]
        foreign = [message for host in self._hosts for message in self._processes[host].arrived]
        for message in [*process.arrived, *foreign[:1]]:
            kind = type(message).__name__
            for speaker in ("", *self._hosts):
                topic = topics.requests(speaker) if speaker else topics.GOAL_STATES
                if self._may_say(speaker, message):
                    if (speaker,) in removed:
                        said = f"{kind} by {speaker}, which has left"
                        yield UnauthorizedMessage(said, partial(tried, message, topic))
                    continue
                answer = frozenset[Message]()
                known = bool(speaker) and (speaker,) not in removed
                if isinstance(message, Request) and known and greeted[speaker,] == message.epoch:
                    answer = frozenset({Refused(speaker, message.epoch, message.request, Reason.NOT_YOUR_CHANNEL)})
                yield UnauthorizedMessage(
                    f"{kind} by {speaker or 'DPM'}", partial(process.tried, message, topic), answer
                )
            if isinstance(message, Config) and core.place_at(message.pod, message.version) is not None:
                moved = replace(message, place="elsewhere")
                yield UnauthorizedMessage("Config of another place", partial(tried, moved, topics.GOAL_STATES))
        for host in self._hosts:
            own = topics.requests(host)
            yield UnauthorizedMessage("Registered again", partial(tried, Registered(host), topics.HOSTS))
            yield UnauthorizedMessage("Registered by an agent", partial(tried, Registered(host, 2), own))
            yield UnauthorizedMessage("Deregistered by an agent", partial(tried, Deregistered(host, 2), own))
            yield UnauthorizedMessage("Deregistered before", partial(tried, Deregistered(host, 0), topics.HOSTS))
            if (host,) in removed:
                yield UnauthorizedMessage("Deregistered again", partial(tried, Deregistered(host), topics.HOSTS))

    @staticmethod
    def _may_say(speaker: str, message: Message) -> bool:
        """The message may come from this host, or from DPM if it is empty; nobody may say to NCM what NCM says."""
        if isinstance(message, Config | Registered | Deregistered):
            return not speaker
        return isinstance(message, Hello | Request | Applied) and speaker == message.host

    @cached_property
    def _route_state(self) -> Node:
        lifecycles = self._interpreter.protocol.lifecycles
        value: Node = next(lifecycle.value.node for lifecycle in lifecycles if lifecycle.name == "route_state")
        return value

    def _listings(self, process: HeldProcess) -> Iterator[EnabledList]:
        yield from super()._listings(process)
        core, names = process.core, self.names
        pods = [names.pod(sort) for sort in self._trace.configuration.sorts["Pod"]]
        if process.name in self._hosts:
            remote = ((names.pod_name(pod),) for pod in pods if core.may_evict(pod))
            yield EnabledList("may_evict", ("evict",), frozenset(remote))
            paused = (
                (names.pod_name(one), names.pod_name(other))
                for one, other in product(pods, pods)
                if core.is_paused(one, other)
            )
            yield EnabledList("is_paused", ("resume",), frozenset(paused))

    def _does(self, process: HeldProcess, own: SpontaneousAction, choices: Tuple, state: State) -> bool:
        if own.name == "packet" and all((process.name, request) in self._used for request in self._requests):
            return False  # the specification has no request left to ask under
        return super()._does(process, own, choices, state)

    def _is_nothing(self, process: HeldProcess, effects: Effects) -> bool:
        return super()._is_nothing(process, effects) and not self._happened(process.name, effects)

    # ------------------------------------------------------------------------------------------------- steps

    def _perform(self, process: HeldProcess, number: int, before: State, crash: str) -> Effects:
        if self._actions[number].name == "deregister" and not process.down:
            return self._by_operator(Deregistered(str(dict(self._trace.steps[number].choices)["host"])), crash)
        return super()._perform(process, number, before, crash)

    def _take(self, process: HeldProcess, action: Action, taken: Message, before: State, crash: str) -> Effects:
        # The specification greets and answers in two steps, the implementation in one: here the first half. The whole is tried
        # on a copy (`greeted_at_once`).
        greets = action.name == "greet_by_request"
        return process.deliver(taken, crash, (lambda core: core.greet(taken)) if greets else None)

    def _by_itself(self, core: Any, action: Action, choices: Choices, before: State) -> Effects:
        names = self.names
        effects: Effects
        match action.name:
            case "place":
                effects = core.place(names.pod(choices["pod"]), choices["host"])
            case "remove":
                effects = core.remove(names.pod(choices["pod"]))
            case "ask" | "deliver" | "drop":
                effects = self._packet(core, choices)
            case unknown:
                raise NotDrivable(f"nobody knows how to do {unknown}")
        return effects

    def _packet(self, core: Any, choices: Choices) -> Effects:
        """A packet is sent; what becomes of it is the core's choice. Where the trace names no request, a new number is given."""
        host, free = (
            choices["host"],
            (request for request in self._requests if (choices["host"], request) not in self._used),
        )
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
        self._processes["dpm"].speak(Send("hosts", message))
        ncm = self._processes["ncm"]
        self._fetch(ncm, message, f"{type(message).__name__} of {message.host}")
        effects = self._done(ncm, ncm.deliver(message, crash))
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
        with calling(ncm):
            effects = answered(ncm, ncm.receive(taken, channel_of(f"requests-{dict(occurrence.choices)['host']}")))
            if effects.record is not None:
                again.apply(effects.record)
            seen = again.observe()
        sent = {name: set(messages) for name, messages in self._sent.items()}
        for send in effects.sends:
            name, arguments = self.names.said(send.message)
            sent.setdefault(name, set()).add(arguments)
        return effects, replace(self.observed(), ncm=seen, sent=sent)
