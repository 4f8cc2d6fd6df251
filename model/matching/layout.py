"""Sparse tables: the true tuples and the values other than the initial ones, with the indexes that compiled actions need.

Sorts are open: a member exists once an entry names it. So a table holds only what differs from the initial state, and everything
else has its initial value: a relation is false, a number 0, an enumeration at its first member.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from model.language import Message, Protocol, Symbol
from model.language.terms import Enumeration, Formula, Number, Value
from model.matching.forgotten import Settled, counted, settled
from model.matching.interval_set import IntervalSet
from model.reference.state import Element, Tuple

Put = Callable[[Any, Tuple, Any], None]
"""Sets the value of an entry of one symbol, in the table and its indexes."""


def first(symbol: Symbol) -> Element | bool:
    """The initial value of every entry."""
    if symbol.result is Formula:
        return False
    return symbol.result.names()[0] if issubclass(symbol.result, Enumeration) else 0


@dataclass
class Layout:
    """The tables of a protocol. Compiling actions adds indexes, so `tables` comes last."""

    protocol: Protocol
    kept: Mapping[str, Symbol]
    """The symbols with a table, by name."""
    indexes: dict[tuple[str, tuple[int, ...]], str] = field(default_factory=dict)
    """The name of the index of a symbol by some of its arguments."""
    listed: set[type[Value]] = field(default_factory=set)
    """Sorts of which some formula needs every member, because no index narrows the search."""
    counted: frozenset[str] = frozenset()
    """Relations that are kept as intervals of numbers."""
    settled: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Functions whose entries with these values may be discarded."""

    @classmethod
    def of(cls, protocol: Protocol, *, history: bool = True) -> Layout:
        """The layout for all state and messages of a protocol; history is read by promises only, and may be left out."""
        kinds = {"state", "message", "history"} if history else {"state", "message"}
        kept = {symbol.name: symbol for symbol in protocol.symbols if symbol.kind in kinds}
        return cls(protocol, kept, counted=counted(protocol), settled=settled(protocol))

    def index(self, symbol: Symbol, positions: tuple[int, ...]) -> str:
        """The name of an index; the whole table if no argument is given."""
        if not positions:
            return symbol.name
        name = f"{symbol.name}_by_{'_'.join(map(str, positions))}"
        self.indexes[symbol.name, positions] = name
        return name

    def first(self, name: str) -> Element | bool:
        """The initial value of every entry of a symbol."""
        return first(self.kept[name])

    def put_source(self, symbol: Symbol) -> str:
        """The function that sets the value of an entry."""
        name = symbol.name
        of_symbol = [(positions, index) for (of, positions), index in self.indexes.items() if of == name]
        lines = [f"def put(t, args, value):\n    table = t.{name}"]
        if isinstance(symbol, Message):
            store, forget = "table[args] = t.now", "del table[args]"
        elif symbol.result is Formula:
            store, forget = "table.add(args)", "table.discard(args)"
        else:
            store, forget = "table[args] = value", "del table[args]"
        lines.append(f"    if value != {first(symbol)!r}:")
        if not of_symbol:
            lines.append(f"        {store}")
        else:
            lines.append("        if args not in table:")
            for positions, index in of_symbol:
                lines.append(f"            t.{index}.setdefault({key(positions, 'args')}, {{}})[args] = None")
            lines.append(f"        {store}")
        lines.append("    elif args in table:")
        lines.append(f"        {forget}")
        for positions, index in of_symbol:
            lines.append(f"        key = {key(positions, 'args')}")
            lines.append(f"        some = t.{index}[key]")
            lines.append("        del some[args]")
            lines.append("        if not some:")
            lines.append(f"            del t.{index}[key]")
        return "\n".join(lines)


def key(positions: Iterable[int], of: str) -> str:
    """The key of an index: the argument itself, or a tuple of several."""
    parts = [f"{of}[{position}]" for position in positions]
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


