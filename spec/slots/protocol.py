"""The topology with slots, put together. Read it in this order: vocabulary, definitions, the roles, the promises, the variants."""

from __future__ import annotations

from model.language import Protocol
from spec.slots import aca, adversary, broker, definitions, dpm, lemmas, promises, variants, vocabulary

PROTOCOL = Protocol.of("slots", vocabulary, definitions, dpm, broker, aca, adversary, promises, lemmas, variants)
