"""How mutants are made from a core's source: each rule gives the replacements of a node.

| rule | what it does |
|---|---|
| drop a conjunct, drop a disjunct | one part of a condition is not required |
| negate a condition | of an `if`, a filter, or what a rule's method returns |
| drop a condition | what it guards always happens; of a statement: never |
| another comparison | `<` for `<=`, `>` for `<`, and so on |
| swap two arguments | of one kind: two hosts or VPCs, two pods, two numbers |
| another field | a field of the same kind and of a meaning nearby |
| another constant | true for false, a number and the next |
| another member | the next member of an enumeration |
| older for newer, some for all | `min` for `max`, the first for the last, `any` for `all`, and the other way round |
| drop a statement | one that changes state |
| drop a send, drop a record, drop an event | of what an input brings about |
| drop an element, drop an operand, drop a case | of a set, of a sum or union, of what is told apart |

Left alone are assertions and the texts of refusals, which are for us and not for peers; annotations; and `observe`, which is what
replays measure with.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from impl.message_queue.cache import Channel, Subscription
from impl.messages import Kind, Outcome, Reason

ENUMERATIONS: Final[Mapping[str, type[Enum]]] = {
    item.__name__: item for item in (Channel, Subscription, Kind, Outcome, Reason)
}

_NUMBERS: Final = """
    epoch version request revision attempt tries registration met sent rules newest heard known confirmed waited_for waited
    size group newer
"""

KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("host", "asker", "speaker", "vpc"), "name"),
    **dict.fromkeys(("pod", "source", "destination"), "pod"),
    **dict.fromkeys(_NUMBERS.split(), "number"),
}
"""What arguments are about, by the last word of their names; those of one kind could be confused."""

NEARBY: Final[Mapping[str, str]] = {
    one: other
    for pair in (
        *(("source", "destination"), ("sent", "rules"), ("size", "group"), ("attempt", "tries")),
        ("many_ports", "many_in_a_group"),
    )
    for one, other in (pair, pair[::-1])
}
"""Fields of one kind whose meanings are near to each other."""

COMPARISONS: Final[Mapping[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}

INSTEAD: Final[Mapping[str, tuple[str, str]]] = {
    "max": ("min", "older for newer"),
    "min": ("max", "newer for older"),
    "any": ("all", "all for some"),
    "all": ("any", "some for all"),
}

EFFECTS: Final = ("record", "sends", "events")
DROPPED: Final[Mapping[str, str]] = {
    "record": "drop a record",
    "sends": "drop a send",
    "administrative": "drop a send",
    "events": "drop an event",
}


@dataclass(frozen=True)
class Change:
    """What may stand in a node's place."""

    rule: str
    node: ast.AST
    shown: ast.AST | str | None = None
    """What is changed, for the reader; the node itself unless told."""
    instead: ast.AST | str | None = None
    """What it is changed to, for the reader."""


LEFT_ALONE: Final = (ast.Assert, ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom)
ANNOTATIONS: Final = frozenset({"annotation", "returns", "decorator_list", "bases"})
UNMADE: Final = frozenset({"observe"})


def is_left_alone(node: ast.AST, field: str) -> bool:
    """Nothing in it is mutated."""
    return (
        isinstance(node, LEFT_ALONE)
        or field in ANNOTATIONS
        or (isinstance(node, ast.FunctionDef) and node.name in UNMADE)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    )


def changes_of(node: ast.AST, parent: ast.AST, field: str) -> Iterator[Change]:
    """All changes of one node; `parent` and `field` say where it stands."""
    for rule in RULES:
        yield from rule(node, parent, field)


