"""Steps that a bounded model does not have, because they would write a number outside its bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Cut:
    """Why steps of an action are not taken. A step that would take several numbers out counts for the first reason in order."""

    action: str
    number: str
    above: bool
    """It would be above its bound, not below 0."""

    def shown(self, bounds: Mapping[str, int]) -> str:
        """The number beyond its bound: `Version > 3`."""
        return f"{self.number} > {bounds[self.number]}" if self.above else f"{self.number} < 0"


def counted_by_number(cut: Mapping[Cut, int]) -> dict[str, int]:
    """How many steps were cut, by the number that they would take out of its bounds."""
    found: Counter[str] = Counter()
    for why, count in cut.items():
        found[why.number] += count
    return dict(found)


def cut_sentence(cut: Mapping[Cut, int], bounds: Mapping[str, int]) -> str:
    """How many steps were cut: `12 steps left the bounds: Version > 3 (publish 8, store 4)`; empty if none was."""
    actions: dict[str, list[str]] = {}
    for why, count in cut.items():
        actions.setdefault(why.shown(bounds), []).append(f"{why.action} {count:,}")
    total = sum(cut.values())
    numbers = ", ".join(f"{number} ({', '.join(counts)})" for number, counts in actions.items())
    return f"{total:,} {'step' if total == 1 else 'steps'} left the bounds: {numbers}" if total else ""
