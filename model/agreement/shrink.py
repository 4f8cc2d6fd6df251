"""Makes a protocol on which engines disagree smaller, as long as they still do.

Parts of the text are left out one at a time: declarations, conjuncts and changes, one side of an operator. What then is no protocol
any more, or shows no disagreement of the same kind, is put back.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from model.agreement.drawn import Drawn

_LISTS: Final = (ast.Module, ast.List, ast.ClassDef, ast.ImportFrom, ast.arguments)
"""What lists parts that may be left out. Of a call, those with names may."""

Edit = Callable[[], None]
"""Changes the syntax tree that it was made for."""


def shrunk(drawn: Drawn, still: Callable[[Drawn], bool]) -> Drawn:
    """A smaller one of which `still` is true. It is false of what is no protocol, and once the time is over."""
    while True:
        before = drawn
        drawn = _shorter(drawn, still)
        drawn = _narrower(drawn, still)
        if drawn == before:
            return drawn


def _shorter(drawn: Drawn, still: Callable[[Drawn], bool]) -> Drawn:
    """Leaves out parts of the text, the large ones first."""
    place = 0
    while True:
        tree = ast.parse(drawn.source)
        edits = list(_edits(tree))
        if place >= len(edits):
            return drawn
        edits[place]()
        tried = replace(drawn, source=ast.unparse(ast.fix_missing_locations(tree)) + "\n")
        if tried.source != drawn.source and still(tried):
            drawn = tried  # the same place now has another part
        else:
            place += 1


def _edits(tree: ast.Module) -> Iterator[Edit]:
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                for place, part in enumerate(value):
                    if isinstance(node, _LISTS) or isinstance(part, ast.keyword):
                        yield partial(value.__delitem__, place)
                    if isinstance(part, ast.expr):
                        for smaller in _smaller(part):
                            yield partial(value.__setitem__, place, smaller)
            elif isinstance(value, ast.expr):
                for smaller in _smaller(value):
                    yield partial(setattr, node, name, smaller)


def _smaller(part: ast.expr) -> list[ast.expr]:
    """The parts of an expression that may stand in its place."""
    match part:
        case ast.BinOp(left, _, right):
            return [left, right]
        case ast.UnaryOp(_, operand):
            return [operand]
        case ast.Call(ast.Name("forall" | "exists" | "for_each"), [*_, ast.Lambda(_, body)]):
            return [body]
        case ast.Call(ast.Name("implies" | "same" | "choose"), arguments):
            return list(arguments)
        case ast.Call(ast.Attribute(inner, "when")):
            return [inner]
        case _:
            return []


def _narrower(drawn: Drawn, still: Callable[[Drawn], bool]) -> Drawn:
    """Leaves out parts of the configuration."""
    for world in list(_worlds(drawn.world)):
        tried = replace(drawn, world=world)
        if still(tried):
            return _narrower(tried, still)
    return drawn


def _worlds(world: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for key in ("without", "only"):
        if world.get(key):
            yield {**world, key: type(world[key])()}
    for sort, members in world["sorts"].items():
        if len(members) > 1:
            yield {**world, "sorts": {**world["sorts"], sort: members[:-1]}}
    for number, bound in world["bounds"].items():
        if bound > 1:
            yield {**world, "bounds": {**world["bounds"], number: bound - 1}}
