"""Why a formula holds or does not: the atoms and values that decide it, in the statement's notation.

Definitions are expanded in place: for `home(host, source)` the explanation shows `at`. For a false atom, the nearest true entry is
named, since the difference between the two is usually the fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from typing import Final

from model.explaining.scene import Environment, Scene
from model.language import Action
from model.language.notation import notation
from model.language.terms import (
    And,
    Apply,
    Choose,
    Compare,
    Constant,
    Formula,
    Implies,
    Named,
    Node,
    Not,
    Or,
    Plus,
    Quantified,
    Sum,
    Times,
    Truth,
    Variable,
)
from model.language.walk import free
from model.matching.source import positive, unnamed
from model.reference.state import Element, Tuple

NEAR_MAX: Final = 2
"""True entries named beside a false one."""

SCANNED_MAX: Final = 200_000
"""Entries of one symbol that are scanned for the nearest."""


Message = tuple[Element, ...]
"""A message: its name, then its arguments."""


@dataclass(frozen=True, slots=True)
class Part:
    """A conjunct of a guard, and what decides it."""

    text: str
    """In the statement's notation."""
    held: bool | None
    """None: undecided, since a choice that it depends on is not known."""
    takes: bool
    """Whether it is the message that the action takes."""
    because: tuple[str, ...]
    """What decides it, with the values seen; only if it is false."""


def parts(scene: Scene, action: Action, given: Environment) -> list[Part]:
    """The conjuncts of a guard in their order, for the known choices."""
    found = []
    for node in action.guard:
        takes = node in action.takes
        text = f"takes {notation(node)}" if takes else notation(node)
        if free(node) <= given.keys():
            held = bool(scene.value(node, given))
            because = () if held else tuple(dict.fromkeys(reasons(scene, node, given)))
            found.append(Part(text, held, takes, because))
        else:
            found.append(Part(text, None, takes, ()))
    return found


def taken_message(scene: Scene, action: Action, given: Environment) -> Iterator[Message]:
    """The messages that an action takes with these choices, as far as they are known."""
    for take in action.takes:
        if all(free(argument) <= given.keys() for argument in take.arguments):
            yield (take.symbol.name, *(scene.value(argument, given) for argument in take.arguments))


def reasons(scene: Scene, node: Node, given: Environment) -> Iterator[str]:
    """What makes the formula true or false."""
    match node:
        case Truth():
            return
        case Named(_, _, body):
            yield from reasons(scene, body, given)
        case Not(operand):
            yield from reasons(scene, operand, given)
        case And(operands) | Or(operands):
            decisive = isinstance(node, Or)
            values = [bool(scene.value(term, given)) for term in operands]
            wanted = [operand for operand, value in zip(operands, values, strict=True) if value is decisive] or list(
                operands
            )
            for operand in wanted:
                yield from reasons(scene, operand, given)
        case Implies(premise, conclusion):
            yield from reasons(scene, Or((Not(premise), conclusion)), given)
        case Quantified():
            yield from _of_quantified(scene, node, given)
        case Compare(_, left, right):
            yield from _of_values(scene, (left, right), given)
        case Apply():
            yield _of_atom(scene, node, given)
            if not scene.value(node, given):
                yield from _near(scene, node, given)
        case _:
            yield f"{written(scene, node, given)} is {shown(scene.value(node, given))}"


def _of_quantified(scene: Scene, node: Quantified, given: Environment) -> Iterator[str]:
    """A true existential or false universal formula has a witness; for the others, the entries nearest to one."""
    some = node.quantifier == "some"
    body = node.body if some else Not(node.body)
    found = next(scene.witnesses(node.variables, [body], given), None)
    if found is not None:
        about = dict(zip(node.variables, found, strict=True))
        yield from reasons(scene, node.body, {**given, **about})
        return
    quantified = written(scene, node, given)
    yield f"{'there is none' if some else 'it holds for all'}: {quantified}"
    if some:
        for atom in _atoms(positive(node.body)):
            yield from _near(scene, atom, given)


def _atoms(node: Node) -> Iterator[Apply]:
    """The relations that have to hold for a formula to hold."""
    match node:
        case Apply(symbol) if symbol.result is Formula:
            yield node
        case And(operands):
            for operand in operands:
                yield from _atoms(operand)
        case Quantified("some", _, body):
            yield from _atoms(body)


