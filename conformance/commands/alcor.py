"""`ondemand alcor`: the services on Alcor's own wire, without a broker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from conformance.commands.run import Printing, TellingDpm, log_lines, pod_of, serve, state_option
from impl.alcor.aca import AcaGateway
from impl.alcor.directory import Directory, name_after, read_directory
from impl.alcor.dpm import DpmGateway
from impl.alcor.identity import ADDRESS, CERTIFICATE, Identity, choose_identity
from impl.alcor.loop import Loop
from impl.alcor.ncm import AlcorNcmService, NcmGateway
from impl.alcor.resources import Resources
from impl.alcor.services import AGENT_PORT, NCM_PORT, Endpoint, endpoint
from impl.core import IllegalInput
from impl.errors import BadDeployment
from impl.messages import Pod
from impl.service.aca import AcaService
from impl.store import SqliteStore
from impl.wire.alcor.schema import NUMBERINGS, PIN, schema

FILE: Final = click.Path(path_type=Path)

OPTIONS: Final = (
    click.argument("ncm", metavar="NCM"),
    state_option,
    click.option("--numbering", type=click.Choice(NUMBERINGS), default=PIN, show_default=True, help="Of the messages."),
    click.option("--identity", type=click.Choice([CERTIFICATE, ADDRESS]), help="How callers are told apart."),
    click.option("--certificate", type=FILE, metavar="PEM", help="The name in it is who this process is."),
    click.option("--key", type=FILE, metavar="PEM", help="The certificate's key."),
    click.option("--authority", type=FILE, metavar="PEM", help="Who has issued the certificates of all."),
    click.option("--hosts", type=FILE, metavar="FILE", help="One host a line: NAME ADDRESS[:PORT]."),
    click.option(
        "--agent-port",
        type=click.IntRange(1, 65535),
        default=AGENT_PORT,
        show_default=True,
        help="Where agents listen.",
    ),
)


def wire_options(command: Any) -> Any:
    """Adds what all processes have in common."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


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
    wire, path = Wire("ncm", options), state or Path("ncm.sqlite")
    who = wire.name("--dpm", dpm, "dpm", None)
    resources = Resources(path.with_name(f"{path.name}.resources"), wire.schema, wire.directory)
    gateway = NcmGateway(
        Loop(),
        wire.schema,
        wire.directory,
        wire.identity,
        resources,
        wire.ncm,
        who,
        source=wire.ncm.address if wire.by_address else None,
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
    wire = Wire("dpm", options)
    who = wire.name("--ncm-name", ncm_name, "ncm", wire.ncm)
    gateway = DpmGateway(Loop(), wire.schema, wire.directory, wire.identity, wire.ncm, who, source=source)
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
    wire = Wire("aca", options)
    name = host or wire.directory.name_of(where.address)
    if name is None:
        raise BadDeployment(f"--listen {where.address}: is the address of no host in the file of hosts")
    who = wire.name("--ncm-name", ncm_name, "ncm", wire.ncm)
    gateway = AcaGateway(
        Loop(),
        wire.schema,
        name,
        wire.directory,
        wire.identity,
        where,
        wire.ncm,
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


class Wire:
    """What the options say.

    Raises:
        BadDeployment: one of them is wrong, or missing.
    """

    def __init__(self, process: str, options: Mapping[str, Any]) -> None:
        self.ncm = endpoint(options["ncm"], NCM_PORT)
        self.schema = schema(options["numbering"])
        self.by_address = options["identity"] == ADDRESS
        hosts, port = options["hosts"], options["agent_port"]
        self.directory = Directory(None, port) if hosts is None else read_directory(hosts, port)
        files = options["certificate"], options["key"], options["authority"]
        self.identity: Identity = choose_identity(options["identity"], self.directory, *files, process)
        if hosts is None and not self.by_address and process != "aca":
            raise BadDeployment(
                "--hosts is missing; certificates name hosts, so a file has to say where each of them is"
            )

    def name(self, option: str, said: str | None, role: str, where: Endpoint | None) -> str:
        """What DPM or NCM is called: by its certificate, or by its address."""
        if not self.by_address:
            return said or role
        address = said or (where.address if where is not None else "")
        name = self.directory.name_of(address) or name_after(address)
        if name is None:
            raise BadDeployment(f"{option} has to be an IPv4 address with --identity address, and is {address!r}")
        return name
