"""Ports that a test may listen at."""

from __future__ import annotations

import itertools
import os
import socket

from impl.broker.launcher import PORTS

_next = itertools.count(os.getpid() * 997)


def free_port() -> int:
    """A port at which nobody listens at any address, and which the system gives to no connection by itself."""
    for number in itertools.islice(_next, len(PORTS)):
        with socket.socket() as probe:
            port = PORTS[number % len(PORTS)]
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"every port from {PORTS[0]} to {PORTS[-1]} is in use")
