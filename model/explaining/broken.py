"""The promises that an observation breaks if it is taken at its word: what it sent is sent, and what it left is so.

A promise about steps reads two states. The second one is put beside the first: what it says of `recorded′` is an entry of a symbol
of that name, and so is what happens in the step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from model.explaining.nearest import Observation, given_by
from model.explaining.scene import Environment, Scene
from model.matching.compiled import Changes, Constants
from model.matching.layout import Tables
from model.state import Element, Tuple
from model.transition import rebuilt, symbols
from spec.language import Promise, Protocol, Symbol
from spec.terms import Apply, Node, Not

_AFTER: Final = "_after"


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise, and for which values of its parameters it is broken."""

    promise: Promise
    values: tuple[tuple[str, Element], ...]


class Judge:
    """The promises of a protocol, over a state and an observation that is taken at its word.

    `history`: entries of history by symbol, where the state has none; promises that read other history are left out.
    """

    def __init__(
        self,
        protocol: Protocol,
        constants: Constants,
        state: Tables,
        history: Mapping[str, Iterable[Tuple]] | None = None,
    ) -> None:
        self._shadows = _shadows(protocol)
        self._protocol = protocol
        self._scene = Scene(protocol, constants, state, tuple(self._shadows.values()))
        self._kept = self._scene.kept | set(history or ())
        for name, entries in (history or {}).items():
            for arguments in entries:
                self._scene.put(name, arguments, True)

    @property
    def gave_up(self) -> int:
        """Promises for which not everything was looked at."""
        return self._scene.gave_up

    def broken_by(self, seen: Observation) -> list[Broken]:
        """What is broken, promises before the lemmas that only carry proofs; of each one the first values that are found."""
        scene, action = self._scene, self._scene.actions[seen.action]
        given = given_by(action, seen.choices)
        if len(given) < len(action.parameters):
            return []
        changes = self._forced(seen, given)
        events: Changes = {
            (f"{one.symbol.name}{_AFTER}", tuple(scene.value(node, given) for node in one.arguments)): True
            for one in action.emits
        }
        written = {name for name, _ in changes} | {one.symbol.name for one in action.emits}
        found = []
        for promise in sorted(self._protocol.promises, key=lambda one: one.lemma):
            read = {symbol for symbol in symbols(promise.formula) if isinstance(symbol, Symbol)}
            names = {symbol.name for symbol in read if symbol.kind not in ("constant", "event")}
            if not names <= self._kept or not {symbol.name for symbol in read} & written:
                continue  # it cannot be told without history; or nothing has changed for it
            broken = self._violated(promise, changes, events)
            if broken is not None:
                found.append(broken)
        return found

    def _forced(self, seen: Observation, given: Environment) -> Changes:
        """What the step writes by its statement, overruled by what was seen."""
        scene, action = self._scene, self._scene.actions[seen.action]
        changes = dict(scene.changes(action, tuple(given.values())))
        if seen.sent is not None:
            changes = {entry: value for entry, value in changes.items() if entry[0] not in scene.messages}
            changes |= {(str(name), tuple(arguments)): True for name, *arguments in seen.sent}
        for name, entries in (seen.after or {}).items():
            changes |= {(name, tuple(arguments)): value for *arguments, value in entries}
        return changes

    def _violated(self, promise: Promise, changes: Changes, events: Changes) -> Broken | None:
        scene = self._scene
        if promise.kind == "always":
            with scene.after(changes):
                found = next(scene.witnesses(promise.parameters, [Not(promise.formula)], {}), None)
        else:
            formula = _beside(promise.formula, self._shadows)
            read = {symbol.name for symbol in symbols(formula) if isinstance(symbol, Symbol)}
            second = dict(events)
            for name in self._shadows:
                if f"{name}{_AFTER}" in read and name in scene.layout.kept:
                    for arguments, value in scene.tables.entries(name):
                        second[f"{name}{_AFTER}", arguments] = True if name in scene.messages else value
            second |= {
                (f"{name}{_AFTER}", entry): value for (name, entry), value in changes.items() if name in self._shadows
            }
            with scene.after(second):
                found = next(scene.witnesses(promise.parameters, [Not(formula)], {}), None)
        if found is None:
            return None
        return Broken(promise, tuple(zip((one.name for one in promise.parameters), found, strict=True)))


def _shadows(protocol: Protocol) -> dict[str, Symbol]:
    """For each symbol that some promise reads after a step, and each event, one for its content there."""
    found: dict[str, Symbol] = {}

    def note(node: Node) -> Node:
        if isinstance(node, Apply) and (node.after or node.symbol.kind == "event"):
            symbol = node.symbol
            if symbol.name not in found:
                shadow = Symbol("state", symbol.arguments, symbol.result, symbol.doc)
                shadow.name = f"{symbol.name}{_AFTER}"
                found[symbol.name] = shadow
        return node

    for promise in protocol.promises:
        rebuilt(promise.formula, note)
    return found


def _beside(node: Node, shadows: Mapping[str, Symbol]) -> Node:
    def change(one: Node) -> Node:
        if isinstance(one, Apply) and (one.after or one.symbol.kind == "event"):
            return Apply(shadows[one.symbol.name], one.arguments)
        return one

    return rebuilt(node, change)
