"""Draws protocols, compares the engines on each, and shrinks the first one on which they disagree."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, Literal

from model.agreement.compare import ENGINES, Differing, Disagreement, Subject, compare
from model.agreement.draw import draw
from model.agreement.drawn import Drawn
from model.agreement.shrink import shrunk

SECONDS_TO_SHRINK: Final = 60.0
"""The most seconds to make a protocol smaller."""

TLC_EVERY: Final = 10
"""TLC, whose start takes a second, is asked about one protocol of so many."""

TEXT: Final = "text"
"""In the place of an engine, where the language refuses what was drawn in it."""

Engine = Callable[[Subject], Differing]


@dataclass
class Agreement:
    """What was compared, and the first disagreement."""

    seed: int
    protocols: int = 0
    states: int = 0
    """Those that the interpreter visited."""
    seconds: float = 0.0
    by_engine: dict[str, float] = field(default_factory=dict)
    """Seconds."""
    disagreement: Disagreement | None = None
    number: int = -1
    """The number of the protocol on which they disagree."""
    drawn: Drawn | None = None
    """That protocol, made smaller."""

    @property
    def verdict(self) -> Literal["holds", "violated", "undecided"]:
        """Undecided if nothing was compared."""
        return "violated" if self.disagreement is not None else "holds" if self.protocols else "undecided"

    def as_json(self) -> dict[str, Any]:
        """The result as the command line writes it."""
        found = self.disagreement
        return {
            "verdict": self.verdict,
            "seed": self.seed,
            "protocols": self.protocols,
            "states": self.states,
            "seconds": round(self.seconds, 3),
            "engines": {name: round(seconds, 3) for name, seconds in self.by_engine.items()},
            "disagreement": None
            if found is None
            else {"number": self.number, "engine": found.engine, "about": found.about, "sentence": found.sentence},
        }


def agree(
    seed: int,
    *,
    first: int = 0,
    protocols: int | None = None,
    seconds: float | None = None,
    engines: Mapping[str, Engine] = ENGINES,
    tlc: Engine | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> Agreement:
    """Compares the engines on protocols from `first` on: so many, or for so many seconds; until the first disagreement.

    `tlc`: asked too, about one protocol in ten. `progress`: called with the protocols compared and the seconds.
    """
    started = time.perf_counter()
    found = Agreement(seed)
    for number in count(first):
        found.seconds = time.perf_counter() - started
        if found.protocols == protocols or (seconds is not None and found.seconds >= seconds):
            return found
        asked = {**engines, "tlc": tlc} if tlc is not None and number % TLC_EVERY == 0 else engines
        drawn = draw(seed, number)
        found.disagreement = differs(drawn, asked, found)
        found.protocols += 1
        if found.disagreement is not None:
            found.number = number
            found.drawn = _smallest(drawn, asked, found.disagreement)
            found.seconds = time.perf_counter() - started
            return found
        if progress is not None:
            progress(found.protocols, time.perf_counter() - started)
    raise AssertionError("the numbers never end")


def differs(
    drawn: Drawn, engines: Mapping[str, Engine] = ENGINES, into: Agreement | None = None
) -> Disagreement | None:
    """The first disagreement on a protocol. `into`: where seconds and states are added."""
    try:
        subject = Subject(drawn)
    except Exception as problem:  # the language refuses what was drawn in it
        return Disagreement(TEXT, type(problem).__name__, f"{type(problem).__name__}: {problem}")
    found = compare(subject, engines, {} if into is None else into.by_engine)
    if into is not None and "reached" in vars(subject):
        into.states += len(subject.reached.states)
    return found


def _smallest(drawn: Drawn, engines: Mapping[str, Engine], found: Disagreement) -> Drawn:
    until = time.perf_counter() + SECONDS_TO_SHRINK
    asked = {name: engine for name, engine in engines.items() if name == found.engine}

    def still(tried: Drawn) -> bool:
        if time.perf_counter() > until:
            return False
        again = differs(tried, asked)
        return again is not None and (again.engine, again.about) == (found.engine, found.about)

    small = shrunk(drawn, still)
    return small if found.engine == TEXT else small.fitted(small.protocol())
