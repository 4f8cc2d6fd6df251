"""The message queue: one topic for all hosts of a large network, beside the direct channel; put together.

Read it in this order: vocabulary, definitions, the roles (dpm, aca, adversary), the promises, the lemmas, the variants.
"""

from __future__ import annotations

from model.language import Protocol
from spec.message_queue import aca, adversary, definitions, dpm, lemmas, promises, variants, vocabulary

PROTOCOL = Protocol.of("message-queue", vocabulary, definitions, dpm, aca, adversary, promises, lemmas, variants)
