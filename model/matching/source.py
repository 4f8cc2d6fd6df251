"""Formulas and values as Python expressions over sparse tables.

A quantifier never loops over a sort: the members that make its body true are found through the tables, by an index on the arguments
that are already known. `paths` is the core: the ways to find all values of some variables for which a list of conjuncts holds. If
no conjunct narrows the search, the members of the sort are listed, and the layout records it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from model.language import Symbol
from model.language.terms import (
    And,
    Apply,
    Choose,
    Compare,
    Constant,
    Enumeration,
    Formula,
    Implies,
    Named,
    Node,
    Not,
    Number,
    Or,
    Plus,
    Quantified,
    Sum,
    Times,
    Truth,
    Variable,
)
from model.language.walk import free, substitute
from model.matching.layout import Layout, first

Names = Mapping[Variable, str]
"""The names of variables with a value in the generated text."""

Path = list[str]
"""The clauses of a comprehension, `for` and `if`, in order."""


class Source:
    """Writes expressions for one layout. In the text, `t` is the state and `c_NAME` a constant, as a function."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._numbers = count(1)

    # ---------------------------------------------------------------------------------------------- expressions

    def together(self, nodes: Sequence[Node], names: Names) -> str:
        """A tuple of values."""
        return f"({''.join(f'{self.expression(node, names)}, ' for node in nodes)})"

    def expression(self, node: Node, names: Names) -> str:
        """The value of a node."""
        match node:
            case Variable():
                return names[node]
            case Constant(value, sort):
                return repr(sort.names()[value]) if issubclass(sort, Enumeration) else str(value)
            case Truth(value):
                return str(value)
            case Named(_, _, body):
                return self.expression(body, names)
            case Plus(number, amount):
                return f"({self.expression(number, names)} + {amount})"
            case Sum(left, right):
                return f"({self.expression(left, names)} + {self.expression(right, names)})"
            case Times(number, factor):
                return f"({self.expression(number, names)} * {factor})"
            case Compare(operator, left, right):
                written = "==" if operator == "=" else operator
                return f"({self.expression(left, names)} {written} {self.expression(right, names)})"
            case Not(operand):
                return f"(not {self.expression(operand, names)})"
            case And(operands):
                return f"({' and '.join(self.expression(term, names) for term in operands) or 'True'})"
            case Or(operands):
                return f"({' or '.join(self.expression(term, names) for term in operands) or 'False'})"
            case Implies(premise, conclusion):
                return f"(not {self.expression(premise, names)} or {self.expression(conclusion, names)})"
            case Choose(condition, chosen, otherwise):
                parts = (self.expression(part, names) for part in (chosen, condition, otherwise))
                return "({} if {} else {})".format(*parts)
            case Quantified("some", variables, body):
                return self._some(variables, body, names)
            case Quantified(_, variables, body):
                return f"(not {self._some(variables, Not(body), names)})"
            case Apply(symbol, arguments, after):
                assert not after, f"{symbol}: only the state before the step can be read"
                return self._apply(symbol, arguments, names)

    def _apply(self, symbol: Symbol, arguments: Sequence[Node], names: Names) -> str:
        assert symbol.kind != "event", f"{symbol}: events do not belong to a state"
        if symbol.kind == "constant":
            return f"c_{symbol.name}({', '.join(self.expression(argument, names) for argument in arguments)})"
        given = self.together(arguments, names)
        if symbol.result is Formula:
            return f"({given} in t.{symbol.name})"
        return f"t.{symbol.name}.get({given}, {first(symbol)!r})"

    def _some(self, variables: Sequence[Variable], body: Node, names: Names) -> str:
        parts = []
        for path in self.paths([body], variables, names)[0]:
            (clause, *more) = path
            if (
                not more and clause.startswith("for") and " in t." in clause
            ):  # the index exists exactly if it has an entry
                looked_up = clause.split(" in ", 1)[1]
                parts.append(f"bool({looked_up})")
            else:
                parts.append(f"any(True {' '.join(path if clause.startswith('for') else ['for _ in (0,)', *path])})")
        return f"({' or '.join(parts) or 'False'})"

    # ---------------------------------------------------------------------------------------------------- paths

    def paths(
        self, nodes: Sequence[Node], variables: Sequence[Variable], names: Names
    ) -> tuple[list[Path], list[dict[Variable, str]]]:
        """Ways that together lead to all variable values for which all the nodes hold, possibly with duplicates.

        Each way comes with the names of all variables at its end.
        """
        inner = dict(names)
        open_: dict[Variable, None] = {}
        for variable in variables:
            inner.pop(variable, None)
            open_[variable] = None
        found: list[tuple[Path, dict[Variable, str]]] = []
        self._search(conjuncts([positive(node) for node in nodes]), open_, inner, [], found)
        return [path for path, _ in found], [ends for _, ends in found]

    def _search(
        self,
        waiting: list[Node],
        open_: dict[Variable, None],
        names: dict[Variable, str],
        path: Path,
        found: list[tuple[Path, dict[Variable, str]]],
    ) -> None:
        if any(node == Truth(False) for node in waiting):
            return
        rest: list[Node] = []
        for node in waiting:  # each conjunct is checked as early as possible
            if free(node) & open_.keys():
                rest.append(node)
            elif node != Truth(True):
                path = [*path, f"if {self.expression(node, names)}"]
        if not open_:
            found.append((path or ["if True"], names))
            return
        equal = self._equality(rest, open_)
        if equal is not None:
            node, variable, value = equal
            name = self._name(variable)
            step = f"for {name} in ({self.expression(value, names)},)"
            self._search(
                _without(rest, node), _closed(open_, variable), {**names, variable: name}, [*path, step], found
            )
            return
        best = max((self._known(node, open_) for node in rest), default=None, key=lambda item: item[0] if item else -1)
        if best is not None and best[0] == 0:  # the whole table would be scanned, unless each alternative has an index
            for node in rest:
                if isinstance(node, Or) and all(self._says_where(operand, open_) for operand in node.operands):
                    for term in node.operands:
                        self._search(conjuncts([term, *_without(rest, node)]), open_, names, path, found)
                    return
        if best is not None and best[0] >= 0:
            _, atom, whole = best
            self._look_up(atom, whole, rest, open_, names, path, found)
            return
        for node in rest:
            if isinstance(node, Or):
                for term in node.operands:
                    self._search(conjuncts([term, *_without(rest, node)]), open_, names, path, found)
                return
        for node in rest:
            if isinstance(node, Quantified) and node.quantifier == "some":
                fresh = {variable: Variable(self._name(variable), variable.sort) for variable in node.variables}
                inside = conjuncts([substitute(node.body, fresh), *_without(rest, node)])
                self._search(inside, {**open_, **dict.fromkeys(fresh.values())}, names, path, found)
                return
        self._list(rest, open_, names, path, found)

    def _equality(self, rest: Sequence[Node], open_: Mapping[Variable, None]) -> tuple[Node, Variable, Node] | None:
        """A conjunct that determines a variable."""
        for node in rest:
            if isinstance(node, Compare) and node.operator == "=":
                for variable, value in ((node.left, node.right), (node.right, node.left)):
                    if isinstance(variable, Variable) and variable in open_ and not free(value) & open_.keys():
                        return node, variable, value
        return None

    def _known(self, node: Node, open_: Mapping[Variable, None]) -> tuple[int, Apply, bool]:
        """How well a conjunct narrows the search: the number of known arguments of this atom; whether it says nothing else."""
        atom, whole = telling(node)
        if atom is None or not any(isinstance(argument, Variable) and argument in open_ for argument in atom.arguments):
            return -1, Apply(_NOWHERE, ()), False
        return sum(not free(argument) & open_.keys() for argument in atom.arguments), atom, whole

    def _says_where(self, node: Node, open_: Mapping[Variable, None]) -> bool:
        """Whether an index by some argument finds what makes it true."""
        return any(self._known(conjunct, open_)[0] > 0 for conjunct in conjuncts([node]))

    def _look_up(
        self,
        atom: Apply,
        whole: bool,
        rest: list[Node],
        open_: dict[Variable, None],
        names: dict[Variable, str],
        path: Path,
        found: list[tuple[Path, dict[Variable, str]]],
    ) -> None:
        known = tuple(place for place, argument in enumerate(atom.arguments) if not free(argument) & open_.keys())
        values = [self.expression(atom.arguments[place], names) for place in known]
        index = self.layout.index(atom.symbol, known)
        given = values[0] if len(values) == 1 else f"({', '.join(values)})"
        source = f"t.{index}.get({given}, ())" if known else f"t.{index}"
        targets, inner, still = [], dict(names), dict(open_)
        tests: list[tuple[str, Node]] = []
        for place, argument in enumerate(atom.arguments):
            if place in known:
                targets.append("_")
            elif isinstance(argument, Variable) and argument in still:
                inner[argument] = name = self._name(argument)
                targets.append(name)
                del still[argument]
            else:
                name = f"x{next(self._numbers)}"
                targets.append(name)
                tests.append((name, argument))
        path = [*path, f"for {''.join(f'{target}, ' for target in targets)} in {source}".replace(",  in", ", in")]
        left = [node for node in rest if not (whole and node == atom)]
        for name, argument in tests:  # an argument that is itself a look-up, or a variable that occurs twice
            given_as = Variable(name, Number)
            inner[given_as] = name
            left.append(Compare("=", given_as, argument))
        self._search(left, still, inner, path, found)

    def _list(
        self,
        rest: list[Node],
        open_: dict[Variable, None],
        names: dict[Variable, str],
        path: Path,
        found: list[tuple[Path, dict[Variable, str]]],
    ) -> None:
        """If nothing narrows the search: numbers up to a known one, otherwise all members of a sort."""
        for node in rest:
            if (
                isinstance(node, Compare)
                and node.operator in ("<", "<=")
                and isinstance(node.left, Variable)
                and node.left in open_
                and not free(node.right) & open_.keys()
            ):
                name = self._name(node.left)
                end = self.expression(node.right, names) + (" + 1" if node.operator == "<=" else "")
                inner, step = {**names, node.left: name}, f"for {name} in range({end})"
                self._search(_without(rest, node), _closed(open_, node.left), inner, [*path, step], found)
                return
        variable = next(iter(open_))
        name = self._name(variable)
        if issubclass(variable.sort, Enumeration):
            step = f"for {name} in {tuple(variable.sort.names())!r}"
        else:
            self.layout.listed.add(variable.sort)
            step = f"for {name} in e_{variable.sort.__name__}(t)"
        self._search(rest, _closed(open_, variable), {**names, variable: name}, [*path, step], found)

    def _name(self, variable: Variable) -> str:
        return f"v{next(self._numbers)}_{variable.name}"


