"""The options of the commands that use Alcor's gRPC interfaces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from impl.errors import BadDeployment
from impl.transport.grpc.directory import Directory, name_after, read_directory
from impl.transport.grpc.endpoints import AGENT_PORT
from impl.transport.grpc.identity import ADDRESS, CERTIFICATE, Identity, choose_identity
from impl.wire.alcor.schema import NUMBERINGS, PIN, schema

FILE: Final = click.Path(path_type=Path)
PORT: Final = click.IntRange(1, 65535)

WIRE_OPTIONS: Final = (
    click.option(
        "--numbering",
        type=click.Choice(NUMBERINGS),
        default=PIN,
        show_default=True,
        help="The version of Alcor's messages, which decides their field numbers.",
    ),
    click.option(
        "--identity",
        type=click.Choice([CERTIFICATE, ADDRESS]),
        help="What identifies a caller: its certificate, or its source address.",
    ),
    click.option(
        "--certificate", type=FILE, metavar="PEM", help="This process's certificate, which contains its name."
    ),
    click.option("--key", type=FILE, metavar="PEM", help="The private key of the certificate."),
    click.option(
        "--authority", type=FILE, metavar="PEM", help="The certificate of the authority that issued all certificates."
    ),
    click.option("--hosts", type=FILE, metavar="FILE", help="A file with one host in each line: NAME ADDRESS[:PORT]."),
    click.option(
        "--agent-port", type=PORT, default=AGENT_PORT, show_default=True, help="The port at which agents listen."
    ),
)


class Wire:
    """The wire that the options configure.

    Raises:
        BadDeployment: an option is wrong or missing.
    """

    def __init__(self, process: str, options: Mapping[str, Any]) -> None:
        self.schema = schema(options["numbering"])
        self.by_address = options["identity"] == ADDRESS
        hosts, port = options["hosts"], options["agent_port"]
        self.directory = Directory(None, port) if hosts is None else read_directory(hosts, port)
        files = options["certificate"], options["key"], options["authority"]
        self.identity: Identity = choose_identity(options["identity"], self.directory, *files, process)
        if hosts is None and not self.by_address and process != "aca":
            raise BadDeployment("--hosts is missing; certificates name hosts, and this file gives the address of each")

    def name(self, option: str, said: str | None, role: str, address: str | None) -> str:
        """The name of DPM or NCM: the one in its certificate, or one made of its address."""
        if not self.by_address:
            return said or role
        address = said or address or ""
        name = self.directory.name_of(address) or name_after(address)
        if name is None:
            raise BadDeployment(f"{option}: expected an IPv4 address with --identity address, found {address!r}")
        return name
