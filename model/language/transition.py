"""What a formula says after a step, as a formula before it.

Reading a changed symbol after a step means: the newest matching change decides, else the old value stays. Since every binder of a
bulk change is one of its arguments, this needs no quantifiers, and nobody writes frame conditions.
"""

from __future__ import annotations

from collections.abc import Mapping

from model.language import Action, Change
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

Substitution = Mapping[Variable, Node]


def substitute(node: Node, by: Substitution) -> Node:
    """The node with variables replaced; bound variables are renamed where they would catch a free one."""
    match node:
        case Variable():
            return by.get(node, node)
        case Constant() | Truth():
            return node
        case Named(definition, arguments, body):
            return Named(definition, tuple(substitute(argument, by) for argument in arguments), substitute(body, by))
        case Plus(number, amount):
            return Plus(substitute(number, by), amount)
        case Sum(left, right):
            return Sum(substitute(left, by), substitute(right, by))
        case Times(number, factor):
            return Times(substitute(number, by), factor)
        case Compare(operator, left, right):
            return Compare(operator, substitute(left, by), substitute(right, by))
        case Not(operand):
            return Not(substitute(operand, by))
        case And(operands):
            return And(tuple(substitute(term, by) for term in operands))
        case Or(operands):
            return Or(tuple(substitute(term, by) for term in operands))
        case Implies(premise, conclusion):
            return Implies(substitute(premise, by), substitute(conclusion, by))
        case Choose(condition, chosen, otherwise):
            return Choose(substitute(condition, by), substitute(chosen, by), substitute(otherwise, by))
        case Apply(symbol, arguments, after):
            return Apply(symbol, tuple(substitute(argument, by) for argument in arguments), after)
        case Quantified(quantifier, variables, body):
            inner = {variable: value for variable, value in by.items() if variable not in variables}
            caught = set().union(*map(free, inner.values())) if inner else set()
            renamed = {variable: fresh(variable, caught) for variable in variables if variable in caught}
            names = tuple(renamed.get(variable, variable) for variable in variables)
            return Quantified(quantifier, names, substitute(body, {**inner, **renamed}))


def fresh(variable: Variable, taken: set[Variable]) -> Variable:
    """The variable under a name that is not taken."""
    while variable in taken:
        variable = Variable(variable.name + "_", variable.sort)
    return variable


def free(node: Node) -> set[Variable]:
    """The variables that nothing in the node binds."""
    match node:
        case Variable():
            return {node}
        case Constant() | Truth():
            return set()
        case Named(_, arguments, body):
            return free(body).union(*map(free, arguments))
        case Plus(number) | Times(number) | Not(number):
            return free(number)
        case Compare(_, left, right) | Implies(left, right) | Sum(left, right):
            return free(left) | free(right)
        case And(nodes) | Or(nodes) | Apply(_, nodes):
            return set().union(*map(free, nodes))
        case Choose(condition, chosen, otherwise):
            return free(condition) | free(chosen) | free(otherwise)
        case Quantified(_, variables, body):
            return free(body) - set(variables)


def unfolded(node: Node) -> Node:
    """The node without names of definitions."""
    return rebuilt(node, lambda item: item.body if isinstance(item, Named) else item)


def rebuilt(node: Node, change: object) -> Node:
    """The node with `change` applied to every part, the inner ones first."""
    assert callable(change)
    match node:
        case Variable() | Constant() | Truth():
            made: Node = node
        case Named(definition, arguments, body):
            made = Named(definition, arguments, rebuilt(body, change))
        case Plus(number, amount):
            made = Plus(rebuilt(number, change), amount)
        case Sum(left, right):
            made = Sum(rebuilt(left, change), rebuilt(right, change))
        case Times(number, factor):
            made = Times(rebuilt(number, change), factor)
        case Compare(operator, left, right):
            made = Compare(operator, rebuilt(left, change), rebuilt(right, change))
        case Not(operand):
            made = Not(rebuilt(operand, change))
        case And(operands):
            made = And(tuple(rebuilt(term, change) for term in operands))
        case Or(operands):
            made = Or(tuple(rebuilt(term, change) for term in operands))
        case Implies(premise, conclusion):
            made = Implies(rebuilt(premise, change), rebuilt(conclusion, change))
        case Choose(condition, chosen, otherwise):
            made = Choose(rebuilt(condition, change), rebuilt(chosen, change), rebuilt(otherwise, change))
        case Apply(symbol, arguments, after):
            made = Apply(symbol, tuple(rebuilt(argument, change) for argument in arguments), after)
        case Quantified(quantifier, variables, body):
            made = Quantified(quantifier, variables, rebuilt(body, change))
    result: Node = change(made)
    return result


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
    return rebuilt(_apart(node, set(action.parameters)), change)


def _apart(node: Node, taken: set[Variable]) -> Node:
    """The node with every bound variable under a name that is not taken."""

    def rename(node: Node) -> Node:
        if not isinstance(node, Quantified) or not taken & set(node.variables):
            return node
        names = {variable: fresh(variable, taken) for variable in node.variables}
        return Quantified(node.quantifier, tuple(names.values()), substitute(node.body, names))

    return rebuilt(unfolded(node), rename)


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


def symbols(node: Node) -> set[object]:
    """The symbols that a node reads."""
    found: set[object] = set()

    def note(node: Node) -> Node:
        if isinstance(node, Apply):
            found.add(node.symbol)
        return node

    rebuilt(node, note)
    return found
