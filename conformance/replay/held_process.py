"""One process in a lock-step replay: the process runner, with inputs that are held until the trace says so.

What is done with an input, and in which order, is `impl.process`, as in a service. Here its outputs are performed up to the place
where the trace has the process crash. What arrives is held, and an acknowledgment waits until the trace uses the message no more.

**Twins.** A core that keeps all its state answers every input as a twin does that was restored from its snapshot a moment ago. A
field that the snapshot lacks, or an index that was not cleaned, shows at the first input to which it matters. Agents store
their epoch only, so they have no twins.

A replay never has more than one input that is not yet acknowledged, loses no connection, and publishes only what is allowed. The
tests of `impl.process` cover the rest of the runner.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final

from conformance.replay.targets import Target
from impl.core import ADMINISTRATION, Effects, Event, IllegalInput, Send
from impl.errors import BadDeployment, EnvironmentProblem, NotAllowed
from impl.messages import Administrative, Message
from impl.process import Acknowledge, Administer, Append, Confirm, MarkSent, Output, Process, Publish, SetAside, Work
from impl.storage.store import Outgoing, Store
from impl.transport.interface import Delivery, Letter
from impl.wire.codec import MalformedMessage, decode, encode

Hand = Callable[[Any, Message, str], Effects]
"""Hands a message that came by a topic to a core."""


class CoreFailed(Exception):
    """A core raised what no core may raise, a runner neglected a duty, or a twin answers otherwise; the text says which."""


class _Calling:
    """See `calling`; `only_to_say`: there is nothing to refuse. A class, since a replay asks at every step many times."""

    __slots__ = ("_core", "_only_to_say")

    def __init__(self, core: Any, *, only_to_say: bool) -> None:
        self._core = core
        self._only_to_say = only_to_say

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if problem is None or isinstance(problem, CoreFailed | EnvironmentProblem | BadDeployment):
            return
        if isinstance(problem, IllegalInput):
            if self._only_to_say:
                raise CoreFailed(f"{type(self._core).__name__} refuses to say: {problem}") from problem
        elif isinstance(problem, Exception):
            place = traceback.extract_tb(problem.__traceback__)[-1]
            said = f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
            where = f"{place.filename}, line {place.lineno}"
            raise CoreFailed(f"{type(self._core).__name__} raised {said} ({where})") from problem


def calling(core: Any) -> AbstractContextManager[None]:
    """Around every call of a core: that it refuses is an answer; anything else that it raises is a fault of its own.

    What its surroundings raise is neither, where a store calls it.
    """
    return _Calling(core, only_to_say=False)


def querying(core: Any) -> AbstractContextManager[None]:
    """Around what a core is only asked about: there is nothing to refuse."""
    return _Calling(core, only_to_say=True)


def answered(core: Any, effects: Any) -> Effects:
    """What a core has answered.

    Raises:
        CoreFailed: that is no effects.
    """
    if not isinstance(effects, Effects):
        raise CoreFailed(f"{type(core).__name__} answered {effects!r}, and no effects")
    return effects


class _Refusal(IllegalInput):
    """That a core refuses; two refusals are equal if they say the same."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Refusal) and str(self) == str(other)

    __hash__ = IllegalInput.__hash__


def _shown(said: Effects | _Refusal) -> str:
    return f"a refusal ({said})" if isinstance(said, _Refusal) else str(said)


