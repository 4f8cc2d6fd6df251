"""Fixtures of the tests over gRPC."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from impl.transport.grpc.event_loop import Loop
from impl.wire.alcor.schema import PIN
from tests.impl.transport.grpc.network import World


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    """The thread for all gRPC of a process."""
    with Loop() as made:
        yield made


@pytest.fixture
def world(loop: Loop, request: pytest.FixtureRequest) -> Iterator[World]:
    """A world that is stopped at the end; its numbering is the pin's unless the test sets another."""
    made = World(loop, getattr(request, "param", PIN))
    yield made
    made.close()
