"""Queries on one state.

The matcher compiles in advance what it evaluates a million times. An explanation makes a few hundred queries once, each depending
on the answer to the previous one; so here everything is compiled on demand, and the state gets the indexes needed at that time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from model.language import Action, Protocol, Symbol
from model.language.terms import Formula, Node, Number, Value, Variable
from model.matching.compiled import Changes, Compiled, Constants, apply, parameters
from model.matching.interval_set import IntervalSet
from model.matching.layout import Put, Tables, key
from model.reference.state import Element, Tuple

Environment = Mapping[Variable, Element]
"""The values of variables."""

LOOKED_AT_MAX: Final = 100_000
"""Entries that one search may scan before it gives up: a few hundredths of a second."""


class Scene:
    """A protocol and a state of it. The tables are a copy with their own indexes.

    `more`: additional symbols that formulas may read; empty at first.
    """

    def __init__(
        self, protocol: Protocol, constants: Constants, state: Tables | None = None, more: Sequence[Symbol] = ()
    ) -> None:
        self.protocol = protocol
        self.compiled = Compiled(protocol, constants, history=True, members=_members)
        self.layout = self.compiled.layout
        self.layout.kept = {**self.layout.kept, **{symbol.name: symbol for symbol in more}}
        self.actions = {action.name: action for action in protocol.actions}
        self.messages = frozenset(message.name for message in protocol.messages)
        self.gave_up = 0
        """Searches that ended before everything was scanned."""
        self._looked_at = 0
        self._values: dict[tuple[Node, tuple[Variable, ...]], Callable[..., Any]] = {}
        self._finds: dict[object, Callable[..., Iterator[Tuple]]] = {}
        self._puts: dict[str, Put] = {}
        self._indexed: set[str] = set()
        self.tables = Tables(self.layout, self._puts)
        self.kept = frozenset(self.layout.kept)
        """The symbols that the state contains, without history if it is not recorded."""
        if state is not None:
            self.kept = frozenset(state.layout.kept)
            for name in state.layout.kept:
                if name not in self.layout.counted and name not in self.layout.settled:
                    setattr(self.tables, name, state.table(name).copy())
            self.tables.take_over(state)

    @classmethod
    def on(cls, compiled: Compiled, tables: Tables) -> Scene:
        """A scene that operates on the state itself, with its own compiled actions: writes go to the tables."""
        made = cls(compiled.protocol, compiled.constants)
        made.compiled, made.layout, made.tables = compiled, compiled.layout, tables
        made._puts = compiled.put_functions
        made._indexed = set(compiled.layout.indexes.values())
        made.kept = frozenset(compiled.layout.kept)
        return made

    # ------------------------------------------------------------------------------------------------- the state

    def put(self, name: str, arguments: Tuple, value: Any) -> None:
        """Sets the value of an entry."""
        self._ready()
        self.tables.put(name, arguments, value)

    def get(self, name: str, arguments: Tuple) -> Any:
        """The value of an entry; for a relation, whether it holds."""
        return self.tables.get(name, arguments)

    def mirror(self, name: str, other: str) -> None:
        """Gives a still empty symbol the entries of another one with the same arguments and value."""
        table = self.tables.table(name)
        as_it_is = self.layout.kept[name].result is not Formula or isinstance(table, IntervalSet)
        setattr(self.tables, other, table.copy() if as_it_is else set(table))
        self._indexed -= {index for (of, _), index in self.layout.indexes.items() if of == other}

    @contextmanager
    def after(self, changes: Changes) -> Iterator[None]:
        """The state after some changes, while the context is active."""
        self._ready()
        was = {entry: self.tables.get(*entry) for entry in changes}
        apply(self.tables, changes)
        try:
            yield
        finally:
            self._ready()
            apply(self.tables, was)

    def _ready(self) -> None:
        """Builds the indexes that were requested since, and the write functions that maintain them."""
        new = {place: index for place, index in self.layout.indexes.items() if index not in self._indexed}
        if not new and self._puts:
            return
        for (name, positions), index in new.items():
            made: dict[Any, dict[Tuple, None]] = {}
            looked_up = eval(f"lambda args: {key(positions, 'args')}")  # noqa: S307 - positions are numbers
            for arguments, _ in self.tables.entries(name):
                made.setdefault(looked_up(arguments), {})[arguments] = None
            setattr(self.tables, index, made)
            self._indexed.add(index)
        changed = {name for name, _ in new} if self._puts else set(self.layout.kept)
        for name in changed:
            self._puts[name] = self.compiled.build(self.layout.put_source(self.layout.kept[name]), "put")

    # ----------------------------------------------------------------------------------------------------- queries

    def value(self, node: Node, given: Environment) -> Any:
        """The value of a formula or term."""
        order = tuple(given)
        place = node, order
        if place not in self._values:
            names = parameters(order)
            text = (
                f"def value({', '.join(['t', *names.values()])}): return {self.compiled.source.expression(node, names)}"
            )
            self._values[place] = self.compiled.build(text, "value")
        self._ready()
        return self._values[place](self.tables, *given.values())

    def witnesses(self, variables: Sequence[Variable], nodes: Sequence[Node], given: Environment) -> Iterator[Tuple]:
        """Variable values for which all the formulas hold, possibly with duplicates; incomplete if there is too much to scan."""
        place = tuple(variables), tuple(nodes), tuple(given)
        if place not in self._finds:
            names = parameters([argument for argument in given if argument not in variables])
            lines = [f"def find({', '.join(['t', *parameters(list(given)).values()])}):"]
            for path, ends in zip(*self.compiled.source.paths(list(nodes), list(variables), names), strict=True):
                clauses = [f"{clause} if look()" if clause.startswith("for") else clause for clause in path]
                clauses = clauses if path[0].startswith("for") else ["for _ in (0,)", *clauses]
                lines.append(
                    f"    yield from ({self.compiled.source.together(list(variables), ends)} {' '.join(clauses)})"
                )
            lines.append("    yield from ()")
            self._finds[place] = self.compiled.build("\n".join(lines), "find", {"look": self._look})
        self._ready()
        self._looked_at = 0
        try:
            yield from self._finds[place](self.tables, *given.values())
        except _TooMuch:
            self.gave_up += 1

    def _look(self) -> bool:
        self._looked_at += 1
        if self._looked_at > LOOKED_AT_MAX:
            raise _TooMuch
        return True

    # ------------------------------------------------------------------------------------------------------ steps

    def choices(self, action: Action, known: Environment, most: int) -> list[Tuple]:
        """Choices with which the action is enabled, the known ones as given; at most this many."""
        open_ = [parameter for parameter in action.parameters if parameter not in known]
        found = islice(self.witnesses(open_, action.guard, known), most)
        return [
            tuple(
                known[parameter] if parameter in known else rest[open_.index(parameter)]
                for parameter in action.parameters
            )
            for rest in dict.fromkeys(found)
        ]

    def is_possible(self, action: Action, choices: Tuple) -> bool:
        """Whether the guard holds."""
        self._ready()
        return self.compiled.actions[action.name].refuses(self.tables, *choices) == -1

    def changes(self, action: Action, choices: Tuple) -> Changes:
        """What the step writes, whether it is enabled or not."""
        self._ready()
        return self.compiled.actions[action.name].changes(self.tables, *choices)


def _members(tables: Tables, sort: type[Value]) -> list[Element]:
    """The members of a sort that occur in the state; if there are none, a new one, since no sort is empty."""
    return tables.members(sort) or [0 if issubclass(sort, Number) else f"any {sort.title}"]


class _TooMuch(Exception):
    """A search has scanned more than it may."""
