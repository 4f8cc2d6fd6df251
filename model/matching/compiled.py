"""Actions as functions over sparse tables: the guard, the changes, and the choices.

They are generated from the statement's own terms; a test compares them with the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from model.language import Action, Change, Message, Protocol
from model.language.terms import Apply, Compare, Constant, Formula, Node, Not, Truth, Value, Variable
from model.matching.layout import Layout, Put, Tables
from model.matching.source import Names, Source
from model.reference.state import Element, Tuple

Constants = Mapping[str, Callable[..., Any]]
"""The value of each constant for given arguments; for a relation, whether it holds."""

Members = Callable[[Tables, type[Value]], Iterable[Element]]
"""The members of a sort, for formulas that need all of them."""

Entry = tuple[str, Tuple]
"""A symbol's name and arguments."""

Changes = dict[Entry, Any]
"""The value of each entry that a step writes, in the state after it; messages that it sends are true."""


@dataclass(frozen=True, slots=True)
class CompiledAction:
    """One action, ready to run on tables."""

    action: Action
    names: tuple[str, ...]
    """Of the parameters, in order."""
    refuses: Callable[..., int]
    """(tables, *choices): the index of the first false conjunct of the guard; -1 if all hold."""
    changes: Callable[..., Changes]
    """(tables, *choices): what the step writes."""
    places: Mapping[str, int]
    """Of the parameters, by name."""


