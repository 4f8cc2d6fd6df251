"""What has to change for a formula to hold: the entries that decide it, and the changes of actions that achieve it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

from model.explaining.scene import Environment, Scene
from model.language import Change, Symbol
from model.language.terms import (
    And,
    Apply,
    Compare,
    Constant,
    Enumeration,
    Formula,
    Named,
    Node,
    Not,
    Or,
    Plus,
    Quantified,
    Truth,
    Variable,
)
from model.language.walk import free, parts, rebuilt
from model.matching.source import positive
from model.reference.state import Element

VALUES_MAX: Final = 4
"""Values of one entry tried for one goal."""


@dataclass(frozen=True, slots=True)
class Subgoal:
    """An entry that needs another value; None: any other."""

    symbol: Symbol
    arguments: tuple[Element | None, ...]
    value: Element | bool | None


def subgoals(scene: Scene, node: Node, given: Environment) -> Iterator[Subgoal]:
    """Entries that decide a false formula, possibly with duplicates."""
    yield from _wishes(scene, positive(node), given)


def _wishes(scene: Scene, node: Node, given: Environment) -> Iterator[Subgoal]:
    """The same for a formula with negation at atoms only."""
    match node:
        case And(operands) | Or(operands):
            for term in operands:
                if not free(term) <= given.keys() or not scene.value(term, given):
                    yield from _wishes(scene, term, given)
        case Quantified(_, _, body):
            yield from _wishes(scene, body, given)
        case Not(operand):
            yield from _of_atoms(scene, operand, given, wanted=False)
        case Apply():
            yield from _of_atoms(scene, node, given, wanted=True)
            yield from _of_values(scene, node, given)
        case _:
            yield from _of_values(scene, node, given)
            yield from _of_atoms(scene, node, given, wanted=True)


def _of_atoms(scene: Scene, node: Node, given: Environment, *, wanted: bool) -> Iterator[Subgoal]:
    match node:
        case Apply(symbol, arguments):
            if symbol.kind in ("state", "message"):
                known = tuple(
                    scene.value(argument, given) if free(argument) <= given.keys() else None for argument in arguments
                )
                yield Subgoal(symbol, known, wanted if symbol.result is Formula else None)
            for argument in arguments:
                yield from _of_atoms(scene, argument, given, wanted=wanted)
        case Named(_, _, body) | Plus(body):
            yield from _of_atoms(scene, body, given, wanted=wanted)
        case Compare(_, left, right):
            for side in (left, right):
                yield from _of_atoms(scene, side, given, wanted=wanted)


def _of_values(scene: Scene, node: Node, given: Environment) -> Iterator[Subgoal]:
    """Values of functions within a formula that would make it hold."""
    if not free(node) <= given.keys():
        return
    for read in _functions(node):
        value = Variable("value", read.symbol.result)
        held = rebuilt(node, partial(_replaced, {read: value}))
        if free(held) & {value}:
            known = tuple(scene.value(argument, given) for argument in read.arguments)
            for (wanted,) in islice(scene.witnesses([value], [held], given), VALUES_MAX):
                yield Subgoal(read.symbol, known, wanted)


def _replaced(by: Mapping[Node, Node], node: Node) -> Node:
    return by.get(node, node)


def _functions(node: Node) -> list[Apply]:
    """The state's functions that a formula reads."""
    applied = (part for part in parts(node) if isinstance(part, Apply))
    return list(
        dict.fromkeys(read for read in applied if read.symbol.kind == "state" and read.symbol.result is not Formula)
    )


def unified(change: Change, subgoal: Subgoal) -> dict[Variable, Element] | None:
    """The change's variables if it achieves the subgoal, with computed values left open. None: it does not."""
    if change.symbol is not subgoal.symbol:
        return None
    if isinstance(subgoal.value, bool) and isinstance(change.value, Truth) and change.value.value is not subgoal.value:
        return None
    known: dict[Variable, Any] = {}
    for node, value in [*zip(change.arguments, subgoal.arguments, strict=True), (change.value, subgoal.value)]:
        if value is None:
            continue
        if isinstance(node, Variable) and known.setdefault(node, value) != value:
            return None
        if isinstance(node, Constant) and _constant(node) != value:
            return None
    return known


def _constant(node: Constant) -> Element:
    return str(node.sort.names()[node.value]) if issubclass(node.sort, Enumeration) else node.value
