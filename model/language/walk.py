"""The one walk over terms: what a node is made of, and nodes made from others.

Every engine that looks for something in a term, or changes one, does it with these functions, so that a new kind of node is added
here and nowhere else. (What gives a node its meaning, an evaluation or a translation, has a case for each kind of its own.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Final

from model.language.terms import (
    And,
    Apply,
    Choose,
    Compare,
    Constant,
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


def children(node: Node) -> tuple[Node, ...]:
    """The nodes that give this one its meaning, in the order in which they are written.

    Of a definition that is its body; the arguments beside it are for readers.
    """
    match node:
        case Variable() | Constant() | Truth():
            return ()
        case Plus(child) | Times(child) | Not(child) | Quantified(_, _, child) | Named(_, _, child):
            return (child,)
        case Sum(left, right) | Compare(_, left, right) | Implies(left, right):
            return left, right
        case And(nodes) | Or(nodes) | Apply(_, nodes):
            return nodes
        case Choose(condition, chosen, otherwise):
            return condition, chosen, otherwise


DEPTH_MAX: Final = 100
PARTS_MAX: Final = 1_000_000
"""How deep a term is nested at most, and how many parts it has, definitions put in: everything walks terms by recursion."""


def too_large(node: Node) -> str:
    """What is too large about a term, empty if nothing is; found without recursion, each part once however often it is used."""
    found: dict[int, tuple[int, int]] = {}
    waiting = [node]
    while waiting:
        inner = children(waiting[-1])
        if new := [child for child in inner if id(child) not in found]:
            waiting += new
        else:
            depths, counts = zip(*[(0, 0), *(found[id(child)] for child in inner)], strict=True)
            found[id(waiting.pop())] = 1 + max(depths), 1 + sum(counts)
    depth, count = found[id(node)]
    if depth > DEPTH_MAX:
        return f"is nested {depth:,} deep, and at most {DEPTH_MAX} are possible"
    return f"has more than {PARTS_MAX:,} parts" if count > PARTS_MAX else ""


def with_children(node: Node, new: Sequence[Node]) -> Node:
    """The node made of other nodes: as many as `children` gives, in that order."""
    match node:
        case Variable() | Constant() | Truth():
            return node
        case Plus(_, amount):
            return Plus(new[0], amount)
        case Times(_, factor):
            return Times(new[0], factor)
        case Not():
            return Not(new[0])
        case Quantified(quantifier, variables, _):
            return Quantified(quantifier, variables, new[0])
        case Sum():
            return Sum(new[0], new[1])
        case Compare(operator):
            return Compare(operator, new[0], new[1])
        case Implies():
            return Implies(new[0], new[1])
        case And():
            return And(tuple(new))
        case Or():
            return Or(tuple(new))
        case Apply(symbol, _, after):
            return Apply(symbol, tuple(new), after)
        case Choose():
            return Choose(new[0], new[1], new[2])
        case Named(definition, arguments, _):
            return Named(definition, arguments, new[0])


def parts(node: Node) -> Iterator[Node]:
    """The node and everything inside it, the inner ones first."""
    for child in children(node):
        yield from parts(child)
    yield node


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """The node with `change` applied to every part, the inner ones first."""
    return change(with_children(node, [rebuilt(child, change) for child in children(node)]))


def free(node: Node) -> set[Variable]:
    """The variables that no quantifier in the node binds; of a definition also those of arguments that it does not read."""
    if isinstance(node, Variable):
        return {node}
    beside = node.arguments if isinstance(node, Named) else ()
    found = set[Variable]().union(*map(free, children(node)), *map(free, beside))
    return found - set(node.variables) if isinstance(node, Quantified) else found


def substitute(node: Node, by: Substitution, taken: Set[Variable] = frozenset()) -> Node:
    """The node with variables replaced. A bound variable is renamed where it would capture a free one, or its name is taken."""
    if isinstance(node, Variable):
        return by.get(node, node)
    if isinstance(node, Quantified):
        inside = free(node.body) - set(node.variables)
        inner = {variable: value for variable, value in by.items() if variable in inside}
        names = apart(node.variables, inside.union(taken, *map(free, inner.values())))
        inner.update(zip(node.variables, names, strict=True))
        return Quantified(node.quantifier, names, substitute(node.body, inner, taken))
    made = with_children(node, [substitute(child, by, taken) for child in children(node)])
    if isinstance(made, Named):
        return Named(made.definition, tuple(substitute(argument, by, taken) for argument in made.arguments), made.body)
    return made


def apart(variables: Iterable[Variable], taken: Iterable[Variable]) -> tuple[Variable, ...]:
    """The variables under names that are not taken, each another one."""
    avoided = set(taken)
    found: list[Variable] = []
    for variable in variables:
        found.append(fresh(variable, avoided))
        avoided.add(found[-1])
    return tuple(found)


def fresh(variable: Variable, taken: set[Variable]) -> Variable:
    """The variable under a name that is not taken, by a variable of any sort."""
    names = {other.name for other in taken}
    while variable.name in names:
        variable = Variable(variable.name + "_", variable.sort)
    return variable


def unfolded(node: Node) -> Node:
    """The node without names of definitions."""
    return rebuilt(node, lambda part: part.body if isinstance(part, Named) else part)
