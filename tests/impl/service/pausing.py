"""An NCM or DPM that stops itself, as by SIGSTOP, at a chosen point: `python -m tests.impl.service.pausing ROLE POINT`.

It leads its journal, and stops at the given point of its work on pod `red/p2`. It continues on SIGCONT. A DPM places that pod as
soon as it is ready.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from impl.broker.deployment import Deployment, from_environment
from impl.core import Effects
from impl.errors import EnvironmentProblem
from impl.messages import Pod
from impl.roles.timing import Timing
from impl.service.dpm import DpmService
from impl.service.ncm import NcmService
from impl.storage.journal import JournalStore
from impl.storage.pulsar_log import open_log
from impl.storage.store import Durable, Outgoing
from impl.transport.interface import Letter
from impl.transport.pulsar import PulsarConnection
from tests.impl.intercepting import intercept

POINTS = ("before taking", "before append", "behind append", "behind send")


class Pause:
    """Stops the whole process when it first reaches its point."""

    def __init__(self, point: str) -> None:
        self._point: str | None = point

    def at(self, point: str, what: Any) -> None:
        """The process has reached this point of its work on an object."""
        if point == self._point and "p2" in repr(what):
            self._point = None
            os.kill(os.getpid(), signal.SIGSTOP)


class PausingStore(JournalStore):
    """A store that reports its progress."""

    def __init__(self, deployment: Deployment, role: str, pause: Pause) -> None:
        super().__init__(lambda: open_log(deployment, role))
        self._pause = pause

    def append(self, effects: Effects, core: Durable) -> list[Outgoing]:
        self._pause.at("before append", effects.record)
        outgoing = super().append(effects, core)
        self._pause.at("behind append", effects.record)
        return outgoing


class PausingConnection(PulsarConnection):
    """A connection that reports its progress."""

    def __init__(self, deployment: Deployment, role: str, pause: Pause) -> None:
        super().__init__(deployment, deployment.token(role), displaces=True)
        self._pause = pause

    def publish(self, letters: Sequence[Letter]) -> None:
        super().publish(letters)
        self._pause.at("behind send", [letter.data for letter in letters])


def main(role: str, point: str) -> int:
    """Runs until it is deposed; returns the exit code of the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    deployment, pause = from_environment(), Pause(point)
    assert deployment is not None

    kind: Mapping[str, type[NcmService | DpmService]] = {"ncm": NcmService, "dpm": DpmService}
    service = kind[role](
        PausingStore(deployment, role, pause),
        lambda: PausingConnection(deployment, role, pause),
        Timing(lost_max=0.1),
    )
    intercept(service, lambda message, topic: pause.at("before taking", message))
    if isinstance(service, DpmService):
        service.place(Pod("red", "p2"), "h2")
    try:
        service.run()
    except EnvironmentProblem as problem:
        logging.error("%s", problem)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
