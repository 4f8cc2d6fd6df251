"""Our NCM and agents over real sockets, each host at its own loopback address."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from conformance.bench.demonstration import Watched
from conformance.logs.system import wait_until
from impl.roles.timing import Timing
from impl.service.alcor_ncm import AlcorNcmService
from impl.service.loop import Service
from impl.storage.store import MemoryStore
from impl.transport.grpc.agent_gateway import AcaGateway
from impl.transport.grpc.directory import Directory
from impl.transport.grpc.endpoints import Deadlines, Endpoint
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.identity import ByAddress, ByCertificate, Identity
from impl.transport.grpc.ncm_gateway import NcmGateway
from impl.transport.grpc.relay import Relay
from impl.transport.grpc.resources import Resources
from impl.wire.alcor.schema import PIN, Schema, schema
from tests.impl.transport.grpc.certificates import Files
from tests.impl.transport.grpc.stand_ins import Controller, StandInAgent, StandInNcm
from tests.ports import free_port

TIMING = Timing(answer_max=15.0, refusal_pause=0.1, remind_every=0.3, confirm_max=1.5, hello_every=0.3)
HASTY = replace(TIMING, answer_max=0.5)
"""For an agent whose packets are to be dropped."""
DEADLINES = Deadlines(push=1.0, answer=3.0, outcome=4.0, request=1.0, apply=1.0, subscribe=1.0, retry_first=0.05)
PATIENT = 20.0


def block() -> str:
    """Three bytes of loopback addresses that no other process of these tests uses at the moment."""
    number = os.getpid() % 60_000
    return f"127.{10 + number // 250}.{number % 250}"


def certificate(files: Files) -> ByCertificate:
    """Mutual TLS with these files."""
    return ByCertificate(files.certificate.read_bytes(), files.key.read_bytes(), files.authority.read_bytes())


class World:
    """The running services, and their shutdown. Host n is at address n of the block; NCM and DPM are at 100 and 101."""

    def __init__(self, loop: Loop, numbering: str = PIN) -> None:
        self.loop, self.numbering = loop, numbering
        self.schema: Schema = schema(numbering)
        self.block = block()
        self.port = free_port()
        """The port of every agent."""
        self.directory = Directory(None, self.port)
        self.ncm_at = Endpoint(self.address(100), free_port())
        self.store, self.resources = MemoryStore(), Resources(None, self.schema, self.directory)
        self._stack = ExitStack()
        self._threads: list[tuple[Service, threading.Thread]] = []
        self.problems: list[BaseException] = []

    def address(self, number: int) -> str:
        """The address of a host."""
        return f"{self.block}.{number}"

    def host(self, number: int) -> str:
        """The name of a host that is named after its address."""
        return self.address(number).replace(".", "-")

    def run(self, service: Service) -> None:
        """Runs a service in a thread, until `stop` or the end."""

        def body() -> None:
            try:
                service.run()
            except BaseException as problem:
                self.problems.append(problem)

        thread = threading.Thread(target=body)
        thread.start()
        self._threads.append((service, thread))
        wait_until(service.ready.is_set, f"{service.process} to be ready", self.problems)

    def stop(self, service: Service) -> None:
        """Stops a service."""
        for pair in list(self._threads):
            if pair[0] is service:
                service.stop()
                pair[1].join(PATIENT)
                assert not pair[1].is_alive()
                self._threads.remove(pair)

    def ncm(self, identity: Identity | None = None, **options: Any) -> AlcorNcmService:
        """Our NCM; when run a second time it continues from the store of the first."""
        self.gateway = NcmGateway(
            self.loop,
            self.schema,
            self.directory,
            identity or ByAddress(self.directory),
            self.resources,
            self.ncm_at,
            options.pop("dpm", self.host(101)),
            options.pop("deadlines", DEADLINES),
            None if identity else self.ncm_at.address,
        )
        service = AlcorNcmService(self.store, self.gateway, options.pop("timing", TIMING))
        assert not options
        self.run(service)
        return service

    def relayed(self, number: int, where: Endpoint | None = None) -> str:
        """A target that leads to NCM from a host's address."""
        relay = Relay(self.address(number), where or self.ncm_at)
        self._stack.callback(lambda: self.loop.run(relay.close()))
        return self.loop.run(relay.open())

    def controller(self, number: int = 101, files: Files | None = None) -> Controller:
        """A controller, at DPM's address."""
        made = Controller(self.relayed(number), self.numbering, files)
        self._stack.callback(made.close)
        return made

    def stand_in(self, number: int, files: Files | None = None) -> StandInAgent:
        """An agent of Alcor at a host."""
        made = StandInAgent(self.address(number), self.port, self.relayed(number), self.numbering, files).start()
        self._stack.callback(made.stop)
        return made

    def agent(
        self,
        number: int,
        name: str = "",
        identity: Identity | None = None,
        store: Any = None,
        timing: Timing = TIMING,
    ) -> Watched:
        """Our agent at a host."""
        host, where = name or self.host(number), Endpoint(self.address(number), self.port)
        gateway = AcaGateway(
            self.loop,
            self.schema,
            host,
            self.directory,
            identity or ByAddress(self.directory),
            where,
            self.ncm_at,
            "ncm" if identity else self.host(100),
            DEADLINES,
            None if identity else self.address(number),
        )
        service = Watched(host, store or MemoryStore(), gateway.open, timing=timing)
        service.gateway = gateway  # type: ignore[attr-defined]
        self.run(service)
        return service

    def stand_in_ncm(self, **options: Any) -> StandInNcm:
        """An NCM of Alcor at NCM's address, that pushes to host 1 from there."""
        to_agent = self.relayed(100, Endpoint(self.address(1), self.port))
        made = StandInNcm(str(self.ncm_at), to_agent, self.numbering, **options).start()
        self._stack.callback(made.stop)
        return made

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Waits for a condition, with a limit."""
        wait_until(condition, what, self.problems)

    def close(self) -> None:
        """Stops everything."""
        for service, _ in reversed(self._threads[:]):
            self.stop(service)
        self._stack.close()
        assert not self.problems, self.problems
