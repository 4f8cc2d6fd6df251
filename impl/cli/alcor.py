"""`ondemand alcor`: the services over Alcor's gRPC interfaces, without a broker."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from impl.cli.console import options
from impl.cli.direct_options import dpm_name_option
from impl.cli.program import Subcommands
from impl.cli.run import Printing, TellingDpm, log_lines, pod_of, send, serve, state_option
from impl.cli.wire_options import WIRE_OPTIONS, Wire
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

wire_options: Final = options(click.argument("ncm", metavar="NCM"), state_option, *WIRE_OPTIONS)
"""Adds the options that all processes share."""

ncm_name_option: Final = click.option(
    "--ncm-name",
    metavar="NAME",
    help="The name in NCM's certificate, or with --identity address NCM's address. [default: ncm, or the argument NCM]",
)


@click.group(cls=Subcommands)
@click.option("--verbose", "-v", is_flag=True, help="Log every event, also those of debug level.")
def alcor(verbose: bool) -> None:
    """Run a service over Alcor's gRPC interfaces: ncm, dpm or aca. The argument NCM is ADDRESS or ADDRESS:PORT.

    Callers present certificates of one authority. Alcor's own programs have no certificates; with --identity address, the source
    address of a connection identifies the caller. A VPC is named by its VNI. A host without a name is named by its address, with
    hyphens.

    \b
    Examples:
      ondemand alcor ncm 127.0.0.100 --identity address --dpm 127.0.0.101
      ondemand alcor dpm 127.0.0.100 --identity address --source 127.0.0.101
      ondemand alcor aca 127.0.0.100 --identity address --listen 127.0.0.1
    """
    log_lines(verbose=verbose)


@alcor.command()
@wire_options
@dpm_name_option
def ncm(state: Path | None, dpm: str | None, **given: Any) -> int:
    """Run NCM, for our agents and for Alcor's.

    \b
    Examples:
      ondemand alcor ncm 10.0.0.100 --hosts hosts --certificate ncm.crt --key ncm.key --authority all.crt
      ondemand alcor ncm 127.0.0.100 --identity address --dpm 127.0.0.101
    """
    ncm_at, wire, path = endpoint(given["ncm"], NCM_PORT), Wire("ncm", given), state or Path("ncm.sqlite")
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
@click.option("--source", metavar="ADDRESS", help="The local address from which DPM calls.")
def dpm(state: Path | None, ncm_name: str | None, source: str | None, **given: Any) -> int:
    """Run DPM. Each line of standard input is a decision: `place VNI/IP HOST` or `remove VNI/IP`.

    \b
    Example:
      ondemand alcor dpm 127.0.0.100 --identity address --source 127.0.0.101
    """
    ncm_at, wire = endpoint(given["ncm"], NCM_PORT), Wire("dpm", given)
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
                raise IllegalInput(
                    f"Invalid decision {' '.join(words)!r}: expected place VNI/IP HOST, or remove VNI/IP."
                )

    return serve(service, decide)


@alcor.command()
@wire_options
@ncm_name_option
@click.option(
    "--listen", metavar="ADDRESS[:PORT]", required=True, help="This host's address, at which NCM reaches the agent."
)
@click.option(
    "--host", metavar="NAME", help="This host's name. [default: the name that the file of --hosts gives for --listen]"
)
def aca(state: Path | None, ncm_name: str | None, listen: str, host: str | None, **given: Any) -> int:
    """Run a host's agent. Each line of standard input is a packet: `packet VNI/SOURCE VNI/DESTINATION`.

    \b
    Examples:
      ondemand alcor aca 10.0.0.100 --listen 10.0.0.1 --host h1 --certificate h1.crt --key h1.key --authority all.crt
      ondemand alcor aca 127.0.0.100 --listen 127.0.0.1 --identity address
    """
    where = endpoint(listen, given["agent_port"])
    ncm_at, wire = endpoint(given["ncm"], NCM_PORT), Wire("aca", given)
    name = host or wire.directory.name_of(where.address)
    if name is None:
        raise BadDeployment(
            f"--listen {where.address}: no host has this address; add it to the file of --hosts, or give --host"
        )
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

    return serve(service, partial(send, service, "VNI"))
