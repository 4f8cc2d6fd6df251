"""Ports that a test may listen at."""

from __future__ import annotations

import itertools
import os
import socket

_FIRST, _NUMBER = 20_000, 12_000
"""Below the ports that a system gives to connections by itself, Linux from 32,768 and others from 49,152: a port that it had
given to a probe could be given to a connection before the program that is to listen there has started."""
_next = itertools.count(os.getpid() * 997)


def free_port() -> int:
    """A port at which nobody listens at any address, and which the system gives to no connection by itself."""
    for number in itertools.islice(_next, _NUMBER):
        with socket.socket() as probe:
            port = _FIRST + number % _NUMBER
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"every port from {_FIRST} to {_FIRST + _NUMBER - 1} is in use")