class Duties:
    """The duties of `impl.core` towards one input, read independently of the runner: what it may do only behind what else.

    Raises `CoreFailed` where an output comes too early, and at the end where one is missing.
    """

    def __init__(self, name: str, delivery: Delivery | None = None) -> None:
        """`delivery`: the input, if it is one."""
        self._name = name
        self._delivery = delivery
        self.effects: Effects | None = None
        """What the core answered."""
        self.told: list[Event] = []
        self.outgoing: list[Outgoing] = []
        """What is to be marked."""
        self._stored = self._confirmed = self._acknowledged = False
        self._published: list[Send] = []

    def before(self, output: Output) -> None:
        """Checks an output that is about to be performed."""
        match output:
            case Append(effects):
                right = not self._stored and effects == self.effects and effects.record is not None
                self._demand(right, "stores something else than what changed, or more than once")
                self._stored = True
            case Publish(sends):
                self._may_send()
                self._published += sends
            case Administer(work):
                self._may_send()
                self._demand(self._confirmed, "has its administration done, and has not confirmed its store")
                self._confirmed = False
                self._published.append(Send(ADMINISTRATION, work))
            case Confirm():
                self._confirmed = self._delivery is None or self.effects is not None
            case MarkSent(outgoing):
                self._demand(
                    all(item.send in self._published for item in outgoing), "marks as sent what it has not published"
                )
                self.outgoing = [item for item in self.outgoing if item not in outgoing]
            case Acknowledge(deliveries):
                self.end()
                own = not self._acknowledged and deliveries == (self._delivery,)
                self._demand(own, "acknowledges something else than its input, or more than once")
                self._acknowledged = True
                changed = self.effects is not None and self.effects.record is not None
                self._demand(
                    changed or self._confirmed, "acknowledges what changed nothing, and has not confirmed its store"
                )
            case _:
                pass

    def end(self) -> None:
        """Checks that nothing is missing."""
        if self.effects is not None:
            self._demand(self.effects.record is None or self._stored, "does not store what changed")
            self._demand(
                self._published == list(self.effects.sends), "has not published what its core sends, in its order"
            )
            self._demand(self.told == list(self.effects.events), "has not told its role what happened")
        waits = any(item.send.topic == ADMINISTRATION for item in self.outgoing)
        self._demand(not waits, "does not mark administrative work at once")

    def rest(self) -> None:
        """Checks that nothing is left behind a quiet moment."""
        self._demand(not self.outgoing, "does not mark as sent what it has published")
        self._demand(self._delivery is None or self._acknowledged, f"does not acknowledge {self._delivery}")

    def _may_send(self) -> None:
        changed = self.effects is not None and self.effects.record is not None
        self._demand(not changed or self._stored, "publishes before it stores")

    def _demand(self, kept: bool, what: str) -> None:
        if not kept:
            raise CoreFailed(f"{self._name} {what}")


CRASHES: Final[Mapping[str, type[Output] | tuple[type[Output], ...]]] = {
    "stored": Append,
    "published": (MarkSent, Acknowledge),
}
"""By the place in the trace: the output behind which the process crashes, or those before which it does. Where nothing is stored,
`stored` is the same place as `published`."""


