"""A protocol: everything that a set of modules declares."""

from __future__ import annotations

import ast
import hashlib
import linecache
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from types import FunctionType, ModuleType
from typing import Any, Final, TypeGuard, TypeVar

from model.language import terms
from model.language.actions import Action, Alternatives
from model.language.bounds import Misread, misread
from model.language.claims import Assumption, DeadlockWhen, Eventuality, Promise, Sometimes, Variant
from model.language.declaration import Declaration, Misdeclared, Source, content, made_in
from model.language.definitions import Definition, Lifecycle
from model.language.meaning import meaningless
from model.language.notation import notation
from model.language.symbols import Message
from model.language.terms import (
    Apply,
    Constant,
    Enumeration,
    Individual,
    Named,
    Node,
    Number,
    Plus,
    Role,
    Symbol,
    Times,
    Value,
    Variable,
    is_sort,
)
from model.language.walk import parts, too_large

T0 = TypeVar("T0")

DEADLOCK: Final = "deadlock"
"""What an engine reports as violated if no role has an enabled action; no declaration has this name."""

NUMBER_MAX: Final = 10**9
"""The largest number in a term; a configuration bounds every number far below it."""


@dataclass(frozen=True)
class Protocol:
    """Everything that a set of modules declares, in reading order."""

    name: str
    modules: tuple[ModuleType, ...]
    sorts: tuple[type[Individual], ...]
    numbers: tuple[type[Number], ...]
    enumerations: tuple[type[Enumeration], ...]
    roles: tuple[Role, ...]
    symbols: tuple[Symbol, ...]
    """State, constants, history, messages and events."""
    assumptions: tuple[Assumption, ...]
    definitions: tuple[Definition[Any, Any], ...]
    """Including lifecycles."""
    actions: tuple[Action, ...]
    alternatives: tuple[Alternatives, ...]
    promises: tuple[Promise, ...]
    """Including lemmas, without the promises that another one weakens."""
    eventualities: tuple[Eventuality, ...]
    sometimes: tuple[Sometimes, ...]
    variants: tuple[Variant, ...]
    extends: Protocol | None = None
    """A smaller protocol that is part of this one. The variants and witnesses of its claims are declared there."""
    deadlock_when: DeadlockWhen | None = None
    """Where it is a deadlock that no role has an enabled action; None: everywhere."""

    @classmethod
    def of(cls, name: str, *modules: ModuleType, extends: Protocol | None = None) -> Protocol:
        """Collects the declarations of the modules, names them after their attributes, and checks that names are unique."""
        found: dict[str, Declaration | type[Value]] = {}
        private: list[tuple[ModuleType, str, object]] = []
        for module in modules:
            for attribute, value in vars(module).items():
                if not isinstance(value, Declaration) and not _is_sort(value):
                    continue
                if attribute.startswith("_"):
                    private.append((module, attribute, value))
                    continue
                if attribute == DEADLOCK:
                    raise Misdeclared(
                        f"{module.__name__}.{attribute}: is what a deadlock is called; rename it",
                        declared_at(attribute, module),
                    )
                if isinstance(value, Declaration) and value.name == "":
                    object.__setattr__(value, "name", attribute)
                named = value.name if isinstance(value, Declaration) else value.__name__
                if named != attribute or found.setdefault(attribute, value) is not value:
                    raise Misdeclared(
                        f"{attribute}: the name is taken, or the declaration already has another name",
                        declared_at(attribute, module),
                    )
        for value in found.values():
            if isinstance(value, Variant):
                object.__setattr__(value.action, "name", value.replaces.name)
        for held in private:
            if not any(held[-1] is value for value in found.values()):  # an alias may be private
                _refuse_private(*held)
        _refuse_unusable(found, modules)
        _refuse_undeclared(found, modules)
        _refuse_unheld(found, modules)
        _refuse_arithmetic(found, modules)
        _refuse_weakened(found, extends)
        _refuse_meaningless(found, modules)

        def some(kind: type[T0]) -> tuple[T0, ...]:
            return tuple(value for value in found.values() if isinstance(value, kind))

        def classes(kind: type[T0]) -> tuple[type[T0], ...]:
            return tuple(value for value in found.values() if isinstance(value, type) and issubclass(value, kind))

        narrowing = some(DeadlockWhen)
        if len(narrowing) > 1:
            one, two = (declared.name for declared in narrowing[:2])
            sentence = f"{two}: {one} says already where standing still is a deadlock; join their formulas by |"
            raise Misdeclared(sentence, narrowing[1].source)
        promises = some(Promise)
        weakened = {promise.weakens for promise in promises}
        return cls(
            name,
            modules,
            classes(Individual),
            classes(Number),
            classes(Enumeration),
            some(Role),
            some(Symbol),
            some(Assumption),
            some(Definition),
            some(Action),
            some(Alternatives),
            tuple(promise for promise in promises if promise not in weakened),
            some(Eventuality),
            some(Sometimes),
            some(Variant),
            extends,
            narrowing[0] if narrowing else None,
        )

    @property
    def messages(self) -> tuple[Message[Any], ...]:
        """The messages among the symbols."""
        return tuple(symbol for symbol in self.symbols if isinstance(symbol, Message))

    @property
    def lifecycles(self) -> tuple[Lifecycle[Any, Any], ...]:
        """The lifecycles among the definitions."""
        return tuple(definition for definition in self.definitions if isinstance(definition, Lifecycle))

    def misread(self) -> tuple[tuple[Declaration, Misread], ...]:
        """What is read at a constant that may be above its bound in a bounded model, and by which declaration."""
        return _misread(self)

    def declaration(self, name: str) -> Declaration | None:
        """The declaration of this name (a claim, an action, a symbol or a definition), or None."""
        every: tuple[tuple[Declaration, ...], ...] = (
            self.promises,
            self.eventualities,
            self.actions,
            self.sometimes,
            self.alternatives,
            self.definitions,
            self.symbols,
            _optional(self.deadlock_when),
        )
        return next((found for group in every for found in group if found.name == name), None)

    def with_variant(self, chosen: Variant) -> Protocol:
        """The protocol with the variant's action replacing the original one."""
        actions = tuple(chosen.action if action is chosen.replaces else action for action in self.actions)
        return replace(self, name=f"{self.name} with {chosen.name}", actions=actions)

    def digest(self) -> str:
        """A fingerprint of the statement, in hexadecimal: all that a verdict depends on, so without prose and variants."""
        return _digest(self)


