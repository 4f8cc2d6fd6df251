"""A process of a run that takes one whole input at a time: its runner's outputs are performed one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from conformance.replay.held_process import Duties, calling
from impl.core import Effects, Event, Send
from impl.errors import NotAllowed
from impl.messages import Message
from impl.process import Acknowledge, Append, MarkSent, Output, Process, Publish, run
from impl.storage.store import MemoryStore
from impl.transport.interface import Delivery


class Surroundings(Protocol):
    """Where what a process sends and acknowledges goes to."""

    def publish(self, process: str, output: Publish) -> None:
        """Publishes what a process sends."""

    def acknowledge(self, process: str, deliveries: tuple[Delivery, ...]) -> None:
        """Acknowledges what a process is done with."""


class ActingProcess:
    """A core with its runner and its store. Its duties are checked as in other replays."""

    def __init__(
        self,
        name: str,
        core: Any,
        store: MemoryStore,
        around: Surroundings,
        take: Callable[[Message, Delivery], Effects],
        runner: type[Process] = Process,
    ) -> None:
        self.core = core
        self._name, self._store, self._around, self._take = name, store, around, take
        self._runner = runner(self)
        self._duties = Duties(name)
        store.load(core)

    def command(self, call: Callable[[], Effects]) -> None:
        """Has the core do something of its own accord."""
        self._duties = Duties(self._name)
        run(self._runner.command(lambda: self._answered(call)), self._perform)
        self._settle()

    def deliver(self, delivery: Delivery) -> None:
        """Hands a delivery to the core; it is acknowledged when this returns."""
        self._duties = Duties(self._name, delivery)
        run(self._runner.deliver(delivery), self._perform)
        self._settle()

    def _settle(self) -> None:
        self._duties.end()
        run(self._runner.settle(), self._perform)
        self._duties.rest()

    def _perform(self, output: Output) -> Any:
        self._duties.before(output)
        match output:
            case Append(effects):
                self._duties.outgoing = self._store.append(effects, self.core)
                return list(self._duties.outgoing)
            case Publish():
                self._around.publish(self._name, output)
            case MarkSent(outgoing):
                self._store.mark_sent(outgoing)
            case Acknowledge(deliveries):
                self._around.acknowledge(self._name, deliveries)
            case _:
                pass
        return None

    def _answered(self, call: Callable[[], Effects]) -> Effects:
        with calling(self.core):
            effects = self._duties.effects = call()
        return effects

    def take(self, message: Message, delivery: Delivery) -> Effects:
        """See `impl.process.Role`."""
        return self._answered(lambda: self._take(message, delivery))

    def happened(self, event: Event) -> None:
        """See `impl.process.Role`."""
        self._duties.told.append(event)

    def undeliverable(self, send: Send, problem: NotAllowed) -> None:
        """See `impl.process.Role`."""
        raise problem