class Compiled:
    """All actions of a protocol over one layout, with given constants.

    `members` lists a sort where a formula needs all of it; by default the members that occur in the tables.
    """

    def __init__(
        self, protocol: Protocol, constants: Constants, *, history: bool = True, members: Members = Tables.members
    ) -> None:
        self.protocol = protocol
        self.constants = constants
        self.layout = Layout.of(protocol, history=history)
        self.source = Source(self.layout)
        self._scope: dict[str, Any] = {f"c_{name}": function for name, function in constants.items()}
        for sort in (*protocol.sorts, *protocol.numbers):
            self._scope[f"e_{sort.__name__}"] = partial(_listed, members, sort)
        self.actions = {action.name: self._compile(action) for action in protocol.actions}
        self.spent = {message.name: self._spent(message) for message in protocol.messages}
        self._finds: dict[tuple[str, tuple[str, ...]], Callable[..., Iterable[Tuple]]] = {}
        self._puts: dict[str, Put] = {}

    def tables(self) -> Tables:
        """The initial state; after this call no index is added."""
        return Tables(self.layout, self.puts)

    @property
    def puts(self) -> Mapping[str, Put]:
        """The write function of each symbol; after this call no index is added."""
        if not self._puts:
            for name, symbol in self.layout.kept.items():
                self._puts[name] = self.build(self.layout.put_source(symbol), "put")
        return self._puts

    @property
    def put_functions(self) -> dict[str, Put]:
        """The write functions, for a caller that replaces them when it adds an index to all existing tables."""
        assert self.puts
        return self._puts

    def build(self, text: str, name: str, more: Mapping[str, Any] | None = None) -> Callable[..., Any]:
        """Compiles a generated function; `more` are names that it may use besides constants and sorts."""
        scope = {**self._scope, **(more or {})}
        exec(compile(text, f"<{self.protocol.name}>", "exec"), scope)  # noqa: S102 - the text is generated from the protocol
        function: Callable[..., Any] = scope[name]
        return function

    # -------------------------------------------------------------------------------------------------- actions

    def _compile(self, action: Action) -> CompiledAction:
        names = tuple(variable.name for variable in action.parameters)
        given = parameters(action.parameters)
        header = ", ".join(["t", *given.values()])
        refusals = [
            f"    if not {self.source.expression(node, given)}: return {place}"
            for place, node in enumerate(action.guard)
        ]
        refuses = "\n".join([f"def refuses({header}):", *refusals, "    return -1"])
        writes = [line for change in action.changes for line in self._change(change, given)]
        changes = "\n".join([f"def changes({header}):", "    c = {}", *writes, "    return c"])
        return CompiledAction(
            action,
            names,
            self.build(refuses, "refuses"),
            self.build(changes, "changes"),
            {name: place for place, name in enumerate(names)},
        )

    def _change(self, change: Change, names: Names) -> list[str]:
        """The lines that record what a change writes. Writing an existing value is left out where that is known."""
        if change.symbol.name not in self.layout.kept:
            return []
        if not change.binders:
            entry = f"({change.symbol.name!r}, {self.source.together(change.arguments, names)})"
            line = f"c[{entry}] = {self.source.expression(change.value, names)}"
            if change.condition == Truth(True):
                return [f"    {line}"]
            return [f"    if {self.source.expression(change.condition, names)}: {line}"]
        here = Apply(change.symbol, change.arguments)
        cases: list[tuple[list[Node], Node]]
        if isinstance(change.value, Truth):
            cases = [([change.condition, *([] if change.value.value else [here])], change.value)]
        elif change.symbol.result is Formula:
            cases = [
                ([change.condition, change.value], Truth(True)),
                ([change.condition, here, Not(change.value)], Truth(False)),
            ]
        elif isinstance(change.value, Constant) and change.value.value == 0:
            cases = [([change.condition, Not(Compare("=", here, change.value))], change.value)]
        else:
            cases = [([change.condition], change.value)]
        lines = []
        for conditions, value in cases:
            for path, ends in zip(*self.source.paths(conditions, change.binders, names), strict=True):
                entry = f"({change.symbol.name!r}, {self.source.together(change.arguments, ends)})"
                clauses = path if path[0].startswith("for") else ["for _ in (0,)", *path]
                lines.append(f"    c.update({{{entry}: {self.source.expression(value, ends)} {' '.join(clauses)}}})")
        return lines

    def _spent(self, message: Message[Any]) -> Callable[..., bool]:
        given = parameters(message.parameters)
        text = f"def spent({', '.join(['t', *given.values()])}): return {self.source.expression(message.spent, given)}"
        return self.build(text, "spent")

    # -------------------------------------------------------------------------------------------------- choices

    def finder(self, action: str, known: Sequence[str]) -> Callable[..., Iterable[Tuple]]:
        """(tables, *known choices): all choices with which the action is enabled, possibly with duplicates.

        It may need new indexes: call this before creating the first tables.
        """
        place = (action, tuple(known))
        if place not in self._finds:
            assert not self._puts, f"{action}: create its finder before any tables"
            done = self.actions[action].action
            given = {variable: name for variable, name in parameters(done.parameters).items() if variable.name in known}
            open_ = [variable for variable in done.parameters if variable.name not in known]
            lines = [f"def find({', '.join(['t', *given.values()])}):", "    found = []"]
            for path, ends in zip(*self.source.paths(done.guard, open_, given), strict=True):
                clauses = path if path[0].startswith("for") else ["for _ in (0,)", *path]
                choices = self.source.together(done.parameters, ends)
                lines.append(f"    found += [{choices} {' '.join(clauses)}]")
            lines.append("    return found")
            self._finds[place] = self.build("\n".join(lines), "find")
        return self._finds[place]


def _listed(members: Members, sort: type[Value], tables: Tables) -> Iterable[Element]:
    return members(tables, sort)


def apply(tables: Tables, changes: Changes) -> None:
    """Applies the step."""
    for (name, arguments), value in changes.items():
        tables.puts[name](tables, arguments, value)


def sends(compiled: Compiled, changes: Changes) -> set[tuple[Element, ...]]:
    """The messages that a step sends, each as its name and arguments."""
    messages = {message.name for message in compiled.protocol.messages}
    return {(name, *arguments) for (name, arguments), value in changes.items() if name in messages and value}


def parameters(variables: Sequence[Variable]) -> dict[Variable, str]:
    """The names of a declaration's parameters in its function."""
    return {variable: f"v_{variable.name}" for variable in variables}
