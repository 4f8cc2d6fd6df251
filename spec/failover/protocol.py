"""The failover protocol. Reading order: vocabulary, actions, promises, variants."""

from __future__ import annotations

from model.language import Protocol
from spec.failover import actions, promises, variants, vocabulary

PROTOCOL = Protocol.of("failover", vocabulary, actions, promises, variants)
