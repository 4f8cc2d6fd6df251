"""The state of the matcher for one protocol."""

from __future__ import annotations

from dataclasses import dataclass, field

from model.language import Protocol
from model.matching.layout import Tables
from model.matching.observed import Observer


@dataclass
class MatcherState:
    """One protocol's observer and state. Logs may cover several protocols; each is matched on its own."""

    protocol: Protocol
    observer: Observer
    tables: Tables
    sweep_at: dict[str, int] = field(default_factory=dict)
    """By symbol: the number of entries at which the next retention sweep is due."""

    def move_to(self, observer: Observer) -> None:
        """Switches to another compiled protocol, keeping the state."""
        tables = observer.tables()
        tables.now = self.tables.now
        tables.take_over(self.tables)
        for symbol in self.tables.layout.kept.keys() - self.tables.layout.counted:
            for arguments, value in self.tables.entries(symbol):
                tables.put(symbol, arguments, value)
        self.observer, self.tables = observer, tables
