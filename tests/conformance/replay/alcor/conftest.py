"""Fixtures: the thread for all gRPC of a process, and a block of addresses of one's own."""

from __future__ import annotations

from tests.impl.transport.grpc.conftest import loop, world

__all__ = ["loop", "world"]
