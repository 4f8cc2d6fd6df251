"""What a process refuses or ignores, counted by reason: a peer that keeps doing it must not fill the log."""

from __future__ import annotations

import logging
from collections import Counter


class RateLimitedLog(Counter[str]):
    """How often each thing has happened; the first of its kind is logged."""

    def __init__(self, log: logging.Logger, level: int = logging.WARNING) -> None:
        super().__init__()
        self._log, self._level = log, level

    def count(self, what: str, said: str = "") -> None:
        """It has happened once more; `said` is what the log says of it, if it says more than what is counted."""
        self[what] += 1
        if self[what] == 1:
            self._log.log(self._level, "%s (logged once; further ones are only counted)", said or what)


def summary(counted: Counter[str]) -> str:
    """All of it in one line."""
    return ", ".join(f"{what}: {count}" for what, count in sorted(counted.items()))
