"""The driver of the message queue: DPM, agents, and the VPCs' topics at the broker.

Asked to subscribe, an agent does so, at the broker; that it is refused is the broker's word too. Where an agent declines though it
is permitted, the broker is out of its reach, and it does not try.

Two things happen at a broker at times of its own, and are arranged here:
- A reader whose subscription ends is cut off, and tries to come back by itself. Here it stops reading at once, so that it comes
  back only when the trace says so.
- DPM crashes, starts again, and publishes again what had been published, and even acknowledged. What is in no backlog any more is
  acknowledged at once; like every message, it is delivered once more where it is not new, and must change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from operator import methodcaller
from typing import Any, ClassVar, Final
from weakref import WeakKeyDictionary

from conformance.bindings.message_queue_decisions import AT_ONCE, DUE, MAY, OF_A_REVISION, SPONTANEOUS, TIMED
from conformance.bindings.message_queue_names import MESSAGES, Naming, content, kind_of, parts
from conformance.bindings.message_queue_topics import Topics
from conformance.bindings.observe import Difference, differing
from conformance.replay.cores import Cores
from conformance.replay.driver import Choices, Driver, NotDrivable
from conformance.replay.enabledness import EnabledList, UnauthorizedMessage, View
from conformance.replay.held_process import HeldProcess
from conformance.replay.judged_role import querying
from conformance.replay.targets import Target
from impl.broker import topics
from impl.core import Effects, IllegalInput, Send
from impl.message_queue.thresholds import Thresholds
from impl.messages import (
    Accepted,
    Administrative,
    CloseTopic,
    Confirmed,
    Declined,
    Deregistered,
    EndSubscription,
    Hello,
    Message,
    Notice,
    OpenTopic,
    Permit,
    Published,
    Push,
    Registered,
    Subscribe,
)
from impl.outputs import Role
from impl.roles.message_queue_roles import AcaRole, DpmRole
from impl.roles.timing import Timing
from impl.timers import Timer, When
from model.language import Action
from model.reference.interpreter import Events, Interpreter
from model.reference.state import Element, State, Trace, Tuple

NOT_COMPARED: Final[Mapping[str, str]] = {
    "correct": "a constant: says which hosts have a core",
    "many_ports": "a constant: DPM is started with it",
    "many_in_a_group": "a constant: DPM is started with it",
    "patience": "a constant: DPM is started with it",
    "belonged": "history: nobody holds it",
    "size_then": "history: nobody holds it",
    "group_then": "history: nobody holds it",
}

_RUNS: Final[WeakKeyDictionary[Target, Iterator[int]]] = WeakKeyDictionary()
"""Counts the runs of each target, for names of VPCs: a topic that an earlier run has left at the broker is no topic of this one.

What other targets were used for before changes no name, and so no order in which a core goes through names.
"""

TOPICS: Final = {("grpc", "opening"): OpenTopic, ("closing", "grpc"): CloseTopic}
"""What DPM has the administration do to a VPC's topic, by the channel before and after."""

AT_THE_TOPIC: Final = ("receive", "consume", "discard", "attach_unasked")

_OF_VPCS: Final = ("rules", "sent", "size", "group", "channel")
_OF_MEMBERS: Final = ("ports", "attempt", "tries", "subscription", "confirmed")


