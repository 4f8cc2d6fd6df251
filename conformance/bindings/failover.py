"""Failover: instances of DPM on one journal, each with a process runner whose outputs are performed when the run says so.

What the statement calls an entry is a change that the on-demand DPM stores; its peer is whoever reads `goal-states`, and an answer
is a report of what has become of the change. So an instance stands between two outputs of its runner for as long as the run likes:

| statement | here |
|---|---|
| take over, depose | the broker gives an instance the lead of the journal: `Log.lead` |
| load | `JournalStore.load`, into a fresh core |
| propose, hear | the core decides, and the runner's `Append` waits |
| accept, record | `Append` is performed |
| read | the runner goes on |
| publish | `Publish`, one message after the other, in their order |
| acknowledge | `Acknowledge` |
| pause, wake | nothing: an instance that is not asked does nothing |
| crash | the instance's log and session are closed, and what it stood at is gone |
| entries, answers | what an instance would find that loads the journal now |
| the newest term | the instance whose confirmations the journal accepts; the others' are refused at every step |

An instance that has the lead without having loaded, and loses it, does not load any more; none reads on as a standby, or in what
another instance has written; and those that are deposed publish only what they had stored. The statement permits more.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.bindings.binding import Diverges, Refused
from conformance.replay.judged_role import calling
from conformance.replay.targets import OpenLog, Target
from impl.broker import topics
from impl.core import Effects
from impl.errors import BadDeployment, Deposed, StandsBy
from impl.messages import Config, Message, Outcome, Pod, Report
from impl.on_demand.dpm import PENDING, Dpm
from impl.outputs import Acknowledge, Append, Confirm, MarkSent, Output, Publish, Role, Work
from impl.process import Process
from impl.storage.journal import JournalStore
from impl.storage.log import Log
from impl.storage.memory_log import MemoryJournal
from impl.transport.interface import Delivery, Letter, Session
from impl.wire.codec import decode, encode
from model.reference.state import Occurrence, State, Trace, Tuple

WAIT_SECONDS_MAX: Final = 10.0
"""For what was published to be handed out; a healthy broker takes a millisecond."""

POD: Final = Pod("red", "10.0.0.1")
"""What all decisions are about, so that its versions are those of the journal."""


@dataclass(frozen=True)
class Parts:
    """What instances are made of; a test replaces one to see that it is noticed."""

    core: Callable[[], Dpm] = Dpm
    store: Callable[[Callable[[], Log]], JournalStore] = JournalStore
    runner: type[Process] = Process


@dataclass
class _Instance(Role):
    """One instance, from a takeover to the next one or to a crash."""

    log: Log
    term: int
    core: Dpm
    store: JournalStore
    tag: str
    runner: Process = field(init=False)
    ready: bool = False
    read: int = 0
    """The newest version of which it knows that it is in the journal."""
    sent: set[int] = field(default_factory=set)
    deposed: bool = False
    """The journal has refused what it wrote."""
    work: Work | None = None
    """The input that it is at."""
    output: Output | None = None
    """What the runner wants performed next."""
    answer: Any = None
    """What the runner has not been told yet: the outcome of the last `Append`."""
    letters: list[Letter] = field(default_factory=list)
    """What remains of a `Publish`."""

    def decide(self, call: Callable[[], Effects]) -> Effects:
        """What the core answers."""
        with calling(self.core):
            return call()

    def topics(self) -> list[str]:
        return [topics.OUTCOMES]

    def take(self, message: Message, topic: str) -> Effects:
        return self.decide(lambda: self.core.receive(message))

    def take_up(self, work: Work) -> None:
        """Takes an input, up to the first output.

        Raises:
            Refused: it is still at another one.
        """
        if self.work is not None:
            raise Refused(f"an instance takes one input at a time, and this one waits for {type(self.output).__name__}")
        self.work = work
        self.go_on()

    def go_on(self) -> None:
        """The next output that the run decides on; the others are performed at once."""
        answer, self.answer, self.output = self.answer, None, None
        while self.work is not None and self.output is None:
            try:
                output = self.work.send(answer)
            except StopIteration:
                self.work = None
                return
            answer = None
            match output:
                case MarkSent(outgoing):
                    self.store.mark_sent(outgoing)
                case Confirm():
                    self.store.confirm()
                case Publish():
                    self.output, self.letters = output, output.letters(self.tag)
                case _:
                    self.output = output

    def append(self) -> None:
        """Performs the `Append` at which the runner stands.

        Raises:
            Refused: it stands at none, or the journal refuses.
        """
        if not isinstance(self.output, Append):
            raise Refused("nothing of this instance is on the way to the journal")
        try:
            with calling(self.core):
                self.answer = self.store.append(self.output.effects, self.core)
        except Deposed as problem:
            raise Refused(str(problem)) from problem
        self.output = None

    def still_leads(self) -> bool:
        """Whether the journal accepts a confirmation. One that was deposed is not asked again."""
        if not self.deposed:
            try:
                self.store.confirm()
            except Deposed:
                self.deposed = True
        return not self.deposed


class FailoverBinding:
    """All instances of one run, their journal and their peer."""

    CHOSEN: Mapping[str, str] = {"take_over": "term", "depose": "term"}

    def __init__(self, trace: Trace, target: Target, parts: Parts | None = None) -> None:
        self._target, self._parts = target, parts or Parts()
        (self._journal,) = trace.configuration.sorts["Journal"]
        self._tag = secrets.token_hex(6)
        target.prepare([])
        self._open: OpenLog = target.journal()
        self._seen = self._open(False)
        """Reads the journal, and never leads it."""
        self._standing_by = {str(name): self._open(False) for name in trace.configuration.sorts["Instance"]}
        """What each instance that has not the lead has opened."""
        self._terms = self._decisions = 0
        self._instances: dict[str, _Instance] = {}
        """Those that have had the lead, and have not crashed since."""
        self._reader: tuple[str, Session] | None = None
        """Which instance listens for answers: one at a time."""
        self._heard: dict[int, Delivery] = {}
        """What it has received and not acknowledged, by version."""
        self._peer = target.session("ncm")
        self._arrived: dict[int, Delivery] = {}
        """What the peer has received first, by version."""
        self._appends: set[tuple[Any, ...]] = set()
        self._marks: set[tuple[Any, ...]] = set()
        self._published: set[tuple[int, str]] = set()
        self._consumed: set[int] = set()

    def close(self) -> None:
        for log in (*(it.log for it in self._instances.values()), *self._standing_by.values(), self._seen):
            log.close()
        self._stop_listening()
        self._peer.acknowledge(self._arrived.values())
        self._target.keep("ncm", self._peer)

    # -------------------------------------------------------------------------------------------------- the run

    def step(self, step: Occurrence) -> None:
        choices = dict(step.choices)
        choices.pop("journal", None)
        getattr(self, f"_{step.action}")(**choices)

    def observed(self, expected: State) -> Iterator[tuple[str, Any, Any]]:
        found = self._found()
        relations, functions, journal = expected.relations, expected.functions, self._journal
        places = {(version, _decision(place)) for (_, version), place in found.observe()["places"].items()}
        yield "entry", {key[1:] for key in relations["entry"]}, places
        yield "newest", functions["newest"][journal,], found.latest(POD)
        answered = {version for version, _ in places if found.outcome_of(POD, version) != PENDING}
        yield "answered", {version for _, version in relations["answered"]}, answered
        yield "append", _without(relations["append"], 1), self._appends
        yield "mark", _without(relations["mark"], 1), self._marks
        yield "published", {key[1:] for key in relations["published"]}, self._published
        yield "consumed", {version for _, version in relations["consumed"]}, self._consumed
        ready = {name: instance for name, instance in self._instances.items() if instance.ready}
        yield "ready", {name for name, _ in relations["ready"]}, set(ready)
        sent = {(name, version) for name, instance in ready.items() for version in instance.sent}
        yield "sent", _without(relations["sent"], 1), sent
        for (name, _), term in functions["in_term"].items():
            instance = self._instances.get(str(name))
            yield f"in_term({name})", term, instance.term if instance is not None else 0
        for name, instance in ready.items():
            yield f"loaded({name})", functions["loaded"][name, journal], instance.read
            yield f"proposed({name})", functions["proposed"][name, journal], instance.core.latest(POD)
            leads = functions["in_term"][name, journal] == functions["fence"][journal,]
            yield f"the journal accepts what {name} writes", leads, instance.still_leads()

    def _found(self) -> Dpm:
        """What an instance would find that loads the journal now."""
        copy, core = MemoryJournal(self._seen.name), Dpm()
        copy.entries = list(self._seen.read())
        try:
            JournalStore(copy.open).load(core)
        except BadDeployment as problem:
            raise Diverges("entry", "a journal with one writer at a time", str(problem)) from problem
        return core

    def end(self, state: State) -> None:
        """What is still on the way to the journal is refused; and the answers come again that were not acknowledged."""
        fence = int(state.functions["fence"][self._journal,])
        for name, instance in self._instances.items():
            if isinstance(instance.output, Append) and instance.term < fence:
                with suppress(Refused):
                    instance.append()
                    raise Diverges("append", "refused", f"what {name} sent in term {instance.term} is accepted")
        left = {int(version) for _, version in state.relations["answer"]} - self._consumed
        self._stop_listening()
        session = self._target.session("dpm")
        try:
            for version in sorted(left):
                _await(session, self._tag, version, self._heard)
            session.acknowledge(self._heard.values())
            while (delivery := session.receive(0.0)) is not None:
                session.acknowledge([delivery])
                if delivery.tag == self._tag:
                    raise Diverges("consumed", "no more answers", str(decode(delivery.data)))
        finally:
            session.close()

    # ------------------------------------------------------------------------------------------------- the lead

    def _take_over(self, instance: str, term: int) -> None:
        self._end(instance)
        # The one that has the lead may be paused, and then it has not given it back.
        self._lead(instance, by_force=any(it.term == self._terms for it in self._instances.values()))

    def _depose(self, instance: str, term: int) -> None:
        self._end(instance)
        if self._target.name == "memory":  # on a broker it takes seconds until a standby finds out
            try:
                self._standing_by[instance].lead()
            except StandsBy:
                pass
            else:
                raise Diverges("fence", "an instance that stands by", "the lead is given while another has it")
        self._lead(instance, by_force=True)

    def _lead(self, name: str, *, by_force: bool) -> None:
        log = self._standing_by.pop(name)
        if by_force:
            log.close()
            log = self._open(True)
        log.lead()
        self._terms += 1
        self._instances[name] = _Instance(
            log, self._terms, self._parts.core(), self._parts.store(lambda: log), self._tag
        )
        self._instances[name].runner = self._parts.runner(self._instances[name])

    def _load(self, instance: str) -> None:
        it = self._its(instance)
        try:
            with calling(it.core):
                outgoing = it.store.load(it.core)
        except Deposed as problem:
            it.deposed = True
            raise Refused(str(problem)) from problem
        it.ready, it.read = True, it.core.latest(POD)
        it.take_up(it.runner.recover(outgoing))

    def _its(self, name: str) -> _Instance:
        if name not in self._instances:
            raise Refused(f"{name} does not believe that it leads")
        return self._instances[name]

    def _end(self, name: str) -> None:
        """The process ends, if it runs: what it stood at is gone."""
        if self._reader is not None and self._reader[0] == name:
            self._stop_listening()
        instance = self._instances.pop(name, None)
        if instance is not None:
            if instance.work is not None:
                instance.work.close()
            instance.log.close()
            self._standing_by[name] = self._open(False)

    def _crash(self, instance: str) -> None:
        self._end(instance)

    def _pause(self, instance: str) -> None:
        """Nobody asks it to do anything."""

    _wake = _pause

    # ---------------------------------------------------------------------------------------------- the decisions

    def _propose(self, instance: str, decision: str) -> None:
        it = self._its(instance)
        self._decisions += 1
        place = f"{decision}-{self._decisions}"  # a pod is not placed where it is
        it.take_up(it.runner.command(lambda: it.decide(lambda: it.core.place(POD, place))))
        self._note(instance)

    def _note(self, name: str) -> None:
        """Notes what an instance has sent to the journal."""
        instance = self._instances[name]
        if isinstance(instance.output, Append):
            record: Any = instance.output.effects.record
            if "issue" in record:
                self._appends.add((name, instance.term, record["version"], _decision(record["place"])))
            else:
                self._marks.add((name, instance.term, record["version"]))

    def _accept(self, instance: str, term: int, version: int, decision: str) -> None:
        self._its(instance).append()

    def _read(self, instance: str) -> None:
        it = self._its(instance)
        if it.answer is None:
            raise Refused("an instance that has loaded the journal reads nothing there but that it has written")
        it.read = it.core.latest(POD)
        it.go_on()

    def _publish(self, instance: str, version: int, decision: str) -> None:
        it = self._its(instance)
        config = decode(it.letters[0].data) if it.letters else None
        if not isinstance(config, Config) or config.version != version:
            raise Refused(f"the next message of this instance is {config}")
        self._target.connection("dpm").publish([it.letters.pop(0)])
        it.sent.add(version)
        self._published.add((version, _decision(config.place)))
        if not it.letters:
            it.go_on()

    # ------------------------------------------------------------------------------------------------ the answers

    def _apply(self, version: int, decision: str) -> None:
        _await(self._peer, self._tag, version, self._arrived)
        report = Report(POD, version, Outcome.DONE)
        self._target.connection("ncm").publish([Letter(topics.OUTCOMES, encode(report), str(POD), self._tag)])

    def _hear(self, instance: str, version: int) -> None:
        it = self._its(instance)
        it.take_up(it.runner.deliver(self._delivered(instance, version)))
        self._note(instance)
        if it.work is None:
            self._settle(it)
            raise Refused(f"{instance} finds nothing to do in this answer")

    def _settle(self, instance: _Instance) -> None:
        """A quiet moment: what changed nothing is acknowledged if the store confirms that nobody else has taken over."""
        try:
            instance.take_up(instance.runner.settle())
        except Deposed as problem:
            instance.work, instance.deposed = None, True
            raise Refused(str(problem)) from problem

    def _delivered(self, name: str, version: int) -> Delivery:
        if self._reader is None or self._reader[0] != name:
            self._stop_listening()
            self._reader = (name, self._target.session("dpm"))
        return _await(self._reader[1], self._tag, version, self._heard)

    def _stop_listening(self) -> None:
        if self._reader is not None:
            self._reader[1].close()
        self._reader, self._heard = None, {}

    def _record(self, instance: str, term: int, version: int) -> None:
        it = self._its(instance)
        it.append()
        it.go_on()

    def _acknowledge(self, instance: str, version: int) -> None:
        it = self._its(instance)
        if not it.ready:
            raise Refused("an instance that has not loaded the journal takes no answers")
        if it.work is None:
            it.take_up(it.runner.deliver(self._delivered(instance, version)))
            self._note(instance)
            if it.work is None:
                self._settle(it)
        if not isinstance(it.output, Acknowledge):
            return
        if self._reader is None or self._reader[0] != instance:
            raise Refused("another instance listens by now, and what this one acknowledges is lost")
        self._reader[1].acknowledge(it.output.deliveries)
        for delivery in it.output.deliveries:
            report = decode(delivery.data)
            assert isinstance(report, Report)
            self._heard.pop(report.version)
            self._consumed.add(report.version)
        it.go_on()


def _await(session: Session, tag: str, version: int, arrived: dict[int, Delivery]) -> Delivery:
    """The delivery about this version; what came before is kept, and what is of other runs thrown away."""
    while version not in arrived:
        delivery = session.receive(WAIT_SECONDS_MAX)
        if delivery is None:
            raise Diverges("delivered", f"version {version}", f"versions {sorted(arrived)}")
        message = decode(delivery.data) if delivery.tag == tag else None
        if not isinstance(message, (Config, Report)) or message.version in arrived:
            session.acknowledge([delivery])
        else:
            arrived[message.version] = delivery
    return arrived[version]


def _decision(place: str | None) -> str:
    """The decision that put the pod there."""
    return str(place).rsplit("-", 1)[0]


def _without(relation: Iterable[Tuple], place: int) -> set[Tuple]:
    """A relation without one of its arguments: all are of one journal."""
    return {(*key[:place], *key[place + 1 :]) for key in relation}
