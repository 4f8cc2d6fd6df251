"""DPM and agents on a real broker, with calls for the direct channel; each host at its own loopback address."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.logs.system import System, running
from impl.broker import topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.service.direct_agent import AgentServer
from impl.service.dpm import DpmService
from impl.transport.grpc.direct import Calls, DirectConnection
from impl.transport.grpc.directory import Directory
from impl.transport.grpc.endpoints import Deadlines, Endpoint
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.identity import ByAddress, Identity
from impl.wire.alcor.schema import PIN, schema
from tests.impl.message_queue.system import SMALL, Recording, Scene
from tests.impl.transport.grpc.certificates import Authority
from tests.impl.transport.grpc.network import DEADLINES, block, certificate
from tests.ports import free_port

DPM_AT = f"{block()}.101"

Identities = Callable[[str], Identity]
"""The identity checker of each process, by its name."""


class DirectScene(Scene):
    """A scene whose DPM calls its agents. With certificates DPM is called `dpm`; by address, after the address that it calls
    from."""

    make_server: type[AgentServer] = AgentServer

    def __init__(
        self, system: System, loop: Loop, folder: Path, *hosts: str, by_address: bool, deadlines: Deadlines
    ) -> None:
        self.loop, self.deadlines, net = loop, deadlines, block()
        self.schema = schema(PIN)
        self.where = {host: Endpoint(f"{net}.{n}", free_port()) for n, host in enumerate(hosts, 1)}
        self.port = free_port()
        """The port for subscribe requests, at every host."""
        directory = Directory(self.where)
        authority = Authority(folder)
        self.identity: Identities = (
            (lambda _: ByAddress(directory)) if by_address else (lambda name: certificate(authority.issue(name, name)))
        )
        self.dpm_name = DPM_AT.replace(".", "-") if by_address else "dpm"
        self.calls = Calls(
            loop,
            self.schema,
            directory,
            self.identity("dpm"),
            subscription_port=self.port,
            deadlines=deadlines,
            source=DPM_AT if by_address else None,
        )
        self.servers: dict[str, AgentServer] = {}
        super().__init__(system, *hosts)

    def new_dpm(self) -> DpmService:
        """See `Scene`."""
        connect = self.system.role("dpm")
        made = DpmService(
            self.system.store("dpm"),
            lambda: DirectConnection(connect(), self.calls),
            self.timing,
            administration=self.administration,
            decision=SMALL,
        )
        self.calls.reply_to(made.hear)
        return made

    def start_agent(self, host: str, *, deaf: bool = False) -> Recording:
        """See `Scene`; the agent serves calls."""
        agent = super().start_agent(host, deaf=deaf)
        self.serve(host)
        return agent

    def serve(self, host: str, dpm: str = "") -> None:
        """The host's agent serves calls from now on; calls from other callers than DPM only if requested."""
        self.servers[host] = self.make_server(
            self.loop,
            self.schema,
            self.identity(host),
            self.agents[host],
            self.where[host],
            Endpoint(self.where[host].address, self.port),
            dpm or self.dpm_name,
            self.deadlines,
        ).open()

    def stop_agent(self, host: str) -> None:
        """Stops the host's agent."""
        self.servers.pop(host).close()
        self.system.stop_one(self.agents[host])

    def until_confirmed(self, vpc: str, host: str, revision: int) -> None:
        """Waits until a host has confirmed a revision."""
        self.until(lambda: self.seen("confirmed", (host, vpc)) == revision, f"{host} to confirm revision {revision}")

    def came_by_the_inbox(self, host: str) -> int:
        """The number of messages that the broker has accepted for a host's inbox."""
        with Admin(self.deployment) as admin:
            path = f"/persistent/{self.deployment.namespace}/{topics.inbox(host)}/stats"
            return int(admin._call("GET", path).json()["msgInCounter"])

    def end(self) -> None:
        """Stops everything."""
        for server in self.servers.values():
            server.close()
        self.system.stop()
        self.administration.close()


@contextmanager
def direct_scene(
    deployment: Deployment,
    loop: Loop,
    folder: Path,
    *hosts: str,
    by_address: bool = True,
    deadlines: Deadlines = DEADLINES,
    kind: type[DirectScene] = DirectScene,
) -> Iterator[DirectScene]:
    """A scene for the duration of a block."""
    with running(deployment) as system:
        made = kind(system, loop, folder, *hosts, by_address=by_address, deadlines=deadlines)
        try:
            yield made
        finally:
            made.end()