class MessageQueueDriver(Driver):
    """See the module."""

    names: Naming
    forged: ClassVar[Mapping[str, str]] = {
        "forge_hello": "hello",
        "forge_acceptance": "accepted",
        "forge_refusal": "declined",
        "forge_applied": "applied",
    }
    services = ("dpm",)
    spontaneous = SPONTANEOUS
    timed = TIMED
    at_once = AT_ONCE

    def __init__(
        self,
        trace: Trace,
        name: str,
        actions: Sequence[Action],
        interpreter: Interpreter,
        target: Target,
        cores: Cores,
    ) -> None:
        self.names = Naming(trace.configuration, f"run-{next(_RUNS.setdefault(target, count(1)))}")
        self._topics = Topics(target, self.names.vpcs.values())
        self._vpc_names = {vpc: name for name, vpc in self.names.vpcs.items()}
        self._seen: Mapping[str, Any] = {}
        """What DPM said of its state when it was last asked which VPCs have changed."""
        self._counted: set[Published] = set()
        """Hosts that read a VPC's topic, by the specification, and stopped when they declined to subscribe again."""
        self._before: State = trace.states[0]
        super().__init__(trace, name, actions, interpreter, target, cores)

    def _role(self, process: str, when: When) -> Role:
        if process == "dpm":
            return self._cores.role(DpmRole)(self._cores.message_queue_dpm(decision_of(self._trace)), Timing(), when)
        return self._cores.role(AcaRole)(self._cores.message_queue_aca(process), Timing(), when)

    def _word(self, choice: str, value: Element) -> Any:
        return self.names.vpc(value) if choice == "vpc" else value

    def _begin(self) -> None:
        dpm = self._processes["dpm"]
        for host in self._hosts:
            self._done(dpm, dpm.hear(Registered(host), topics.HOSTS))
        for vpc in self.names.vpcs.values():
            self._done(dpm, dpm.command(methodcaller("add_vpc", vpc)))

    def finish(self) -> None:
        for host in self._hosts:
            if host in self._processes:
                for vpc in self.names.vpcs.values():
                    self._let_go(self._processes[host], vpc)
        super().finish()

    def _speaks_by(self, host: str) -> str:
        return topics.notices(host)

    def _is_named(self, message: Message) -> bool:
        return isinstance(message, Push | Subscribe | Hello | Accepted | Declined | Confirmed)

    def _is_for(self, host: str, message: Message) -> bool:
        if not isinstance(message, Published | Push):
            return getattr(message, "host", "") == host
        member = (host, self.names.vpc_name(message.vpc)) in self._state.relations["belonged"]
        return member and (isinstance(message, Published) or message.host == host)

    def _note_content(self, name: str, arguments: Tuple, message: Message) -> None:
        if isinstance(message, Push | Published) and self.wrong is None:
            wanted = parts(message.revision)
            if message.parts != wanted:
                shown = f"{self.names.shown(message)}.content"
                expected, observed = (
                    [f"{part.kind.value}: {part.data!r}" for part in revision] for revision in (wanted, message.parts)
                )
                self.wrong = Difference(shown, expected, observed)

    # ------------------------------------------------------------------------------------------------- observing

    def compare(self, expected: State) -> Difference | None:
        return differing(self._interpreter.protocol, expected, self.observed())

    def observed(self) -> dict[str, Any]:
        """What is seen of all processes and of the broker now, by the specification's names."""
        name = self.names.vpc_name
        dpm = self._processes["dpm"].observed()
        agents = {
            host: self._processes[host].observed() for host in self._hosts if self._processes[host].core is not None
        }
        undone = [item.send.message for item in self._processes["dpm"].unpublished]
        permitted, attached, backlog = self._topics.observed(undone)
        found: dict[str, Any] = {
            of_vpc: {(name(vpc),): value for vpc, value in dpm[of_vpc].items()} for of_vpc in _OF_VPCS
        }
        for item in _OF_MEMBERS:
            found[item] = {(host, name(vpc)): value for (host, vpc), value in dpm[item].items()}
        found["outcome"] = {(name(vpc), revision): said for (vpc, revision), said in dpm["outcome"].items()}
        found["barred"] = {(host, name(vpc)) for (host, vpc), barred in dpm["barred"].items() if barred}
        found["met"] = {(host,): epoch for host, epoch in dpm["met"].items()}
        found["permitted"] = {(host, name(vpc)) for host, vpc in permitted}
        found["attached"] = {(host, name(vpc)) for host, vpc in attached}
        found["backlog"] = {(host, name(vpc), revision) for host, vpc, revision in backlog}
        found["epoch"] = {(host,): agent["epoch"] for host, agent in agents.items()}
        for item in ("known", "heard"):
            found[item] = {
                (host, name(vpc)): value for host, agent in agents.items() for vpc, value in agent[item].items()
            }
        found["listening"] = {(host, name(vpc)) for host, agent in agents.items() for vpc in agent["consumer"]}
        return found | {message: self._sent.get(message, set()) for message in MESSAGES}

    def said(self, host: Element, effects: Effects, expected: State, events: Events) -> Difference | None:
        by_topic = {
            (vpc, revision)
            for (vpc,), revision in expected.functions["sent"].items()
            if revision != self._before.functions["sent"][vpc,]
            and expected.functions["channel"][vpc,] in ("opening", "mq")
        }
        messages = (send.message for send in effects.sends)
        found = {self.names.said(message)[1] for message in messages if isinstance(message, Published)}
        if found != by_topic:
            return Difference("published", sorted(by_topic - found), sorted(found - by_topic))
        before, after = self._before.functions["channel"], expected.functions["channel"]
        wanted = {
            work(self.names.vpc(vpc))
            for (vpc,), channel in after.items()
            if (work := TOPICS.get((str(before[vpc,]), str(channel)))) is not None
        }
        done = {send.message for send in effects.sends if isinstance(send.message, OpenTopic | CloseTopic)}
        if done == wanted:
            return None
        return Difference("topics", sorted(map(str, wanted - done)), sorted(map(str, done - wanted)))

    def _views(self, process: HeldProcess, state: State) -> Iterator[View]:
        core, vpcs = process.core, self.names.vpcs
        if process.name == "dpm":
            yield "hosts", sorted(self._hosts), core.hosts()
            yield "vpcs", sorted(vpcs.values()), core.vpcs()
            for name, vpc in vpcs.items():
                yield "asked", self._asked(name, state), core.asked(vpc)
            seen = process.observed()
            role: Any = process.role
            yield "stirred", [], sorted(self._changed(self._seen, seen) - role.looked_at)
            tries, subscription = state.functions["tries"], state.functions["subscription"]
            for name, vpc in vpcs.items():
                waits = [host for host in self._hosts if subscription[host, name] == "asked"]
                yield f"asked of {name}", {host: tries[host, name] for host in waits}, core.asked(vpc)
            self._seen, role.looked_at = seen, set()
            return
        functions, host = state.functions, process.name
        for name, vpc in vpcs.items():
            yield "known", functions["known"][host, name], core.known(vpc)
            yield "heard", functions["heard"][host, name], core.heard(vpc)
        listening = sorted(vpcs[str(name)] for one, name in state.relations["listening"] if one == host)
        yield "consumers", listening, core.consumers()

    def _asked(self, vpc: str, state: State) -> dict[str, Element]:
        """The hosts that are asked to subscribe, with how often in a row."""
        subscriptions, tries = state.functions["subscription"], state.functions["tries"]
        return {str(host): tries[host, vpc] for host in self._hosts if subscriptions[host, vpc] == "asked"}

    def _changed(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
        """The VPCs of which something has changed, or of whose members something has."""
        found: set[str] = set()
        for what, table in after.items():
            known = before.get(what, {})
            for key in [key for key, value in table.items() if known.get(key) != value] if table != known else ():
                if what == "met":
                    found |= {vpc for host, vpc in after["ports"] if host == key}
                else:
                    found.add(key if isinstance(key, str) else next(item for item in key if item in self._vpc_names))
        return found

    def _strangers(self, process: HeldProcess, state: State) -> Iterator[UnauthorizedMessage]:
        core, tried = process.core, process.tried
        other = next((host for host in self._hosts if host != process.name), "nobody")
        if process.name == "dpm":
            for message in process.arrived:
                assert isinstance(message, Notice)
                for speaker in [host for host in self._hosts if host != message.host]:
                    said = f"{type(message).__name__} by {speaker}"
                    yield UnauthorizedMessage(said, partial(tried, message, topics.notices(speaker)))
            unknown = partial(tried, Hello("nobody", 1), topics.notices("nobody"))
            yield UnauthorizedMessage("Hello of an unregistered host", unknown)
            for host in self._hosts:
                met, vpc = int(state.functions["met"][host,]), next(iter(self.names.vpcs.values()))
                elsewhere = Confirmed(host, met, "nowhere", 1)
                own = topics.notices(host)
                yield UnauthorizedMessage("Confirmed of an unknown VPC", partial(tried, elsewhere, own))
                yield UnauthorizedMessage("Push", partial(tried, Push(host, met, vpc, 1, ()), own))
                yield UnauthorizedMessage("Registered again", partial(tried, Registered(host), topics.HOSTS))
                yield UnauthorizedMessage("Registered by an agent", partial(tried, Registered(host, 2), own))
                yield UnauthorizedMessage("Deregistered by an agent", partial(tried, Deregistered(host, 2), own))
                yield UnauthorizedMessage("Deregistered before", partial(tried, Deregistered(host, 0), topics.HOSTS))
            return
        inbox = topics.inbox(process.name)
        for message in process.arrived:
            kind = type(message).__name__
            if isinstance(message, Published):
                yield UnauthorizedMessage(
                    f"{kind} by the inbox", partial(core.receive, replace(message, revision=9), inbox)
                )
            elif isinstance(message, Push):
                yield UnauthorizedMessage(
                    f"{kind} for {other}", partial(core.receive, replace(message, host=other), inbox)
                )
            elif isinstance(message, Subscribe):
                theirs = replace(message, host=other, attempt=message.attempt + 9)
                yield UnauthorizedMessage(f"{kind} for {other}", partial(core.accept, theirs))
                yield UnauthorizedMessage(f"{kind} for {other}", partial(core.decline, theirs))
        yield UnauthorizedMessage("Hello", partial(core.receive, Hello(process.name, 1), inbox))
        if state.functions["epoch"][process.name,] == 0:
            yield UnauthorizedMessage("say_hello before the start", core.say_hello)

    def _listings(self, process: HeldProcess) -> Iterator[EnabledList]:
        yield from super()._listings(process)
        if process.name != "dpm":
            return
        core = process.core
        for one, question, spontaneous in MAY:
            may = getattr(core, question, None)
            if may is not None:
                enabled = frozenset(choices for about, choices in self._meant(one).items() if may(*about))
                yield EnabledList(question, spontaneous, enabled)
        vpcs = self._vpc_names
        due: dict[str, set[Tuple]] = {}
        for vpc in vpcs:
            for operation in core.due(vpc):
                due.setdefault(operation.func.__name__, set()).add(tuple(vpcs.get(arg, arg) for arg in operation.args))
        for name, question, spontaneous in DUE:
            yield EnabledList(question, spontaneous, frozenset(due.get(name, ())))

        def members(listed: Callable[[str], Iterable[str]]) -> frozenset[Tuple]:
            return frozenset((host, name) for vpc, name in vpcs.items() for host in listed(vpc))

        yield EnabledList("unconfirmed", ("remind",), members(core.unconfirmed))
        yield EnabledList("asked", ("ask_again", "give_up"), members(core.asked))
        unreported = frozenset((name, revision) for vpc, name in vpcs.items() for revision in core.unreported(vpc))
        yield EnabledList("unreported", OF_A_REVISION, unreported)

    # ------------------------------------------------------------------------------------------------- steps

    def step(self, number: int, before: State, after: State, *, demanded: bool = True) -> Effects:
        self._before = before
        return super().step(number, before, after, demanded=demanded)

    def again(self, name: str, message: Message) -> Effects:
        self._before = self._state
        return super().again(name, message)

    def _by_itself(self, core: Any, action: Action, choices: Choices, before: State) -> Effects:
        vpc = self.names.vpc(choices["vpc"])
        effects: Effects
        match action.name:
            case "change_rules":
                revision = before.functions["rules"][(choices["vpc"],)]
                assert isinstance(revision, int)
                effects = core.revise(vpc, kind_of(revision + 1), content(revision + 1))
            case "regroup":
                effects = core.regroup(vpc, choices["largest"])
            case "add_port" | "remove_port":
                effects = getattr(core, action.name)(str(choices["host"]), vpc)
            case unknown:
                raise NotDrivable(f"nobody knows how to do {unknown}")
        return effects

    def _by_byzantine(self, process: HeldProcess, action: Action, choices: Choices) -> Effects:
        return self._at_the_topic(process, action, choices, "")

    def _perform(self, process: HeldProcess, number: int, before: State, crash: str) -> Effects:
        action, choices = self._actions[number], dict(self._trace.steps[number].choices)
        if action.name in AT_THE_TOPIC and not process.down:
            return self._at_the_topic(process, action, choices, crash)
        return super()._perform(process, number, before, crash)

    def _at_the_topic(self, process: HeldProcess, action: Action, choices: Choices, crash: str) -> Effects:
        """What an agent does at its VPC's topic."""
        if action.name == "attach_unasked":
            vpc = self.names.vpc(choices["vpc"])
            if self._waits_for_the_broker(process.name, vpc):
                raise NotDrivable(f"DPM has not yet had done what it decided about {process.name}")
            self._let_go(process, vpc)
            process.listen(topics.multicast(vpc), topics.reader(process.name))
            self._topics.doubt(vpc)
            return Effects()
        message = self._from_the_topic(process, choices)
        if action.name == "receive" and process.core is not None:
            return self._done(process, process.deliver(message, crash))
        self._acknowledge(process, message)
        return Effects()

    def _from_the_topic(self, process: HeldProcess, choices: Choices) -> Published:
        """What the topic delivers in this step, once it has come."""
        message = self.names.published(choices["vpc"], choices["revision"])
        if self._is_unpublished(message):
            raise NotDrivable(f"{self.names.shown(message)} is not published")
        self._fetch(process, message, self.names.shown(message))
        return message

    def _acknowledge(self, process: HeldProcess, message: Published) -> None:
        """The agent acknowledges what it has applied; one that is Byzantine acknowledges what it likes."""
        with querying(process.core):
            applied = process.core is None or process.core.may_acknowledge(message)
        if not applied:
            raise IllegalInput(f"ACA {process.name}: {self.names.shown(message)} is not applied: acknowledge")
        if process.core is not None and not process.is_settled(message):
            self._done(process, process.deliver(message))  # what is no news is taken too, before it is acknowledged
        process.acknowledge(message)
        self._topics.acknowledge(process.name, message)

    def _take(self, process: HeldProcess, action: Action, taken: Message, before: State, crash: str) -> Effects:
        if not isinstance(taken, Subscribe):
            return super()._take(process, action, taken, before, crash)
        if self._waits_for_the_broker(taken.host, taken.vpc):
            raise NotDrivable(f"DPM has not yet had done what it decided about {taken.host}")
        self._topics.doubt(taken.vpc)
        permitted = (taken.host, self.names.vpc_name(taken.vpc)) in before.relations["permitted"]
        if action.name != "decline" or not permitted:
            return super()._take(process, action, taken, before, crash)
        process.is_out_of_reach = True
        try:
            effects = super()._take(process, action, taken, before, crash)
        finally:
            process.is_out_of_reach = False
        waits = not effects.sends and not effects.events
        return self._fired(process, Timer("decline", (taken.vpc,)), crash) if waits else effects

    def _waits_for_the_broker(self, *about: str) -> bool:
        undone = (item.send.message for item in self._processes["dpm"].unpublished)
        return any(isinstance(item, Permit | EndSubscription) and (item.host, item.vpc) == about for item in undone)

    # ------------------------------------------------------------------------------------------------- topics

    def _let_go(self, process: HeldProcess, vpc: str) -> None:
        process.stop_listening(topics.multicast(vpc))

    def _listeners(self, vpc: str) -> Iterator[HeldProcess]:
        """Those that read a topic, and whose subscription exists."""
        for host in sorted(self._topics.readers(vpc).attached):
            process = self._processes.get(host)
            if process is not None and (process.core is None or vpc in process.core.consumers()):
                yield process

    def _count(self, message: Published) -> None:
        """What DPM publishes is kept for the subscriptions that there are when it decides so, however often it is published."""
        if message not in self._counted:
            self._counted.add(message)
            self._topics.publish(message)

    def _performed(self, send: Send, *, stored: bool = False) -> None:
        message = send.message
        if stored:
            if isinstance(message, Published):
                self._count(message)
            return
        if isinstance(message, EndSubscription) and message.host in self._processes:
            self._let_go(self._processes[message.host], message.vpc)
        if isinstance(message, Published):
            self._note_content("published", (), message)
            self._count(message)
            for process in self._listeners(message.vpc):
                if (process.name, message.vpc, message.revision) in self._topics.backlog:
                    self._fetch(process, message, f"{self.names.shown(message)} from the topic")
        elif isinstance(message, Administrative):
            self._topics.doubt(message.vpc)

    def _arrive(self) -> None:
        super()._arrive()
        for host in self._hosts:
            process = self._processes[host]
            for message in [item for item in process.held if isinstance(item, Published)]:
                if (host, message.vpc, message.revision) not in self._topics.backlog:
                    process.drop(message)

    def _may_come_again(self, process: HeldProcess, message: Message) -> bool:
        functions = self._state.functions
        if isinstance(message, Published):
            key = (process.name, self.names.vpc_name(message.vpc))
            return key in self._state.relations["listening"] and message.revision <= int(functions["known"][key])
        if isinstance(message, Subscribe):
            key = (message.host, self.names.vpc_name(message.vpc))
            return message.epoch != functions["epoch"][message.host,] or message.attempt <= int(functions["heard"][key])
        return super()._may_come_again(process, message)


def decision_of(trace: Trace) -> Thresholds:
    """What DPM decides by in this run.

    Raises:
        NotDrivable: VPCs differ in it, and a DPM has one decision for all.
    """
    constants = trace.states[0].functions
    found = {
        tuple(int(constants[name][vpc,]) for name in ("many_ports", "many_in_a_group", "patience"))
        for vpc in trace.configuration.sorts["Vpc"]
    }
    if len(found) != 1:
        raise NotDrivable("VPCs have different thresholds, or patience, and a DPM has the same for all")
    return Thresholds(*found.pop())
