"""The topology with slots in lock-step: a run of its statement is made to happen on the real broker, and the states are compared.

DPM's and the agents' cores decide; the broker hands out, refuses and redelivers as it does. What it hands out is held
unacknowledged until the run says that it is taken. It may hand out earlier than the run says, never later, and to nobody else.

| statement | here |
|---|---|
| VPC `red` | a VPC of the broker whose name is new for each run |
| slots, in the order in which they are given out | the slots 1, 2, ... that DPM's allotment gives out |
| a slot that no key reaches | 0 |
| direct messages | what the cores send to each other, kept by content; their speaker is the host whose core sent it |
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from impl import messages as m
from impl.broker.deployment import Deployment
from impl.broker.slot_topics import admit, prepare_vpc
from impl.broker.topics import provision_host
from impl.core import Effects, Send
from impl.errors import SlotTaken
from impl.service.slot_filler import Filler
from impl.slots.aca import SlotsAca
from impl.slots.dpm import SlotsDpm
from impl.slots.hashing import slot_of
from impl.slots.topics import SUBSCRIPTION, acknowledgments, unicast
from impl.storage.store import MemoryStore
from impl.transport.interface import Delivery, Letter
from impl.transport.pulsar import PulsarConnection, PulsarSession
from impl.wire.codec import decode, encode
from model.explore.explore import explore
from model.language import Promise, Protocol
from model.language.terms import And, Not
from model.reference.configuration import Configuration
from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, State, Trace, Tuple

WAIT_SECONDS_MAX: Final = 10.0
"""For what was published to be handed out; a healthy broker takes a millisecond."""

SENT: Final[Mapping[type[Any], str]] = {
    m.Hello: "hello",
    m.Attend: "subscribe",
    m.Leave: "unsubscribe",
    m.Accepted: "accepted",
    m.Declined: "refused",
    m.Left: "left",
    m.Goal: "goal",
    m.Confirmed: "applied",
}
"""What the statement calls the implementation's messages."""


class Diverges(Exception):
    """The implementation or the broker did something else than the run; the text names the step, and what differs."""


@dataclass(frozen=True)
class Cores:
    """What makes fresh cores; a test replaces one to see that it is noticed."""

    dpm: Callable[[int], SlotsDpm] = SlotsDpm
    aca: Callable[[str], SlotsAca] = SlotsAca


def run_with(protocol: Protocol, configuration: Configuration, action: str, seed: int, more: int) -> Trace:
    """A shortest way to the action, and some random steps after it, each of which changes something."""
    wanted = next(each_action for each_action in protocol.actions if each_action.name == action)
    impossible = Promise("always", False, wanted.parameters, Not(And(wanted.guard)), (), f"{action} is never possible.")
    object.__setattr__(impossible, "name", f"never {action}")
    found = explore(protocol, configuration, promises=[impossible], sometimes=[], deadlocks=False, forget_spent=False)
    assert found.trace is not None, f"{action} is not possible in {configuration.name}"
    interpreter, generator = Interpreter(protocol, configuration), random.Random(seed)
    states, taken = list(found.trace.states), list(found.trace.steps)
    for number in range(1 + more):
        possible = [
            (step, after)
            for step in interpreter.enabled(states[-1])
            if (step.action == action if number == 0 else _is_drivable(step))
            and ((after := interpreter.apply(states[-1], step)[0]) != states[-1] or number == 0)
        ]
        if not possible:
            break
        names = sorted({step.action for step, _ in possible})
        name = generator.choice(names)
        step, after = generator.choice([item for item in possible if item[0].action == name])
        taken.append(step)
        states.append(after)
    return Trace(protocol.name, configuration, tuple(states), tuple(taken))


def _is_drivable(step: Occurrence) -> bool:
    choices = dict(step.choices)
    return not (step.action == "forge_applied" and choices["revision"] == 0)  # the codec lets no such message through


def _numbers(trace: Trace) -> dict[str, int]:
    """The numbers of the slots: in the order in which they are first given out, then those that are not."""
    slots = trace.configuration.sorts["Slot"]
    usable = {str(slot) for (slot,) in trace.states[0].relations["usable"]}
    given_out = [str(dict(step.choices)["slot"]) for step in trace.steps if step.action == "allot"]
    order = dict.fromkeys([*given_out, *(slot for slot in slots if slot in usable)])
    return dict.fromkeys(slots, 0) | {slot: number for number, slot in enumerate(order, start=1)}


