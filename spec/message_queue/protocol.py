"""The message queue protocol: one topic for all hosts of a large VPC, beside the direct channel.

Reading order: vocabulary, definitions, the roles (dpm, aca, adversary), promises, lemmas, variants.
"""

from __future__ import annotations

from model.language import Protocol
from spec.message_queue import aca, adversary, definitions, dpm, lemmas, promises, variants, vocabulary

PROTOCOL = Protocol.of("message-queue", vocabulary, definitions, dpm, aca, adversary, promises, lemmas, variants)
