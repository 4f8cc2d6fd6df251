"""The toy protocols, each with a configuration."""

from __future__ import annotations

from dataclasses import replace

from model.language import Protocol
from model.reference.configuration import Configuration
from tests.toys import choices, lock, patient, two_locks

LOCK = Protocol.of("lock", lock)
LOCK_WORLD = Configuration("lock", {"Client": ("c1", "c2", "c3")}, {"Turn": 2}, {})
CHOICES = Protocol.of("choices", choices)
CHOICES_WORLD = Configuration(
    "choices", {"Table": ("t1",), "Box": tuple(f"b{number}" for number in range(4))}, {"Mark": 90}, {}
)
PATIENT = Protocol.of("patient", patient)
PATIENT_WORLD = Configuration("patient", {"Client": ("c1",)}, {"Level": 1}, {"limit": {("c1",): 1}})
TWO_LOCKS = Protocol.of("two-locks", two_locks)
OPPOSITE = Configuration(
    "opposite",
    {"Client": ("c1", "c2"), "Lock": ("l1", "l2")},
    {},
    {"first": frozenset({("c1", "l1"), ("c2", "l2")})},
)
SAME_ORDER = replace(OPPOSITE, name="same-order", constants={"first": frozenset({("c1", "l1"), ("c2", "l1")})})