class Driver:
    """All processes of one run. Close it when it is done with."""

    def __init__(self, trace: Trace, deployment: Deployment, cores: Cores | None = None) -> None:
        self._trace, self._cores = trace, cores or Cores()
        sorts = trace.configuration.sorts
        (self._vpc_name,) = sorts["Vpc"]
        self._vpc = f"{self._vpc_name}-{secrets.token_hex(6)}"
        prepare_vpc(deployment, self._vpc)
        self._slots = _numbers(trace)
        self._slot_names = {number: slot for slot, number in self._slots.items()}
        self._dpm_connection = PulsarConnection(deployment, deployment.token("dpm"))
        self._confirmations = self._dpm_connection.open_session("dpm", [acknowledgments(self._vpc)])
        self._filler = self._fresh_filler()
        self._patience = int(trace.states[0].functions["patience"][self._vpc_name,])
        self._store, self._dpm = MemoryStore(1), self._cores.dpm(self._patience)
        self._connections: dict[str, PulsarConnection] = {}
        self._agents: dict[str, SlotsAca] = {}
        """Those that run."""
        self._stores: dict[str, MemoryStore] = {}
        for host in sorts["Host"]:
            credentials = provision_host(deployment, host)
            admit(deployment, self._vpc, credentials.role)
            self._connections[host] = PulsarConnection(deployment, credentials.token)
            self._stores[host] = MemoryStore(1)
        self._consumers: dict[tuple[str, str], PulsarSession] = {}
        """By host and slot."""
        self._spies: dict[str, PulsarSession] = {}
        self._arrived: dict[object, dict[int, Delivery]] = {}
        """What a session has received and not acknowledged, by revision."""
        self._confirmed: dict[Tuple, tuple[m.Message, Delivery]] = {}
        self._sent: dict[str, dict[Tuple, tuple[str, m.Message]]] = {name: {} for name in SENT.values()}
        """By the statement's names: who said it, and the message."""
        self._logged: set[tuple[int, str]] = set()

    def close(self) -> None:
        """Gives all connections back."""
        for connection in (*self._connections.values(), self._dpm_connection):
            connection.close()

    def _fresh_filler(self) -> Filler:
        return Filler(self._dpm_connection, self._vpc, [number for number in self._slots.values() if number])

    # -------------------------------------------------------------------------------------------------- the run

    def run(self) -> int:
        """Takes all steps, compares after each, and at the end sees that the topic holds what it should; says how many steps."""
        for number, step in enumerate(self._trace.steps):
            try:
                getattr(self, f"_{step.action}")(**dict(step.choices))
                self._compare(self._trace.states[number + 1])
            except Diverges as problem:
                raise Diverges(f"step {number + 1}, {step}: {problem}") from problem
        self._compare_what_is_left(self._trace.states[-1])
        return len(self._trace.steps)

    def _compare(self, state: State) -> None:
        expected, observed = self._expected(state), self._observed()
        for name, value in observed.items():
            if value != expected[name]:
                raise Diverges(f"{name}: expected {_shown(expected[name])}, found {_shown(value)}")

    def _expected(self, state: State) -> dict[str, Any]:
        vpc, correct = self._vpc_name, self._correct()
        found: dict[str, Any] = {name: set(state.relations[name]) for name in SENT.values()}
        for name in ("allotted", "filled", "attends"):
            found[name] = {key[1:] for key in state.relations[name]}
        found["logged"] = {(key[1], key[2]) for key in state.relations["logged"]}
        found["invited"] = {key[1:] for key in state.relations["invited"] if key[1] in correct}
        found["up"] = {host for (host,) in state.relations["up"]}
        hosts = self._trace.configuration.sorts["Host"]
        for name in ("stage", "turn", "newest", "confirmed"):
            found[name] = {host: state.functions[name][vpc, host] for host in hosts}
        for name in ("known", "heard"):
            found[name] = {host: state.functions[name][vpc, host] for host in sorted(found["up"])}
        found["met"] = {host: state.functions["met"][host,] for host in hosts}
        found["epoch"] = {host: state.functions["epoch"][host,] for host in sorted(found["up"])}
        found["issued"] = state.functions["issued"][vpc,]
        return found

    def _observed(self) -> dict[str, Any]:
        dpm, hosts = self._dpm, self._trace.configuration.sorts["Host"]
        members = {host: dpm.member(self._vpc, host) for host in hosts}
        agents = {host: self._agents[host] for host in sorted(self._agents)}
        slots = {host: agent.slot(self._vpc) for host, agent in agents.items()}
        found: dict[str, Any] = {name: set(sent) for name, sent in self._sent.items()}
        return found | {
            "allotted": {(host, self._slot_names[slot]) for host, slot in dpm.allotment.hosts(self._vpc).items()},
            "filled": {(name,) for name, number in self._slots.items() if number and self._filler.attends(number)},
            "attends": {(host, slot) for host, slot in self._consumers},
            "logged": set(self._logged),
            "invited": {(host, self._slot_names[slot]) for host, slot in slots.items() if slot is not None},
            "up": set(agents),
            "stage": {host: member.stage for host, member in members.items()},
            "turn": {host: member.turn for host, member in members.items()},
            "newest": {host: member.newest for host, member in members.items()},
            "confirmed": {host: member.confirmed for host, member in members.items()},
            "known": {host: agent.known(self._vpc) for host, agent in agents.items()},
            "heard": {host: agent.heard(self._vpc) for host, agent in agents.items()},
            "met": {host: dpm.met(host) for host in hosts},
            "epoch": {host: agent.epoch for host, agent in agents.items()},
            "issued": dpm.issued(self._vpc),
        }

    def _correct(self) -> set[str]:
        return {str(host) for (host,) in self._trace.states[0].relations["correct"]}

    def _compare_what_is_left(self, state: State) -> None:
        """When all others are gone, a consumer of all slots is handed what is not settled, and nothing else."""
        for session in self._consumers.values():
            session.close()
        self._filler.close()
        rest = self._dpm_connection.open_session(SUBSCRIPTION, [])
        rest.listen(unicast(self._vpc), slots=[(m.FIRST_SLOT, m.LAST_SLOT)])
        settled = {revision for _, revision in state.relations["settled"]}
        left = {int(revision) for _, revision, _ in state.relations["logged"] if revision not in settled}
        for revision in sorted(left):
            self._await(rest, revision)
        if (more := rest.receive(0.0)) is not None:
            raise Diverges(f"at the end: {decode(more.data)} is on the topic, and should be settled")
        rest.close()

    # -------------------------------------------------------------------------------------------------- messages

    def _perform(self, speaker: str, effects: Effects, connection: PulsarConnection) -> None:
        for send in effects.sends:
            name = SENT.get(type(send.message))
            if name is not None:
                self._sent[name][self._content(send.message)] = (speaker, send.message)
            self._put(send, connection)

    def _put(self, send: Send, connection: PulsarConnection) -> None:
        if isinstance(send.message, m.Told):
            self._logged.add((send.message.revision, self._slot_names[slot_of(send.key)]))
        if isinstance(send.message, (m.Told, m.Confirmed)):
            connection.publish([Letter(send.topic, encode(send.message), send.key)])

    def _decided(self, effects: Effects) -> None:
        self._store.append(effects, self._dpm)
        self._perform("dpm", effects, self._dpm_connection)

    def _answered(self, host: str, effects: Effects) -> None:
        self._stores[host].append(Effects(effects.record), self._agents[host])
        self._perform(host, effects, self._connections[host])

    def _content(self, message: m.Message) -> Tuple:
        """The message as the statement names it."""
        named = {"vpc": self._vpc_name, "slot": self._slot_names.get(getattr(message, "slot", 0))}
        fields = [name for name in type(message).__dataclass_fields__ if name != "data"]
        fields.sort(key=lambda name: ("host", "epoch", "vpc", "slot", "turn", "attempt", "revision").index(name))
        return tuple(named.get(name) or getattr(message, name) for name in fields)

    def _said(self, name: str, *content: Any) -> tuple[str, Any]:
        if content not in self._sent[name]:
            raise Diverges(f"{name}{content} was never sent")
        return self._sent[name][content]

    def _hear(self, name: str, *content: Any) -> None:
        speaker, message = self._said(name, *content)
        self._decided(self._dpm.hear(message, speaker))

    def _await(self, session: PulsarSession | Filler, revision: int) -> tuple[m.Told, Delivery]:
        arrived = self._arrived.setdefault(session, {})
        while revision not in arrived:
            delivery = session.receive(WAIT_SECONDS_MAX)
            if delivery is None:
                raise Diverges(f"revision {revision} was not handed out; here are {sorted(arrived)}")
            if delivery.data:  # a mark of the filler's has none, and everybody may read it
                told = decode(delivery.data)
                assert isinstance(told, m.Told)
                arrived[told.revision] = delivery
        told = decode(arrived[revision].data)
        assert isinstance(told, m.Told)
        return told, arrived[revision]

    def _consumer_of(self, host: str, revision: int) -> PulsarSession:
        """The host's consumer that attends the slot of this revision."""
        (slot,) = (name for number, name in self._logged if number == revision)
        return self._consumers[host, slot]

    # ------------------------------------------------------------------------------------------------------- DPM

    def _allot(self, vpc: str, host: str, slot: str) -> None:
        self._decided(self._dpm.allot(self._vpc, host))

    def _release(self, vpc: str, host: str, slot: str) -> None:
        self._see_that_it_is_drained(slot)
        self._decided(self._dpm.release(self._vpc, host))

    def _see_that_it_is_drained(self, slot: str) -> None:
        if self._filler.attends(self._slots[slot]) and self._filler.drain(self._slots[slot]) != []:
            raise Diverges(f"something is on the way to {slot}")

    def _fill(self, vpc: str, slot: str) -> None:
        if not self._filler.fill(self._slots[slot]):
            raise Diverges(f"the broker says that somebody attends {slot}")
        for host, number in self._dpm.allotment.hosts(self._vpc).items():
            if number == self._slots[slot]:
                self._decided(self._dpm.lost(self._vpc, host))

    def _ask(self, vpc: str, host: str, slot: str) -> None:
        self._see_that_it_is_drained(slot)
        effects = self._dpm.ask(self._vpc, host)
        self._filler.step_aside(self._slots[slot])
        self._decided(effects)

    def _hear_acceptance(self, host: str, epoch: int, vpc: str, turn: int) -> None:
        self._hear("accepted", host, epoch, vpc, turn)

    def _hear_refusal(self, host: str, epoch: int, vpc: str, turn: int) -> None:
        self._hear("refused", host, epoch, vpc, turn)

    def _hear_leaving(self, host: str, epoch: int, vpc: str, turn: int) -> None:
        self._hear("left", host, epoch, vpc, turn)

    def _greet(self, host: str, epoch: int) -> None:
        self._hear("hello", host, epoch)

    def _give_up(self, vpc: str, host: str) -> None:
        self._decided(self._dpm.give_up(self._vpc, host))

    def _dismiss(self, vpc: str, host: str) -> None:
        self._decided(self._dpm.dismiss(self._vpc, host))

    def _publish(self, vpc: str, host: str, slot: str) -> None:
        self._push(vpc, host)

    def _push(self, vpc: str, host: str) -> None:
        self._decided(self._dpm.say(self._vpc, host, f"for {host}".encode()))

    def _hand_back(self, vpc: str, revision: int, slot: str, host: str) -> None:
        told, delivery = self._await(self._filler, revision)
        self._decided(self._dpm.hand_back(told))
        self._filler.acknowledge(delivery)
        del self._arrived[self._filler][revision]

    def _acknowledge(self, host: str, epoch: int, vpc: str, revision: int) -> None:
        wanted = (host, epoch, vpc, revision)
        while wanted not in self._confirmed:
            delivery = self._confirmations.receive(WAIT_SECONDS_MAX)
            if delivery is None:
                raise Diverges(f"applied{wanted} does not come")
            message = decode(delivery.data)
            self._confirmed[self._content(message)] = (message, delivery)
        message, delivery = self._confirmed[wanted]
        self._decided(self._dpm.confirm(message))
        self._confirmations.acknowledge([delivery])

    def _restart_dpm(self) -> None:
        filled = [number for number in self._slots.values() if number and self._filler.attends(number)]
        self._filler.close()
        self._filler = self._fresh_filler()
        for number in filled:
            self._filler.fill(number)
        self._dpm = self._cores.dpm(self._patience)
        self._store.load(self._dpm)

    # ---------------------------------------------------------------------------------------------------- agents

    def _start(self, host: str) -> None:
        self._agents[host] = self._cores.aca(host)
        self._stores[host].load(self._agents[host])
        self._answered(host, self._agents[host].start())

    def _crash(self, host: str) -> None:
        del self._agents[host]
        self._lose(self._vpc_name, host)

    def _lose(self, vpc: str, host: str) -> None:
        for key in [key for key in self._consumers if key[0] == host]:
            session = self._consumers.pop(key)
            session.close()
            self._arrived.pop(session, None)

    def _attend(self, host: str, slot: str) -> None:
        session = self._connections[host].open_session(SUBSCRIPTION, [])
        session.listen(unicast(self._vpc), slots=[(self._slots[slot], self._slots[slot])])
        self._consumers[host, slot] = session

    def _attach(self, host: str, epoch: int, vpc: str, slot: str, turn: int) -> None:
        _, message = self._said("subscribe", host, epoch, vpc, slot, turn)
        self._attend(host, slot)
        self._answered(host, self._agents[host].accept(message))

    def _be_refused(self, host: str, epoch: int, vpc: str, slot: str, turn: int) -> None:
        _, message = self._said("subscribe", host, epoch, vpc, slot, turn)
        try:
            self._attend(host, slot)
        except SlotTaken:
            self._answered(host, self._agents[host].decline(message))
        else:
            raise Diverges("the broker does not refuse")

    def _reattach(self, host: str, vpc: str, slot: str) -> None:
        self._attend(host, slot)

    def _detach(self, host: str, epoch: int, vpc: str, turn: int) -> None:
        _, message = self._said("unsubscribe", host, epoch, vpc, turn)
        self._lose(vpc, host)
        self._answered(host, self._agents[host].leave(message))

    def _dispatch(self, vpc: str, revision: int, slot: str, host: str) -> None:
        self._await(self._consumers[host, slot], revision)

    _look_ahead = _dispatch

    def _learn(self, host: str, vpc: str, revision: int) -> None:
        session = self._consumer_of(host, revision)
        told, delivery = self._await(session, revision)
        self._answered(host, self._agents[host].take(told))
        if not self._agents[host].may_acknowledge(told):
            raise Diverges("the agent does not acknowledge")
        session.acknowledge([delivery])
        del self._arrived[session][revision]

    _pass_over = _learn

    def _learn_directly(self, host: str, epoch: int, vpc: str, revision: int) -> None:
        _, message = self._said("goal", host, epoch, vpc, revision)
        self._answered(host, self._agents[host].take(message))

    # ------------------------------------------------------------------------------------------------- adversary

    def _grab(self, host: str, vpc: str, slot: str) -> None:
        self._attend(host, slot)

    def _spy(self, host: str, vpc: str, revision: int) -> None:
        if host not in self._spies:
            self._spies[host] = self._connections[host].open_session(f"of-{host}", [unicast(self._vpc)])
        self._await(self._spies[host], revision)

    def _swallow(self, host: str, vpc: str, revision: int) -> None:
        session = self._consumer_of(host, revision)
        session.acknowledge([self._await(session, revision)[1]])
        del self._arrived[session][revision]

    def _forge(self, host: str, message: m.Message) -> None:
        forged = Send(acknowledgments(self._vpc), message, host)
        self._perform(host, Effects(sends=(forged,)), self._connections[host])

    def _forge_applied(self, host: str, other: str, epoch: int, vpc: str, revision: int) -> None:
        self._forge(host, m.Confirmed(other, epoch, self._vpc, revision))

    def _forge_hello(self, host: str, epoch: int) -> None:
        self._forge(host, m.Hello(host, epoch))

    def _forge_accepted(self, host: str, epoch: int, vpc: str, turn: int) -> None:
        self._forge(host, m.Accepted(host, epoch, self._vpc, turn))

    def _forge_left(self, host: str, epoch: int, vpc: str, turn: int) -> None:
        self._forge(host, m.Left(host, epoch, self._vpc, turn))


def _shown(value: Any) -> str:
    return str(sorted(value, key=str)) if isinstance(value, set) else str(value)