_NOWHERE = Symbol("state", (), Formula, "No symbol.")


def _without(nodes: Sequence[Node], node: Node) -> list[Node]:
    return [term for term in nodes if term is not node]


def _closed(open_: Mapping[Variable, None], variable: Variable) -> dict[Variable, None]:
    return {other: None for other in open_ if other != variable}


def conjuncts(nodes: Sequence[Node]) -> list[Node]:
    """The nodes, with conjunctions flattened."""
    flat: list[Node] = []
    for node in nodes:
        flat.extend(conjuncts(node.operands) if isinstance(node, And) else [node])
    return flat


def telling(node: Node) -> tuple[Apply | None, bool]:
    """The atom that is in a table whenever the node holds, and whether the node says nothing else."""
    if isinstance(node, Apply) and node.symbol.kind not in ("constant", "event") and node.symbol.result is Formula:
        return node, True
    if isinstance(node, Compare):
        for one, other, is_left in ((node.left, node.right, True), (node.right, node.left, False)):
            if isinstance(one, Apply) and one.symbol.kind not in ("constant", "event"):
                fixed = other.value if isinstance(other, Constant) else None
                if node.operator == "=" and fixed:  # a value other than the first
                    return one, False
                if node.operator == "<" and not is_left:  # more than some number is more than 0
                    return one, False
                if node.operator == "<=" and not is_left and fixed:
                    return one, False
    if isinstance(node, Not) and isinstance(node.operand, Compare) and node.operand.operator == "=":
        for one, other in ((node.operand.left, node.operand.right), (node.operand.right, node.operand.left)):
            looked_up = isinstance(one, Apply) and one.symbol.kind not in ("constant", "event")
            if looked_up and isinstance(other, Constant) and other.value == 0:
                assert isinstance(one, Apply)
                return one, False
    return None, False