def _conditions(node: ast.AST, parent: ast.AST, field: str) -> Iterator[Change]:
    """Parts of conditions, and conditions."""
    match node:
        case ast.BoolOp(op, values):
            what = "drop a conjunct" if isinstance(op, ast.And) else "drop a disjunct"
            for index, dropped in enumerate(values):
                left = values[:index] + values[index + 1 :]
                yield Change(what, left[0] if len(left) == 1 else ast.BoolOp(op, left), dropped, "")
        case ast.If(test, _, orelse):
            yield Change("drop a condition", _block(orelse), _head(node), "")
            yield Change("negate a condition", ast.If(_negated(test), node.body, orelse), test, _negated(test))
        case ast.IfExp(test, body, orelse):
            yield Change("negate a condition", ast.IfExp(_negated(test), body, orelse), test, _negated(test))
            yield Change("drop a condition", body, node, body)
            yield Change("drop a condition", orelse, node, orelse)
        case ast.Return(value) if _is_condition(value):
            assert value is not None
            yield Change("negate a condition", ast.Return(_negated(value)), value, _negated(value))
        case ast.match_case(pattern, guard, body):
            yield Change("drop a case", ast.match_case(pattern, ast.Constant(value=False), body), pattern, "")
            if guard is not None:
                yield Change("drop a condition", ast.match_case(pattern, None, body), guard, "")
                yield Change(
                    "negate a condition", ast.match_case(pattern, _negated(guard), body), guard, _negated(guard)
                )
        case ast.MatchOr(patterns):
            for index, without in enumerate(patterns):
                left_over = patterns[:index] + patterns[index + 1 :]
                yield Change(
                    "drop a case", left_over[0] if len(left_over) == 1 else ast.MatchOr(left_over), without, ""
                )
    if isinstance(parent, ast.comprehension) and field == "ifs":
        assert isinstance(node, ast.expr)
        yield Change("drop a condition", ast.Constant(value=True), node, "")
        yield Change("negate a condition", _negated(node), node, _negated(node))


def _comparisons(node: ast.AST, parent: ast.AST, field: str) -> Iterator[Change]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in COMPARISONS[type(node.ops[0])]:
            yield Change("another comparison", ast.Compare(node.left, [other()], node.comparators))


def _arguments(node: ast.AST, parent: ast.AST, field: str) -> Iterator[Change]:
    """Two of one kind, in a call or a tuple."""
    match node:
        case ast.Call(args=places):
            pass
        case ast.Tuple(elts=places, ctx=ast.Load()):
            pass
        case _:
            return
    for item in range(len(places)):
        for other in range(item + 1, len(places)):
            kind = _kind(places[item])
            if kind and kind == _kind(places[other]) and ast.unparse(places[item]) != ast.unparse(places[other]):
                swapped = [*places]
                swapped[item], swapped[other] = places[other], places[item]
                instead = (
                    ast.Call(node.func, swapped, node.keywords)
                    if isinstance(node, ast.Call)
                    else ast.Tuple(swapped, ast.Load())
                )
                yield Change("swap two arguments", instead)


def _fields(node: ast.AST, parent: ast.AST, field: str) -> Iterator[Change]:
    match node:
        case ast.Attribute(ast.Name(enumeration), member, ast.Load()) if enumeration in ENUMERATIONS:
            names = [each_enumeration.name for each_enumeration in ENUMERATIONS[enumeration]]
            if member in names:
                other = names[(names.index(member) + 1) % len(names)]
                yield Change("another member", ast.Attribute(ast.Name(enumeration, ast.Load()), other, ast.Load()))
        case ast.Attribute(value, name, ast.Load()) if name in NEARBY and not _is_of_self(value):
            yield Change("another field", ast.Attribute(value, NEARBY[name], ast.Load()))


def _constants(node: ast.AST, parent: ast.AST, field: str) -> Iterator[Change]:
    match node:
        case ast.Constant(bool(value)):
            yield Change("another constant", ast.Constant(not value))
        case ast.Constant(int(value)) if not isinstance(parent, ast.UnaryOp):
            yield Change("another constant", ast.Constant(value + 1))
            if value > 0:
                yield Change("another constant", ast.Constant(value - 1))
        case ast.Subscript(value, ast.UnaryOp(ast.USub(), ast.Constant(1)), ctx):
            yield Change("older for newer", ast.Subscript(value, ast.Constant(0), ctx))
        case ast.Call(ast.Name(name), arguments, keywords) if name in INSTEAD:
            instead, rule = INSTEAD[name]
            yield Change(rule, ast.Call(ast.Name(instead, ast.Load()), arguments, keywords))


def _statements(node: ast.AST, parent: ast.AST, field: str) -> Iterator[Change]:
    match node:
        case ast.Expr(ast.Call() | ast.Yield() | ast.YieldFrom()) | ast.AugAssign() | ast.Delete() | ast.For():
            yield Change("drop a statement", ast.Pass(), _head(node))
        case ast.Assign(targets) if any(_is_state(target) for target in targets):
            yield Change("drop a statement", ast.Pass())


