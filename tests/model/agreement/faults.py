"""Faults of engines, each put in by replacing one function: what the comparison has to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from model.explore.kernel import boolean, layout
from model.explore.kernel.emit import Emitter
from model.explore.kernel.ground import AFTER, Ground
from model.language import quantifiers, transition, walk
from model.language.terms import Implies, Node, Quantified, Variable
from model.machines import closures
from model.proof import unrolled
from model.proof.symbolic import conjuncts
from model.reference import interpreter
from model.tla.expressions import Scope

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Fault:
    """A fault, the engine by which it is noticed, and the number of protocols within which it must be."""

    put_in: Callable[[Patch], None]
    engine: str
    within: int


def _less_is_less_or_equal(patch: Patch) -> None:
    right = Ground._compare
    patch.setattr(Ground, "_compare", lambda self, operator, *sides: right(self, operator.replace("<=", "<"), *sides))


def _all_is_some(patch: Patch) -> None:
    right = interpreter._Source.expression

    def wrong(self: Any, node: Node) -> str:
        if isinstance(node, Quantified):
            node = Quantified("some" if node.quantifier == "all" else "all", node.variables, node.body)
        return right(self, node)

    patch.setattr(interpreter._Source, "expression", wrong)


def _parts_contradict(patch: Patch) -> None:
    patch.setattr(boolean, "_contradicts", lambda part, denied, values: part[0] != "and" or bool(values))


def _bound_variables_keep_their_names(patch: Patch) -> None:
    patch.setattr(walk, "fresh", lambda variable, taken: variable)


def _binders_capture(patch: Patch) -> None:
    def named(self: Any, free: object) -> Mapping[Variable, Variable]:
        return dict(zip(self._numbered, self._names, strict=True))

    patch.setattr(quantifiers.Binders, "named", named)


def _parameters_capture(patch: Patch) -> None:
    patch.setattr(transition, "substitute", lambda node, by, taken=frozenset(): walk.substitute(node, by))


def _machines_compare_wrongly(patch: Patch) -> None:
    right = closures._comparison
    patch.setattr(closures, "_comparison", lambda operator, *sides: right(operator.replace("<=", "<"), *sides))


def _the_earlier_change_wins(patch: Patch) -> None:
    def settled(instance: Any, ground: Any) -> Iterator[Any]:
        seen = set[int]()
        for assignment in instance.assignments:
            if assignment.field not in seen:
                seen.add(assignment.field)
                yield assignment.field, assignment.value, assignment.condition

    patch.setattr(unrolled, "_settled", settled)


def _a_proof_of_the_first_conjunct(patch: Patch) -> None:
    patch.setattr("model.proof.prove.conjuncts", lambda goal: conjuncts(goal)[:1])


def _nothing_read_later(patch: Patch) -> None:
    def read(ground: Any, claims: Any) -> set[int]:
        return {field % AFTER for claim in claims for field in boolean.fields_of(claim)}

    patch.setattr(layout, "_read", read)


def _what_becomes_spent_is_kept(patch: Patch) -> None:
    right = Emitter._forgotten

    def forgotten(self: Any, code: Any, instance: Any, words: list[str]) -> list[str]:
        self._spent_reads = {place: set() for place in self._spent_reads}
        return right(self, code, instance, words)

    patch.setattr(Emitter, "_forgotten", forgotten)


def _export_turns_implications_around(patch: Patch) -> None:
    right = Scope._flat

    def flat(self: Any, node: Node) -> tuple[str, int]:
        return right(self, Implies(node.conclusion, node.premise) if isinstance(node, Implies) else node)

    patch.setattr(Scope, "_flat", flat)


def _no_deadlock_is_found(patch: Patch) -> None:
    patch.setattr("model.explore.kernel.emit.no_end", lambda ground: False)


def _every_rest_is_a_deadlock(patch: Patch) -> None:
    patch.setattr(unrolled, "no_end", lambda ground: True)


def _machines_leave_the_bounds(patch: Patch) -> None:
    patch.setattr("model.machines.machines.written", lambda action: iter(()))


FAULTS: Final[Mapping[str, Fault]] = {
    "the kernel's comparison": Fault(_less_is_less_or_equal, "kernel", 20),
    "the interpreter's quantifier": Fault(_all_is_some, "language", 20),
    "simplification of truth values": Fault(_parts_contradict, "kernel", 100),
    "substitution without renaming": Fault(_bound_variables_keep_their_names, "language", 150),
    "a binder that captures": Fault(_binders_capture, "language", 150),
    "a parameter that captures": Fault(_parameters_capture, "terms", 250),
    "the machines' comparison": Fault(_machines_compare_wrongly, "machines", 150),
    "overlapping changes, unrolled": Fault(_the_earlier_change_wins, "bounded", 150),
    "half of a proof": Fault(_a_proof_of_the_first_conjunct, "prove", 150),
    "fields that are left out": Fault(_nothing_read_later, "kernel", 20),
    "deadlocks that are missed": Fault(_no_deadlock_is_found, "kernel", 20),
    "deadlocks that are none": Fault(_every_rest_is_a_deadlock, "bounded", 150),
    "steps that leave the bounds": Fault(_machines_leave_the_bounds, "machines", 150),
    "spent messages that are kept": Fault(_what_becomes_spent_is_kept, "kernel", 150),
}

EXPORTED: Final = Fault(_export_turns_implications_around, "tlc", 20)
"""Of the export to TLA+, noticed by TLC."""
