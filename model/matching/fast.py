"""The fast path for one observation: a generated function per action that checks its guard, compares, and makes its changes.

It accepts only what fits exactly as the action would write it. Everything else, whether a misfit or another order of the same
messages, goes to the slow path (`observed`), which gives the reason. So the fast path decides clear cases only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from model.language import Action, Change, Message, Symbol
from model.language.terms import Apply, Formula, Number, Truth, Variable
from model.language.walk import parts
from model.matching.compiled import Compiled, parameters
from model.matching.layout import Tables, first
from model.matching.relaxed import Hearsay
from model.matching.source import Names

MISFIT: Final = 0
FITS: Final = 1
FITS_IN_OTHER_WORDS: Final = 2
"""The results of the fast path.

The observation fits, and every value in it was compared with the state or the step, including its type; or it fits, but a value
equal to the initial one may be written in a form that no protocol uses.
"""

Fast = Callable[[Tables, Mapping[str, Any], Any, Any], int]
"""(tables, attributes, sent, after): whether the observation fits; if so, the step has been applied.

A missing attribute is a KeyError or an IndexError. The attributes have values of the protocol's sorts.
"""

Same = Callable[[Tables, Any], int]
"""(tables, entries): whether entries of one symbol are as observed."""


def fast_way(compiled: Compiled, action: Action, same: Mapping[str, Same]) -> Fast | None:
    """The function of an action; None if only the slow path can compare what it changes."""
    changes = [change for change in action.changes if change.symbol.name in compiled.layout.kept]
    names = [change.symbol.name for change in changes]
    many = [change for change in changes if change.binders]
    if not all(isinstance(change.value, Truth) for change in many) or len(names) != len(set(names)):
        return None
    writer = _Writer(compiled, action, changes)
    more = {f"p_{name}": put for name, put in compiled.puts.items()} | {
        "untouched": untouched,
        "within": within,
        "compared": frozenset([*names, *(symbol.name for symbol in writer.read)]),
        "same": same,
    }
    return compiled.build("\n".join(writer.lines()), "fast", more)


def comparisons(compiled: Compiled) -> Mapping[str, Same]:
    """For each symbol of the state, the function that compares its observed entries."""
    kept = {name: symbol for name, symbol in compiled.layout.kept.items() if not isinstance(symbol, Message)}
    return {
        name: compiled.build(
            "\n".join(
                [
                    "def same(t, entries):",
                    f"    fits = {FITS}",
                    "    for x in entries:",
                    *(f"        {line}" for line in _compared(symbol)),
                    "    return fits",
                ]
            ),
            "same",
        )
        for name, symbol in kept.items()
    }


def spending(action: Action) -> list[Apply]:
    """The messages that a step spends by taking them. It is proved that no step can take them again, so they are discarded."""
    return [message for message in action.takes if isinstance(message.symbol, Message) and not message.symbol.lasting]


def untouched(tables: Tables, after: Mapping[str, Any], compared: frozenset[str], same: Mapping[str, Same]) -> int:
    """Whether entries of symbols that the step does not change, and that were not compared yet, are as observed."""
    fits = FITS
    for name, entries in after.items():
        if name not in compared:
            result = same[name](tables, entries) if name in same else MISFIT
            if result == MISFIT:
                return MISFIT
            fits = max(fits, result)
    return fits


def within(entries: Iterable[Sequence[Any]], written: Mapping[Any, None], value: object) -> bool:
    """Whether all of these entries are among those that a bulk change writes, with its value."""
    return all(entry[:-1] in written and entry[-1] == value for entry in entries)


def _inexact(symbol: Symbol, entry: str) -> str:
    """Whether an entry that compares equal to another one differs in type: true equals 1, and false equals 0."""
    wrong = [f"{entry}[-1].__class__ is not bool"] if symbol.result is Formula else []
    return " or ".join([*wrong, *_inexact_numbers(symbol, entry)])


def _inexact_numbers(symbol: Symbol, entry: str) -> list[str]:
    sorts = enumerate((*symbol.arguments, symbol.result))
    return [f"{entry}[{place}].__class__ is not int" for place, sort in sorts if issubclass(sort, Number)]


def _compared(symbol: Symbol) -> list[str]:
    """Compares the entry `x` of an unchanged symbol. If the table does not have it, its value may have any type."""
    if symbol.result is Formula:
        wrong = " or ".join(["x[-1] is not True", *_inexact_numbers(symbol, "x")])
        return [
            f"if x[:-1] in t.{symbol.name}:",
            f"    if {wrong}: return {MISFIT}",
            f"elif x[-1] is not False: return {MISFIT}",
            f"else: fits = {FITS_IN_OTHER_WORDS}",
        ]
    wrong = " or ".join(["v != x[-1]", *_inexact_numbers(symbol, "x")])
    return [
        f"v = t.{symbol.name}.get(x[:-1])",
        "if v is None:",
        f"    if x[-1] != {first(symbol)!r}: return {MISFIT}",
        f"    fits = {FITS_IN_OTHER_WORDS}",
        f"elif {wrong}: return {MISFIT}",
    ]


_LOOKED_UP: Final = re.compile(r"t\.\w+\.get\(\((?:v_\w+, )+\), [^(),]+\)")
"""An entry of a function whose arguments are the action's own parameters."""


