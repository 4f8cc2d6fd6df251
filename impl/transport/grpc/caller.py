"""A client's channel to a server, from a chosen source address where the address is the identity."""

from __future__ import annotations

from typing import Any

from impl.transport.grpc.endpoints import Endpoint, channel
from impl.transport.grpc.event_loop import Loop
from impl.transport.grpc.identity import Identity
from impl.transport.grpc.relay import Relay


class Caller:
    """One channel, for as long as a process runs."""

    def __init__(self, loop: Loop, identity: Identity, where: Endpoint, name: str, source: str | None) -> None:
        self._loop, self._identity, self._where, self._name, self._source = loop, identity, where, name, source
        self._channel: Any = None
        self._relay: Relay | None = None

    @property
    def channel(self) -> Any:
        """The channel; on the loop's thread."""
        assert self._channel is not None, "the channel is not open"
        return self._channel

    def open(self) -> None:
        """Creates the channel; the server need not be reachable yet."""
        self._loop.run(self.dial())

    async def dial(self) -> Any:
        """The channel, created if necessary; on the loop's thread."""
        if self._channel is None:
            target = str(self._where)
            if self._source is not None:
                self._relay = Relay(self._source, self._where)
                target = await self._relay.open()
            self._channel = channel(target, self._identity.client(), self._name)
        return self._channel

    def close(self) -> None:
        """Closes the channel."""
        self._loop.run(self.hang_up())

    async def hang_up(self) -> None:
        """Closes the channel; on the loop's thread."""
        if self._channel is not None:
            way, self._channel = self._channel, None
            await way.close()
        if self._relay is not None:
            await self._relay.close()
