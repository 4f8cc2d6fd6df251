"""A process of a run that takes one whole input at a time: its runner's outputs are performed one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from conformance.replay.duties import Duties
from conformance.replay.judged_role import JudgedRole
from impl.outputs import Acknowledge, Answer, Append, Listen, MarkSent, Output, Publish, Role, StopListening, Work, run
from impl.process import Process
from impl.storage.store import MemoryStore
from impl.timers import When, after_its_seconds
from impl.transport.interface import Delivery


class Broker(Protocol):
    """What a process asks of its broker."""

    def publish(self, process: str, output: Publish) -> None:
        """Publishes what a process sends."""

    def listen(self, process: str, output: Listen) -> None:
        """Has a process receive from a topic. Raises `SlotTaken`."""

    def stop_listening(self, process: str, output: StopListening) -> None:
        """Has a process receive no more from a topic."""

    def acknowledge(self, process: str, deliveries: tuple[Delivery, ...]) -> None:
        """Acknowledges what a process is done with."""


class ActingProcess:
    """A role with its runner and its store. Its duties are checked as in other replays."""

    def __init__(
        self, name: str, make: Callable[[When], Role], store: MemoryStore, broker: Broker, runner: type[Process]
    ) -> None:
        self._name, self._store, self._broker = name, store, broker
        self._role = JudgedRole(make, after_its_seconds, has_twin=False)
        self._runner = runner(self._role)
        self._duties = Duties(name)
        store.load(self.core)

    @property
    def core(self) -> Any:
        """The role's core."""
        return self._role.core

    def command(self, call: Callable[[Any], Answer]) -> None:
        """Has the role do something of its own accord."""
        self._run(self._runner.command(lambda: self._role.judged(call)))

    def deliver(self, delivery: Delivery) -> None:
        """Hands a delivery to the role; it is acknowledged when this returns."""
        self._run(self._runner.deliver(delivery), delivery)

    def connected(self) -> None:
        """Its connection is back."""
        self._run(self._runner.connected())

    def _run(self, work: Work, delivery: Delivery | None = None) -> None:
        self._duties = Duties(self._name, self._role, delivery)
        run(work, self._perform)
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
                self._broker.publish(self._name, output)
            case MarkSent(outgoing):
                self._store.mark_sent(outgoing)
            case Acknowledge(deliveries):
                self._broker.acknowledge(self._name, deliveries)
            case Listen():
                self._broker.listen(self._name, output)
            case StopListening():
                self._broker.stop_listening(self._name, output)
            case _:
                pass
        return None
