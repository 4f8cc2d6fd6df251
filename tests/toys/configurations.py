"""The toy protocols, each with a configuration."""

from __future__ import annotations

from model.language import Protocol
from model.reference.configuration import Configuration
from tests.toys import choices, lock

LOCK = Protocol.of("lock", lock)
LOCK_WORLD = Configuration("lock", {"Client": ("c1", "c2", "c3")}, {"Turn": 2}, {})
CHOICES = Protocol.of("choices", choices)
CHOICES_WORLD = Configuration(
    "choices", {"Table": ("t1",), "Box": tuple(f"b{number}" for number in range(4))}, {"Mark": 90}, {}
)
