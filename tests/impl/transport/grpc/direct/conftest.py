"""Fixtures of the tests of the direct channel over gRPC."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from impl.transport.grpc.event_loop import Loop


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    """The thread for all gRPC of a process."""
    with Loop() as made:
        yield made
