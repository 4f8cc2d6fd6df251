"""The services of one deployment in threads of this process, with agents as services or as a fleet."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from conformance.logs.broker_agents import Fleet, by_pool
from impl.broker import topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.broker.hosts import AgentFile, registration_number
from impl.core import Effects
from impl.errors import EnvironmentProblem
from impl.messages import Registered
from impl.service.dpm import DpmService
from impl.service.loop import Service
from impl.service.ncm import NcmService
from impl.storage.store import SqliteStore
from impl.transport.interface import Connection, Letter
from impl.transport.pulsar import PulsarConnection
from impl.wire.codec import encode

WAIT_SECONDS_MAX: Final = 30.0
"""Timeout for each wait; normally they take milliseconds."""

FLEET_SECONDS_MAX: Final = 300.0
"""The same for what many agents do: greeting all hosts, placing all pods."""

Progress = Callable[[int, str], None]
T = TypeVar("T")


class System:
    """The services of one deployment, each in its own thread, with stores in a folder."""

    def __init__(self, deployment: Deployment, folder: Path) -> None:
        self.deployment = deployment
        self._folder = folder
        self._threads: list[tuple[Service, threading.Thread]] = []
        self.problems: list[BaseException] = []

    def start(self, service: Service) -> None:
        """Starts a service and waits until it is ready."""

        def run() -> None:
            try:
                service.run()
            except BaseException as problem:
                self.problems.append(problem)
                raise

        thread = threading.Thread(target=run, name=service.process)
        thread.start()
        self._threads.append((service, thread))
        wait_until(service.ready.is_set, f"{service.process} to be ready", self.problems)

    def store(self, process: str) -> SqliteStore:
        """A store for a process."""
        return SqliteStore(self._folder / f"{process}.sqlite", process)

    def role(self, role: str) -> Callable[[], PulsarConnection]:
        """Returns the function with which DPM or NCM connects."""
        return lambda: PulsarConnection(self.deployment, self.deployment.token(role))

    def agent(self, file: AgentFile) -> Callable[[], PulsarConnection]:
        """Returns the function with which an agent connects: it needs only its own file."""
        return lambda: PulsarConnection(file.deployment(), file.token)

    def stop_one(self, service: Service) -> None:
        """Stops a service; another one may then use its store."""
        for entry in [entry for entry in self._threads if entry[0] is service]:
            service.stop()
            entry[1].join(WAIT_SECONDS_MAX)
            self._threads.remove(entry)

    def stop(self) -> None:
        """Stops all services, last started first."""
        for service, _ in reversed(self._threads.copy()):
            self.stop_one(service)


@contextmanager
def running(deployment: Deployment) -> Iterator[System]:
    """A system that runs inside the block."""
    topics.prepare(deployment)
    with tempfile.TemporaryDirectory(prefix="ondemand-demo-") as folder:
        system = System(deployment, Path(folder))
        try:
            yield system
        finally:
            system.stop()


def wait_until(condition: Callable[[], bool], what: str, problems: list[BaseException]) -> None:
    """Waits for a condition for at most `WAIT_SECONDS_MAX`; `what` names it in the error."""
    end = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        if problems:
            raise problems[0]
        if time.monotonic() > end:
            raise EnvironmentProblem(f"Waited {WAIT_SECONDS_MAX:g} s for {what}; check that the broker runs")
        time.sleep(0.002)


class FleetSystem(System):
    """DPM, NCM and a fleet, in a namespace that ends with them, and all with the administrator's identity."""

    ncm: NcmService
    dpm: DpmService
    fleet: Fleet

    def __init__(self, deployment: Deployment, folder: Path, hosts: Sequence[str], progress: Progress) -> None:
        super().__init__(deployment, folder)
        self.hosts = hosts
        self._progress = progress
        topics.prepare(deployment)
        with Admin(deployment) as admin:
            names = [name(host) for host in hosts for name in (topics.inbox, topics.requests, topics.notices)]
            by_pool(admin.create_topic, names, lambda done: progress(done, "topics"))

    def connect(self) -> Connection:
        """The connection of a service."""
        return PulsarConnection(self.deployment, self.deployment.admin_token)

    def check(self) -> None:
        """Raises the exception that ended a service or the fleet, if any."""
        problem = self.fleet.problem or next(iter(self.problems), None)
        if problem is not None:
            raise problem

    def wait(self, what: str, goal: int, done: Callable[[], int]) -> None:
        """Waits until `done` reaches the goal."""
        end = time.monotonic() + FLEET_SECONDS_MAX
        while (now := done()) < goal:
            self.check()
            if time.monotonic() > end:
                found = f"{now} of {goal} after {FLEET_SECONDS_MAX:g} s"
                raise EnvironmentProblem(f"Waited for {what} ({found}); use fewer agents")
            self._progress(now, what)
            time.sleep(0.002)

    def asked(self, service: Service, look: Callable[[], T]) -> T:
        """What a look at a service's core finds, in the thread of the service."""
        found: list[T] = []

        def looked() -> Effects:
            found.append(look())
            return Effects()

        service.submit(looked).result(WAIT_SECONDS_MAX)
        return found[0]

    def begin(self) -> None:
        """Registers and greets all hosts."""
        connection = self.connect()
        registered = [Registered(host, registration_number()) for host in self.hosts]
        connection.publish([Letter(topics.HOSTS, encode(item), item.host) for item in registered])
        connection.close()
        count, ncm, channel = len(self.hosts), self.ncm.ncm, self.dpm.message_queue
        self.wait("hosts registered", count, lambda: self.asked(self.ncm, lambda: len(ncm.hosts())))
        self.wait("hosts registered with DPM", count, lambda: self.asked(self.dpm, lambda: len(channel.hosts())))
        self.fleet.start()
        self.wait("agents greeted", count, lambda: self.asked(self.ncm, lambda: sum(map(ncm.was_met, self.hosts))))

    def stop(self) -> None:
        """Stops everything and deletes the namespace."""
        super().stop()
        self.fleet.close()
        with Admin(self.deployment) as admin:
            by_pool(admin.delete_topic, admin.topics())
            admin.delete_namespace()


@contextmanager
def apart(deployment: Deployment, what: str) -> Iterator[tuple[Deployment, Path]]:
    """The same broker with a fresh namespace, which is still to be prepared, and a folder for stores."""
    tenant = deployment.namespace.split("/")[0]
    with tempfile.TemporaryDirectory(prefix=f"ondemand-{what}-") as folder:
        yield replace(deployment, namespace=f"{tenant}/{what}-{secrets.token_hex(6)}"), Path(folder)