class HeldProcess:
    """A process whose inputs are held. A Byzantine host has no core: the trace speaks in its place."""

    def __init__(
        self,
        name: str,
        target: Target,
        make: Callable[[], Any] | None,
        hand: Hand,
        tag: str,
        *,
        runner: type[Process] = Process,
        twins: bool = False,
    ) -> None:
        """`twins`: the core's snapshot is its whole state, so a twin is restored from it after each input."""
        self.name = name
        self.core: Any = make() if make else None
        self._make = make
        self._hand = hand
        self._target = target
        self._tag = tag
        self._runner_type = runner
        self._runner = runner(self)
        self._twins = twins
        self._twin: Any = None
        self._connection = target.connection(name)
        self._store: Store | None = target.store(name) if make else None
        if self._store is not None and self.core is not None:
            with calling(self.core):
                self._store.load(self.core)
        self.session = target.session(name)
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
        self._take: Callable[[], Effects] | None = None
        self._duties = Duties(name)
        self._restore_twin()

    # ------------------------------------------------------------------------------------------------- inputs

    def deliver(self, message: Message, crash: str = "", take: Callable[[], Effects] | None = None) -> Effects:
        """Hands a message that has arrived to the process. `take`: how the core takes it, if not as usual."""
        self._take = take or (lambda: self.receive(message))
        return self._run(self._runner.deliver(self._deliveries[message]), crash, self._deliveries[message])

    def command(self, call: Callable[[], Effects], crash: str = "") -> Effects:
        """Has the process take a spontaneous action."""
        return self._run(self._runner.command(lambda: self._answered(call)), crash)

    def receive(self, message: Message) -> Effects:
        """What the core answers to a message that has arrived."""
        return self._hand(self.core, message, self.arrived[message])

    # ----------------------------------------------------------------------------------------------- the runner

    def take(self, message: Message, delivery: Delivery) -> Effects:
        """See `impl.process.Role`."""
        assert self._take is not None
        return self._answered(self._take)

    def happened(self, event: Event) -> None:
        """See `impl.process.Role`."""
        self._duties.told.append(event)

    def undeliverable(self, send: Send, problem: NotAllowed) -> None:
        """See `impl.process.Role`."""
        raise problem

    def _answered(self, call: Callable[[], Effects]) -> Effects:
        """What the core answers; its twin must answer the same.

        Raises:
            CoreFailed: the core raises anything but a refusal, or its twin answers otherwise.
        """
        said = self._said(call)
        if self._twin is not None:
            self.core, own = self._twin, self.core
            try:
                again = self._said(call)
            finally:
                self.core = own
            if said != again:
                raise CoreFailed(
                    f"{type(self.core).__name__} answers {_shown(said)}, and restored from its snapshot {_shown(again)}"
                )
        if isinstance(said, IllegalInput):
            raise said
        self._duties.effects = said
        return said

    def _said(self, call: Callable[[], Effects]) -> Effects | _Refusal:
        try:
            with calling(self.core):
                return answered(self.core, call())
        except IllegalInput as problem:
            return _Refusal(str(problem))

    def _restore_twin(self) -> None:
        if not self._twins or self.core is None or self._make is None:
            return
        with calling(self.core):
            self._twin = self._make()
            self._twin.restore(json.loads(json.dumps(self.core.snapshot())))
            mine, theirs = self.core.observe(), self._twin.observe()
        if mine != theirs:
            raise CoreFailed(
                f"{type(self.core).__name__} is in the state {mine}, and restored from its snapshot in {theirs}"
            )

    def _run(
        self, work: Work, crash: str = "", delivery: Delivery | None = None, outgoing: Sequence[Outgoing] = ()
    ) -> Effects:
        """Performs the outputs of an input, up to the place where the process crashes. Returns what the core answered."""
        self.published, self.unpublished, self._duties = [], [], Duties(self.name, delivery)
        self._duties.outgoing = list(outgoing)
        effects, answer = Effects(), None
        while True:
            try:
                output = work.send(answer)
            except StopIteration as ended:
                effects = ended.value
                self._duties.end()
                self.down = crash in CRASHES
                break
            if crash == "published" and isinstance(output, CRASHES[crash]):
                self.down = True
                break
            answer = self._perform(output)
            if isinstance(output, Append):
                effects = output.effects
                self._duties.outgoing = list(answer)
                if crash == "stored":
                    self.unpublished, self.down = list(answer), True
                    break
        if self.down:
            work.close()
            return effects
        for output in self._runner.settle():
            self._perform(output)
        self._duties.rest()
        self._restore_twin()
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
            case SetAside(_, reason):
                raise MalformedMessage(reason)
        return None

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
        assert self._make is not None
        self.session.close()
        self._store.close()
        self.held, self.down = {}, False
        self.core = self._make()
        self._runner = self._runner_type(self)
        self._store = self._target.store(self.name)
        with calling(self.core):
            outgoing = self._store.load(self.core)
        self.session = self._target.session(self.name)
        self._run(self._runner.recover(outgoing), outgoing=outgoing)
        if [item.send for item in outgoing] != self.published:
            raise CoreFailed(f"{self.name} does not publish again what it had stored to be published")

    def observed(self) -> dict[str, Any]:
        """What the core says of its state."""
        with querying(self.core):
            seen: dict[str, Any] = self.core.observe()
        return seen

    def forget(self, topic: str) -> None:
        """Gives back what came by a topic that is listened to no more."""
        for message in [item for item in self.held if self.arrived[item] == topic]:
            del self.held[message]

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
