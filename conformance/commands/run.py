"""`ondemand run`: the services. Decisions and packets come on standard input, one a line."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.logging import RichHandler

from conformance.commands.host import the_deployment
from impl.broker.topics import prepare
from impl.core import IllegalInput
from impl.errors import BadDeployment
from impl.hosts import read_agent_file
from impl.messages import Pod
from impl.service.aca import AcaService
from impl.service.dpm import DpmService
from impl.service.loop import Service
from impl.service.ncm import NcmService
from impl.store import SqliteStore
from impl.transport.pulsar import PulsarConnection

state_option = click.option(
    "--state", type=click.Path(path_type=Path), metavar="FILE", help="The service's store (default: NAME.sqlite)."
)


@click.group()
def run() -> None:
    """Run a service: dpm, ncm or aca. It stops gracefully on an interrupt, and may be killed at any moment."""


@run.command()
@state_option
def ncm(state: Path | None) -> int:
    """Run NCM.

    \b
    Example:
      . broker/environment && ondemand run ncm
    """
    deployment = the_deployment()
    prepare(deployment)
    store = SqliteStore(state or Path("ncm.sqlite"), "ncm")
    return _serve(NcmService(store, lambda: PulsarConnection(deployment, deployment.token("ncm"))), None)


@run.command()
@state_option
def dpm(state: Path | None) -> int:
    """Run DPM. Each line of standard input is a decision: `place VPC/POD HOST`, or `remove VPC/POD`.

    \b
    Example:
      echo 'place red/10.0.0.1 h1' | ondemand run dpm
    """
    deployment = the_deployment()
    prepare(deployment)
    service = DpmService(
        SqliteStore(state or Path("dpm.sqlite"), "dpm"), lambda: PulsarConnection(deployment, deployment.token("dpm"))
    )

    def decide(words: list[str]) -> None:
        match words:
            case ["place", pod, host]:
                service.place(_pod(pod), host).result()
            case ["remove", pod]:
                service.remove(_pod(pod)).result()
            case _:
                raise IllegalInput(f"{' '.join(words)!r} is no decision: place VPC/POD HOST, or remove VPC/POD")

    return _serve(service, decide)


@run.command()
@click.option(
    "--credentials",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="As written by `ondemand host add`.",
)
@state_option
def aca(credentials: Path, state: Path | None) -> int:
    """Run a host's agent. Each line of standard input is a packet: `packet VPC/SOURCE VPC/DESTINATION`.

    \b
    Example:
      ondemand run aca --credentials h1.agent.json
    """
    agent = read_agent_file(credentials)
    service = AcaService(
        agent.host,
        SqliteStore(state or Path(f"{agent.host}.sqlite"), agent.host),
        lambda: PulsarConnection(agent.deployment(), agent.token),
        _Printing(),
    )

    def send(words: list[str]) -> None:
        match words:
            case ["packet", source, destination]:
                service.packet(_pod(source), _pod(destination)).result()
            case _:
                raise IllegalInput(f"{' '.join(words)!r} is no packet: packet VPC/SOURCE VPC/DESTINATION")

    return _serve(service, send)


class _Printing:
    """A dataplane that says what becomes of each packet."""

    def forward(self, source: Pod, destination: Pod, place: str) -> None:
        click.echo(f"forward {source} {destination} to {place}")

    def drop(self, source: Pod, destination: Pod, reason: str) -> None:
        click.echo(f"drop {source} {destination}: {reason}")


def _pod(text: str) -> Pod:
    vpc, _, address = text.partition("/")
    if not vpc or not address:
        raise IllegalInput(f"{text!r} is no pod: write VPC/ADDRESS")
    return Pod(vpc, address)


def _serve(service: Service, command: Callable[[list[str]], None] | None) -> int:
    """Runs a service until it is interrupted; lines of standard input become commands."""
    handler = RichHandler(console=Console(stderr=True), show_path=False, markup=False)
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for signalled in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signalled, lambda *_: service.stop())
    if command is not None:
        threading.Thread(target=_read, args=(service, command), daemon=True).start()
    service.run()
    return 0


def _read(service: Service, command: Callable[[list[str]], None]) -> None:
    service.ready.wait()
    for line in sys.stdin:
        if line.strip():
            try:
                command(line.split())
            except (IllegalInput, BadDeployment, RuntimeError) as problem:
                click.echo(str(problem), err=True)
