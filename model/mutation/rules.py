"""Mutants: every action with one thing wrong, made by rule from the statement.

| rule | what is done |
|---|---|
| `drop` | a conjunct of the guard is left out |
| `negate` | a conjunct of the guard has to be false |
| `untaken` | a message is not waited for: the step may happen without it |
| `swap` | two parameters of one sort change places, in one conjunct, message, change or event |
| `order` | an order or equality of numbers lets others through: the other way round, with or without equality |
| `mistake` | another function of the same sorts is read, where numbers are |
| `member` | another member of an enumeration stands there |
| `skip` | a change is not made, or a message not sent |
| `widen` | a change is made, or a message sent, where its condition does not hold, or for all values of an argument |
| `older` | the number before stands in a change or a message |
| `unsaid` | an event that promises read does not happen |

A mutant's name says what is wrong in the statement's own words, so it is stable as long as these are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations, count

from model.language import Action, Change, Protocol
from model.language.notation import change_notation, notation
from model.language.terms import (
    And,
    Apply,
    Choose,
    Compare,
    Constant,
    Enumeration,
    Formula,
    Individual,
    Node,
    Not,
    Number,
    Plus,
    Truth,
    Variable,
)
from model.language.walk import free, fresh, parts, rebuilt, substitute, unfolded

RULES = ("drop", "negate", "untaken", "swap", "order", "mistake", "member", "skip", "widen", "older", "unsaid")


@dataclass(frozen=True)
class Mutant:
    """An action with one thing wrong."""

    name: str
    """Unique within the protocol: `action: what is wrong`."""
    original: Action
    action: Action
    """The mutated one; it has the same name and the same parameters."""
    rule: str


Made = Iterator[tuple[str, str, Action]]
"""Rule, words, and the action."""


def mutants_of(protocol: Protocol, actions: tuple[Action, ...] | None = None) -> list[Mutant]:
    """All mutants of a protocol, or of some of its actions, in the order of the statement."""
    found: list[Mutant] = []
    for original in protocol.actions if actions is None else actions:
        names: set[str] = set()
        for rule, words, action in _made(protocol, original):
            object.__setattr__(action, "name", original.name)
            name, number = f"{original.name}: {words}", 1
            while name in names:
                number += 1
                name = f"{original.name}: {words} ({number})"
            names.add(name)
            found.append(Mutant(name, original, action, rule))
    return found


def mutated(protocol: Protocol, mutant: Mutant) -> Protocol:
    """The protocol with the mutant in the place of what it is made from."""
    actions = tuple(mutant.action if action is mutant.original else action for action in protocol.actions)
    groups = tuple(
        replace(
            group, choices=tuple(mutant.action if choice is mutant.original else choice for choice in group.choices)
        )
        for group in protocol.alternatives
    )
    for new, old in zip(groups, protocol.alternatives, strict=True):
        object.__setattr__(new, "name", old.name)
    return replace(protocol, actions=actions, alternatives=groups)


def _made(protocol: Protocol, action: Action) -> Made:
    yield from _without_a_message(action)
    for place, conjunct in enumerate(action.guard):
        if place >= len(action.takes):
            shown = notation(conjunct)
            yield "drop", f"without {shown}", _guarded(action, place, [])
            yield "negate", f"only if not {shown}", _guarded(action, place, [Not(conjunct)])
            for rule, words, node in _wrong(protocol, conjunct):
                yield rule, f"{shown}, {words}", _guarded(action, place, [node])
    for place, change in enumerate(action.changes):
        shown = change_notation(change)
        yield "skip", f"without {shown}", _changing(action, place, [])
        for rule, words, other in _wrong_changes(protocol, action, change):
            yield rule, f"{shown}, {words}", _changing(action, place, [other])
    for place, event in enumerate(action.emits):
        others = (*action.emits[:place], *action.emits[place + 1 :])
        yield "unsaid", f"without saying {notation(event)}", replace(action, emits=others)
        for words, node in _swapped(event):
            assert isinstance(node, Apply)
            emits = (*action.emits[:place], node, *action.emits[place + 1 :])
            yield "swap", f"{notation(event)}, {words}", replace(action, emits=emits)


def _without_a_message(action: Action) -> Made:
    for place, taken in enumerate(action.takes):
        others = (*action.takes[:place], *action.takes[place + 1 :])
        rest = action.guard[len(action.takes) :]
        yield "untaken", f"without taking {notation(taken)}", replace(action, takes=others, guard=(*others, *rest))
        for words, node in _swapped(taken):
            assert isinstance(node, Apply)
            takes = (*action.takes[:place], node, *action.takes[place + 1 :])
            yield "swap", f"takes {notation(taken)}, {words}", replace(action, takes=takes, guard=(*takes, *rest))


def _guarded(action: Action, place: int, instead: list[Node]) -> Action:
    return replace(action, guard=(*action.guard[:place], *instead, *action.guard[place + 1 :]))


def _changing(action: Action, place: int, instead: list[Change]) -> Action:
    return replace(action, changes=(*action.changes[:place], *instead, *action.changes[place + 1 :]))


# ----------------------------------------------------------------------------------------------- wrong formulas


def _wrong(protocol: Protocol, node: Node) -> Iterator[tuple[str, str, Node]]:
    """A formula or term with one part of it wrong: rule, words, and what stands there then."""
    for words, other in _swapped(node):
        yield "swap", words, other
    for rule, find in (("order", _reordered), ("mistake", _mistaken(protocol)), ("member", _other_member)):
        for old, new, whole in _parts(unfolded(node), find):
            yield rule, f"with {notation(new)} for {notation(old)}", whole


def _parts(node: Node, find: Callable[[Node], list[Node]]) -> Iterator[tuple[Node, Node, Node]]:
    """Each part that `find` has something for: the part, what is put there, and the whole with it there."""
    for place, old in enumerate(parts(node)):
        for new in find(old):
            visited = count()

            def put(part: Node, place: int = place, new: Node = new, visited: Iterator[int] = visited) -> Node:
                return new if next(visited) == place else part

            yield old, new, rebuilt(node, put)


def _swapped(node: Node) -> Iterator[tuple[str, Node]]:
    variables = sorted(free(node), key=lambda item: item.name)
    for one, other in combinations(variables, 2):
        if one.sort is other.sort:
            yield f"with {one.name} and {other.name} swapped", substitute(unfolded(node), {one: other, other: one})


def _reordered(node: Node) -> list[Node]:
    if not isinstance(node, Compare):
        return []
    left, right = node.left, node.right
    match node.operator:
        case "<":
            return [Compare("<", right, left), Compare("<=", left, right)]
        case "<=":
            return [Compare("<=", right, left), Compare("<", left, right)]
        case _:
            numbers = any(_is_number(item) for item in (left, right))
            return [Compare("<=", left, right), Compare("<=", right, left)] if numbers else []


def _is_number(node: Node) -> bool:
    match node:
        case Variable(_, sort) | Constant(_, sort):
            return issubclass(sort, Number)
        case Apply(symbol):
            return issubclass(symbol.result, Number)
        case Choose(_, chosen, _):
            return _is_number(chosen)
        case _:
            return type(node).__name__ in ("Plus", "Sum", "Times")


def _mistaken(protocol: Protocol) -> Callable[[Node], list[Node]]:
    """Functions whose values are numbers, and the others that could be read in their place."""

    def find(node: Node) -> list[Node]:
        if not isinstance(node, Apply) or not issubclass(node.symbol.result, Number) or node.symbol.kind != "state":
            return []
        others = [
            symbol
            for symbol in protocol.symbols
            if symbol is not node.symbol
            and symbol.kind == "state"
            and (symbol.arguments, symbol.result) == (node.symbol.arguments, node.symbol.result)
        ]
        return [Apply(other, node.arguments, node.after) for other in others]

    return find


def _other_member(node: Node) -> list[Node]:
    """The next member of the enumeration: one is enough to see whether anything notices which one stands there."""
    if not isinstance(node, Constant) or not issubclass(node.sort, Enumeration):
        return []
    return [Constant((node.value + 1) % len(node.sort.names()), node.sort)]


# ------------------------------------------------------------------------------------------------ wrong changes


def _wrong_changes(protocol: Protocol, action: Action, change: Change) -> Iterator[tuple[str, str, Change]]:
    yield from _wider(action, change)
    yield from _older(change)
    reads = And((*change.arguments, change.value, change.condition))
    for one, other in combinations(sorted(free(reads) - set(change.binders), key=lambda item: item.name), 2):
        if one.sort is other.sort:
            by = {one: other, other: one}
            arguments = tuple(substitute(unfolded(argument), by) for argument in change.arguments)
            value, condition = (substitute(unfolded(node), by) for node in (change.value, change.condition))
            words = f"with {one.name} and {other.name} swapped"
            yield "swap", words, replace(change, arguments=arguments, value=value, condition=condition)
    for place, argument in enumerate(change.arguments):
        for rule, words, node in _wrong(protocol, argument):
            arguments = (*change.arguments[:place], node, *change.arguments[place + 1 :])
            if rule != "swap":
                yield rule, words, replace(change, arguments=arguments)
    for rule, words, node in _wrong(protocol, change.value):
        if rule != "swap":
            yield rule, words, replace(change, value=node)
    for rule, words, node in _wrong(protocol, change.condition):
        if rule != "swap":
            yield rule, f"where {words.removeprefix('with ')}", replace(change, condition=node)


def _wider(action: Action, change: Change) -> Iterator[tuple[str, str, Change]]:
    if change.condition != Truth(True):
        parts = change.condition.operands if isinstance(change.condition, And) else (change.condition,)
        parts = tuple(term for term in parts if term != Truth(True))
        for place, part in enumerate(parts):
            rest = (*parts[:place], *parts[place + 1 :])
            condition: Node = And(rest) if rest else Truth(True)
            yield "widen", f"even if not {notation(part)}", replace(change, condition=condition)
        if len(parts) > 1:
            yield "widen", "wherever that may be", replace(change, condition=Truth(True))
    for place, argument in enumerate(change.arguments):
        if isinstance(argument, Variable) and argument not in change.binders and issubclass(argument.sort, Individual):
            binder = fresh(argument, {*action.parameters, *change.binders})
            arguments = (*change.arguments[:place], binder, *change.arguments[place + 1 :])
            wide = replace(change, arguments=arguments, binders=(*change.binders, binder))
            # What else the change reads stays the step's own.
            yield "widen", f"for all values of {argument.name}", wide


def _older(change: Change) -> Iterator[tuple[str, str, Change]]:
    """Numbers that a change writes, each as the one before it; there is none before 0."""
    for place, argument in enumerate(change.arguments):
        sort = change.symbol.arguments[place]
        if issubclass(sort, Number) and argument not in change.binders:
            arguments = (*change.arguments[:place], _before(argument, sort), *change.arguments[place + 1 :])
            yield "older", f"with the {sort.title} before {notation(argument)}", replace(change, arguments=arguments)
    if change.symbol.result is not Formula and issubclass(change.symbol.result, Number):
        words = f"with the {change.symbol.result.title} before {notation(change.value)}"
        yield "older", words, replace(change, value=_before(change.value, change.symbol.result))


def _before(node: Node, sort: type[Number]) -> Node:
    """The number before a number, as a term that is no larger than it has to be."""
    match unfolded(node):
        case Choose(condition, chosen, otherwise):
            return Choose(condition, _before(chosen, sort), _before(otherwise, sort))
        case Plus(number, 1):
            return number
        case plain:
            return Choose(Compare("<", Constant(0, sort), plain), Plus(plain, -1), plain)
