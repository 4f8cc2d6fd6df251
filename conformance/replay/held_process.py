"""One process in a lock-step replay: the process runner, with inputs that are held until the trace says so.

What is done with an input, and in which order, is `impl.process`, as in a service; topics and timers are those of its role. Here
outputs are performed up to the place where the trace has the process crash. What arrives is held, an acknowledgment waits until
the trace uses the message no more, and the time of a step is its number: a timer fires when the trace says so.

A replay never has more than one input that is not yet acknowledged, loses no connection, and publishes only what is allowed. The
tests of `impl.process` cover the rest of the runner.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from conformance.replay.duties import Duties
from conformance.replay.judged_role import CoreFailed, JudgedRole, calling, exhausted, querying
from conformance.replay.targets import Target
from impl.broker import topics
from impl.core import ADMINISTRATION, Effects, IllegalInput, Send
from impl.errors import Unreachable
from impl.messages import Administrative, Message
from impl.outputs import (
    Acknowledge,
    Administer,
    Append,
    Confirm,
    Listen,
    MarkSent,
    Output,
    Publish,
    Role,
    SetAside,
    StopListening,
    Work,
    run,
)
from impl.process import Process
from impl.storage.store import Outgoing, Store
from impl.timers import Timer, When
from impl.transport.interface import Delivery, Letter
from impl.wire.codec import MalformedMessage, decode, encode

CRASHES: Final[Mapping[str, type[Output] | tuple[type[Output], ...]]] = {
    "stored": Append,
    "published": (MarkSent, Acknowledge),
}
"""By the place in the trace: the output behind which the process crashes, or those before which it does. Where nothing is stored,
`stored` is the same place as `published`."""


class _Crashed(Exception):
    """The process has come to the place where the trace has it crash."""


class HeldProcess:
    """A process whose inputs are held. A Byzantine host has no core: the trace speaks in its place."""

    def __init__(
        self,
        name: str,
        target: Target,
        make: Callable[[When], Role] | None,
        tag: str,
        *,
        runner: type[Process] = Process,
        twins: bool = False,
        plan: Mapping[Timer, Sequence[int]] | None = None,
    ) -> None:
        """`twins`: the core's snapshot is its whole state. `plan`: the steps of the trace at which each timer fires."""
        self.name = name
        self._make = make
        self._target = target
        self._tag = tag
        self._runner_type = runner
        self._twins = twins
        self._plan = plan or {}
        self._now = 0.0
        self._connection = target.connection(name)
        self.session = target.session(name)
        self.listening: set[str] = set()
        """The topics that the process listens to."""
        self.is_out_of_reach = False
        """The broker does not answer when the process asks to listen."""
        self.held: dict[Message, list[Delivery]] = {}
        """What has arrived and is not acknowledged."""
        self.arrived: dict[Message, str] = {}
        """All that ever arrived, in order, each with the topic that it came by."""
        self._deliveries: dict[Message, Delivery] = {}
        """The last delivery of each."""
        self._settled: set[Message] = set()
        """What the runner has acknowledged, and the trace may use again."""
        self._new: list[Message] = []
        self.published: list[Send] = []
        """What the last input published."""
        self.unpublished: list[Outgoing] = []
        """What the last input stored and did not publish, since the process crashed in between."""
        self.down = False
        self._duties = Duties(name)
        self._role: JudgedRole | None = None
        self._store: Store | None = None
        self._load()

    def _load(self) -> list[Outgoing]:
        """Starts from the store: what was stored to be published."""
        if self._make is None:
            return []
        self._role = JudgedRole(self._make, self._when, has_twin=self._twins)
        self._runner = self._runner_type(self._role)
        self._store = self._target.store(self.name)
        with calling(self.core):
            outgoing = self._store.load(self.core)
        self._role.restore_twin()
        self.listening = set(self._role.topics())
        self._run(self._runner.connected())
        return outgoing

    @property
    def core(self) -> Any:
        """The process's core; None: a Byzantine host has none."""
        return None if self._role is None else self._role.core

    @property
    def role(self) -> Role:
        """The process's own role."""
        return self._judged.role

    @property
    def _judged(self) -> JudgedRole:
        assert self._role is not None, "a Byzantine host has no role"
        return self._role

    def _when(self, timer: Timer, now: float, seconds: float) -> float:
        """The next step of the trace at which the timer fires. Durations are not the specification's."""
        fired = timer in self._judged.fired and self._now == now
        return next((step for step in self._plan.get(timer, ()) if step > now or (step == now and not fired)), math.inf)

    # ------------------------------------------------------------------------------------------------- inputs

    def deliver(self, message: Message, crash: str = "", take: Callable[[Any], Effects] | None = None) -> Effects:
        """Hands a message that has arrived to the process. `take`: how its core takes it, if not as usual.

        Raises:
            IllegalInput: it no longer listens to the message's topic.
        """
        delivery = self._deliveries[message]
        if delivery.topic not in self.listening:
            raise IllegalInput(f"{self.name} does not listen to {delivery.topic}")
        self._judged.instead = take
        return self._run(self._runner.deliver(delivery), crash, delivery)

    def hear(self, message: Message, topic: str) -> Effects:
        """Hands a message to the process that is not the trace's, as if it had arrived on this topic."""
        self._judged.instead = None
        delivery = Delivery(topic, encode(message), self._tag, "", 0.0, None)
        return self._run(self._runner.deliver(delivery), "", delivery)

    def command(self, call: Callable[[Any], Effects], crash: str = "") -> Effects:
        """Has the core do something that is not a timer's."""
        return self._run(self._runner.command(lambda: self._judged.judged(lambda role: call(role.core))), crash)

    def begin(self, crash: str = "") -> Effects:
        """The first step after a start."""
        return self._run(self._runner.command(lambda: self._judged.judged(lambda role: role.begin())), crash)

    def tried(self, message: Message, topic: str) -> Effects:
        """What the role would answer to a message on this topic, without the runner."""
        answer = self.role.take(message, topic)
        return answer if isinstance(answer, Effects) else exhausted(answer)

    def time(self, now: float, crash: str = "") -> tuple[Effects, list[Timer]]:
        """It is this time: what is done, and the timers that have fired."""
        self._now, self._judged.fired = now, []
        effects = self._run(self._runner.time(now), crash)
        return effects, self._judged.fired

    def fire(self, timer: Timer) -> Effects:
        """Has the core do what a timer is for, although it is not set."""
        return self._run(self._runner.command(lambda: self._judged.judged(lambda role: role.fire(timer))))

    # ----------------------------------------------------------------------------------------------- the runner

    def _run(
        self, work: Work, crash: str = "", delivery: Delivery | None = None, outgoing: Sequence[Outgoing] = ()
    ) -> Effects:
        """Performs the outputs of an input, up to the place where the process crashes. Returns what the core answered."""
        role = self._judged
        self.published, self.unpublished, self._duties = [], [], Duties(self.name, role, delivery)
        self._duties.outgoing = list(outgoing)
        appended = Effects()

        def performed(output: Output) -> Any:
            nonlocal appended
            if crash == "published" and isinstance(output, CRASHES[crash]):
                raise _Crashed
            answer = self._perform(output)
            if isinstance(output, Append):
                appended = output.effects
                self._duties.outgoing = list(answer)
                if crash == "stored":
                    self.unpublished = list(answer)
                    raise _Crashed
            return answer

        try:
            effects = run(work, performed)
            self._duties.end()
            self.down = crash in CRASHES
        except _Crashed:
            effects, self.down = appended, True
        if self.down:
            work.close()
            return effects
        for output in self._runner.settle():
            self._perform(output)
        self._duties.rest()
        if role.answered is not None:
            role.restore_twin()
        if self._twins:
            again = {*role.topics(), *(listen.topic for listen in role.listening())}
            if self.listening != again:
                shown = ", ".join(sorted(self.listening ^ again))
                raise CoreFailed(f"{self.name} would listen to other topics if it started again: {shown}")
        return effects

    def _perform(self, output: Output) -> Any:
        assert self._store is not None
        self._duties.before(output)
        match output:
            case Append(effects):
                with calling(self.core):
                    return self._store.append(effects, self.core)
            case Publish(sends):
                self._connection.publish(output.letters(self._tag))
                self.published += sends
            case Administer(work):
                assert isinstance(work, Administrative)
                self._target.administration.perform(work)
                self.published.append(Send(ADMINISTRATION, work))
            case MarkSent(outgoing):
                self._store.mark_sent(outgoing)
            case Confirm():
                self._store.confirm()
            case Acknowledge(deliveries):
                self._settled |= {decode(delivery.data) for delivery in deliveries}
            case Listen(topic, subscription):
                if self.is_out_of_reach:
                    raise Unreachable("the trace has the broker out of reach")
                self.listen(topic, subscription)
            case StopListening(topic):
                self.stop_listening(topic)
            case SetAside(_, reason):
                raise MalformedMessage(reason)
        return None

    def listen(self, topic: str, subscription: str = "") -> None:
        """Receives from a topic. Those of hosts are read from the start, so the broker is only asked for a VPC's.

        Raises:
            NotAllowed: the broker says so.
        """
        if topics.vpc_of(topic):
            self.session.listen(topic, subscription)
        self.listening.add(topic)

    def stop_listening(self, topic: str) -> None:
        """Receives no more from a topic, and gives back what came by it."""
        if topics.vpc_of(topic):
            self.session.stop_listening(topic)
            for message in [item for item in self.held if self.arrived[item] == topic]:
                del self.held[message]
        self.listening.discard(topic)

    # ------------------------------------------------------------------------------------------------ the trace

    def newly_arrived(self) -> list[Message]:
        """What has arrived for the first time since this was last asked."""
        new, self._new = self._new, []
        return new

    def speak(self, send: Send) -> None:
        """Publishes a message in this process's name: what a Byzantine host or an operator says."""
        self._connection.publish([Letter(send.topic, encode(send.message), send.key, self._tag)])

    def is_settled(self, message: Message) -> bool:
        """Whether the runner has acknowledged the message."""
        return message in self._settled

    def acknowledge(self, message: Message) -> None:
        """The trace uses the message no more, so what the runner has acknowledged does not come again.

        Raises:
            CoreFailed: the runner has not acknowledged it.
        """
        if self.core is not None and not self.is_settled(message):
            raise CoreFailed(f"{self.name} does not acknowledge {message}")
        self.drop(message)

    def drop(self, message: Message) -> None:
        """What the trace does not know as a delivery does not come again."""
        self.session.acknowledge(self.held.pop(message, []))

    def restart(self) -> None:
        """Crashes, if it has not yet, and starts again from its store."""
        assert self._store is not None
        self.session.close()
        self._store.close()
        self.held, self.down = {}, False
        self.session = self._target.session(self.name)
        outgoing = self._load()
        self._run(self._runner.recover(outgoing), outgoing=outgoing)
        if [item.send for item in outgoing] != self.published:
            raise CoreFailed(f"{self.name} does not publish again what it had stored to be published")

    def observed(self) -> dict[str, Any]:
        """What the core says of its state."""
        with querying(self.core):
            seen: dict[str, Any] = self.core.observe()
        return seen

    def fetch(self, seconds: float) -> Message | None:
        """Fetches one delivery; those of other runs are thrown away.

        Raises:
            MalformedMessage: what came does not parse.
        """
        delivery = self.session.receive(seconds)
        if delivery is None:
            return None
        if delivery.tag != self._tag:
            self.session.acknowledge([delivery])
            return None
        try:
            message = decode(delivery.data)
        except MalformedMessage:
            self.session.acknowledge([delivery])
            raise
        self.held.setdefault(message, []).append(delivery)
        self._deliveries[message] = delivery
        if message not in self.arrived:
            self.arrived[message] = delivery.topic
            self._new.append(message)
        return message

    def finish(self) -> None:
        """Acknowledges everything and gives the session back."""
        for message in list(self.held):
            self.session.acknowledge(self.held.pop(message))
        self._target.keep(self.name, self.session)
        if self._store is not None:
            self._store.close()
