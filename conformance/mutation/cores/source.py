"""A module's text as a tree, and every place in it where one node can replace another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import CodeType
from typing import Any, Final

from conformance.mutation.cores.rules import changes_of, is_left_alone

ROOT: Final = Path(__file__).parents[3]

SHOWN_MAX: Final = 110
"""Characters of a piece of source in a mutant's name."""


@dataclass(frozen=True)
class Mutant:
    """A core with one change, made by a rule."""

    module: str
    """Its full name, as in `impl.on_demand.ncm`."""
    place: str
    """The function or class that is changed, with its class in front."""
    rule: str
    was: str
    """The source that is changed, on one line, cut to `SHOWN_MAX`."""
    now: str
    """What stands there instead; empty: nothing."""
    number: int
    """From 1 on, among the mutants of the place that read alike."""
    lines: range | None = None
    """Those of the statement that is changed, in a function; none: it is executed with the module."""

    @property
    def name(self) -> str:
        """What distinguishes it from all other mutants, as long as the source around it does not change."""
        again = f" ({self.number})" if self.number > 1 else ""
        return f"{self.of}: {self.rule}: {self.was} → {self.now or 'nothing'}{again}"

    @property
    def of(self) -> str:
        """The function, or the class, with its module."""
        return f"{self.module.removeprefix('impl.')}.{self.place}"


@dataclass(frozen=True)
class _Site:
    """A field of a node, or a member of a list there."""

    parent: ast.AST
    field: str
    index: int | None

    def put(self, node: Any) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


_Found = tuple[_Site, Any, str, Any, bool]
"""Where a node stands, the node, its function, the statement that it is part of, and whether that is within a function."""


class Source:
    """A module of the implementation."""

    def __init__(self, module: str, text: str | None = None) -> None:
        self.module = module
        self.path = f"{module.replace('.', '/')}.py"
        self.text = (ROOT / self.path).read_text(encoding="utf-8") if text is None else text
        self._tree = ast.parse(self.text)
        for node in ast.walk(self._tree):
            # An endless loop would be an endless check, and nobody could tell it from a slow one.
            assert not isinstance(node, ast.While), (
                f"{self.path}, line {node.lineno}: a mutant of this loop may not end"
            )

    @cached_property
    def _all(self) -> list[tuple[Mutant, _Site, ast.AST, ast.AST]]:
        found: list[tuple[Mutant, _Site, ast.AST, ast.AST]] = []
        seen: set[tuple[str, int, str]] = set()
        alike: dict[tuple[str, str, str, str], int] = {}
        for site, node, place, statement, within in self._sites():
            for change in changes_of(node, site.parent, site.field):
                site.put(change.node)
                reads = ast.unparse(statement if statement is not node else change.node)
                site.put(node)
                # Two rules may come to the same.
                key = (place, getattr(statement, "lineno", 0), reads)
                if key in seen:
                    continue
                seen.add(key)
                was = _shown(node if change.shown is None else change.shown)
                now = _shown(change.node if change.instead is None else change.instead)
                count = alike[place, change.rule, was, now] = alike.get((place, change.rule, was, now), 0) + 1
                mutant = Mutant(self.module, place, change.rule, was, now, count, _lines(statement, within))
                found.append((mutant, site, node, change.node))
        return found

    @property
    def mutants(self) -> list[Mutant]:
        """All of them, in the order of the text."""
        return [one for one, *_ in self._all]

    def line_of(self, place: str) -> int | None:
        """The line on which a function or class begins; none: there is none of this name."""
        return next(
            (getattr(node, "lineno", 1) for _, node, where, *_ in self._sites() if where == place),
            None,
        )

    def compiled(self, number: int | None = None) -> CodeType:
        """The module's code; `number`: with this mutant's change."""
        if number is None:
            return compile(self._tree, self.path, "exec")
        _, site, node, instead = self._all[number]
        site.put(instead)
        try:
            return compile(ast.fix_missing_locations(self._tree), self.path, "exec")
        finally:
            site.put(node)

    def _sites(self) -> Iterator[_Found]:
        """Every node with where it stands."""
        for index, node in enumerate(self._tree.body):
            yield from self._within(_Site(self._tree, "body", index), node, "", node, within=False)

    def _within(self, site: _Site, node: ast.AST, place: str, statement: ast.AST, *, within: bool) -> Iterator[_Found]:
        if is_left_alone(node, site.field):
            return
        if isinstance(node, ast.stmt):
            statement = node
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            place = f"{place}.{node.name}".lstrip(".")
        yield site, node, place or "module", statement, within
        for field, value in ast.iter_fields(node):
            inside = within or (isinstance(node, ast.FunctionDef) and field == "body")
            if isinstance(value, ast.AST):
                yield from self._within(_Site(node, field, None), value, place, statement, within=inside)
            elif isinstance(value, list):
                for index, one in enumerate(value):
                    if isinstance(one, ast.AST):
                        yield from self._within(_Site(node, field, index), one, place, statement, within=inside)


def _lines(statement: ast.AST, within: bool) -> range | None:
    """Of a statement within a function. Of one that has others in it, theirs too, which are executed only with it."""
    if not within:
        return None
    assert isinstance(statement, ast.stmt)
    return range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)


def _shown(node: ast.AST | str) -> str:
    if isinstance(node, ast.Pass):
        return ""
    text = " ".join((node if isinstance(node, str) else ast.unparse(node)).split())
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 1]}…"
