"""Fixtures: the thread for all gRPC of a process, and a separate block of addresses."""

from __future__ import annotations

from tests.impl.transport.grpc.conftest import loop, world

__all__ = ["loop", "world"]
