"""The identity of callers. With mutual TLS it is the name in the client's certificate; never a claim in the payload.

Alcor's programs use plaintext and identify a caller by the address of its socket. That is possible here too, but must be requested
explicitly: a program that can take an address can then act as the host at that address.
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
    """How callers are identified, and the credentials of channels."""

    def caller(self, context: Any) -> str | None:
        """The name of the caller, taken from the call itself; None: it has no valid one."""

    def server(self) -> Any | None:
        """Credentials of a server; None: plaintext."""

    def client(self) -> Any | None:
        """Credentials of a client; None: plaintext."""


@dataclass(frozen=True)
class ByCertificate:
    """Mutual TLS: both ends present a certificate of the same authority, and the name in it is the identity."""

    certificate: bytes
    key: bytes = field(repr=False)
    authority: bytes

    def caller(self, context: Any) -> str | None:
        """The subject alternative name of the certificate, or its common name if there is none; of several names, none is valid."""
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
    """Alcor's way: the remote address of the socket is the identity. An address without a name in the directory is its own name."""

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
    """The way in which a process identifies callers, from the user's options.

    Raises:
        BadDeployment: options are missing or conflict, or a file cannot be read.
    """
    files = {"--certificate": certificate, "--key": key, "--authority": authority}
    given = {option: path for option, path in files.items() if path is not None}
    if kind == ADDRESS:
        if given:
            raise BadDeployment(f"{next(iter(given))} and --identity address exclude each other; leave one of them out")
        logging.getLogger(f"ondemand.{process}").warning(
            "identifies callers by socket address, unencrypted: use this only for Alcor's own programs, in a network "
            "where nobody can take another's address"
        )
        return ByAddress(directory)
    if len(given) < len(files):
        missing = ", ".join(option for option in files if option not in given)
        raise BadDeployment(
            f"callers cannot be identified: {missing} is missing; give all of {', '.join(files)}, or --identity address"
        )
    read = {option: _read(option, path) for option, path in given.items()}
    return ByCertificate(read["--certificate"], read["--key"], read["--authority"])


def _read(option: str, path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise BadDeployment(f"{option} {path}: cannot be read ({problem.strerror}); name a PEM file") from problem
    if b"-----BEGIN " not in data:
        raise BadDeployment(f"{option} {path}: is not a PEM file")
    return data