def _is_sort(value: object) -> TypeGuard[type[Value]]:
    return isinstance(value, type) and issubclass(value, Value) and value.__module__ != terms.__name__


def declared_at(name: str, *modules: ModuleType) -> Source | None:
    """Where a module declares this name at top level; None if its text is not known."""
    for module in modules:
        held, file = vars(module).get(name), vars(module).get("__file__")
        if isinstance(held, Declaration) and held.source is not None:
            return held.source
        for number, line in enumerate(linecache.getlines(file) if file else (), start=1):
            if re.match(rf"((class|def) )?{re.escape(name)}\b", line):
                return Source(file or "", number)
    return None


def _refuse_private(module: ModuleType, attribute: str, value: object) -> None:
    """A private name is no declaration's: what it holds would silently be no part of the protocol."""
    if isinstance(value, Declaration) or (isinstance(value, type) and value.__module__ == module.__name__):
        sentence = f"{attribute}: the name of a declaration begins with a letter; rename it"
        raise Misdeclared(sentence, declared_at(attribute, module))


def _refuse_meaningless(found: Mapping[str, Declaration | type[Value]], modules: Sequence[ModuleType]) -> None:
    """What engines would disagree about."""
    for name, value in found.items():
        for wrong in meaningless(value):
            raise Misdeclared(f"{name}: {wrong}", declared_at(name, *modules))


