"""The stated protocols, and which of them a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from conformance import specification
from conformance.data.files import PROGRAM
from impl.cli.console import listed, no_such
from impl.cli.exits import Exit, Problem
from model.language import Protocol, Variant
from spec.failover.protocol import PROTOCOL as FAILOVER
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND
from spec.slots.protocol import PROTOCOL as SLOTS
from spec.small_networks.protocol import PROTOCOL as SMALL_NETWORKS

PROTOCOLS: Final = specification.stated((ON_DEMAND, SMALL_NETWORKS, MESSAGE_QUEUE, SLOTS, FAILOVER))
"""In reading order; only the user's own, if that is a file. The names of protocols, configurations and variants are unique."""

DRIVEN: Final = frozenset({ON_DEMAND.name, MESSAGE_QUEUE.name})
"""The protocols that are replayed, and whose processes are asked after every step what else they would do; their deployments write
event logs, and the mutants of their cores are replayed too."""

REPLAYED: Final = DRIVEN | {SLOTS.name, FAILOVER.name}
"""The protocols whose runs are replayed on the implementation, step by step."""

NOT_REPLAYED: Final = {
    SMALL_NETWORKS.name: "it has no implementation of its own; the one of on-demand leaves out what it adds, telling in advance"
}
"""Why the others are not."""


def replayed(name: str) -> str:
    """How the protocol of this name is replayed, or why it is not; empty if nothing is said of it."""
    if name in DRIVEN:
        return "step by step, and asked after each what else it would do"
    return "step by step" if name in REPLAYED else NOT_REPLAYED.get(name, "")


def spelled(name: str) -> str:
    """The name of a protocol as it is declared: with hyphens, also where the user wrote underscores."""
    return name.replace("_", "-")


def named(name: str) -> Protocol:
    """The protocol of this name, written with hyphens or underscores.

    Raises:
        Problem: there is none.
    """
    return chosen(name, [protocol.name for protocol in PROTOCOLS])


def chosen(name: str, among: Sequence[str], otherwise: str = "") -> Protocol:
    """The protocol of this name, written with hyphens or underscores, if it is `among` those that a command takes.

    `otherwise`: what the other protocols lack, such as "has no event logs".

    Raises:
        Problem: there is none of this name, or the command does not take it.
    """
    for protocol in PROTOCOLS:
        if protocol.name == spelled(name):
            if protocol.name in among:
                return protocol
            raise Problem(f"--protocol: {protocol.name} {otherwise}; choose one of {listed(among)}", Exit.BAD_INPUT)
    raise Problem(no_such("protocol", name, among), Exit.BAD_INPUT)


def base(protocol: Protocol) -> Protocol:
    """The stated protocol, of one that may have a variant in it."""
    return named(protocol.name.split(" with ")[0])


def variant_of(name: str) -> tuple[Protocol, Variant]:
    """The variant of this name, and the protocol that it deviates from.

    Raises:
        Problem: there is none.
    """
    every = [(protocol, variant) for protocol in PROTOCOLS for variant in protocol.variants]
    for protocol, variant in every:
        if variant.name == name:
            return protocol, variant
    raise Problem(no_such("variant", name, [variant.name for _, variant in every]), Exit.BAD_INPUT)


def wanted(name: str | None, variant: str | None) -> list[Protocol]:
    """The protocols that a command is about: the named one, the variant's with the variant in it, or all.

    Raises:
        Problem: a name does not exist, or the variant belongs to another protocol.
    """
    if variant is None:
        return list(PROTOCOLS) if name is None else [named(name)]
    protocol, deviation = variant_of(variant)
    if name is not None and named(name) is not protocol:
        raise Problem(
            f"--variant {variant} belongs to {protocol.name} and not to {spelled(name)}; leave --protocol out",
            Exit.BAD_INPUT,
        )
    return [protocol.with_variant(deviation)]


def again(command: str, variant: str | None = None) -> str:
    """The command line that reproduces a result."""
    return f"{PROGRAM} {command}{f' --variant {variant}' if variant else ''}"


protocol_option = click.option(
    "--protocol",
    "protocol_name",
    metavar="NAME",
    help=f"{listed(protocol.name for protocol in PROTOCOLS)}. "
    "[default: all, or the protocol that --config or --variant belongs to]",
)
variant_option = click.option(
    "--variant",
    metavar="NAME",
    help="Replace one action by this variant, which breaks the protocol, to see the check fail. The reference documents list the "
    "variants.",
)
