"""The fast way through one observation: a generated function for each action that asks its guard, compares, and makes its changes.

It says yes only where everything fits exactly as the action would write it. Whatever else there is, be it a misfit or only another
order of the same messages, is for the slow way (`observed`), which says why. So nothing is decided here but what is plain.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from model.matching.compiled import Compiled, parameters
from model.matching.layout import Tables
from model.matching.relaxed import Hearsay
from model.matching.source import Names
from spec.language import Action, Change, Message
from spec.terms import Apply, Truth

Fast = Callable[[Tables, Mapping[str, Any], Any, Any], bool]
"""(tables, attributes, sent, after): whether the observation fits; then the step has happened. What is missing is a KeyError."""


def fast_way(compiled: Compiled, action: Action) -> Fast | None:
    """The function of an action; none if only the slow way can compare what it changes."""
    changes = [change for change in action.changes if change.symbol.name in compiled.layout.kept]
    names = [change.symbol.name for change in changes]
    many = [change for change in changes if change.binders]
    if not all(isinstance(change.value, Truth) for change in many) or len(names) != len(set(names)):
        return None
    names_changed = frozenset(names)
    more = {f"p_{name}": put for name, put in compiled.puts.items()} | {
        "untouched": untouched,
        "within": within,
        "changed": names_changed,
    }
    return compiled.build("\n".join(_Writer(compiled, action, changes).lines()), "fast", more)


def spending(action: Action) -> list[Apply]:
    """The messages that a step spends by taking them. It is proved that nobody can act on them again, so they are forgotten."""
    return [one for one in action.takes if isinstance(one.symbol, Message) and not one.symbol.lasting]


def untouched(tables: Tables, after: Mapping[str, Any], changed: frozenset[str]) -> bool:
    """Whether entries of symbols that the step does not change are as they are said to be."""
    firsts = tables.layout.firsts
    for name, entries in after.items():
        if name not in changed:
            begin = firsts.get(name)
            if begin is None:
                return False
            table = getattr(tables, name)
            if begin is False:
                for entry in entries:
                    if (entry[:-1] in table) != entry[-1]:
                        return False
            else:
                for entry in entries:
                    if table.get(entry[:-1], begin) != entry[-1]:
                        return False
    return True


def within(entries: Iterable[Sequence[Any]], written: Mapping[Any, None], value: object) -> bool:
    """Whether all of these entries are among those that a bulk change writes, with its value."""
    return all(entry[:-1] in written and entry[-1] == value for entry in entries)


_LOOKED_UP: Final = re.compile(r"t\.\w+\.get\(\((?:v_\w+, )+\), [^(),]+\)")
"""An entry of a function whose arguments are the action's own parameters."""


def _once(lines: Sequence[str]) -> list[str]:
    """These lines, which only read; what they look up several times is looked up before them, once."""
    text = "\n".join(lines)
    before = []
    for place, (entry, times) in enumerate(Counter(_LOOKED_UP.findall(text)).items()):
        if times > 1:
            before.append(f"    g{place} = {entry}")
            text = text.replace(entry, f"g{place}")
    return [*before, text]


class _Writer:
    def __init__(self, compiled: Compiled, action: Action, changes: list[Change]) -> None:
        self.layout = compiled.layout
        self.source = compiled.source
        self.action = action
        self.changes = changes
        self.names: Names = parameters(action.parameters)

    def lines(self) -> list[str]:
        """The function. Everything is read before anything is written, as in the statement."""
        lines = []
        guard = " and ".join(self.source.expression(node, self.names) for node in self.action.guard)
        if guard:
            lines.append(f"    if not ({guard}): return False")
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
        lines = ["def fast(t, a, sent, after):", *given, *_once(lines)]
        for taken in spending(self.action):
            lines.append(f"    p_{taken.symbol.name}(t, {self.source.together(taken.arguments, self.names)}, False)")
        for place, change in enumerate(self.changes):
            lines += self._put(place, change)
        return [*lines, "    return True"]

    def _gathered(self, place: int, change: Change) -> list[str]:
        """All entries that a bulk change writes, each once."""
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
            return [f"    if sent is not None and sent != {together}: return False"]
        return [  # they may be told in another order than that of the tables
            "    if sent is not None:",
            f"        m = {together}",
            "        if sent != m and set(sent) != set(m): return False",
        ]

    def _after(self) -> list[str]:
        lines = ["    if after is not None:", "        rest = len(after)"]
        for place, change in enumerate(self.changes):
            name = change.symbol.name
            if isinstance(change.symbol, Message):
                continue
            value = self._value(place, change)
            if change.binders:
                lines.append(f"        e = after.get({name!r})")
                lines.append("        if e is not None:")
                exact = f"e != tuple([(*k, {value}) for k in k{place}])"
                lines.append(f"            if {exact} and not within(e, k{place}, {value}): return False")
                lines.append("            rest -= 1")
                continue
            lines.append(f"        e = after.get({name!r})")
            lines.append("        if e is not None:")
            wanted = f"e != ((*k{place}, {value}),)"
            lines.append(
                f"            if {wanted}: return False"
                if change.condition == Truth(True)
                else f"            if not if{place} or {wanted}: return False"
            )
            lines.append("            rest -= 1")
        lines.append("        if rest and not untouched(t, after, changed): return False")
        return lines

    def _value(self, place: int, change: Change) -> str:
        return str(change.value.value) if isinstance(change.value, Truth) else f"n{place}"

    def _put(self, place: int, change: Change) -> list[str]:
        """Writes one entry, in the table and its indexes; spelled out, since a call for each would take as long as all the rest."""
        symbol, name, entry = change.symbol, change.symbol.name, f"k{place}"
        if change.binders:
            return [f"    for k in k{place}: p_{name}(t, k, {self._value(place, change)})"]
        if not (isinstance(change.value, Truth) and change.value.value) or any(
            of == name for of, _ in self.layout.indexes
        ):
            lines = [f"p_{name}(t, {entry}, {self._value(place, change)})"]
        elif isinstance(symbol, Message):
            lines = [f"t.{name}[{entry}] = t.now"]
        else:
            lines = [f"t.{name}.add({entry})"]
        if change.condition != Truth(True):
            return [f"    if if{place}:", *(f"        {line}" for line in lines)]
        return [f"    {line}" for line in lines]
