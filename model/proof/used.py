"""Which claims a proof uses: the unsatisfiable core of each question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import z3

from model.language import Action, Protocol
from model.proof.prove import Prover


class Tracking(Prover):
    """Asserts each claim under a name, and collects the names that proofs use."""

    def __init__(self, protocol: Protocol, steps_max: int) -> None:
        super().__init__(protocol, steps_max=steps_max)
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
