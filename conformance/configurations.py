"""The named configurations: those in `conformance/data/configurations`, by protocol, and any file that a user names.

Those in a folder `live` are for what happens eventually: in them everybody can do what others count on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from conformance.data.files import kept
from conformance.protocols import PROTOCOLS, base, named, wanted
from impl.cli.console import no_such
from impl.cli.exits import Exit, Problem
from model.language import Protocol
from model.reference.configuration import Configuration, load

LIVE: Final = "live"
BENCH: Final = "bench"
"""The configuration whose figures docs/benchmarks.md and the README give."""


def _folder(protocol: Protocol) -> Path:
    return kept("configurations", base(protocol).name)


def live_names(protocol: Protocol) -> list[str]:
    """The names of those in which it is decided what happens eventually."""
    return sorted(path.stem for path in (_folder(protocol) / LIVE).glob("*.toml"))


def names(protocol: Protocol) -> list[str]:
    """The names of those that are explored; `bench` is the last, since it takes the longest."""
    found = sorted(path.stem for path in _folder(protocol).glob("*.toml"))
    return sorted(found, key=lambda name: name == BENCH)


def first(protocol: Protocol) -> str:
    """The configuration of a protocol that is taken where none is named: the one that leaves the least out."""

    def left_out(name: str) -> int:
        configuration = find(name, protocol)
        return len(configuration.without) + len(configuration.only)

    return min(names(protocol), key=left_out)


def every_name() -> list[str]:
    """The names of the configurations of all protocols."""
    return [name for protocol in PROTOCOLS for name in names(protocol)]


def path_of(name: str, protocol: Protocol) -> Path:
    """The file of a named configuration."""
    folder = _folder(protocol)
    return (folder / LIVE if name in live_names(protocol) else folder) / f"{name}.toml"


def find(name: str, protocol: Protocol) -> Configuration:
    """The configuration of this name, or in this file."""
    known = names(protocol) + live_names(protocol)
    if name in known:
        return load(path_of(name, protocol), protocol)
    if not Path(name).suffix:
        raise Problem(f"{no_such('configuration', name, known)}, or name a TOML file", Exit.BAD_INPUT)
    return load(Path(name), protocol)


def meant(config: str | None, protocol_name: str | None, variant: str | None) -> Protocol:
    """The one protocol that is meant: by name, by variant, or since it has a configuration of this name; else the first.

    Raises:
        Problem: a name does not exist.
    """
    if protocol_name is not None or variant is not None:
        return wanted(protocol_name, variant)[0]
    if config is not None and not Path(config).suffix:
        for protocol in PROTOCOLS:
            if config in names(protocol) + live_names(protocol):
                return protocol
        raise Problem(f"{no_such('configuration', config, every_name())}, or name a TOML file", Exit.BAD_INPUT)
    return named(PROTOCOLS[0].name)


CONFIG_HELP: Final = f"{', '.join(every_name())}, or a TOML file of your own"
"""What may stand behind --config."""
