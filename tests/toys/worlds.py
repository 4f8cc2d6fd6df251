"""The toy protocols with a configuration each."""

from __future__ import annotations

from model.configuration import Configuration
from spec.language import Protocol
from tests.toys import lock

LOCK = Protocol.of("lock", lock)
LOCK_WORLD = Configuration("lock", {"Client": ("c1", "c2", "c3")}, {"Turn": 2}, {})
