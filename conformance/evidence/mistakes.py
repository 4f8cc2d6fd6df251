"""A mistake in a statement that shows only when its evidence is made: a promise that breaks, a variant that nothing notices."""

from __future__ import annotations

from dataclasses import dataclass

from impl.cli.exits import Exit, Problem
from model.language import Protocol
from model.proof.prove import Claim
from model.reference.state import Trace


@dataclass(frozen=True)
class Counterexample:
    """A run that breaks a promise, for the reader of the mistake."""

    protocol: Protocol
    """Whose run it is."""
    promise: str
    trace: Trace


class Mistake(Problem):
    """Evidence cannot be made; the text says why and names the next command. `shown`: what the reader has to see first."""

    def __init__(self, sentence: str, *shown: Counterexample | tuple[Claim, Protocol]) -> None:
        super().__init__(sentence, Exit.VIOLATED)
        self.shown = shown
