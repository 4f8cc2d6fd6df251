"""What validation says: the verdict, and of the first line that does not fit, all that an explanation needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from conformance.logs.causal_order import Process
from conformance.logs.reading import Record
from impl.cli.exits import Exit
from impl.events.line import Sent
from model.explaining.broken import Broken
from model.language import Protocol
from model.language.notation import notation
from model.matching.layout import Tables
from model.matching.observed import Misfit, Observer

if TYPE_CHECKING:
    from conformance.logs.validate import Validation

Outcome = Literal["conforms", "diverges", "inconclusive"]

EXIT: Final[Mapping[Outcome, Exit]] = {
    "conforms": Exit.HOLDS,
    "diverges": Exit.VIOLATED,
    "inconclusive": Exit.UNDECIDED,
}


@dataclass(frozen=True)
class Divergence:
    """The first line that does not fit, with all that an explanation needs."""

    record: Record
    misfit: Misfit
    because: str
    """One sentence."""
    process: Process
    protocol: Protocol
    observer: Observer
    tables: Tables
    """The state before the line; what an explanation tries it tries on a copy."""
    validation: Validation = field(repr=False)
    """Where it stopped; for `fork`."""
    recent: tuple[Record, ...] = field(repr=False)
    """The last lines that were matched, oldest first."""
    following: tuple[Record, ...] = field(default=(), repr=False)
    """What comes next in the logs, as it would be read; without the lines that wait."""

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        return {
            "log": self.record.file,
            "line": self.record.number,
            "action": self.record.line.event,
            "field": self.misfit.field,
            "expected": self.misfit.expected,
            "observed": self.misfit.observed,
            "because": self.because,
        }


@dataclass(frozen=True)
class Verdict:
    """What the logs show."""

    verdict: Outcome
    events: int
    """Lines that were matched."""
    seconds: float
    counts: Mapping[str, int] = field(default_factory=dict)
    """Of what: stutters by name, deliveries that came late or again, steps that were put in."""
    why: str = ""
    """One sentence, if it is inconclusive, or if a promise is broken."""
    divergence: Divergence | None = None
    """The line; none if every line fits."""
    broken: tuple[Broken, ...] = ()
    """Promises that a state broke to which lines led that all fit: then the statement does not keep what it promises."""

    @property
    def exit(self) -> Exit:
        """What a command ends with."""
        return EXIT[self.verdict]

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        return {
            "events": self.events,
            "seconds": round(self.seconds, 3),
            "verdict": self.verdict,
            "why": self.why or None,
            "counts": dict(sorted(self.counts.items())),
            "divergence": self.divergence.as_json() if self.divergence is not None else None,
            "broken": [item.promise.name for item in self.broken],
        }


class Stop(Exception):
    """The verdict is clear."""

    def __init__(
        self, verdict: Outcome, why: str = "", divergence: Divergence | None = None, broken: Sequence[Broken] = ()
    ) -> None:
        super().__init__(why)
        self.broken = tuple(broken)
        self.verdict: Outcome = verdict
        self.why = why
        self.divergence = divergence


@dataclass
class MatcherState:
    """One protocol's observer and state; logs may speak of several protocols, each in a matcher of its own."""

    protocol: Protocol
    observer: Observer
    tables: Tables
    sweep_at: dict[str, int] = field(default_factory=dict)
    """How many messages of a name there have to be for the next sweep."""

    def move_to(self, observer: Observer) -> None:
        """Goes on with another compiled protocol, and the same state."""
        tables = observer.tables()
        tables.now = self.tables.now
        tables.take_over(self.tables)
        for symbol in self.tables.layout.kept.keys() - tables.layout.counted:
            for arguments, value in self.tables.entries(symbol):
                tables.put(symbol, arguments, value)
        self.observer, self.tables = observer, tables


def sentence(observer: Observer, misfit: Misfit) -> str:
    """What does not fit, in one sentence."""
    match misfit.kind:
        case "guard":
            action = observer.actions[misfit.action].action
            return f"{notation(action.guard[misfit.expected])} is false"
        case "sent":
            return "it sent other messages than the step sends"
        case "missing":
            return f"{misfit.field} is not said"
        case _:
            entry = ", ".join(map(str, misfit.entry))
            return (
                f"{misfit.field.partition('.')[2]}({entry}) is {misfit.expected}, and the line says {misfit.observed}"
            )


def written(message: Sent | None) -> str:
    """A message as the specification writes it."""
    return f"{message[0]}({', '.join(map(str, message[1:]))})" if message else "it"
