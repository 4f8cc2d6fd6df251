"""Configurations: the size of a bounded model. They are TOML files kept by the engines' users, never part of a protocol.

```toml
doc = "Two hosts with a pod each."      # one sentence
shows = ["evict", "a_pod_is_gone"]      # what it is for: actions that occur, claims that are reached, variants that break a promise
                                        # in it, eventualities whose premise occurs; a run of the engine fails without them
without = ["restart"]                   # actions that this configuration leaves out (default: none)
eventually = ["ends"]                   # the eventualities to decide (default: all)

[sorts]                                 # the members of each sort, by name
Host = ["h1", "h2"]

[bounds]                                # the largest value of each number
Version = 2

[constants]                             # a relation: a list of tuples; a function: a table of arguments (joined by ",") to value
correct = [["h1"], ["h2"]]
vpc = { p1 = "red", p2 = "red" }

[only]                                  # restricts an action's choices, in parameter order; * is any (default: all)
place = ["p1,h1", "p2,*"]

[pinned]                                # exact counts that exploration must reproduce
distinct = 42
transitions = 99
depth = 7
```
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path
from stat import S_ISREG
from typing import Any

from model.bad_input import BadInput
from model.language import Protocol, Symbol
from model.language.bounds import may_leave
from model.language.notation import notation
from model.language.terms import Enumeration, Formula, Number, Value

NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
"""The allowed names of members of sorts and of configurations."""

MEMBERS_MAX = 64
"""The maximum number of members of a sort. A larger one is a mistake, since the state space grows exponentially."""

BOUND_MAX = 255
"""The maximum bound of a number."""

PINNED_MAX = 10**12
"""The maximum of a pinned count: no machine has memory for so many states."""

BYTES_MAX = 1_000_000
"""The maximum size of a configuration file; the largest one of ours has a thousandth of it."""

SAID_MAX = 500
"""Where a sentence is cut that shows a value of the file."""

SIZE = 2
"""The default number of members of a sort, and bound of a number, in a configuration made by size."""


@dataclass(frozen=True)
class Configuration:
    """A bounded model, from `load` or built in code. Two are equal if their contents are."""

    name: str
    sorts: Mapping[str, tuple[str, ...]]
    bounds: Mapping[str, int]
    constants: Mapping[str, frozenset[tuple[str | int, ...]] | Mapping[tuple[str | int, ...], str | int]]
    without: frozenset[str] = frozenset()
    only: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    pinned: Mapping[str, int] = field(default_factory=dict)
    doc: str = ""
    eventually: frozenset[str] | None = None
    shows: tuple[str, ...] = ()
    """What it is for: actions that occur, claims that are reached, variants that break, eventualities whose premise occurs."""

    def __hash__(self) -> int:
        return hash(self.name)

    def whole(self) -> Configuration:
        """The configuration without what only guides exploration: every action is possible in it."""
        return Configuration(self.name, self.sorts, self.bounds, self.constants)

    def content(self) -> str:
        """All that decides which states and steps there are, as text; so without pinned counts and prose."""
        constants = {
            name: sorted(map(repr, chosen.items() if isinstance(chosen, Mapping) else chosen))
            for name, chosen in sorted(self.constants.items())
        }
        kept = (sorted(self.sorts.items()), sorted(self.bounds.items()), constants)
        return repr((*kept, sorted(self.without), sorted(self.only.items())))

    def allows(self, action: str, choices: Sequence[str | int]) -> bool:
        """Whether the configuration permits the action with these choices."""
        if action in self.without:
            return False
        patterns = self.only.get(action)
        return patterns is None or any(
            all(wanted in ("*", str(choice)) for wanted, choice in zip(pattern, choices, strict=True))
            for pattern in patterns
        )


def of_sizes(name: str, protocol: Protocol, sizes: Mapping[str, int]) -> Configuration:
    """A configuration with the given number of members of each sort and bound of each number; constants have their first value
    everywhere.

    Raises:
        BadInput: a sort or number does not belong to the protocol, or a size is out of range.
    """
    names = [kind.__name__ for kind in (*protocol.sorts, *protocol.numbers)]
    for unknown in sizes.keys() - set(names):
        raise BadInput(f"sizes: {unknown!r} is neither a sort nor a number; expected among {', '.join(names)}")
    sorts = {}
    for sort in protocol.sorts:
        members = sizes.get(sort.__name__, SIZE)
        if not 1 <= members <= MEMBERS_MAX:
            raise BadInput(f"sizes: {sort.__name__}: expected 1 to {MEMBERS_MAX} members, found {members}")
        sorts[sort.__name__] = tuple(f"{sort.title[0]}{number + 1}" for number in range(members))
    bounds = {}
    for number in protocol.numbers:
        bounds[number.__name__] = bound = sizes.get(number.__name__, SIZE)
        if not 1 <= bound <= BOUND_MAX:
            raise BadInput(f"sizes: {number.__name__}: expected a bound from 1 to {BOUND_MAX}, found {bound}")
    constants: dict[str, Any] = {}
    for symbol in protocol.symbols:
        if symbol.kind == "constant":
            values = (_values(sort, sorts, bounds) for sort in symbol.arguments)
            first = None if symbol.result is Formula else _values(symbol.result, sorts, bounds)[0]
            constants[symbol.name] = frozenset() if first is None else dict.fromkeys(product(*values), first)
    return Configuration(name, sorts, bounds, constants)


def refuse_misread(protocol: Protocol, configuration: Configuration) -> None:
    """Nothing is read at a constant above its bound, where nothing has a value. Every engine of bounded models asks this first.

    Raises:
        BadInput: with the place of the declaration that does.
    """
    for value, wrong in protocol.misread():
        bound = configuration.bounds[wrong.sort.__name__]
        if may_leave(wrong.argument, bound) and value.name not in configuration.without:
            at = value.source
            place = f"{os.path.relpath(at.file)}, line {at.line}: " if at is not None else ""
            raise BadInput(
                f"{place}{value} reads {notation(wrong.read)}, but the configuration {configuration.name} bounds "
                f"{wrong.sort.__name__} at {bound}; raise the bound"
            )


def load(path: Path, protocol: Protocol) -> Configuration:
    """Reads a configuration file.

    Raises:
        BadInput: with file, line and field, and what was expected.
    """
    text = _read(path)
    try:
        return parse(path.stem, tomllib.loads(text), protocol, place=str(path))
    except tomllib.TOMLDecodeError as problem:
        raise BadInput(f"{path}: is not TOML: {problem}") from problem
    except ValueError as problem:  # Python reads no number of more than some thousand digits
        long = re.search(r"[0-9_]{1000,}", text)
        line = f", line {text.count(chr(10), 0, long.start()) + 1}" if long else ""
        raise BadInput(f"{path}{line}: a number has too many digits; expected one up to {BOUND_MAX}") from problem
    except RecursionError as problem:
        raise BadInput(f"{path}: is nested too deeply to be a configuration") from problem
    except BadInput as problem:
        raise BadInput(_located(str(problem), text, str(path))) from problem


def _read(path: Path) -> str:
    try:
        about = path.stat()
        if not S_ISREG(about.st_mode) or about.st_size > BYTES_MAX:
            raise BadInput(f"{path}: is no file of at most {BYTES_MAX:,} bytes; name a configuration file")
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        raise BadInput(f"{path}: cannot be read ({problem.strerror}); name an existing configuration file") from problem
    except UnicodeDecodeError as problem:
        line = problem.object.count(b"\n", 0, problem.start) + 1
        raise BadInput(f"{path}, line {line}: is not TOML: {problem}") from problem


def _located(sentence: str, text: str, place: str) -> str:
    """The sentence with the line of the field that it names, and without most of a long value."""
    sentence = sentence if len(sentence) <= SAID_MAX else f"{sentence[:SAID_MAX]}..."
    named = re.match(r": (?:unknown field ')?(\w+)(?:\.([\w-]+))?", sentence.removeprefix(place))
    if named is None:
        return sentence
    table, key = named.groups()
    begins, line = re.compile(rf"\s*(\[{table}\]|{table}\b)"), None
    for number, content in enumerate(text.splitlines(), start=1):
        if line is None and begins.match(content):
            line = number
        elif line is not None and key and re.match(rf"\s*[\"']?{re.escape(key)}\b", content):
            line = number
            break
    return sentence.replace(place, f"{place}, line {line}", 1) if line is not None else sentence


def parse(name: str, data: Mapping[str, Any], protocol: Protocol, *, place: str) -> Configuration:
    """Checks the content of a configuration file; error messages name `place`."""
    known = {"doc", "shows", "without", "eventually", "only", "sorts", "bounds", "constants", "pinned"}
    for key in data:
        if key not in known:
            raise BadInput(f"{place}: unknown field {key!r}; expected one of {', '.join(sorted(known))}")
    if not NAME.fullmatch(name):
        raise BadInput(f"{place}: the name {name!r} must be lower-case letters, digits and hyphens")
    sorts = _sorts(data.get("sorts", {}), protocol, place)
    bounds = _bounds(data.get("bounds", {}), protocol, place)
    given = data.get("constants", {})
    wanted = {symbol.name: symbol for symbol in protocol.symbols if symbol.kind == "constant"}
    if not isinstance(given, dict) or set(given) != set(wanted):
        raise BadInput(f"{place}: constants: expected exactly {_names(wanted)}, found {_names(given)}")
    constants = {key: _constant(symbol, given[key], sorts, bounds, place) for key, symbol in wanted.items()}
    actions = {action.name for action in protocol.actions}
    hopes = {eventuality.name for eventuality in protocol.eventualities}
    shown = {one.name for one in (*protocol.sometimes, *protocol.variants)}
    if data.get("eventually") == []:  # nothing would be decided, which would look like success
        raise BadInput(f"{place}: eventually: is empty; leave the field out to decide every eventuality")
    return Configuration(
        name,
        sorts,
        bounds,
        constants,
        frozenset(_subset(data, "without", actions, place)),
        _only(data.get("only", {}), protocol, sorts, bounds, place),
        _pinned(data.get("pinned", {}), place),
        str(data.get("doc", "")),
        frozenset(_subset(data, "eventually", hopes, place)) if "eventually" in data else None,
        _shows(data.get("shows", []), actions | hopes | shown, place),
    )


def _names(of: object) -> str:
    return ", ".join(sorted(map(str, of))) or "none" if isinstance(of, dict) else "no table"


def _subset(data: Mapping[str, Any], key: str, allowed: set[str], place: str) -> list[str]:
    value = data.get(key, [])
    if not isinstance(value, list) or any(not isinstance(entry, str) or entry not in allowed for entry in value):
        raise BadInput(f"{place}: {key}: expected a list of names among {', '.join(sorted(allowed))}, found {value!r}")
    return value


def _shows(given: Any, known: set[str], place: str) -> tuple[str, ...]:
    if not isinstance(given, list) or any(not isinstance(name, str) for name in given):
        raise BadInput(f"{place}: shows: expected a list of names, found {given!r}")
    for name in given:
        if name not in known:
            raise BadInput(
                f"{place}: shows: nothing is called {name!r}; name actions, claims that are reached, variants or eventualities"
            )
    return tuple(given)


def _only(
    given: Any, protocol: Protocol, sorts: Mapping[str, tuple[str, ...]], bounds: Mapping[str, int], place: str
) -> dict[str, tuple[tuple[str, ...], ...]]:
    actions = {action.name: action for action in protocol.actions}
    if not isinstance(given, dict):
        raise BadInput(f"{place}: only: expected a table of action to choices")
    found = {}
    for name, patterns in given.items():
        if name not in actions:
            raise BadInput(f"{place}: only: expected an action among {', '.join(sorted(actions))}, found {name!r}")
        count = len(actions[name].parameters)
        if not isinstance(patterns, list) or any(
            not isinstance(pattern, str) or len(pattern.split(",")) != count for pattern in patterns
        ):
            raise BadInput(
                f"{place}: only.{name}: expected a list of {count} choices joined by commas, found {patterns!r}"
            )
        found[name] = tuple(tuple(pattern.split(",")) for pattern in patterns)
        # A pattern that matches nothing would silently disable the action.
        for parameter, *chosen in zip(actions[name].parameters, *found[name], strict=True):
            among = {"*", *map(str, _values(parameter.sort, sorts, bounds))}
            for value in chosen:
                if value not in among:
                    raise BadInput(
                        f"{place}: only.{name}: expected for {parameter.name} a {parameter.sort.title} of this "
                        f"configuration, or *, found {value!r}"
                    )
    return found


def _values(sort: type[Value], sorts: Mapping[str, tuple[str, ...]], bounds: Mapping[str, int]) -> Sequence[str | int]:
    if issubclass(sort, Number):
        return range(bounds[sort.__name__] + 1)
    return tuple(sort.names()) if issubclass(sort, Enumeration) else sorts[sort.__name__]


def _sorts(given: Any, protocol: Protocol, place: str) -> dict[str, tuple[str, ...]]:
    wanted = [sort.__name__ for sort in protocol.sorts]
    if not isinstance(given, dict) or set(given) != set(wanted):
        raise BadInput(f"{place}: sorts: expected exactly {', '.join(wanted)}, found {_names(given)}")
    for sort, members in given.items():
        good = isinstance(members, list) and all(isinstance(m, str) and NAME.fullmatch(m) for m in members)
        if not good or not 1 <= len(members) <= MEMBERS_MAX or len(set(members)) != len(members):
            raise BadInput(
                f"{place}: sorts.{sort}: expected 1 to {MEMBERS_MAX} different names "
                f"of lower-case letters, digits and hyphens, found {members!r}"
            )
    return {sort: tuple(given[sort]) for sort in wanted}


def _bounds(given: Any, protocol: Protocol, place: str) -> dict[str, int]:
    wanted = [number.__name__ for number in protocol.numbers]
    if not isinstance(given, dict) or set(given) != set(wanted):
        raise BadInput(f"{place}: bounds: expected exactly {', '.join(wanted)}, found {_names(given)}")
    for number, bound in given.items():
        if type(bound) is not int or not 0 < bound <= BOUND_MAX:
            raise BadInput(f"{place}: bounds.{number}: expected an integer from 1 to {BOUND_MAX}, found {bound!r}")
    return {number: given[number] for number in wanted}


def _constant(
    symbol: Symbol, given: Any, sorts: Mapping[str, tuple[str, ...]], bounds: Mapping[str, int], place: str
) -> frozenset[tuple[str | int, ...]] | Mapping[tuple[str | int, ...], str | int]:
    where = f"{place}: constants.{symbol.name}"

    def element(sort: type[Value], value: Any) -> str | int:
        if issubclass(sort, Number):
            if type(value) is int and 0 <= value <= bounds[sort.__name__]:
                return value
            raise BadInput(f"{where}: expected a {sort.title} from 0 to {bounds[sort.__name__]}, found {value!r}")
        members = tuple(sort.names()) if issubclass(sort, Enumeration) else sorts[sort.__name__]
        if value not in members:
            raise BadInput(f"{where}: expected a {sort.title} among {', '.join(members)}, found {value!r}")
        return str(value)

    if symbol.result is Formula:
        if not isinstance(given, list) or any(
            not isinstance(entry, list) or len(entry) != len(symbol.arguments) for entry in given
        ):
            raise BadInput(f"{where}: expected a list of lists of {len(symbol.arguments)} names, found {given!r}")
        return frozenset(
            tuple(element(sort, value) for sort, value in zip(symbol.arguments, entry, strict=True)) for entry in given
        )
    if not isinstance(given, dict):
        raise BadInput(f"{where}: expected a table of {' and '.join(s.title for s in symbol.arguments)} to value")
    table: dict[tuple[str | int, ...], str | int] = {}
    among = [{str(value): value for value in _values(sort, sorts, bounds)} for sort in symbol.arguments]
    for key, value in given.items():
        parts = key.split(",") if key else []
        if len(parts) != len(symbol.arguments):
            raise BadInput(f"{where}: expected {len(symbol.arguments)} names joined by commas, found {key!r}")
        keys = zip(symbol.arguments, among, parts, strict=True)  # a key of a table is text, also where it is a number
        arguments = tuple(element(sort, known.get(part, part)) for sort, known, part in keys)
        table[arguments] = element(symbol.result, value)
    total = prod(map(len, among))
    if len(table) != total:
        raise BadInput(f"{where}: expected a value for each of {total} arguments, found {len(table)}")
    return table


def _pinned(given: Any, place: str) -> dict[str, int]:
    counts = {"distinct", "transitions", "depth"}
    if not isinstance(given, dict) or not set(given) <= counts:
        raise BadInput(f"{place}: pinned: expected integers for {', '.join(sorted(counts))}, found {given!r}")
    for count, number in given.items():
        if type(number) is not int or not 0 <= number <= PINNED_MAX:
            raise BadInput(f"{place}: pinned.{count}: expected an integer from 0 to {PINNED_MAX:,}, found {number!r}")
    return dict(given)
