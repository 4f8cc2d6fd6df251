"""The on-demand protocol, assembled from its modules. Reading order: vocabulary, definitions, roles, promises, variants."""

from __future__ import annotations

from model.language import Protocol
from spec.on_demand import (
    aca,
    adversary,
    definitions,
    dpm,
    lemmas,
    liveness,
    ncm,
    partial_variants,
    promises,
    variants,
    vocabulary,
)

PROTOCOL = Protocol.of(
    "on-demand",
    vocabulary,
    definitions,
    dpm,
    ncm,
    aca,
    adversary,
    promises,
    liveness,
    lemmas,
    variants,
    partial_variants,
)
