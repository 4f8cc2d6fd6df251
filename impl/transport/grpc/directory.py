"""Hosts by name and by address. On Alcor's wire a host is its IP; to the cores it is a name.

Without a file of hosts a host is named after its IPv4 address, with hyphens for dots: the host at 10.0.0.1 is `10-0-0-1`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from impl.errors import BadDeployment
from impl.messages import HOST_NAME
from impl.transport.grpc.endpoints import AGENT_PORT, Endpoint, endpoint

LOOKS_LIKE_AN_ADDRESS: Final = re.compile(r"\d+-\d+-\d+-\d+")


def name_after(address: str) -> str | None:
    """The default name of the host at this address; None: it is not an IPv4 address."""
    try:
        return str(ipaddress.IPv4Address(address)).replace(".", "-")
    except ValueError:
        return None


class Directory:
    """Names and addresses of hosts. With entries only those are hosts; without, every IPv4 address is one."""

    def __init__(self, entries: Mapping[str, Endpoint] | None = None, port: int = AGENT_PORT) -> None:
        self._entries = entries
        self._port = port
        self._names = {entry.address: name for name, entry in (entries or {}).items()}

    @property
    def names(self) -> tuple[str, ...] | None:
        """The hosts, in order; None: every address is a host."""
        return None if self._entries is None else tuple(sorted(self._entries))

    def name_of(self, address: str) -> str | None:
        """The host at an address; None: there is no such host."""
        return name_after(address) if self._entries is None else self._names.get(address)

    def find(self, name: str) -> Endpoint | None:
        """The address of a host's agent; None: there is no such host."""
        if self._entries is not None:
            return self._entries.get(name)
        address = name.replace("-", ".")
        return Endpoint(address, self._port) if name_after(address) == name else None


def read_directory(path: Path, port: int = AGENT_PORT) -> Directory:
    """Reads a file of hosts: `NAME ADDRESS` or `NAME ADDRESS:PORT` per line; `#` begins a comment.

    Raises:
        BadDeployment: it cannot be read, or a line is wrong; the text names it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise BadDeployment(f"{path}: cannot be read ({problem}); name a file of hosts") from problem
    entries: dict[str, Endpoint] = {}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        place = f"{path}, line {number}"
        if len(words) != 2:
            raise BadDeployment(f"{place}: expected a name and an address, found {len(words)} words")
        name, where = words
        if not HOST_NAME.fullmatch(name) or LOOKS_LIKE_AN_ADDRESS.fullmatch(name):
            raise BadDeployment(
                f"{place}: invalid host name {name!r}; use lower-case letters, digits and hyphens, and no address"
            )
        try:
            found = endpoint(where, port)
        except BadDeployment as problem:
            raise BadDeployment(f"{place}: {problem}") from problem
        if name in entries or any(entry.address == found.address for entry in entries.values()):
            raise BadDeployment(f"{place}: the name or the address is used twice; write one line per host")
        entries[name] = found
    if not entries:
        raise BadDeployment(f"{path}: contains no host; write NAME ADDRESS, one per line")
    return Directory(entries, port)
