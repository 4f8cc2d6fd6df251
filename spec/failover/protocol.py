"""Failover, put together. Read it in this order: vocabulary, actions, promises, variants."""

from __future__ import annotations

from spec.failover import actions, promises, variants, vocabulary
from spec.language import Protocol

PROTOCOL = Protocol.of("failover", vocabulary, actions, promises, variants)