def _refuse_arithmetic(found: Mapping[str, Declaration | type[Value]], modules: Sequence[ModuleType]) -> None:
    """Nothing is read at a sum: below 0, or above the bound of its number, it would have no value."""
    for name, value in found.items():
        for wrong in misread(nodes_of(value)):
            argument, sort = notation(wrong.argument), wrong.sort.__name__
            raise Misdeclared(
                f"{name} reads {notation(wrong.read)}, but {argument} may be outside the bounds of {sort}, "
                f"where nothing has a value: read at a variable that equals it, as in "
                f"exists({sort}, lambda it: (it == {argument}) & ...) or forall with implies",
                declared_at(name, *modules),
            )


def _refuse_undeclared(found: Mapping[str, Declaration | type[Value]], modules: Sequence[ModuleType]) -> None:
    """What a declaration reads, changes or sends is declared too, under the one name that it has."""
    declared = {id(value) for value in found.values()}
    for name, value in found.items():
        for used in (*_used_by(value.action if isinstance(value, Variant) else value), *_mentioned(value)):
            if id(used) not in declared:
                of = used.__name__ if isinstance(used, type) else used.name or f"a symbol ({used.doc})"
                raise Misdeclared(
                    f"{name} uses {of}, which no module of the protocol holds under a name of its own: "
                    "it is declared in a module that is left out, or another declaration has taken its name",
                    declared_at(name, *modules),
                )


def _refuse_unheld(found: Mapping[str, Declaration | type[Value]], modules: Sequence[ModuleType]) -> None:
    """What is declared elsewhere than at top level, or not kept there, would silently be no part of the protocol."""
    actions = [value.action for value in found.values() if isinstance(value, Variant)]
    held = {id(value) for value in (*found.values(), *actions)}
    for module in modules:
        made = made_in(module)
        unheld = [(name, declared.source) for name, declared in made if id(declared) not in held]
        unheld += _never_reached(module, {declared._begins.line for _, declared in made if declared._begins})
        for name, place in unheld:
            raise Misdeclared(
                f"{name} is declared, but no name at top level of the module holds it, so it is no part of the protocol: "
                "move it out of its class, function or condition, give it a name of its own, or delete it",
                place,
            )


def _never_reached(module: ModuleType, lines: set[int]) -> Iterator[tuple[str, Source]]:
    """The functions in a module's text that have a decorator of this language, and begin at none of these lines."""
    names, file = vars(module), str(vars(module).get("__file__", ""))
    linecache.checkcache(file)
    text = linecache.getlines(file)
    if lines.issuperset(number for number, line in enumerate(text, start=1) if line.lstrip().startswith("@")):
        return
    for node in ast.walk(ast.parse("".join(text))):
        if not isinstance(node, ast.FunctionDef) or not any(_declares(part, names) for part in node.decorator_list):
            continue
        if node.decorator_list[0].lineno not in lines:
            yield node.name, Source(file, node.lineno)


def _declares(decorator: ast.expr, names: Mapping[str, object]) -> bool:
    """Whether a decorator is a function of this language, by these names."""
    inner = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
        within = names.get(inner.value.id)
        found = vars(within).get(inner.attr) if isinstance(within, ModuleType) else None
    else:
        found = names.get(inner.id) if isinstance(inner, ast.Name) else None
    return isinstance(found, FunctionType) and found.__module__.startswith(f"{__package__}.")


def _refuse_weakened(found: Mapping[str, Declaration | type[Value]], extends: Protocol | None) -> None:
    """A promise that another one weakens is not checked, so it has to be one of the protocol that this one contains."""
    for name, value in found.items():
        if isinstance(value, Promise) and value.weakens is not None:
            stronger, known = value.weakens, extends.promises if extends else ()
            if stronger not in known or value in known:
                raise Misdeclared(
                    f"{name} weakens {stronger.name}, which would then never be checked: only a promise of a smaller protocol that "
                    "this one extends can be weakened; leave weakens out, or delete the stronger promise",
                    value.source,
                )