_ARGUMENTS: Final = re.compile(r"\((?:v_\w+, )+\)")
"""A tuple of the action's own parameters."""


def _once(lines: Sequence[str], what: re.Pattern[str], name: str) -> list[str]:
    """These lines, with repeated expressions evaluated once in front of them."""
    text = "\n".join(lines)
    before = []
    for place, (expression, times) in enumerate(Counter(what.findall(text)).items()):
        if times > 1:
            before.append(f"    {name}{place} = {expression}")
            text = text.replace(expression, f"{name}{place}")
    return [*before, text]


class _Writer:
    def __init__(self, compiled: Compiled, action: Action, changes: list[Change]) -> None:
        self.layout = compiled.layout
        self.source = compiled.source
        self.action = action
        self.changes = changes
        self.names: Names = parameters(action.parameters)
        changed = {change.symbol.name for change in changes}
        asked = [one.symbol for node in action.guard for one in parts(node) if isinstance(one, Apply)]
        self.read = list(dict.fromkeys(one for one in asked if one.kind == "state" and one.name not in changed))
        """What the guard reads and the step does not change: an observation usually states it."""

    def lines(self) -> list[str]:
        """The function. Everything is read before anything is written, as in the statement."""
        lines = []
        guard = " and ".join(self.source.expression(node, self.names) for node in self.action.guard)
        if guard:
            lines.append(f"    if not ({guard}): return {MISFIT}")
        for place, change in enumerate(self.changes):
            if change.binders:
                lines += self._gathered(place, change)
                continue
            lines.append(f"    k{place} = {self.source.together(change.arguments, self.names)}")
            if not isinstance(change.value, Truth):
                lines.append(f"    n{place} = {self.source.expression(change.value, self.names)}")
            if change.condition != Truth(True):
                lines.append(f"    if{place} = {self.source.expression(change.condition, self.names)}")
        lines += self._sent()
        lines += self._after()
        given = [f"    {name} = a[{variable.name!r}]" for variable, name in self.names.items()]
        lines = _once(lines, _LOOKED_UP, "g")  # all of it only reads
        for taken in spending(self.action):
            arguments = self.source.together(taken.arguments, self.names)
            lines += [f"    {line}" for line in self._removed(taken.symbol, arguments)]
        for place, change in enumerate(self.changes):
            lines += self._put(place, change)
        return ["def fast(t, a, sent, after):", *given, *_once(lines, _ARGUMENTS, "h"), "    return fits"]

    def _gathered(self, place: int, change: Change) -> list[str]:
        """All entries that a bulk change writes, without duplicates."""
        here = [] if change.value == Truth(True) else [Apply(change.symbol, change.arguments)]
        lines = [f"    k{place} = {{}}"]
        for path, ends in zip(*self.source.paths([change.condition, *here], change.binders, self.names), strict=True):
            clauses = " ".join(path if path[0].startswith("for") else ["for _ in (0,)", *path])
            entry = self.source.together(change.arguments, ends)
            lines.append(f"    k{place}.update({{{entry}: None {clauses}}})")
        return lines

    def _sent(self) -> list[str]:
        sends = [
            (place, change)
            for place, change in enumerate(self.changes)
            if isinstance(change.symbol, Message) and not isinstance(change.symbol, Hearsay)
            if change.value == Truth(True)
        ]
        parts = []
        for place, change in sends:
            if change.binders:
                parts.append(f"tuple([({change.symbol.name!r}, *k) for k in k{place}])")
                continue
            message = f"(({change.symbol.name!r}, *k{place}),)"
            parts.append(message if change.condition == Truth(True) else f"({message} if if{place} else ())")
        together = " + ".join(parts) or "()"
        if not any(change.binders for _, change in sends):
            return [f"    if sent is not None and sent != {together}: return {MISFIT}"]
        return [  # their order may differ from that of the tables
            "    if sent is not None:",
            f"        m = {together}",
            f"        if sent != m and set(sent) != set(m): return {MISFIT}",
        ]

    def _after(self) -> list[str]:
        lines = [f"    fits = {FITS}", "    if after is not None:", "        rest = len(after)"]
        for place, change in enumerate(self.changes):
            name = change.symbol.name
            if isinstance(change.symbol, Message):
                continue
            value = self._value(place, change)
            if change.binders:
                lines.append(f"        if {name!r} in after:")
                lines.append(f"            e = after[{name!r}]")
                exact = f"e != tuple([(*k, {value}) for k in k{place}])"
                lines.append(f"            if {exact} and not within(e, k{place}, {value}): return {MISFIT}")
                if inexact := _inexact(change.symbol, "x"):
                    lines.append("            for x in e:")
                    lines.append(f"                if {inexact}: return {MISFIT}")
                lines.append("            rest -= 1")
                continue
            lines.append(f"        if {name!r} in after:")
            lines.append(f"            e = after[{name!r}]")
            if change.condition != Truth(True):
                value = f"{value} if if{place} else {self._value_of(change.symbol, f'k{place}')}"
            inexact = _inexact(change.symbol, "e[0]")
            wrong = f"e != ((*k{place}, {value}),)" + (f" or {inexact}" if inexact else "")
            lines.append(f"            if {wrong}: return {MISFIT}")
            lines.append("            rest -= 1")
        lines.append("        if rest:")
        for symbol in self.read:
            lines.append(f"            if {symbol.name!r} in after:")
            lines.append(f"                e = after[{symbol.name!r}]")
            lines.append(f"                if {self._not_as_asked(symbol)}:")
            lines.append("                    for x in e:")
            lines += [f"                        {line}" for line in _compared(symbol)]
            lines.append("                rest -= 1")
        lines.append("            if rest:")
        lines.append("                other = untouched(t, after, compared, same)")
        lines.append(f"                if other == {MISFIT}: return {MISFIT}")
        lines.append("                if other > fits: fits = other")
        return lines

    def _not_as_asked(self, symbol: Symbol) -> str:
        """Whether the observation states more than the one entry that the guard reads most, if it reads one of the parameters."""
        atoms = [
            part
            for node in self.action.guard
            for part in parts(node)
            if isinstance(part, Apply) and part.symbol is symbol
        ]
        asked = [atom.arguments for atom in atoms if all(isinstance(argument, Variable) for argument in atom.arguments)]
        own = [arguments for arguments in asked if all(argument in self.names for argument in arguments)]
        if not own:
            return "True"
        entry = self.source.together(Counter(own).most_common(1)[0][0], self.names)
        inexact = _inexact(symbol, "e[0]")
        said = f"e != ((*{entry}, {self._value_of(symbol, entry)}),)"
        return f"{said} or {inexact}" if inexact else said

    def _value_of(self, symbol: Symbol, entry: str) -> str:
        if symbol.result is Formula:
            return f"({entry} in t.{symbol.name})"
        return f"t.{symbol.name}.get({entry}, {first(symbol)!r})"

    def _value(self, place: int, change: Change) -> str:
        return str(change.value.value) if isinstance(change.value, Truth) else f"n{place}"

    def _put(self, place: int, change: Change) -> list[str]:
        """Writes one entry, in the table and its indexes; inlined, since a call per entry would take as long as all the rest."""
        symbol, name, entry = change.symbol, change.symbol.name, f"k{place}"
        if change.binders:
            return [f"    for k in k{place}: p_{name}(t, k, {self._value(place, change)})"]
        value = self._value(place, change)
        if value == "False":
            lines = self._removed(symbol, entry)
        elif self._is_indexed(symbol):
            lines = [f"p_{name}(t, {entry}, {value})"]
        elif isinstance(symbol, Message):
            lines = [f"t.{name}[{entry}] = t.now"]
        elif symbol.result is Formula:
            lines = [f"t.{name}.add({entry})"]
        else:
            lines = [f"if {value} != {first(symbol)!r}: t.{name}[{entry}] = {value}"]
            lines += [f"elif {entry} in t.{name}: del t.{name}[{entry}]"]
        if change.condition != Truth(True):
            return [f"    if if{place}:", *(f"        {line}" for line in lines)]
        return [f"    {line}" for line in lines]

    def _removed(self, symbol: Symbol, entry: str) -> list[str]:
        if self._is_indexed(symbol):
            return [f"p_{symbol.name}(t, {entry}, False)"]
        more = ", None" if isinstance(symbol, Message) else ""
        return [f"t.{symbol.name}.{'pop' if more else 'discard'}({entry}{more})"]

    def _is_indexed(self, symbol: Symbol) -> bool:
        return any(of == symbol.name for of, _ in self.layout.indexes)
