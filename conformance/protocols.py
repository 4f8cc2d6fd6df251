"""The protocols that are stated, and which of them a command is about."""

from __future__ import annotations

from typing import Final

import click

from conformance.data.files import PROGRAM
from impl.cli.console import no_such
from impl.cli.exits import Exit, Problem
from model.language import Protocol, Variant
from spec.failover.protocol import PROTOCOL as FAILOVER
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND
from spec.slots.protocol import PROTOCOL as SLOTS
from spec.small_networks.protocol import PROTOCOL as SMALL_NETWORKS

PROTOCOLS: Final = (ON_DEMAND, SMALL_NETWORKS, MESSAGE_QUEUE, SLOTS, FAILOVER)
"""In reading order. Names of protocols, of their configurations and of their variants are unique over all of them."""

REPLAYED: Final = frozenset({ON_DEMAND.name, MESSAGE_QUEUE.name})
"""Those whose runs are replayed on the implementation, step by step."""


def named(name: str) -> Protocol:
    """The protocol of this name.

    Raises:
        Problem: there is none.
    """
    for protocol in PROTOCOLS:
        if protocol.name == name:
            return protocol
    raise Problem(no_such("protocol", name, [protocol.name for protocol in PROTOCOLS]), Exit.BAD_INPUT)


def base(protocol: Protocol) -> Protocol:
    """The protocol as it is stated, of one that may have a variant in it."""
    return named(protocol.name.split(" with ")[0])


def variant_of(name: str) -> tuple[Protocol, Variant]:
    """The variant of this name, and the protocol that it is a deviation from.

    Raises:
        Problem: there is none.
    """
    every = [(protocol, variant) for protocol in PROTOCOLS for variant in protocol.variants]
    for protocol, variant in every:
        if variant.name == name:
            return protocol, variant
    raise Problem(no_such("variant", name, [variant.name for _, variant in every]), Exit.BAD_INPUT)


def wanted(name: str | None, variant: str | None) -> list[Protocol]:
    """The protocols that a command is about: the one that is named, the variant's with the variant in it, or all.

    Raises:
        Problem: a name does not exist, or the variant is of another protocol.
    """
    if variant is None:
        return list(PROTOCOLS) if name is None else [named(name)]
    protocol, chosen = variant_of(variant)
    if name is not None and named(name) is not protocol:
        raise Problem(f"{variant} is a variant of {protocol.name}, not of {name}; leave --protocol out", Exit.BAD_INPUT)
    return [protocol.with_variant(chosen)]


def again(command: str, variant: str | None = None) -> str:
    """What one types to see it again."""
    return f"{PROGRAM} {command}{f' --variant {variant}' if variant else ''}"


protocol_option = click.option(
    "--protocol",
    "protocol_name",
    metavar="NAME",
    help=f"{', '.join(protocol.name for protocol in PROTOCOLS)}. [default: all, or the one that is meant]",
)
variant_option = click.option(
    "--variant",
    metavar="NAME",
    help="Put a deviation in the place of the action that it replaces, to see the check bite; the reference documents list them.",
)