def positive(node: Node) -> Node:
    """The same formula with negation only at atoms, and without names of definitions."""
    match node:
        case Named(_, _, body):
            return positive(body)
        case And(operands):
            return And(tuple(positive(term) for term in operands))
        case Or(operands):
            return Or(tuple(positive(term) for term in operands))
        case Implies(premise, conclusion):
            return Or((positive(Not(premise)), positive(conclusion)))
        case Quantified(quantifier, variables, body):
            return Quantified(quantifier, variables, positive(body))
        case Compare(operator, left, right):
            return Compare(operator, unnamed(left), unnamed(right))
        case Choose(condition, chosen, otherwise):
            return Choose(positive(condition), positive(chosen), positive(otherwise))
        case Apply(symbol, arguments, after):
            return Apply(symbol, tuple(unnamed(argument) for argument in arguments), after)
        case Not(operand):
            return _negative(operand)
        case _:
            return node


def _negative(node: Node) -> Node:
    match node:
        case Named(_, _, body):
            return _negative(body)
        case Truth(value):
            return Truth(not value)
        case Not(operand):
            return positive(operand)
        case And(operands):
            return Or(tuple(_negative(term) for term in operands))
        case Or(operands):
            return And(tuple(_negative(term) for term in operands))
        case Implies(premise, conclusion):
            return And((positive(premise), _negative(conclusion)))
        case Quantified(quantifier, variables, body):
            return Quantified("some" if quantifier == "all" else "all", variables, _negative(body))
        case Compare("<", left, right):
            return Compare("<=", unnamed(right), unnamed(left))
        case Compare("<=", left, right):
            return Compare("<", unnamed(right), unnamed(left))
        case _:
            return Not(positive(node))


def unnamed(node: Node) -> Node:
    """A term without names of definitions at its top, so that what it reads is visible."""
    while isinstance(node, Named):
        node = node.body
    return node