def _refuse_unusable(found: Mapping[str, Declaration | type[Value]], modules: Sequence[ModuleType]) -> None:
    """What no engine can work with."""
    for name, value in found.items():
        wrong = ""
        if isinstance(value, type):
            if issubclass(value, Enumeration) and not value.members:
                wrong = "has no members, so nothing can have a value of it; declare one with Member"
            elif not is_sort(value):
                wrong = "is no sort; make it a subclass of Individual, Number or Enumeration, and of one of them only"
        elif large := next(filter(None, map(too_large, nodes_of(value))), ""):
            wrong = large
        elif any(_number(part) > NUMBER_MAX for node in nodes_of(value) for part in parts(node)):
            wrong = f"has a number above {NUMBER_MAX:,}, and no number of a configuration is that large"
        if wrong:
            raise Misdeclared(f"{name} {wrong}", declared_at(name, *modules))


def _number(part: Node) -> int:
    match part:
        case Constant(number) | Plus(_, number) | Times(_, number):
            return number
    return 0


def _mentioned(value: Declaration | type[Value]) -> tuple[Declaration, ...]:
    """The declarations that are part of another one: left out, they would not be checked, or not be replaced."""
    match value:
        case Promise() | Eventuality():
            return value.sometimes
        case Variant():
            return value.replaces, *value.breaks
        case Alternatives():
            return value.choices
        case Action():
            return (value.role,)
    return ()


def _used_by(value: Declaration | type[Value]) -> set[Symbol | Definition[Any, Any] | type[Value]]:
    if isinstance(value, type):
        return set()
    found: set[Symbol | Definition[Any, Any] | type[Value]] = set()
    if isinstance(value, Action):
        found |= {change.symbol for change in value.changes} | {emitted.symbol for emitted in value.emits}
    if isinstance(value, Symbol):
        found |= {sort for sort in (*value.arguments, value.result) if _is_sort(sort)}
    for part in (part for node in nodes_of(value) for part in parts(node)):
        match part:
            case Apply(symbol):
                found.add(symbol)
            case Named(Definition() as definition):
                found.add(definition)
            case Variable(_, sort) | Constant(_, sort):
                found.add(sort)
    return found


def nodes_of(value: Declaration | type[Value]) -> list[Node]:
    """The terms that a declaration reads. What an action changes, and what it says, is not read, but the arguments of it are."""
    match value:
        case Action():
            nodes = [node for change in value.changes for node in change.nodes()]
            nodes += [node for move in value.moves for node in move.nodes()]
            nodes += [node for emitted in value.emits for node in emitted.arguments]
            return [*value.guard, *nodes]
        case Variant():
            return nodes_of(value.action)
        case Definition():
            return [value.value.node]
        case Promise() | Sometimes() | Assumption() | DeadlockWhen():
            return [value.formula]
        case Eventuality():
            return [value.premise, value.conclusion]
        case Alternatives():
            return [value.given]
        case Message() if value.spent is not None:
            return [value.spent]
    return []


def _optional(declared: T0 | None) -> tuple[T0, ...]:
    return () if declared is None else (declared,)


@cache
def _misread(protocol: Protocol) -> tuple[tuple[Declaration, Misread], ...]:
    read: tuple[tuple[Declaration, ...], ...] = (
        protocol.assumptions,
        protocol.messages,
        protocol.definitions,
        protocol.actions,
        protocol.alternatives,
        protocol.promises,
        protocol.eventualities,
        protocol.sometimes,
        _optional(protocol.deadlock_when),
    )
    return tuple((value, wrong) for group in read for value in group for wrong in misread(nodes_of(value), lambda _: 1))


_NOT_DIGESTED: Final = frozenset({"name", "modules", "variants"})
"""Fields that no verdict about the protocol depends on. What a variant changes is among the actions of the protocol with it."""


@cache
def _digest(protocol: Protocol) -> str:
    stated = [
        (field.name, _content(getattr(protocol, field.name)))
        for field in fields(protocol)
        if field.name not in _NOT_DIGESTED
    ]
    return hashlib.sha256(repr(stated).encode()).hexdigest()


def _content(of: object) -> object:
    match of:
        case tuple():
            return [_content(each) for each in of]
        case Declaration():
            return content(of)
        case Protocol():
            return of.digest()
        case type() if issubclass(of, Enumeration):
            return of.__name__, of.names()
        case type():
            return of.__name__
        case None:
            return None
    raise TypeError(f"a protocol has {of!r}, which is no declaration: say in {__name__} how it enters the digest")
