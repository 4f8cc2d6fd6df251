"""Compares one observation with one state: does a step of the statement match it, and if not, where do they differ?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from model.language import Protocol
from model.language.terms import Variable
from model.matching.compiled import Changes, Compiled, CompiledAction, Constants, Members, apply
from model.matching.fast import Fast, comparisons, fast_way, spending
from model.matching.layout import Tables
from model.matching.relaxed import Hearsay
from model.reference.state import Element, Tuple

Attributes = Mapping[str, Any]
Messages = Iterable[Sequence[Element]]
"""Each as its name and its arguments."""
Entries = Mapping[str, Iterable[Sequence[Any]]]
"""Entries by symbol: the arguments, then the value (for a relation: true or false)."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """The place where an observation and the statement differ."""

    kind: Literal["guard", "sent", "after", "state", "missing"]
    """A conjunct of the guard is false; another message is sent; an entry has another value; a parameter is not known."""
    field: str
    """Of the observation: `guard`, `sent`, `after.told`, `state.told`, `attributes.version`."""
    expected: Any
    """According to the statement: the conjunct's index in the guard, messages, or an entry's value."""
    observed: Any
    action: str = ""
    choices: tuple[tuple[str, Element], ...] = ()
    entry: Tuple = ()
    """The arguments of the entry that differs."""


class Observer:
    """A protocol's actions, ready to be compared with observations."""

    def __init__(
        self,
        protocol: Protocol,
        constants: Constants,
        *,
        history: bool = False,
        members: Members = Tables.members,
    ) -> None:
        self.protocol = protocol
        self.compiled = Compiled(protocol, constants, history=history, members=members)
        self.actions: Mapping[str, CompiledAction] = self.compiled.actions
        self.messages = frozenset(message.name for message in protocol.messages if not isinstance(message, Hearsay))
        self.fast: dict[str, Fast] = {}
        same = comparisons(self.compiled)
        for name, ready in self.actions.items():
            made = fast_way(self.compiled, ready.action, same)
            if made is not None:
                self.fast[name] = made

    def tables(self) -> Tables:
        """The initial state."""
        return self.compiled.tables()

    # ---------------------------------------------------------------------------------------------------- steps

    def observe(
        self, tables: Tables, name: str, attributes: Attributes, sent: Messages | None, after: Entries | None
    ) -> Misfit | None:
        """Takes the step if the observation fits; otherwise the tables are unchanged."""
        ready = self.actions[name]
        choices = []
        for parameter in ready.names:
            if parameter not in attributes:
                return Misfit("missing", f"attributes.{parameter}", parameter, None, name)
            choices.append(attributes[parameter])
        changes = self.fits(tables, ready, choices, sent, after)
        if isinstance(changes, Misfit):
            return changes
        given = dict(zip(ready.names, choices, strict=True))
        for taken in spending(ready.action):
            arguments = tuple(given[argument.name] for argument in taken.arguments if isinstance(argument, Variable))
            tables.put(taken.symbol.name, arguments, False)
        apply(tables, changes)
        return None

    def fits(
        self,
        tables: Tables,
        ready: CompiledAction,
        choices: Sequence[Element],
        sent: Messages | None,
        after: Entries | None,
    ) -> Changes | Misfit:
        """What the step changes, if the observation fits."""
        name, given = ready.action.name, tuple(zip(ready.names, choices, strict=True))
        place = self.refuses(tables, ready, choices)
        if place != -1:
            return Misfit("guard", "guard", place, None, name, given)
        changes = ready.changes(tables, *choices)
        if sent is not None:
            wanted = {(of, *arguments) for (of, arguments), value in changes.items() if value and of in self.messages}
            seen = {tuple(message) for message in sent}
            if wanted != seen:
                return Misfit("sent", "sent", sorted(wanted, key=str), sorted(seen, key=str), name, given)
        if after is not None:
            for of, entries in after.items():
                for *some, value in entries:
                    entry = tuple(some)
                    now = changes.get((of, entry))
                    expected = tables.get(of, entry) if now is None else now
                    if expected != value:
                        return Misfit("after", f"after.{of}", expected, value, name, given, entry)
        return changes

    def refuses(self, tables: Tables, ready: CompiledAction, choices: Sequence[Element]) -> int:
        """The index of the first false conjunct of the guard, -1 if all hold.

        A spent message may have been discarded. Then it counts as sent, and the reason is why it is spent.
        """
        place = ready.refuses(tables, *choices)
        takes = ready.action.takes
        if not 0 <= place < len(takes):
            return place
        given = dict(zip(ready.names, choices, strict=True))
        forgotten = []
        for taken in takes:
            arguments = tuple(given[argument.name] for argument in taken.arguments if isinstance(argument, Variable))
            if arguments not in tables.table(taken.symbol.name):
                if not self.compiled.spent[taken.symbol.name](tables, *arguments):
                    return place
                forgotten.append((taken.symbol.name, arguments))
        for name, arguments in forgotten:
            tables.put(name, arguments, True)
        other = ready.refuses(tables, *choices)
        for name, arguments in forgotten:
            tables.put(name, arguments, False)
        return other if other != -1 else place

    # ---------------------------------------------------------------------------------- what changes nothing

    def is_sent(self, tables: Tables, message: Sequence[Element]) -> bool:
        """Whether a message was sent, or is among the spent ones, which are not recorded because no step needs them."""
        name, *arguments = message
        return tuple(arguments) in tables.table(str(name)) or self.compiled.spent[str(name)](tables, *arguments)

    def sweep(self, tables: Tables, name: str) -> int:
        """Discards the spent messages of this name; returns how many are left."""
        spent, table = self.compiled.spent[name], tables.table(name)
        for arguments in [entry for entry in table if spent(tables, *entry)]:
            tables.put(name, arguments, False)
        return len(table)
