"""DPM as a service: decisions come as commands, and reports as messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future

from impl.broker import topics
from impl.core import Effects
from impl.dpm import Dpm
from impl.messages import Message, Pod
from impl.service.loop import Service
from impl.service.timing import Timing
from impl.store import Store
from impl.transport.interface import Connection, Delivery


class DpmService(Service):
    """Issues versions, hears what becomes of them, and sends again what nothing is heard of."""

    def __init__(self, store: Store, connect: Callable[[], Connection], timing: Timing | None = None) -> None:
        self.dpm = Dpm()
        super().__init__("dpm", self.dpm, store, connect, subscription="dpm", timing=timing)
        self._resent: dict[tuple[Pod, int], float] = {}

    def place(self, pod: Pod, host: str) -> Future[Effects]:
        """The pod is created at the host, or moves there."""
        return self.submit(lambda: self.dpm.place(pod, host))

    def remove(self, pod: Pod) -> Future[Effects]:
        """The pod is gone."""
        return self.submit(lambda: self.dpm.remove(pod))

    def topics(self) -> list[str]:
        return [topics.OUTCOMES]

    def take(self, message: Message, delivery: Delivery) -> Effects:
        return self.dpm.receive(message)

    def tick(self, now: float) -> Iterator[Effects]:
        pending = self.dpm.pending()
        for change in pending:
            if now - self._resent.setdefault(change, now) >= self.timing.resend_every:
                self._resent[change] = now
                yield self.dpm.resend(*change)
        if len(self._resent) > len(pending):
            self._resent = {change: self._resent[change] for change in pending}
