"""What the live engine finds: a verdict on each eventuality in a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from model.language import Eventuality
from model.reference.cut import Cut, counted_by_number
from model.reference.state import Element, Trace

Verdict = Literal["holds", "violated", "undecided"]


@dataclass(frozen=True)
class Outcome:
    """The verdict on one eventuality in one configuration."""

    eventuality: Eventuality
    verdict: Verdict
    goals: int
    """Choices of its parameters."""
    occurred: int
    """Choices for which the premise holds somewhere and the conclusion does not yet hold; with 0 it holds vacuously."""
    values: tuple[tuple[str, Element], ...] = ()
    """The choice for which it is broken."""
    lasso: Trace | None = None
    """A fair run that breaks it."""

    @property
    def ends_at_a_bound(self) -> bool:
        """It is undecided since every run that breaks it stays where a fair step is cut: the protocol itself goes on there."""
        return self.verdict == "undecided" and self.occurred > 0


@dataclass(frozen=True)
class Liveness:
    """The verdicts in one configuration."""

    configuration: str
    distinct: int
    transitions: int
    """Steps that change the state."""
    depth: int
    outcomes: tuple[Outcome, ...]
    seconds: float
    compile_seconds: float
    words: int
    bits: int
    bytes: int
    """Of the engine's arrays."""
    complete: bool
    left_out: tuple[str, ...]
    """Fair actions that the configuration forbids: an eventuality that relies on them may be broken for this reason alone.

    Empty if the configuration itself names the eventualities that do not rely on them.
    """
    forgets: bool
    """Whether spent messages were forgotten, or there are none."""
    cut: Mapping[Cut, int]
    """Steps that were not taken, because they would have left the bounds."""
    bounds: Mapping[str, int]

    @property
    def verdict(self) -> Verdict:
        """Violated if any is violated; holds only if all are decided."""
        verdicts = {outcome.verdict for outcome in self.outcomes}
        if not self.complete:
            return "undecided"
        return "violated" if "violated" in verdicts else "undecided" if "undecided" in verdicts else "holds"

    def judged(self, verdicts: Mapping[str, Verdict]) -> Self:
        """The same, with other verdicts on these eventualities: an engine decides no more than what is asked."""
        judged = (
            replace(outcome, verdict=verdicts.get(outcome.eventuality.name, outcome.verdict))
            for outcome in self.outcomes
        )
        return replace(self, outcomes=tuple(judged))

    def as_json(self) -> dict[str, Any]:
        """The result as the command line writes it."""
        return {
            "config": self.configuration,
            "distinct": self.distinct,
            "transitions": self.transitions,
            "depth": self.depth,
            "complete": self.complete,
            "verdict": self.verdict,
            "cut": counted_by_number(self.cut),
            "seconds": round(self.seconds, 3),
            "compile_seconds": round(self.compile_seconds, 3),
            "forgets": self.forgets,
            "eventualities": [
                {
                    "name": outcome.eventuality.name,
                    "verdict": outcome.verdict,
                    "goals": outcome.goals,
                    "occurred": outcome.occurred,
                    "values": dict(outcome.values) or None,
                    "steps": len(outcome.lasso.steps) if outcome.lasso else None,
                    "loop": outcome.lasso.loop if outcome.lasso else None,
                }
                for outcome in self.outcomes
            ],
        }


def never_asked(found: Sequence[Liveness], eventualities: Sequence[Eventuality]) -> list[str]:
    """The names of eventualities whose premise holds nowhere: they may be vacuous."""
    asked = {outcome.eventuality.name for item in found for outcome in item.outcomes if outcome.occurred}
    return [eventuality.name for eventuality in eventualities if eventuality.name not in asked]
