"""Which proofs are lost with a mutant of a claim, of a definition, or of what is spent.

Every question of the proof is asked once, noting the claims that z3 used: its unsatisfiable core. With a weaker claim in place,
those questions are asked again whose core names the claim, and those about the weaker claim itself, which may hold in every
reachable state and yet not be inductive. As everywhere, a proof counts as lost only if there is a small state that shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

from model.language import Message, Promise, Protocol
from model.language.terms import And, Not
from model.mutation.claims import ClaimMutant, with_promise
from model.proof.finite_models import SIZES, find_small
from model.proof.prove import Claim, Prover, Question, questions_of
from model.proof.used import Tracking
from model.proof.wellformed import alternatives_claim, lifecycle_claim

STEPS_MAX: Final = 200_000
"""Of z3, for one question."""


class Needed:
    """Asks about the mutants of one protocol's promises."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def by(self, mutant: ClaimMutant[Promise]) -> Question | None:
        """The first question that is no longer proved with the mutant in place, and has a counterexample."""
        if (
            mutant.original.kind == "two-state"
        ):  # it is no invariant: no proof uses it, and a weaker one is proved as it was
            return None
        changed = with_promise(self._protocol, mutant)
        prover = Prover(changed, steps_max=STEPS_MAX)
        return next((question for question in self._asked(mutant, changed) if _is_lost(prover, question)), None)

    def lost_in(self, changed: Protocol, message: Message[Any] | None = None) -> Claim | None:
        """The first claim that is not proved of the protocol with some declarations changed, or with this message spent otherwise.

        Only what is about them is asked, and what was proved from claims that changed.
        """
        prover = Prover(changed, steps_max=STEPS_MAX)
        same: set[object] = {*self._protocol.actions, *self._protocol.promises}
        names = {one.name for one in (*changed.actions, *changed.promises) if one not in same}
        names |= {message.name} if message is not None else set()
        needing = {_about(question) for question, used in self._cores if used & names}
        for question in questions_of(changed, changed.actions, True):
            claim, action = _about(question)
            if ({claim.split(":")[0], action} & names or (claim, action) in needing) and _is_lost(prover, question):
                return question.claim
        if message is not None:
            return None
        claims = [alternatives_claim(prover, group) for group in changed.alternatives]
        claims += [lifecycle_claim(prover, lifecycle, changed.actions) for lifecycle in changed.lifecycles]
        return next((claim for claim in claims if claim.verdict == "violated"), None)

    def _asked(self, mutant: ClaimMutant[Promise], changed: Protocol) -> Iterator[Question]:
        name = mutant.original.name
        for question, used in self._cores:
            if question.claim.name != name and name in used:
                yield question
        for question in questions_of(changed, changed.actions, False):
            if question.claim.name == mutant.claim.name:
                yield question

    @cached_property
    def _cores(self) -> list[tuple[Question, frozenset[str]]]:
        """Every question of the proof, with the names of the claims that its proof uses."""
        prover = Tracking(self._protocol, STEPS_MAX)
        found = []
        for question in questions_of(self._protocol, self._protocol.actions, False):
            prover.used.clear()
            prover.follows(question.action, question.goal, question.variables, question.given)
            found.append((question, frozenset(prover.used)))
        return found


def _about(question: Question) -> tuple[str, str]:
    return question.claim.name, question.action.name if question.action else ""


def _is_lost(prover: Prover, question: Question) -> bool:
    """Whether a question is not proved, and a small state shows why."""
    asked = (question.action, question.goal, question.variables, question.given)
    if prover.follows(*asked, question.initially) == "holds" or question.initially:
        return False
    return find_small(prover.protocol, asked[0], And((*asked[3], Not(asked[1]))), asked[2], SIZES[:1]) is not None
