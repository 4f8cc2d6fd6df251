"""Processes that tables are made in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def same_hashes() -> Iterator[None]:
    """Processes that are started meanwhile iterate over sets in one order.

    Whatever a solver is told is told in the same order, and a core that is wrong goes wrong in the same way.
    """
    before = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = "0"
    try:
        yield
    finally:
        del os.environ["PYTHONHASHSEED"]
        if before is not None:
            os.environ["PYTHONHASHSEED"] = before