class Tables:
    """One state. Each table and index is an attribute, since generated code reads them all the time.

    `now` counts observations; a message's entry keeps the number of the last one that sent it.
    """

    def __init__(self, layout: Layout, puts: Mapping[str, Put]) -> None:
        self.layout = layout
        self.puts = puts
        self.now = 0
        self.gone: dict[str, IntervalSet] = {}
        """What was discarded, by symbol, as far as it matters."""
        self.past: dict[str, set[Tuple]] = {}
        """Entries of history that no other state reflects any more."""
        for name, symbol in layout.kept.items():
            plain = symbol.result is Formula and not isinstance(symbol, Message)
            table: Any = set() if plain else {}
            if name in layout.counted:
                table = IntervalSet()
            elif name in layout.settled:
                table = Settled(self.gone.setdefault(name, IntervalSet()))
            setattr(self, name, table)
        for index in layout.indexes.values():
            setattr(self, index, {})

    def table(self, name: str) -> Any:
        """The set of a relation's tuples, or the mapping of a function or message."""
        return getattr(self, name)

    def put(self, name: str, arguments: Tuple, value: Any) -> None:
        """Sets the value of an entry."""
        self.puts[name](self, arguments, value)

    def get(self, name: str, arguments: Tuple) -> Any:
        """The value of an entry; true or false for a relation."""
        symbol, table = self.layout.kept[name], getattr(self, name)
        if symbol.result is Formula:
            return arguments in table
        return table.get(arguments, first(symbol))

    def entries(self, name: str) -> Iterator[tuple[Tuple, Any]]:
        """The entries that differ from the initial state, with their values."""
        table = getattr(self, name)
        if self.layout.kept[name].result is Formula:
            for arguments in table:
                yield arguments, True
        else:
            yield from table.items()

    def entries_with(self, name: str, position: int, value: Element) -> Iterator[tuple[Tuple, Any]]:
        """The entries with this argument at this position; scans all only if there is no such index."""
        index = self.layout.indexes.get((name, (position,)))
        if index is None:
            yield from (entry for entry in self.entries(name) if entry[0][position] == value)
        else:
            yield from ((arguments, self.get(name, arguments)) for arguments in getattr(self, index).get(value, ()))

    def copy(self) -> Tables:
        """An independent state with the same content."""
        made = Tables.__new__(Tables)
        made.layout, made.puts, made.now = self.layout, self.puts, self.now
        made.take_over(self)
        for name in self.layout.kept.keys() - self.layout.counted - self.layout.settled.keys():
            setattr(made, name, getattr(self, name).copy())
        for index in self.layout.indexes.values():
            setattr(made, index, {key: some.copy() for key, some in getattr(self, index).items()})
        return made

    def take_over(self, other: Tables) -> None:
        """Takes over what another state has discarded, and all its entries of the symbols with a special representation."""
        self.gone = {name: some.copy() for name, some in other.gone.items()}
        self.past = {name: set(some) for name, some in other.past.items()}
        for name in self.layout.counted:
            setattr(self, name, other.table(name).copy())
        for name in self.layout.settled:
            table = Settled(self.gone.setdefault(name, IntervalSet()))
            table.update(other.table(name))
            setattr(self, name, table)

    def forgotten_as_json(self) -> dict[str, Any]:
        """What was discarded, and the interval sets, for storing in a file."""
        return {
            "gone": {name: some.as_json() for name, some in self.gone.items()},
            "past": {name: [list(entry) for entry in some] for name, some in self.past.items()},
            "counted": {name: self.table(name).as_json() for name in self.layout.counted},
        }

    def forget_again(self, kept: Mapping[str, Any]) -> None:
        """Restores what `forgotten_as_json` has written; the state must still be empty."""
        self.gone = {name: IntervalSet.of(some) for name, some in kept["gone"].items()}
        self.past = {name: {tuple(entry) for entry in some} for name, some in kept["past"].items()}
        for name, some in kept["counted"].items():
            setattr(self, name, IntervalSet.of(some))
        for name in self.layout.settled:
            setattr(self, name, Settled(self.gone.setdefault(name, IntervalSet())))

    def members(self, sort: type[Value]) -> list[Element]:
        """The members of a sort that occur in the state, in order; numbers up to one more than the largest."""
        found: set[Any] = set()
        for name, symbol in self.layout.kept.items():
            places = [place for place, of in enumerate(symbol.arguments) if of is sort]
            if name in self.layout.counted and symbol.arguments[-1] is not sort:
                for before in self.table(name).beginnings():
                    found.update(before[place] for place in places)
                continue
            if not places and symbol.result is not sort:
                continue
            for arguments, value in self.entries(name):
                found.update(arguments[place] for place in places)
                if symbol.result is sort:
                    found.add(value)
        return list(range(max(found, default=0) + 2)) if issubclass(sort, Number) else sorted(found)
