"""The topology with slots: DPM's and the agents' cores decide; the broker hands out, refuses and redelivers as it does.

What the broker hands out is held until the run says that it is taken. It may hand out earlier than the run says, never later, and
to nobody else. Each input goes through a process runner, which stores, publishes and acknowledges.

| statement | here |
|---|---|
| VPC `red` | a VPC of the broker whose name is new for each run |
| slots, in the order in which they are given out | the slots 1, 2, ... that DPM's allotment gives out; it has no others |
| a slot that no key reaches | 0 |
| direct messages | what the cores send to each other, kept by content; their speaker is the host whose core sent it |
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from conformance.bindings.acting_process import ActingProcess
from conformance.bindings.binding import Diverges, Refused
from conformance.replay.targets import Target
from impl import messages as m
from impl.broker import topics
from impl.core import Effects, IllegalInput, Send
from impl.outputs import Listen, Publish, Role, StopListening
from impl.process import Process
from impl.roles.slots_roles import SlotsAcaRole, SlotsDpmRole
from impl.roles.timing import Timing
from impl.slots.aca import SlotsAca
from impl.slots.dpm import SlotsDpm
from impl.slots.hashing import slot_of
from impl.slots.topics import DPM, SUBSCRIPTION, acknowledgments, unicast
from impl.storage.store import MemoryStore
from impl.timers import Timer, When
from impl.transport.interface import Delivery, Letter, Session
from impl.wire.codec import decode, encode
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


@dataclass(frozen=True)
class Cores:
    """What makes fresh processes; a test replaces a part to see that it is noticed."""

    dpm: Callable[[int], SlotsDpm] = SlotsDpm
    aca: Callable[[str], SlotsAca] = SlotsAca
    runner: type[Process] = Process
    role: type[SlotsDpmRole] = SlotsDpmRole


def _numbers(trace: Trace) -> dict[str, int]:
    """The numbers of the slots: in the order in which they are first given out, then those that are not."""
    usable = [str(slot) for (slot,) in sorted(trace.states[0].relations["usable"])]
    given_out = [str(dict(step.choices)["slot"]) for step in trace.steps if step.action == "allot"]
    order = dict.fromkeys([*(slot for slot in given_out if slot in usable), *usable])
    return dict.fromkeys(trace.configuration.sorts["Slot"], 0) | {slot: number for number, slot in enumerate(order, 1)}


class SlotsBinding:
    """All processes of one run."""

    CHOSEN: Mapping[str, str] = {"allot": "slot", "hand_back": "host"}

    def __init__(self, trace: Trace, target: Target, cores: Cores | None = None) -> None:
        self._cores = cores or Cores()
        self._hosts = list(map(str, trace.configuration.sorts["Host"]))
        (self._vpc_name,) = trace.configuration.sorts["Vpc"]
        self._vpc = f"{self._vpc_name}-{secrets.token_hex(6)}"
        target.prepare(self._hosts)
        target.prepare_slots(self._vpc, self._hosts)
        self._slots = _numbers(trace)
        self._slot_names = {number: slot for slot, number in self._slots.items()}
        self._correct = {str(host) for (host,) in trace.states[0].relations["correct"]}
        self._patience = int(trace.states[0].functions["patience"][self._vpc_name,])
        self._connections = {process: target.connection(process) for process in (DPM, *self._hosts)}
        self._session = self._connections[DPM].open_session(DPM, [])
        """DPM's, which confirmations arrive by, and what its filler is handed."""
        self._filled: set[str] = set()
        """The slots at which the filler has a consumer."""
        self._stores = {host: MemoryStore(1) for host in self._hosts}
        self._store = self._store_of_dpm()
        self._agents: dict[str, ActingProcess] = {}
        """Those that run."""
        self._consumers: dict[tuple[str, str], Session] = {}
        """By host and slot."""
        self._spies = {
            host: self._connections[host].open_session(f"of-{host}", [unicast(self._vpc)])
            for host in self._hosts
            if host not in self._correct
        }
        self._arrived: dict[Session, dict[object, Delivery]] = {}
        """What a session has received and not acknowledged: a revision by its number, a confirmation by its content, and a mark."""
        self._sent: dict[str, dict[Tuple, tuple[str, m.Message]]] = {name: {} for name in SENT.values()}
        """By the statement's names: who said it, and the message."""
        self._logged: set[tuple[int, str]] = set()
        self._mark: m.Mark | None = None
        """The last one that DPM has published."""
        self._taken_from: Session | None = None
        """The session from which the present input was taken."""
        self._dpm = self._fresh_dpm()

    def _store_of_dpm(self) -> MemoryStore:
        """With an allotment to which all slots have been given back that the run has, and no others are left."""
        core, store = self._cores.dpm(self._patience), MemoryStore(0)
        every: dict[str, Any] = {"hosts": {}, "given_back": sorted(filter(None, self._slots.values()))}
        core.restore(core.snapshot() | {"slots": {"vpcs": {self._vpc: every | {"fresh": m.LAST_SLOT + 1}}}})
        store.append(Effects({}), core)
        return store

    def _fresh_dpm(self) -> ActingProcess:
        def make(when: When) -> Role:
            return self._cores.role(self._cores.dpm(self._patience), Timing(), when)

        made = ActingProcess(DPM, make, self._store, self, self._cores.runner)
        made.connected()
        return made

    def close(self) -> None:
        for session in (*self._consumers.values(), *self._spies.values(), self._session):
            session.close()

    # -------------------------------------------------------------------------------------------------- the run

    def step(self, step: Occurrence) -> None:
        getattr(self, f"_{step.action}")(**dict(step.choices))

    def observed(self, expected: State) -> Iterator[tuple[str, Any, Any]]:
        vpc, dpm = self._vpc_name, self._dpm.core
        agents = {host: self._agents[host].core for host in sorted(self._agents)}
        slots = {host: agent.slot(self._vpc) for host, agent in agents.items()}
        for name, sent in self._sent.items():
            yield name, set(expected.relations[name]), set(sent)
        relations = {
            "allotted": {(host, self._slot_names[slot]) for host, slot in dpm.allotment.hosts(self._vpc).items()},
            "filled": {(slot,) for slot in self._filled},
            "attends": set(self._consumers),
            "logged": set(self._logged),
        }
        for name, seen in relations.items():
            yield name, {key[1:] for key in expected.relations[name]}, seen
        invited = {key[1:] for key in expected.relations["invited"] if key[1] in self._correct}
        yield "invited", invited, {(host, self._slot_names[slot]) for host, slot in slots.items() if slot is not None}
        yield "up", {host for (host,) in expected.relations["up"]}, set(agents)
        for host in self._hosts:
            member = dpm.member(self._vpc, host)
            for name in ("stage", "turn", "newest", "confirmed"):
                yield f"{name}({host})", expected.functions[name][vpc, host], getattr(member, name)
            yield f"met({host})", expected.functions["met"][host,], dpm.met(host)
        for host, agent in agents.items():
            yield f"known({host})", expected.functions["known"][vpc, host], agent.known(self._vpc)
            yield f"heard({host})", expected.functions["heard"][vpc, host], agent.heard(self._vpc)
            yield f"epoch({host})", expected.functions["epoch"][host,], agent.epoch
        yield "issued", expected.functions["issued"][vpc,], dpm.issued(self._vpc)

    def end(self, state: State) -> None:
        """When all others are gone, a consumer of all slots is handed what is not settled, and nothing else."""
        for consumer in (*self._consumers.values(), self._session):
            while (delivery := consumer.receive(0.0)) is not None:
                self._arrives(consumer, delivery)
            consumer.close()
        rest = self._connections[DPM].open_session(SUBSCRIPTION, [])
        try:
            rest.listen(unicast(self._vpc), slots=[(m.FIRST_SLOT, m.LAST_SLOT)])
            settled = {revision for _, revision in state.relations["settled"]}
            left = {int(revision) for _, revision, _ in state.relations["logged"] if revision not in settled}
            for revision in sorted(left):
                self._await(rest, revision)
            more = [wanted for wanted in self._arrived.get(rest, {}) if isinstance(wanted, int) and wanted not in left]
            while (delivery := rest.receive(0.0)) is not None:
                more += [told.revision] if isinstance(told := decode(delivery.data), m.Told) else []
            if more:
                raise Diverges("settled", "no more on the topic", f"revisions {sorted(more)}")
        finally:
            rest.close()

    # -------------------------------------------------------------------------------------------------- messages

    def publish(self, speaker: str, output: Publish) -> None:
        """Notes what a process sends, and publishes what goes by a topic."""
        for send, letter in zip(output.sends, output.letters(), strict=True):
            self._say(speaker, send, letter)

    def _say(self, speaker: str, send: Send, letter: Letter) -> None:
        if (name := SENT.get(type(send.message))) is not None:
            self._sent[name][self._content(send.message)] = (speaker, send.message)
        if isinstance(send.message, m.Mark):
            self._mark = send.message
        if isinstance(send.message, m.Told):
            self._logged.add((send.message.revision, self._slot_names[slot_of(send.key)]))
        if isinstance(send.message, (m.Told, m.Mark, m.Confirmed)):
            self._connections[speaker].publish([letter])

    def listen(self, process: str, output: Listen) -> None:
        """Opens a consumer at a slot, or at the confirmations. What hosts say directly comes by no topic here."""
        slots = [self._slot_name(slot) for slot, _ in output.slots]
        if process != DPM:
            self._attend(process, *slots)
        elif output.topic in (unicast(self._vpc), acknowledgments(self._vpc)):
            self._session.listen(output.topic, output.subscription, output.slots)
            self._filled.update(slots)

    def _slot_name(self, slot: int) -> str:
        if slot not in self._slot_names:
            raise Diverges("attends", "a slot of the run", slot)
        return self._slot_names[slot]

    def stop_listening(self, process: str, output: StopListening) -> None:
        """Closes a consumer, if it has not been lost."""
        if process != DPM:
            self._lose(self._vpc_name, process)
            return
        self._session.stop_listening(output.topic, output.slots)
        slots = [self._slot_name(slot) for slot, _ in output.slots]
        self._filled.difference_update(slots)
        for revision in [revision for slot in slots for revision in self._held(slot)]:
            del self._arrived[self._session][revision]

    def acknowledge(self, process: str, deliveries: tuple[Delivery, ...]) -> None:
        """What was said directly has no place at the broker, and what a lost consumer acknowledges is lost."""
        for delivery in deliveries:
            message = decode(delivery.data)
            if isinstance(message, m.Told):
                session = self._session if process == DPM else self._taken_from
                if session in self._arrived:
                    self._settle(session, message.revision)
            elif delivery.handle is not None:
                self._session.acknowledge([delivery])

    def _settle(self, session: Any, revision: int) -> None:
        session.acknowledge([self._arrived[session].pop(revision)])

    def _content(self, message: m.Message) -> Tuple:
        """The message as the statement names it."""
        named = {"vpc": self._vpc_name, "slot": self._slot_names.get(getattr(message, "slot", 0))}
        fields = [name for name in type(message).__dataclass_fields__ if name != "data"]
        fields.sort(key=lambda name: ("host", "epoch", "vpc", "slot", "turn", "attempt", "revision").index(name))
        return tuple(named.get(name) or getattr(message, name) for name in fields)

    def _said(self, name: str, *content: Any) -> tuple[str, Any]:
        if content not in self._sent[name]:
            raise Diverges(name, content, "never sent")
        return self._sent[name][content]

    def _hear(self, name: str, *content: Any) -> None:
        speaker, message = self._said(name, *content)
        self._dpm.deliver(_directly(topics.notices(speaker), message))

    def _fire(self, action: str, *about: Any) -> None:
        """DPM does something of its own accord."""
        self._dpm.command(lambda role: role.fire(Timer(action, (self._vpc, *about))))

    def _await(self, session: Session, wanted: object) -> Delivery:
        arrived = self._arrived.setdefault(session, {})
        while wanted not in arrived:
            delivery = session.receive(WAIT_SECONDS_MAX)
            if delivery is None:
                raise Diverges("given", wanted, f"not handed out; here are {list(arrived)}")
            self._arrives(session, delivery)
        return arrived[wanted]

    def _arrives(self, session: Session, delivery: Delivery) -> None:
        """Everybody may read a mark of DPM's."""
        message = decode(delivery.data)
        arrived = self._arrived.setdefault(session, {})
        if isinstance(message, m.Told):
            self._see_that_it_may_have_it(session, message.revision)
            arrived[message.revision] = delivery
        else:
            arrived[message if isinstance(message, m.Mark) else self._content(message)] = delivery

    def _see_that_it_may_have_it(self, session: Session, revision: int) -> None:
        """Nobody but a spy, who has a subscription of its own, is handed what is for the slot of another consumer."""
        slots = {name for number, name in self._logged if number == revision}
        theirs = {slot for (_, slot), consumer in self._consumers.items() if consumer is session}
        if session is self._session:
            theirs = self._filled
        if session in (*self._consumers.values(), self._session) and not slots & theirs:
            raise Diverges("given", f"revision {revision} to {sorted(slots)}", f"to a consumer of {sorted(theirs)}")

    def _held(self, slot: str) -> list[Any]:
        """The revisions that the filler was handed at this slot, and that DPM has not taken."""
        return [revision for revision in self._arrived.get(self._session, {}) if (revision, slot) in self._logged]

    def _consumer_of(self, host: str, revision: int) -> Session:
        """The host's consumer that attends the slot of this revision."""
        (slot,) = (name for number, name in self._logged if number == revision)
        return self._consumers[host, slot]

    # ------------------------------------------------------------------------------------------------------- DPM

    def _allot(self, vpc: str, host: str, slot: str) -> None:
        with _refusing():
            self._dpm.command(lambda role: role.join(self._vpc, host))

    def _release(self, vpc: str, host: str, slot: str) -> None:
        """Where nobody attends the slot, the filler does so meanwhile."""
        attended = slot in self._filled
        if not attended:
            self._fill(vpc, slot)
        try:
            self._drain(host, slot)
            with _refusing():
                self._fire("release", host)
        finally:
            if not attended:
                number = self._slots[slot]
                self._dpm.command(lambda role: role.step_aside((self._vpc, number, number)))

    def _drain(self, host: str, slot: str) -> None:
        """Has a mark go by the slot. DPM takes what its filler is handed in this order, so not the mark before what precedes it."""
        if slot not in self._filled:
            raise Refused(f"the filler does not attend {slot}")
        self._fire("mark", host)
        mark = self._await(self._session, self._mark)
        del self._arrived[self._session][self._mark]
        if not self._held(slot):
            self._dpm.deliver(mark)

    def _fill(self, vpc: str, slot: str) -> None:
        self._fire("fill", self._slots[slot], self._slots[slot])
        if slot not in self._filled:
            raise Refused(f"the broker says that somebody attends {slot}")

    def _ask(self, vpc: str, host: str, slot: str) -> None:
        self._drain(host, slot)
        with _refusing():
            self._fire("ask", host)

    def _hear_acceptance(self, host: str, epoch: int, vpc: str, turn: int) -> None:
        self._hear("accepted", host, epoch, vpc, turn)

    def _hear_refusal(self, host: str, epoch: int, vpc: str, turn: int) -> None:
        self._hear("refused", host, epoch, vpc, turn)

    def _hear_leaving(self, host: str, epoch: int, vpc: str, turn: int) -> None:
        self._hear("left", host, epoch, vpc, turn)

    def _greet(self, host: str, epoch: int) -> None:
        self._hear("hello", host, epoch)

    def _give_up(self, vpc: str, host: str) -> None:
        self._fire("give_up", host)

    def _dismiss(self, vpc: str, host: str) -> None:
        self._fire("dismiss", host)

    def _publish(self, vpc: str, host: str, slot: str, other: str = "") -> None:
        self._push(vpc, host)

    def _push(self, vpc: str, host: str) -> None:
        self._fire("say", host, f"for {host}".encode())

    def _hand_back(self, vpc: str, revision: int, slot: str, host: str) -> None:
        self._dpm.deliver(self._await(self._session, revision))

    def _acknowledge(self, host: str, epoch: int, vpc: str, revision: int) -> None:
        self._dpm.deliver(self._await(self._session, (host, epoch, vpc, revision)))

    def _restart_dpm(self) -> None:
        filled, self._filled = self._filled, set()
        self._session.close()
        arrived = self._arrived.pop(self._session, {})
        self._session = self._connections[DPM].open_session(DPM, [])
        # The run may have DPM hear a confirmation again.
        self._arrived[self._session] = {key: item for key, item in arrived.items() if isinstance(key, tuple)}
        self._dpm = self._fresh_dpm()
        for slot in sorted(filled):
            self._fill(self._vpc_name, slot)

    # ---------------------------------------------------------------------------------------------------- agents

    def _start(self, host: str) -> None:
        def make(when: When) -> Role:
            return SlotsAcaRole(self._cores.aca(host), Timing(), when)

        self._agents[host] = ActingProcess(host, make, self._stores[host], self, self._cores.runner)
        self._agents[host].command(lambda role: role.begin())

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
        """The broker decides whether the agent attends; if not, it declines when it has tried for long enough."""
        _, message = self._said("subscribe", host, epoch, vpc, slot, turn)
        agent = self._agents[host]
        agent.deliver(_directly(topics.inbox(host), message))
        if (host, slot) not in self._consumers:
            agent.command(lambda role: role.fire(Timer("decline", (self._vpc,))))

    _be_refused = _attach

    def _reattach(self, host: str, vpc: str, slot: str) -> None:
        self._agents[host].connected()

    def _detach(self, host: str, epoch: int, vpc: str, turn: int) -> None:
        _, message = self._said("unsubscribe", host, epoch, vpc, turn)
        self._agents[host].deliver(_directly(topics.inbox(host), message))

    def _dispatch(self, vpc: str, revision: int, slot: str, host: str) -> None:
        self._await(self._consumers[host, slot], revision)

    _look_ahead = _dispatch

    def _learn(self, host: str, vpc: str, revision: int) -> None:
        self._taken_from = session = self._consumer_of(host, revision)
        self._agents[host].deliver(self._await(session, revision))

    _pass_over = _learn

    def _learn_directly(self, host: str, epoch: int, vpc: str, revision: int) -> None:
        _, message = self._said("goal", host, epoch, vpc, revision)
        self._agents[host].deliver(_directly(topics.inbox(host), message))

    # ------------------------------------------------------------------------------------------------- adversary

    def _grab(self, host: str, vpc: str, slot: str) -> None:
        self._attend(host, slot)

    def _spy(self, host: str, vpc: str, revision: int) -> None:
        self._await(self._spies[host], revision)

    def _swallow(self, host: str, vpc: str, revision: int) -> None:
        session = self._consumer_of(host, revision)
        self._await(session, revision)
        self._settle(session, revision)

    def _forge(self, host: str, message: m.Message) -> None:
        topic = acknowledgments(self._vpc)
        self._say(host, Send(topic, message, host), Letter(topic, encode(message), host))

    def _forge_applied(self, host: str, other: str, epoch: int, vpc: str, revision: int) -> None:
        self._forge(host, m.Confirmed(other, epoch, self._vpc, revision))

    def _forge_hello(self, host: str, epoch: int) -> None:
        self._forge(host, m.Hello(host, epoch))

    def _forge_accepted(self, host: str, epoch: int, vpc: str, turn: int) -> None:
        self._forge(host, m.Accepted(host, epoch, self._vpc, turn))

    def _forge_left(self, host: str, epoch: int, vpc: str, turn: int) -> None:
        self._forge(host, m.Left(host, epoch, self._vpc, turn))


@contextmanager
def _refusing() -> Iterator[None]:
    """Around what the implementation may refuse although the run does it."""
    try:
        yield
    except IllegalInput as problem:
        raise Refused(str(problem)) from problem


def _directly(topic: str, message: m.Message) -> Delivery:
    """A message that goes by no topic of the VPC."""
    return Delivery(topic, encode(message), "", "", 0.0, None)
