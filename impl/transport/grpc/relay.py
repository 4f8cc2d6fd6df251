"""Calls from a chosen source address.

The library cannot bind the source address of a channel. Where the address is the identity, and a machine has several, a relay does
it: the channel ends at a socket in a folder that only this user can enter, and the relay forwards the bytes from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from typing import Final

from impl.transport.grpc.endpoints import Endpoint

CHUNK_BYTES_MAX: Final = 65_536


class Relay:
    """Used from the loop's thread only."""

    def __init__(self, source: str, where: Endpoint) -> None:
        self._source, self._where = source, where
        self._folder = tempfile.mkdtemp(prefix="ondemand-")
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> str:
        """The target for a channel."""
        path = f"{self._folder}/relay"
        self._server = await asyncio.start_unix_server(self._connect, path)
        return f"unix:{path}"

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        with contextlib.closing(writer):
            try:
                onward = await asyncio.open_connection(
                    self._where.address, self._where.port, local_addr=(self._source, 0)
                )
                with contextlib.closing(onward[1]):
                    there = asyncio.create_task(_copy(reader, onward[1]))
                    back = asyncio.create_task(_copy(onward[0], writer))
                    try:
                        await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        for item in (there, back):
                            item.cancel()
            except (OSError, asyncio.CancelledError):
                pass  # the channel sees that its connection has ended, and reports it
            finally:
                self._connections.discard(task)

    async def close(self) -> None:
        """Ends all connections."""
        if self._server is not None:
            self._server.close()
        connections = list(self._connections)
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        shutil.rmtree(self._folder, ignore_errors=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES_MAX):
            writer.write(data)
            await writer.drain()
