"""Which other claims' proofs need what a mutant of a claim leaves out.

Every question of the proof is asked once, noting the claims that z3 used: its unsatisfiable core. With a weaker claim in place,
those questions are asked again whose core names the claim, and those about the weaker claim itself, which may hold in every
reachable state and yet not be inductive. As everywhere, a proof counts as lost only if there is a small state that shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Final

import z3

from model.language import Action, Promise, Protocol
from model.language.terms import And, Not
from model.mutation.claims import ClaimMutant, with_promise
from model.proof.finite_models import SIZES, find_small
from model.proof.prove import Prover, Question, questions_of

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
        for question in self._asked(mutant, changed):
            asked = (question.action, question.goal, question.variables, question.given)
            if prover.follows(*asked, question.initially) == "holds" or question.initially:
                continue
            if find_small(changed, asked[0], And((*asked[3], Not(asked[1]))), asked[2], SIZES[:1]) is not None:
                return question
        return None

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
        prover = _Tracking(self._protocol)
        found = []
        for question in questions_of(self._protocol, self._protocol.actions, False):
            prover.used.clear()
            prover.follows(question.action, question.goal, question.variables, question.given)
            found.append((question, frozenset(prover.used)))
        return found


class _Tracking(Prover):
    """Asserts each claim under a name, and collects the names that proofs use."""

    def __init__(self, protocol: Protocol) -> None:
        super().__init__(protocol, steps_max=STEPS_MAX)
        self.used: set[str] = set()
        named = []
        for promise in protocol.promises:
            if promise.kind == "always":
                parts = self._translator.closed(promise.parameters, promise.formula)
                named.append((promise.name, z3.And(*parts)))
        self._invariants = self._translator.domain()
        self._invariants += [z3.Implies(z3.Bool(f"!{name}"), formula) for name, formula in named]
        self._names = [z3.Bool(f"!{name}") for name, _ in named]

    def _solver(self, action: Action | None, initially: bool, model_based: bool) -> Any:
        return _Cored(super()._solver(action, initially, model_based), self._names, self.used)


class _Cored:
    """A solver that assumes named formulas, and notes which of them it used."""

    def __init__(self, solver: Any, names: Sequence[Any], used: set[str]) -> None:
        self._solver, self._names, self._used = solver, names, used

    def __getattr__(self, name: str) -> Any:
        return getattr(self._solver, name)

    def check(self) -> Any:
        answer = self._solver.check(*self._names)
        if answer == z3.unsat:
            self._used |= {str(name)[1:] for name in self._solver.unsat_core()}
        return answer
