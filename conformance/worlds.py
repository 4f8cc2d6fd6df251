"""The named configurations: those in `conformance/configurations`, and any file that a user names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from conformance.exits import Exit, Problem
from conformance.report import no_such
from model.configuration import Configuration, load
from spec.language import Protocol, Variant

FOLDER: Final = Path(__file__).parent / "configurations"
BENCH: Final = "bench"
"""The configuration whose numbers the README gives."""


def names() -> list[str]:
    """All names; `bench` is the last, since it takes the longest."""
    found = sorted(path.stem for path in FOLDER.glob("*.toml"))
    return sorted(found, key=lambda name: name == BENCH)


def find(name: str, protocol: Protocol) -> Configuration:
    """The configuration of this name, or in this file."""
    if name in names():
        return load(FOLDER / f"{name}.toml", protocol)
    if not Path(name).suffix:
        raise Problem(f"{no_such('configuration', name, names())}, or name a TOML file", Exit.BAD_INPUT)
    return load(Path(name), protocol)


def variant_of(name: str | None, protocol: Protocol) -> Variant | None:
    """The variant of this name."""
    if name is None:
        return None
    for variant in protocol.variants:
        if variant.name == name:
            return variant
    raise Problem(no_such("variant", name, [variant.name for variant in protocol.variants]), Exit.BAD_INPUT)


def with_variant(name: str | None, protocol: Protocol) -> Protocol:
    """The protocol with the variant of this name in it, if there is one."""
    chosen = variant_of(name, protocol)
    return protocol if chosen is None else protocol.with_variant(chosen)


variant_option = click.option(
    "--variant",
    metavar="NAME",
    help="Put a deviation in the place of the action that it replaces, to see the check bite; spec/protocol.md lists them.",
)
CONFIG_HELP: Final = f"{', '.join(names())}, or a TOML file of your own"
"""What may stand behind --config."""