def _effects(node: ast.AST, parent: ast.AST, field: str) -> Iterator[Change]:
    """What an input brings about."""
    if not isinstance(node, ast.Call):
        return
    called = ast.unparse(node.func)
    if called == "joined":
        first, second = node.args
        yield Change("drop an operand", first)
        yield Change("drop an operand", second)
    arguments = list(zip(EFFECTS, node.args, strict=False)) if called == "Effects" else []
    for index, (name, value) in enumerate(arguments):
        for less in _less(name, value):
            yield Change(
                DROPPED[name],
                ast.Call(node.func, [*node.args[:index], less, *node.args[index + 1 :]], node.keywords),
                value,
                less,
            )
    for index, keyword in enumerate(node.keywords):
        if keyword.arg is not None and keyword.arg in DROPPED:
            for less in _less(keyword.arg, keyword.value):
                others = [*node.keywords]
                others[index] = ast.keyword(keyword.arg, less)
                yield Change(DROPPED[keyword.arg], ast.Call(node.func, node.args, others), keyword.value, less)


def _less(name: str, value: ast.expr) -> Iterator[ast.expr]:
    if name == "record":
        if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Constant(None)
    elif isinstance(value, ast.Tuple | ast.List):
        for index in range(len(value.elts)):
            left = value.elts[:index] + value.elts[index + 1 :]
            yield ast.Tuple(left, ast.Load())
    else:
        yield ast.Tuple([], ast.Load())


def _operands(node: ast.AST, parent: ast.AST, field: str) -> Iterator[Change]:
    match node:
        case ast.BinOp(left, ast.Add() | ast.BitOr(), right):
            yield Change("drop an operand", left)
            yield Change("drop an operand", right)
        case ast.BinOp(left, ast.Sub(), _):
            yield Change("drop an operand", left)
        case ast.Set(elements) if len(elements) > 1:
            for index, dropped in enumerate(elements):
                yield Change("drop an element", ast.Set(elements[:index] + elements[index + 1 :]), dropped, "")
        case ast.Tuple(elements, ast.Load()) if not _is_function_part(parent) and all(map(_is_member, elements)):
            for index, dropped in enumerate(elements):
                less = ast.Tuple(elements[:index] + elements[index + 1 :], ast.Load())
                yield Change("drop an element", less, dropped, "")


RULES: Final[tuple[Callable[[ast.AST, ast.AST, str], Iterator[Change]], ...]] = (
    _conditions,
    _comparisons,
    _arguments,
    _fields,
    _constants,
    _statements,
    _effects,
    _operands,
)


def _negated(test: ast.expr) -> ast.expr:
    match test:
        case ast.UnaryOp(ast.Not(), operand):
            return operand
        case ast.Compare(left, [op], comparators) if isinstance(
            op, ast.Eq | ast.NotEq | ast.In | ast.NotIn | ast.Is | ast.IsNot
        ):
            return ast.Compare(left, [COMPARISONS[type(op)][0]()], comparators)
    return ast.UnaryOp(ast.Not(), test)


def _is_condition(value: ast.expr | None) -> bool:
    match value:
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Call(ast.Name("any" | "all" | "bool")):
            return True
    return False


def _is_member(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ENUMERATIONS


def _is_function_part(parent: ast.AST) -> bool:
    return isinstance(parent, ast.Call | ast.Return)


def _is_of_self(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id == "self"


def _is_state(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple):
        return any(map(_is_state, target.elts))
    return isinstance(target, ast.Attribute | ast.Subscript)


def _block(body: list[ast.stmt]) -> ast.stmt:
    return ast.If(ast.Constant(value=True), body, []) if body else ast.Pass()


def _head(node: ast.stmt) -> ast.AST | str:
    return ast.unparse(node).split("\n")[0] if isinstance(node, ast.For | ast.If) else node


def _kind(node: ast.expr) -> str:
    """What an argument is about; empty: nothing that could be confused."""
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return KINDS.get(name, "")
        case ast.Constant(int(value)) if not isinstance(value, bool):
            return "number"
    return ""
