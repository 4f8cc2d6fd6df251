"""A protocol: everything that a set of modules declares."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType
from typing import Any, Final, TypeVar

from model.language import terms
from model.language.actions import Action, Alternatives
from model.language.claims import Assumption, DeadlockWhen, Eventuality, Promise, Sometimes, Variant
from model.language.declaration import Declaration
from model.language.definitions import Definition, Lifecycle
from model.language.symbols import Message
from model.language.terms import Apply, Enumeration, Individual, Node, Number, Role, Symbol, Value
from model.language.walk import parts

T0 = TypeVar("T0")

DEADLOCK: Final = "deadlock"
"""What an engine reports as violated if no role has an enabled action; no declaration has this name."""


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
                if attribute.startswith("_"):
                    private.append((module, attribute, value))
                    continue
                if isinstance(value, Declaration):
                    if attribute == DEADLOCK:
                        raise TypeError(f"{module.__name__}.{attribute}: an engine calls a deadlock so; rename it")
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

        narrowing = some(DeadlockWhen)
        if len(narrowing) > 1:
            places = [f"{one.name} ({one.source.file}, line {one.source.line})" for one in narrowing if one.source]
            raise TypeError(
                f"{name}: {' and '.join(places)}: a protocol has one @deadlock_when; join their formulas by |"
            )
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
            () if self.deadlock_when is None else (self.deadlock_when,),
        )
        return next((found for group in every for found in group if found.name == name), None)

    def with_variant(self, chosen: Variant) -> Protocol:
        """The protocol with the variant's action replacing the original one."""
        actions = tuple(chosen.action if action is chosen.replaces else action for action in self.actions)
        return replace(self, name=f"{self.name} with {chosen.name}", actions=actions)

    def digest(self) -> str:
        """A fingerprint of the statement, in hexadecimal: all that finite runs depend on, without prose, variants and fairness."""
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
        for symbol in _used_by(value.action if isinstance(value, Variant) else value):
            if id(symbol) not in declared:
                where = value.source if isinstance(value, Declaration) else None
                place = f"{where.file}, line {where.line}: " if where is not None else ""
                of = symbol.name or f"a symbol ({symbol.doc})"
                raise TypeError(
                    f"{place}{value!r} uses {of}, which no module of the protocol holds under a name of its own: "
                    "it is declared in a module that is left out, or another declaration has taken its name"
                )


def _used_by(value: Declaration | type[Value]) -> set[Symbol]:
    nodes: list[Node] = []
    found: set[Symbol] = set()
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
        case Promise() | Sometimes() | Assumption() | DeadlockWhen():
            nodes.append(value.formula)
        case Eventuality():
            nodes += [value.premise, value.conclusion]
        case Message() if value.spent is not None:
            nodes.append(value.spent)
    return found | {part.symbol for node in nodes for part in parts(node) if isinstance(part, Apply)}


@cache
def _digest(protocol: Protocol) -> str:
    parts: list[object] = []
    for symbol in protocol.symbols:
        parts.append((symbol.name, symbol.kind, symbol.arguments, symbol.result))
        if isinstance(symbol, Message):
            parts.append((symbol.parameters, symbol.spent))
    for done in protocol.actions:
        parts.append(
            (done.name, done.parameters, done.guard, done.changes, done.emits, done.moves, done.role.environment)
        )
    if protocol.deadlock_when is not None:
        parts.append(protocol.deadlock_when.closed)
    claims: tuple[Promise | Sometimes, ...] = (*protocol.promises, *protocol.sometimes)
    for claim in claims:
        parts.append((claim.name, claim.parameters, claim.formula))
    # A sort is identified by its name: its module's location is not part of the statement.
    text = re.sub(r"<class '[\w.]*?(\w+)'>", r"\1", repr(parts))
    return hashlib.sha256(text.encode()).hexdigest()
