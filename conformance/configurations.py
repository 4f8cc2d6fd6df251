"""The named configurations: those in `conformance/data/configurations`, by protocol, and any file that a user names.

The configurations in a folder `live` are for eventualities: in them every process can do what others depend on. Those in a folder
`scenarios` are for scenarios alone: they are too large to explore.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from conformance.data.files import kept
from conformance.protocols import PROTOCOLS, base, named, wanted
from impl.cli.console import listed, no_such
from impl.cli.exits import Exit, Problem
from model.language import Protocol
from model.reference.configuration import Configuration, load

LIVE: Final = "live"
SCENARIOS: Final = "scenarios"
BENCH: Final = "bench"
"""The configuration whose figures docs/benchmarks.md and the README give."""


def folder(protocol: Protocol) -> Path:
    """The folder of a protocol's configurations."""
    return kept("configurations", base(protocol).name)


def live_folder(protocol: Protocol) -> Path:
    """The folder of the configurations in which eventualities are decided."""
    return folder(protocol) / LIVE


def live_names(protocol: Protocol) -> list[str]:
    """The names of the configurations in which eventualities are decided."""
    return sorted(path.stem for path in live_folder(protocol).glob("*.toml"))


def names(protocol: Protocol) -> list[str]:
    """The names of the configurations that are explored; `bench` comes last, since it takes the longest."""
    found = sorted(path.stem for path in folder(protocol).glob("*.toml"))
    return sorted(found, key=lambda name: name == BENCH)


def of_scenarios(protocol: Protocol) -> list[Configuration]:
    """The configurations that are for scenarios alone."""
    return [load(path, protocol) for path in sorted((folder(protocol) / SCENARIOS).glob("*.toml"))]


def paths(protocol: Protocol) -> dict[str, Path]:
    """The files of all configurations of a protocol, by name: those that are explored, the live ones, those of scenarios."""
    folders = (folder(protocol), live_folder(protocol), folder(protocol) / SCENARIOS)
    return {path.stem: path for each in folders for path in sorted(each.glob("*.toml"))}


def first(protocol: Protocol) -> str:
    """The default configuration of a protocol: the one that leaves out the fewest actions.

    Raises:
        Problem: it has none.
    """

    def left_out(name: str) -> int:
        configuration = find(name, protocol)
        return len(configuration.without) + len(configuration.only)

    if not names(protocol):
        raise Problem(f"{protocol.name} has no configuration of its own; name one with --config", Exit.BAD_INPUT)
    return min(names(protocol), key=left_out)


def every_name() -> list[str]:
    """The names of the configurations of all protocols."""
    return [name for protocol in PROTOCOLS for name in names(protocol)]


def path_of(name: str, protocol: Protocol) -> Path:
    """The file of a named configuration."""
    return paths(protocol)[name]


def find(name: str, protocol: Protocol) -> Configuration:
    """The configuration of this name, or in this file.

    Raises:
        Problem: there is none of this name.
        BadInput: the file cannot be read, or is malformed.
    """
    known = paths(protocol)
    if name in known:
        return load(known[name], protocol)
    if not Path(name).suffix:
        raise _unknown(name, known)
    found = load(Path(name), protocol)
    _given[found.name] = name
    return found


_given: dict[str, str] = {}


def given(name: str) -> str:
    """What `--config` takes for a configuration of this name: its file, if it was read from one that the user named."""
    return _given.get(name, name)


def _unknown(name: str, known: Iterable[str]) -> Problem:
    names = list(known)
    if not names:
        return Problem(f"unknown configuration {name!r}; name a TOML file, as in {name or 'lock'}.toml", Exit.BAD_INPUT)
    return Problem(f"{no_such('configuration', name, names)}, or a TOML file", Exit.BAD_INPUT)


def meant(config: str | None, protocol_name: str | None, variant: str | None) -> Protocol:
    """The protocol that a command is about: by name, by variant, by its configuration of this name; else the first.

    Raises:
        Problem: a name does not exist.
    """
    if protocol_name is not None or variant is not None:
        return wanted(protocol_name, variant)[0]
    if config is not None and not Path(config).suffix:
        for protocol in PROTOCOLS:
            if config in paths(protocol):
                return protocol
        raise _unknown(config, every_name())
    return named(PROTOCOLS[0].name)


CONFIG_HELP: Final = (
    f"A configuration by name ({listed(every_name(), 6)}; see conformance/data/configurations), or a TOML file"
    if every_name()
    else "A configuration: a TOML file"
)
"""What --config takes."""