def _of_values(scene: Scene, sides: tuple[Node, ...], given: Environment) -> Iterator[str]:
    """The compared values; for a choice between cases also what decides the case."""
    for side in sides:
        if isinstance(side, Constant):
            continue
        text = side.name if isinstance(side, Variable) else written(scene, side, given)
        yield f"{text} is {shown(scene.value(side, given))}"
        body = unnamed(side)
        while isinstance(body, Choose):
            holds = bool(scene.value(body.condition, given))
            if holds:
                yield f"since {'; '.join(reasons(scene, body.condition, given))}"
            body = unnamed(body.chosen if holds else body.otherwise)


def _of_atom(scene: Scene, node: Apply, given: Environment) -> str:
    value = scene.value(node, given)
    text = written(scene, node, given)
    if node.symbol.name in scene.messages:
        return f"{text} {'was sent' if value else 'is not there to take: it was not sent, or is spent'}"
    return f"{text} is {shown(value)}"


def _near(scene: Scene, node: Apply, given: Environment) -> Iterator[str]:
    """True entries that differ from this one in the fewest arguments, but not in all."""
    if node.symbol.name not in scene.layout.kept:
        return
    wanted = [scene.value(argument, given) if free(argument) <= given.keys() else None for argument in node.arguments]
    ranked: list[tuple[int, list[str], Tuple]] = []
    for arguments, _ in islice(scene.tables.entries(node.symbol.name), SCANNED_MAX):
        pairs = [(a, b) for a, b in zip(arguments, wanted, strict=True) if b is not None]
        # Numbers may be equal by chance, names are not.
        if any(a == b and isinstance(b, str) for a, b in pairs):
            ranked.append((sum(a != b for a, b in pairs), [str(argument) for argument in arguments], arguments))
    there = "was sent" if node.symbol.name in scene.messages else "is true"
    for _, _, arguments in nsmallest(NEAR_MAX, ranked):
        yield f"{call(node.symbol.name, arguments)} {there}"


# ----------------------------------------------------------------------------------------------------- readable forms


def written(scene: Scene, node: Node, given: Environment) -> str:
    """A formula or term with values in place of variables and of inner look-ups: `at(red/1, 2, h1)`."""
    match node:
        case Variable():
            return shown(given[node]) if node in given else node.name
        case Apply(symbol, arguments, after):
            inner = tuple(_inner(scene, argument, given) for argument in arguments)
            return call(f"{symbol.name}′" if after else symbol.name, inner)
        case Named(definition, arguments, _):
            return call(definition.name, tuple(_inner(scene, argument, given) for argument in arguments))
        case Plus(number, amount):
            return f"{written(scene, number, given)} + {amount}"
        case Sum(left, right):
            return f"{written(scene, left, given)} + {written(scene, right, given)}"
        case Times(number, factor):
            return f"{factor} × {written(scene, number, given)}"
        case Quantified(quantifier, variables, body):
            names = ", ".join(variable.name for variable in variables)
            return f"{'∀' if quantifier == 'all' else '∃'} {names}. {written(scene, body, given)}"
        case Compare(operator, left, right):
            sign = {"=": "=", "<": "<", "<=": "≤"}[operator]
            return f"{written(scene, left, given)} {sign} {written(scene, right, given)}"
        case Not(operand):
            return f"¬{written(scene, operand, given)}"
        case And(operands):
            return " ∧ ".join(written(scene, term, given) for term in operands)
        case Or(operands):
            return " ∨ ".join(written(scene, term, given) for term in operands)
        case Implies(premise, conclusion):
            return f"{written(scene, premise, given)} ⇒ {written(scene, conclusion, given)}"
        case _:
            return notation(node)


def _inner(scene: Scene, node: Node, given: Environment) -> Element:
    """An argument: its value, if everything that it depends on is known."""
    if free(node) <= given.keys():
        value: Element = scene.value(node, given)
        return value
    return written(scene, node, given)


def shown(value: object) -> str:
    """A value in readable form."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def call(name: str, arguments: Tuple) -> str:
    """A name with its arguments."""
    return f"{name}({', '.join(map(shown, arguments))})"
