"""The small-networks protocol: on demand in large VPCs, in advance in small ones; the on-demand protocol and one module."""

from __future__ import annotations

from model.language import Protocol
from spec.on_demand import aca, adversary, definitions, dpm, lemmas, ncm, promises, vocabulary
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND
from spec.small_networks import statement

PROTOCOL = Protocol.of(
    "small-networks",
    vocabulary,
    definitions,
    dpm,
    ncm,
    aca,
    adversary,
    promises,
    lemmas,
    statement,
    extends=ON_DEMAND,
)
