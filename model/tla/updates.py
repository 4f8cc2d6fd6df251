"""The effects of a step in TLA+: one expression for each symbol that it changes.

Changes are simultaneous, and if two of them overlap the later one wins: each expression encloses those before it, and all of them
read the state before the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from model.language import Action, Change
from model.language.bounds import written
from model.language.terms import (
    And,
    Choose,
    Compare,
    Implies,
    Named,
    Node,
    Or,
    Quantified,
    Truth,
    Variable,
)
from model.language.walk import fresh
from model.tla.expressions import WIDTH, Scope

TRUE = Truth(True)
FALSE = Truth(False)

LINE: Final = "\n" + " " * 7
"""A new line within a conjunct of an action."""


def bounds(action: Action, scope: Scope) -> list[str]:
    """That every number that a step assigns, puts into a tuple or says, is in its set. A bounded model ends there."""
    found = []
    for term in written(action):
        inner = scope.binding(term.binders)
        within = f"{inner.flat(term.node, 6)} \\in {scope.vocabulary.sorts[term.sort]}"
        if term.condition != TRUE:
            within = f"({inner.flat(term.condition, 2)} => {within})"
        if term.binders:
            within = f"\\A {inner.ranges(term.binders)} : {within}"
        found.append(within)
    return list(dict.fromkeys(found))


def tuples(change: Change, scope: Scope, also: Node = TRUE) -> str:
    """The set of tuples, messages or events of a change, with this additional condition."""
    condition = _both(change.condition, also)
    inner = scope.binding(change.binders)
    element = inner.named_tuple(change.symbol, change.arguments)
    if change.symbol.kind != "message":
        element = inner.member(change.arguments)
    if not change.binders:
        single = f"{{{element}}}"
        return single if condition == TRUE else f"(IF {scope.flat(condition)} THEN {single} ELSE {{}})"
    if condition == TRUE:
        return f"{{{element} : {inner.ranges(change.binders)}}}"
    names = [inner.variables[binder] for binder in change.binders]
    if len(names) == 1:
        (pattern,), ranged = names, inner.ranges(change.binders)
    else:
        pattern = f"<<{', '.join(names)}>>"
        ranged = f"{pattern} \\in {scope.product([binder.sort for binder in change.binders])}"
    chosen = f"{pattern} \\in {{{ranged} : {inner.flat(condition)}}}"
    return f"{{{element} :{LINE + 4 * ' ' if len(element) + len(chosen) > WIDTH - 20 else ' '}{chosen}}}"


def relation_after(name: str, changes: Sequence[Change], scope: Scope, between: str = " ") -> str:
    """A relation after a step; `between` stands before each operator."""
    text, last = name, ""
    for change in changes:
        removed = None if change.value == TRUE else tuples(change, scope)
        added = None if change.value == FALSE else tuples(change, scope, change.value)
        for operator, part in (("\\", removed), ("\\cup", added)):
            if part is not None:
                # Consecutive unions need no parentheses; subtracting from a union does.
                plain = not last or last == operator == "\\cup"
                text = f"{text if plain else f'({text})'}{between}{operator} {part}"
                last = operator
    return text


def function_after(name: str, changes: Sequence[Change], scope: Scope) -> str:
    """A function after a step."""
    text = name
    for change in changes:
        if change.binders:
            text, scope = _bulk(text, change, scope)
        else:
            text = _one(text, change, scope)
    return text


def _one(text: str, change: Change, scope: Scope) -> str:
    base = f"({text})" if text.startswith("IF ") else text
    changed = f"[{base} EXCEPT ![{scope.listed(change.arguments)}] = {scope.flat(change.value)}]"
    if change.condition == TRUE:
        return changed
    return f"IF {scope.flat(change.condition)} THEN {changed} ELSE {base}"


def _bulk(text: str, change: Change, scope: Scope) -> tuple[str, Scope]:
    """The function, and the scope of what encloses it.

    Every binder is one of the arguments, so a function's arguments determine the binders.
    """
    keys: list[Variable] = []
    equal: list[Node] = []
    for given, sort in zip(change.arguments, change.symbol.arguments, strict=True):
        if isinstance(given, Variable) and given in change.binders and given not in keys:
            keys.append(given)
        else:
            keys.append(fresh(Variable(sort.title, sort), {*scope.variables, *change.binders, *keys}))
            equal.append(Compare("=", keys[-1], given))
    inner = scope.binding(keys)
    condition = _both(And(tuple(equal)), change.condition)
    base = f"({text})" if text.startswith("IF ") else text
    value = inner.flat(change.value)
    if condition != TRUE:
        value = (
            f"IF {inner.flat(condition)} THEN {value} ELSE {base}[{', '.join(inner.variables[key] for key in keys)}]"
        )
    return f"[{inner.ranges(keys)} |-> {value}]", scope.besides(inner)


def _both(term: Node, other: Node) -> Node:
    parts: list[Node] = []
    for node in (term, other):
        parts.extend(node.operands if isinstance(node, And) else [] if node == TRUE else [node])
    return parts[0] if len(parts) == 1 else And(tuple(parts)) if parts else TRUE


def branches(node: Node) -> bool:
    """Whether TLC would take a guard for several steps: it tries the ways in which a disjunction holds, one by one."""
    match node:
        case Named(_, _, body):
            return branches(body)
        case And(operands):
            return any(map(branches, operands))
        case Choose(_, chosen, otherwise):
            return branches(chosen) or branches(otherwise)
        case Quantified(quantifier, _, body):
            return quantifier == "some" or branches(body)
        case Or(operands):
            return bool(operands)
        case Implies(_, conclusion):
            return branches(conclusion)
        case _:
            return False
