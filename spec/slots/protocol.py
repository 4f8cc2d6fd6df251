"""The protocol of the topology with slots. Reading order: vocabulary, definitions, roles, promises, variants."""

from __future__ import annotations

from model.language import Protocol
from spec.slots import aca, adversary, broker, definitions, dpm, lemmas, promises, variants, vocabulary

PROTOCOL = Protocol.of("slots", vocabulary, definitions, dpm, broker, aca, adversary, promises, lemmas, variants)
