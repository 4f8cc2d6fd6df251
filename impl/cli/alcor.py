"""`ondemand alcor`: the services on Alcor's own wire, without a broker."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from impl.cli.run import Printing, TellingDpm, log_lines, pod_of, serve, state_option
from impl.cli.wire_options import WIRE_OPTIONS, Wire, with_options
from impl.core import IllegalInput
from impl.errors import BadDeployment
from impl.messages import Pod
from impl.service.aca import AcaService
from impl.service.alcor_ncm import AlcorNcmService
from impl.storage.store import SqliteStore
from impl.transport.grpc.agent_gateway import AcaGateway
from impl.transport.grpc.dpm_gateway import DpmGateway
from impl.transport.grpc.endpoints import NCM_PORT, endpoint
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.ncm_gateway import NcmGateway
from impl.transport.grpc.resources import Resources

OPTIONS: Final = (click.argument("ncm", metavar="NCM"), state_option, *WIRE_OPTIONS)


def wire_options(command: Any) -> Any:
    """Adds what all processes have in common."""
    return with_options(command, *OPTIONS)


ncm_name_option: Final = click.option(
    "--ncm-name", metavar="NAME", help="What NCM's certificate says (default: ncm), or NCM's address."
)


@click.group()
@click.option(
    "--verbose", "-v", is_flag=True, help="Log everything that happens, not only what is out of the ordinary."
)
def alcor(verbose: bool) -> None:
    """Run a service on Alcor's own wire (gRPC): ncm, dpm or aca. NCM is ADDRESS or ADDRESS:PORT.

    Callers show certificates of one authority. Alcor's own programs have none: for them, --identity address takes the address of a
    socket for who calls. A VPC is its VNI, and a host without a name is its address with hyphens.
    """
    log_lines(verbose=verbose)


@alcor.command()
@wire_options
@click.option("--dpm", metavar="NAME", help="What DPM's certificate says (default: dpm), or DPM's address.")
def ncm(state: Path | None, dpm: str | None, **options: Any) -> int:
    """Run NCM, for agents of ours and of Alcor's.

    \b
    Examples:
      ondemand alcor ncm 10.0.0.100 --hosts hosts --certificate ncm.crt --key ncm.key --authority all.crt
      ondemand alcor ncm 127.0.0.100 --identity address --dpm 127.0.0.101
    """
    ncm_at, wire, path = endpoint(options["ncm"], NCM_PORT), Wire("ncm", options), state or Path("ncm.sqlite")
    who = wire.name("--dpm", dpm, "dpm", None)
    resources = Resources(path.with_name(f"{path.name}.resources"), wire.schema, wire.directory)
    gateway = NcmGateway(
        Loop(),
        wire.schema,
        wire.directory,
        wire.identity,
        resources,
        ncm_at,
        who,
        source=ncm_at.address if wire.by_address else None,
    )
    return serve(AlcorNcmService(SqliteStore(path, "ncm"), gateway), None)


@alcor.command()
@wire_options
@ncm_name_option
@click.option("--source", metavar="ADDRESS", help="The address to call from.")
def dpm(state: Path | None, ncm_name: str | None, source: str | None, **options: Any) -> int:
    """Run DPM. Each line of standard input is a decision: `place VNI/IP HOST`, or `remove VNI/IP`.

    \b
    Example:
      ondemand alcor dpm 127.0.0.100 --identity address --source 127.0.0.101
    """
    ncm_at, wire = endpoint(options["ncm"], NCM_PORT), Wire("dpm", options)
    who = wire.name("--ncm-name", ncm_name, "ncm", ncm_at.address)
    gateway = DpmGateway(Loop(), wire.schema, wire.directory, wire.identity, ncm_at, who, source=source)
    service = TellingDpm(SqliteStore(state or Path("dpm.sqlite"), "dpm"), gateway.open)

    def checked(pod: str, host: str | None = None) -> Pod:
        found = pod_of(pod)
        gateway.check(found, host)
        return found

    def decide(words: list[str]) -> None:
        match words:
            case ["place", pod, host]:
                service.place(checked(pod, host), host).result()
            case ["remove", pod]:
                service.remove(checked(pod)).result()
            case _:
                raise IllegalInput(f"{' '.join(words)!r} is no decision: place VNI/IP HOST, or remove VNI/IP")

    return serve(service, decide)


@alcor.command()
@wire_options
@ncm_name_option
@click.option("--listen", metavar="ADDRESS[:PORT]", required=True, help="This host's address, where NCM reaches it.")
@click.option("--host", metavar="NAME", help="This host's name, if no file of hosts says it.")
def aca(state: Path | None, ncm_name: str | None, listen: str, host: str | None, **options: Any) -> int:
    """Run a host's agent. Each line of standard input is a packet: `packet VNI/SOURCE VNI/DESTINATION`.

    \b
    Examples:
      ondemand alcor aca 10.0.0.100 --listen 10.0.0.1 --host h1 --certificate h1.crt --key h1.key --authority all.crt
      ondemand alcor aca 127.0.0.100 --listen 127.0.0.1 --identity address
    """
    where = endpoint(listen, options["agent_port"])
    ncm_at, wire = endpoint(options["ncm"], NCM_PORT), Wire("aca", options)
    name = host or wire.directory.name_of(where.address)
    if name is None:
        raise BadDeployment(f"--listen {where.address}: is the address of no host in the file of hosts")
    who = wire.name("--ncm-name", ncm_name, "ncm", ncm_at.address)
    gateway = AcaGateway(
        Loop(),
        wire.schema,
        name,
        wire.directory,
        wire.identity,
        where,
        ncm_at,
        who,
        source=where.address if wire.by_address else None,
    )
    service = AcaService(name, SqliteStore(state or Path(f"{name}.sqlite"), name), gateway.open, Printing())

    def send(words: list[str]) -> None:
        match words:
            case ["packet", source, destination]:
                service.packet(pod_of(source), pod_of(destination)).result()
            case _:
                raise IllegalInput(f"{' '.join(words)!r} is no packet: packet VNI/SOURCE VNI/DESTINATION")

    return serve(service, send)
