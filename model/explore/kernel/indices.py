"""What the search and its caller know each other by."""

from __future__ import annotations

from typing import Final

GATHERED: Final = 1024
"""Successors gathered before they are looked up."""

# The indices of `progress`, and the results of `run`.
HEAD, TAIL, LEVEL_END, DEPTH, FLAGGED = range(5)
DONE, PAUSED, FULL, BROKEN_STATE, BROKEN_STEP, STUCK = range(6)
