"""A protocol: everything that a set of modules declares."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from types import ModuleType
from typing import Any, Final, TypeVar

from model.language import terms
from model.language.actions import Action, Alternatives
from model.language.claims import Assumption, Eventuality, Promise, Sometimes, Variant
from model.language.declaration import Declaration, content
from model.language.definitions import Definition, Lifecycle
from model.language.symbols import Message
from model.language.terms import Apply, Enumeration, Individual, Named, Node, Number, Role, Symbol, Value
from model.language.walk import parts

T0 = TypeVar("T0")

ENVIRONMENT_ROLES = frozenset({"ADVERSARY"})
"""Roles whose actions do not resolve a deadlock."""


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

    @classmethod
    def of(cls, name: str, *modules: ModuleType, extends: Protocol | None = None) -> Protocol:
        """Collects the declarations of the modules, names them after their attributes, and checks that names are unique."""
        found: dict[str, Declaration | type[Value]] = {}
        private: list[tuple[ModuleType, str, object]] = []
        for module in modules:
            for attribute, value in vars(module).items():
                if attribute.startswith("_"):
                    private.append((module, attribute, value))
                    continue
                if isinstance(value, Declaration):
                    if value.name == "":
                        object.__setattr__(value, "name", attribute)
                    if value.name != attribute or found.setdefault(attribute, value) is not value:
                        raise TypeError(
                            f"{module.__name__}.{attribute}: the name is taken, or the declaration already has another name"
                        )
                elif isinstance(value, type) and issubclass(value, Value) and value.__module__ != terms.__name__:
                    found[attribute] = value
        for value in found.values():
            if isinstance(value, Variant):
                object.__setattr__(value.action, "name", value.replaces.name)
        for held in private:
            if not any(held[-1] is value for value in found.values()):  # an alias may be private
                _refuse_private(*held)
        _refuse_undeclared(found)

        def some(kind: type[T0]) -> tuple[T0, ...]:
            return tuple(value for value in found.values() if isinstance(value, kind))

        def classes(kind: type[T0]) -> tuple[type[T0], ...]:
            return tuple(value for value in found.values() if isinstance(value, type) and issubclass(value, kind))

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
        )

    @property
    def messages(self) -> tuple[Message[Any], ...]:
        """The messages among the symbols."""
        return tuple(symbol for symbol in self.symbols if isinstance(symbol, Message))

    @property
    def lifecycles(self) -> tuple[Lifecycle[Any, Any], ...]:
        """The lifecycles among the definitions."""
        return tuple(definition for definition in self.definitions if isinstance(definition, Lifecycle))

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
        )
        return next((found for group in every for found in group if found.name == name), None)

    def with_variant(self, chosen: Variant) -> Protocol:
        """The protocol with the variant's action replacing the original one."""
        actions = tuple(chosen.action if action is chosen.replaces else action for action in self.actions)
        return replace(self, name=f"{self.name} with {chosen.name}", actions=actions)

    def digest(self) -> str:
        """A fingerprint of the statement, in hexadecimal: all that a verdict depends on, so without prose and variants."""
        return _digest(self)


def _refuse_private(module: ModuleType, attribute: str, value: object) -> None:
    """A private name is no declaration's: what it holds would silently be no part of the protocol."""
    is_sort = isinstance(value, type) and issubclass(value, Value) and value.__module__ == module.__name__
    if isinstance(value, Declaration) or is_sort:
        where = value.source if isinstance(value, Declaration) else None
        place = f"{where.file}, line {where.line}" if where is not None else module.__name__
        raise TypeError(f"{place}: {attribute}: the name of a declaration begins with a letter; rename it")


def _refuse_undeclared(found: Mapping[str, Declaration | type[Value]]) -> None:
    """What a declaration reads, changes or sends is declared too, under the one name that it has."""
    declared = {id(value) for value in found.values()}
    for value in found.values():
        for used in (*_used_by(value.action if isinstance(value, Variant) else value), *_mentioned(value)):
            if id(used) not in declared:
                where = value.source if isinstance(value, Declaration) else None
                place = f"{where.file}, line {where.line}: " if where is not None else ""
                of = used.name or f"a symbol ({used.doc})"
                raise TypeError(
                    f"{place}{value!r} uses {of}, which no module of the protocol holds under a name of its own: "
                    "it is declared in a module that is left out, or another declaration has taken its name"
                )


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


def _used_by(value: Declaration | type[Value]) -> set[Symbol | Definition[Any, Any]]:
    nodes: list[Node] = []
    found: set[Symbol | Definition[Any, Any]] = set()
    match value:
        case Action():
            nodes += [*value.guard, *value.emits, *value.takes]
            for change in value.changes:
                nodes += change.nodes()
                found.add(change.symbol)
            for move in value.moves:
                nodes += move.nodes()
        case Definition():
            nodes.append(value.value.node)
        case Promise() | Sometimes() | Assumption():
            nodes.append(value.formula)
        case Eventuality():
            nodes += [value.premise, value.conclusion]
        case Alternatives():
            nodes.append(value.given)
        case Message() if value.spent is not None:
            nodes.append(value.spent)
    for part in (part for node in nodes for part in parts(node)):
        match part:
            case Apply(symbol):
                found.add(symbol)
            case Named(Definition() as definition):
                found.add(definition)
    return found


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
