"""Who calls. With mutual TLS it is the name in the client's certificate; never the payload's word.

Alcor's programs speak plaintext and take the socket's address for the caller. That is possible here too, but somebody has to ask
for it: whoever can take an address can speak for its host then.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import grpc

from impl.errors import BadDeployment
from impl.transport.grpc.directory import Directory, name_after

CERTIFICATE, ADDRESS = "certificate", "address"


class Identity(Protocol):
    """How callers are told apart, and what channels are made of."""

    def caller(self, context: Any) -> str | None:
        """The name of who makes this call, read from the call itself; none: it has none that counts."""

    def server(self) -> Any | None:
        """Credentials of a server; none: plaintext."""

    def client(self) -> Any | None:
        """Credentials of a client; none: plaintext."""


@dataclass(frozen=True)
class ByCertificate:
    """Mutual TLS: both ends show a certificate of the same authority, and the name in it is who they are."""

    certificate: bytes
    key: bytes = field(repr=False)
    authority: bytes

    def caller(self, context: Any) -> str | None:
        """The alternative name of the certificate's subject, or its common name if there is none; of several names none counts."""
        known = context.auth_context()
        names: Sequence[bytes] = known.get("x509_subject_alternative_name") or known.get("x509_common_name") or []
        return str(names[0], "utf-8", "replace") if len(names) == 1 else None

    def server(self) -> Any:
        pairs = [(self.key, self.certificate)]
        return grpc.ssl_server_credentials(pairs, root_certificates=self.authority, require_client_auth=True)

    def client(self) -> Any:
        return grpc.ssl_channel_credentials(self.authority, self.key, self.certificate)


@dataclass(frozen=True)
class ByAddress:
    """What Alcor does: the other end of the socket is who calls. What has no name in the directory is called by its address."""

    directory: Directory

    def caller(self, context: Any) -> str | None:
        kind, _, rest = str(context.peer()).partition(":")
        address = rest.rpartition(":")[0]
        return (self.directory.name_of(address) or name_after(address)) if kind == "ipv4" else None

    def server(self) -> None:
        return None

    def client(self) -> None:
        return None


def choose_identity(
    kind: str | None,
    directory: Directory,
    certificate: Path | None,
    key: Path | None,
    authority: Path | None,
    process: str,
) -> Identity:
    """How a process tells callers apart, from what its user has said.

    Raises:
        BadDeployment: nothing was said, or not enough, or a file cannot be read.
    """
    files = {"--certificate": certificate, "--key": key, "--authority": authority}
    given = {option: path for option, path in files.items() if path is not None}
    if kind == ADDRESS:
        if given:
            raise BadDeployment(f"{next(iter(given))} and --identity address exclude each other; leave one of them out")
        logging.getLogger(f"ondemand.{process}").warning(
            "takes the address of a socket for the identity of the caller, unencrypted: for Alcor's own programs, in a network "
            "where nobody can take another's address"
        )
        return ByAddress(directory)
    if len(given) < len(files):
        missing = ", ".join(option for option in files if option not in given)
        raise BadDeployment(
            f"callers could not be told apart: {missing} is missing; give all of {', '.join(files)}, or --identity address"
        )
    read = {option: _read(option, path) for option, path in given.items()}
    return ByCertificate(read["--certificate"], read["--key"], read["--authority"])


def _read(option: str, path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise BadDeployment(f"{option} {path}: cannot be read ({problem.strerror}); name a PEM file") from problem
    if b"-----BEGIN " not in data:
        raise BadDeployment(f"{option} {path}: is no PEM file")
    return data
