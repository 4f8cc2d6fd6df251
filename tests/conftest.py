"""Fixtures for all tests, and which of them `make test-fast` leaves out.

The broker of the whole run comes from `tests/broker_fixture.py`.
"""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Final

import pytest

pytest_plugins = ["tests.broker_fixture"]

SLOW: Final = {
    "conformance.bench.*": "measure",
    "conformance.cli.test_commands": "run whole commands",
    "conformance.cli.test_reds": "run whole commands",
    "conformance.cli.test_specification": "start processes",
    "conformance.evidence.test_lassos": "explore",
    "conformance.logs.test_[efiprvw]*": "record and validate long logs",
    "conformance.mutation.cores.*": "replay every vector",
    "conformance.mutation.test_statement": "ask every engine",
    "conformance.mutation.test_vectors": "replay every vector",
    "conformance.replay.*": "replay every vector",
    "conformance.report.test_workflow": "install a copy",
    "conformance.shrink.*": "replay many runs",
    "conformance.watch.*": "start processes",
    "impl.broker.*": "start brokers",
    "impl.cli.*": "start processes",
    "impl.message_queue.test_[crps]*": "start services",
    "impl.service.test_[fps]*": "start services",
    "impl.slots.test_[bps]*": "start services",
    "impl.storage.test_journal": "start services",
    "impl.transport.*": "start services",
    "model.explaining.*": "explore",
    "model.explore.*": "explore and compile",
    "model.machines.*": "run long simulations",
    "model.matching.test_compiled": "compile",
    "model.mutation.*": "prove and explore",
    "model.proof.*": "prove",
    "model.reference.test_agreement": "prove and compile",
    "model.tla.*": "run TLC",
    "quality.test_installs": "install a package",
    "spec.test_failover": "explore",
    "spec.test_slots": "explore",
}
"""Modules whose tests take more than a moment together, and what they do. So does every test that uses the broker."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks slow tests."""
    for item in items:
        module = item.nodeid.split("::")[0].removeprefix("tests/").removesuffix(".py").replace("/", ".")
        uses_broker = "broker" in getattr(item, "fixturenames", ())
        if uses_broker or any(fnmatch(module, pattern) for pattern in SLOW):
            item.add_marker("slow")
