"""What a formula says after a step, as a formula before it.

Reading a changed symbol after a step means: the newest matching change decides, else the old value stays. Since every binder of a
bulk change is one of its arguments, this needs no quantifiers, and nobody writes frame conditions.
"""

from __future__ import annotations

from model.language.actions import Action
from model.language.changes import Change
from model.language.terms import And, Apply, Choose, Compare, Formula, Named, Node, Not, Or, Symbol, Variable
from model.language.walk import parts, rebuilt, substitute


def after(action: Action, node: Node, *, everything: bool) -> Node:
    """The node over the state before the action. `everything`: all of it is meant after the step, not only what says so."""

    def change(node: Node) -> Node:
        if isinstance(node, Named):
            return node.body
        if not isinstance(node, Apply):
            return node
        if node.symbol.kind == "event":
            same = (
                _equal(node.arguments, happened.arguments)
                for happened in action.emits
                if happened.symbol is node.symbol
            )
            return Or(tuple(same))
        return _read(action, node) if everything or node.after else node

    # The parameters of the action are one step's choices; variables bound in the node must not be taken for them.
    return rebuilt(substitute(node, {}, set(action.parameters)), change)


def _read(action: Action, read: Apply) -> Node:
    result: Node = Apply(read.symbol, read.arguments)
    for change in action.changes:
        if change.symbol is read.symbol:
            matches, binding = _match(change, read.arguments)
            condition = And((*matches, substitute(change.condition, binding)))
            value = substitute(change.value, binding)
            if read.symbol.result is Formula:
                result = Or((And((condition, value)), And((Not(condition), result))))
            else:
                result = Choose(condition, value, result)
    return result


def _match(change: Change, arguments: tuple[Node, ...]) -> tuple[list[Node], dict[Variable, Node]]:
    """What has to be equal for a change to be about these arguments, and what its binders then stand for."""
    binding: dict[Variable, Node] = {}
    for given, argument in zip(change.arguments, arguments, strict=True):
        if isinstance(given, Variable) and given in change.binders and given not in binding:
            binding[given] = argument
    matches = [
        Compare("=", substitute(given, binding), argument)
        for given, argument in zip(change.arguments, arguments, strict=True)
        if not (isinstance(given, Variable) and binding.get(given) is argument)
    ]
    return list(matches), binding


def _equal(left: tuple[Node, ...], right: tuple[Node, ...]) -> Node:
    return And(tuple(Compare("=", one, other) for one, other in zip(left, right, strict=True)))


def changed(action: Action) -> set[object]:
    """The symbols that an action changes, and the events that it emits."""
    return {change.symbol for change in action.changes} | {happened.symbol for happened in action.emits}


def symbols(node: Node) -> set[Symbol]:
    """The symbols that a node reads."""
    return {part.symbol for part in parts(node) if isinstance(part, Apply)}
