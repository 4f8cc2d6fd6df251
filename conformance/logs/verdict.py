"""What validation reports: the verdict and, for the first line that does not fit, all that an explanation needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from typing import Protocol as Interface

from conformance.logs.causal_order import CausalOrder, Process
from conformance.logs.reading import Record
from impl.cli.exits import Exit
from model.explaining.broken import Broken
from model.language import Protocol
from model.matching.layout import Tables
from model.matching.observed import Misfit, Observer

Outcome = Literal["conforms", "diverges", "inconclusive"]

EXIT: Final[Mapping[Outcome, Exit]] = {
    "conforms": Exit.HOLDS,
    "diverges": Exit.VIOLATED,
    "inconclusive": Exit.UNDECIDED,
}


class Continuation(Interface):
    """A validation at some line, from which others can go on. `conformance.logs.validate.Validation` is one."""

    @property
    def causal_order(self) -> CausalOrder:
        """How far the lines of each process were taken, and which of them wait."""

    def tables(self, protocol: str) -> Tables:
        """The state of a protocol after the lines that were taken."""

    def feed(self, record: Record) -> Verdict | None:
        """Takes one more record; returns the verdict if it is settled."""

    def fork(self) -> Continuation:
        """A copy at the same point, without the waiting lines: the caller feeds them again."""


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
    """The state before the line. An explanation tries its changes on a copy."""
    validation: Continuation = field(repr=False)
    """Where validation stopped; a trial forks it."""
    recent: tuple[Record, ...] = field(repr=False)
    """The last lines that were matched, oldest first."""
    following: tuple[Record, ...] = field(default=(), repr=False)
    """The next lines of the logs in reading order, without those that wait."""

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
    """By kind: stutters by name, late and repeated deliveries, inferred steps (`put in: ` and the action)."""
    why: str = ""
    """One sentence, if the verdict is inconclusive or a promise is broken."""
    divergence: Divergence | None = None
    """The first line that does not fit; None if every line fits."""
    broken: tuple[Broken, ...] = ()
    """Promises broken in a state to which only fitting lines led: the statement does not keep what it promises."""

    @property
    def exit(self) -> Exit:
        """The exit code of a command."""
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
    """The verdict is settled."""

    def __init__(
        self, verdict: Outcome, why: str = "", divergence: Divergence | None = None, broken: Sequence[Broken] = ()
    ) -> None:
        super().__init__(why)
        self.broken = tuple(broken)
        self.verdict: Outcome = verdict
        self.why = why
        self.divergence = divergence
