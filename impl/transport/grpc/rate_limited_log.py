"""A log of refused or ignored input, counted by reason: a peer that keeps repeating it must not fill the log."""

from __future__ import annotations

import logging
from collections import Counter


class RateLimitedLog(Counter[str]):
    """The number of occurrences by reason; only the first of each is logged."""

    def __init__(self, log: logging.Logger, level: int = logging.WARNING) -> None:
        super().__init__()
        self._log, self._level = log, level

    def count(self, what: str, said: str = "") -> None:
        """Counts an occurrence; `said` is the log text, if it says more than the reason."""
        self[what] += 1
        if self[what] == 1:
            self._log.log(self._level, "%s (logged once; further ones are only counted)", said or what)


def summary(counted: Counter[str]) -> str:
    """All counts in one line."""
    return ", ".join(f"{what}: {count}" for what, count in sorted(counted.items()))
