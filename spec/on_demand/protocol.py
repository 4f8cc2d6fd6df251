"""The on-demand protocol, put together. Read it in this order: vocabulary, definitions, the roles, the promises, the variants."""

from __future__ import annotations

from model.language import Protocol
from spec.on_demand import aca, adversary, definitions, dpm, lemmas, liveness, ncm, promises, variants, vocabulary

PROTOCOL = Protocol.of(
    "on-demand", vocabulary, definitions, dpm, ncm, aca, adversary, promises, liveness, lemmas, variants
)
