"""The value of a z3 term in one state, without a solver: what the prover's translation of a formula says there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import z3

from model.language import Protocol
from model.language.terms import Enumeration, Formula, Value
from model.reference.configuration import Configuration
from model.reference.state import Element, State, Tuple

Tables = Mapping[str, Any]
"""Relations as sets, functions as dictionaries, with members of enumerations as numbers."""

Meaning = Callable[[Tables, Mapping[str, Any], tuple[Any, ...]], Any]
"""The value of a term: of the tables, the constants by name, and the bound variables, the innermost first."""


class Evaluator:
    """Evaluates terms in states of a configuration."""

    def __init__(self, protocol: Protocol, configuration: Configuration) -> None:
        self._protocol = protocol
        self._members = configuration.sorts
        # Of enumerations only; a little more than their range, so that a missing limit of a bound variable shows.
        self._integers = range(-1, max((len(sort.names()) for sort in protocol.enumerations), default=0) + 1)

    def tables(self, state: State) -> Tables:
        """A state's tables."""
        found: dict[str, Any] = {}
        for symbol in self._protocol.symbols:
            if symbol.kind == "event":
                continue
            if symbol.result is Formula:
                found[symbol.name] = {self.values(symbol.arguments, key) for key in state.relations[symbol.name]}
            else:
                found[symbol.name] = {
                    self.values(symbol.arguments, key): self.values((symbol.result,), (value,))[0]
                    for key, value in state.functions[symbol.name].items()
                }
        return found

    def values(self, sorts: Sequence[type[Value]], key: Tuple) -> tuple[Any, ...]:
        """Elements as z3 has them."""
        return tuple(
            sort.names().index(str(part)) if issubclass(sort, Enumeration) else part
            for sort, part in zip(sorts, key, strict=True)
        )

    def meaning(self, term: Any) -> Meaning:
        """The term's value, as a function."""
        if z3.is_quantifier(term):
            return self._quantified(term)
        if z3.is_var(term):
            place = z3.get_var_index(term)
            return lambda tables, given, bound: bound[place]
        if z3.is_int_value(term):
            number = term.as_long()
            return lambda tables, given, bound: number
        parts = [self.meaning(part) for part in term.children()]
        kind = term.decl().kind()
        if kind == z3.Z3_OP_UNINTERPRETED:
            return _read(term, parts)
        return _OPERATORS[kind](parts)

    def _quantified(self, term: Any) -> Meaning:
        body = self.meaning(term.body())
        sorts = [term.var_sort(place) for place in range(term.num_vars())]
        ranges: list[Sequence[Element]] = [
            self._integers if sort == z3.IntSort() else self._members[sort.name()] for sort in sorts
        ]
        chosen = [tuple(reversed(values)) for values in product(*ranges)]
        joined = all if term.is_forall() else any
        return lambda tables, given, bound: joined(body(tables, given, values + bound) for values in chosen)


def _read(term: Any, parts: list[Meaning]) -> Meaning:
    name = term.decl().name()

    def read(tables: Tables, given: Mapping[str, Any], bound: tuple[Any, ...]) -> Any:
        if name in given:
            return given[name]
        table, key = tables[name], tuple(part(tables, given, bound) for part in parts)
        return key in table if isinstance(table, set) else table[key]

    return read


def _of_two(operator: Callable[[Any, Any], Any]) -> Callable[[list[Meaning]], Meaning]:
    def made(parts: list[Meaning]) -> Meaning:
        left, right = parts
        return lambda *given: operator(left(*given), right(*given))

    return made


_OPERATORS: Mapping[int, Callable[[list[Meaning]], Meaning]] = {
    z3.Z3_OP_TRUE: lambda parts: lambda *given: True,
    z3.Z3_OP_FALSE: lambda parts: lambda *given: False,
    z3.Z3_OP_NOT: lambda parts: lambda *given: not parts[0](*given),
    z3.Z3_OP_AND: lambda parts: lambda *given: all(part(*given) for part in parts),
    z3.Z3_OP_OR: lambda parts: lambda *given: any(part(*given) for part in parts),
    z3.Z3_OP_IMPLIES: lambda parts: lambda *given: not parts[0](*given) or parts[1](*given),
    z3.Z3_OP_ITE: lambda parts: lambda *given: parts[1](*given) if parts[0](*given) else parts[2](*given),
    z3.Z3_OP_ADD: lambda parts: lambda *given: sum(part(*given) for part in parts),
    z3.Z3_OP_EQ: _of_two(lambda left, right: left == right),
    z3.Z3_OP_LE: _of_two(lambda left, right: left <= right),
    z3.Z3_OP_LT: _of_two(lambda left, right: left < right),
    z3.Z3_OP_GE: _of_two(lambda left, right: left >= right),
    z3.Z3_OP_GT: _of_two(lambda left, right: left > right),
    z3.Z3_OP_MUL: _of_two(lambda left, right: left * right),
}
