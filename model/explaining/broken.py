"""The promises that an observation breaks if it is taken literally: its messages are sent, and its entries hold.

A promise about steps reads two states. The second one is added to the first: its entry of `recorded′` becomes an entry of a symbol
of that name, and so do the events of the step.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from model.explaining.nearest import Observation, given_by
from model.explaining.scene import Environment, Scene
from model.language import Promise, Protocol, Symbol
from model.language.terms import Apply, Node, Not, Quantified, Truth, Variable
from model.language.transition import symbols
from model.language.walk import free, parts, rebuilt, substitute, unfolded
from model.matching.compiled import Changes
from model.matching.source import conjuncts
from model.reference.state import Element, Tuple

_AFTER: Final = "_after"


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise, and the parameter values for which it is broken."""

    promise: Promise
    values: tuple[tuple[str, Element], ...]


class Judge:
    """The promises of a protocol, over a state and an observation that is taken literally.

    The scene's symbols must include `shadows` of the protocol. `history`: entries of history by symbol, for states without history;
    promises that read other history are left out.
    """

    def __init__(self, scene: Scene, history: Mapping[str, Iterable[Tuple]] | None = None) -> None:
        self._scene = scene
        self._shadows = {each_shadow.name.removesuffix(_AFTER): each_shadow for each_shadow in shadows(scene.protocol)}
        self._kept = scene.kept | set(history or ())
        for name, shadow in self._shadows.items():
            if name in scene.layout.kept:
                scene.mirror(name, shadow.name)
        for name, entries in (history or {}).items():
            for arguments in entries:
                scene.put(name, arguments, True)

    def broken_by(self, seen: Observation) -> list[Broken]:
        """The broken claims, promises before supporting lemmas; for each one the first values that are found.

        Only what the step writes is checked: a promise that held before can be broken only for values that concern it.
        """
        scene, action = self._scene, self._scene.actions[seen.action]
        given = given_by(action, seen.choices)
        if len(given) < len(action.parameters):
            return []
        changes = self._forced(seen, given)
        events: Changes = {
            (emit.symbol.name, tuple(scene.value(node, given) for node in emit.arguments)): True
            for emit in action.emits
        }
        written: dict[str, list[Tuple]] = {}
        for name, arguments in (*changes, *events):
            written.setdefault(name, []).append(arguments)
        found = []
        for promise in sorted(scene.protocol.promises, key=lambda promise: promise.lemma):
            read = _read(promise)
            names = {symbol.name for symbol in read if symbol.kind not in ("constant", "event")}
            if not names <= self._kept or not {symbol.name for symbol in read} & written.keys():
                continue  # undecidable without history, or unaffected by the step
            broken = self._violated(promise, changes, events, written)
            if broken is not None:
                found.append(broken)
        return found

    def broken_now(self, unknown: Collection[str] = ()) -> list[Broken]:
        """The promises about states that this state breaks; for each one the first values that are found.

        `unknown`: symbols whose content the state gives incompletely or with extra entries. Promises that read them are left out,
        and so are lemmas.
        """
        found = []
        for promise in self._scene.protocol.promises:
            names = {symbol.name for symbol in _read(promise) if symbol.kind != "constant"}
            if promise.kind != "always" or promise.lemma or not names <= self._kept - set(unknown):
                continue
            for part in conjuncts([promise.formula]):
                about = [
                    parameter for parameter in promise.parameters if parameter in free(part)
                ]  # the others are not checked
                values = next(self._scene.witnesses(about, [Not(part)], {}), None)
                if values is not None:
                    found.append(
                        Broken(promise, tuple(zip((parameter.name for parameter in about), values, strict=True)))
                    )
                    break
        return found

    def _forced(self, seen: Observation, given: Environment) -> Changes:
        """The step's writes according to the statement, overridden by what was observed."""
        scene, action = self._scene, self._scene.actions[seen.action]
        changes = dict(scene.changes(action, tuple(given.values())))
        if seen.sent is not None:
            changes = {entry: value for entry, value in changes.items() if entry[0] not in scene.messages}
            changes |= {(str(name), tuple(arguments)): True for name, *arguments in seen.sent}
        for name, entries in (seen.after or {}).items():
            changes |= {(name, tuple(arguments)): value for *arguments, value in entries}
        return changes

    def _violated(
        self, promise: Promise, changes: Changes, events: Changes, written: Mapping[str, list[Tuple]]
    ) -> Broken | None:
        scene = self._scene
        formula = promise.formula
        if promise.kind != "always":
            formula = _beside(formula, self._shadows)
            changes = self._second(changes, events)
        with scene.after(changes):
            for known in _about(promise, written):
                open_ = [parameter for parameter in promise.parameters if parameter not in known]
                rest = next(scene.witnesses(open_, [Not(formula)], known), None)
                if rest is not None:
                    values = {**known, **dict(zip(open_, rest, strict=True))}
                    return Broken(
                        promise, tuple((parameter.name, values[parameter]) for parameter in promise.parameters)
                    )
        return None

    def _second(self, changes: Changes, events: Changes) -> Changes:
        """The writes and events, as entries of the shadows: in them, everything else is as before."""
        both = (*changes.items(), *events.items())
        return {
            (self._shadows[name].name, arguments): value for (name, arguments), value in both if name in self._shadows
        }


def _read(promise: Promise) -> set[Symbol]:
    return {symbol for symbol in symbols(promise.formula) if isinstance(symbol, Symbol)}


def _about(promise: Promise, written: Mapping[str, list[Tuple]]) -> list[dict[Variable, Element]]:
    """What is known of the parameters for which the promise reads a written entry: for each atom and each entry."""
    found: dict[tuple[tuple[Variable, Element], ...], None] = {}

    def note(node: Node) -> Node:
        if isinstance(node, Apply):
            for entry in written.get(node.symbol.name, ()):
                known: dict[Variable, Element] = {}
                for argument, value in zip(node.arguments, entry, strict=True):
                    if isinstance(argument, Variable) and argument in promise.parameters:
                        known.setdefault(argument, value)
                found[tuple(known.items())] = None
        return node

    rebuilt(rebuilt(unfolded(promise.formula), _unbound), note)
    return [dict(known) for known in sorted(found, key=len, reverse=True)]


def _unbound(node: Node) -> Node:
    """A quantifier without its variables, and their sorts."""
    if isinstance(node, Quantified):
        return substitute(node.body, dict.fromkeys(node.variables, Truth(True)))
    return node


def shadows(protocol: Protocol) -> tuple[Symbol, ...]:
    """For each symbol that some promise reads after a step, and each event, a symbol for its content there."""
    found: dict[str, Symbol] = {}
    for node in (part for promise in protocol.promises for part in parts(promise.formula)):
        if isinstance(node, Apply) and (node.after or node.symbol.kind == "event"):
            symbol = node.symbol
            if symbol.name not in found:
                shadow = Symbol("state", symbol.arguments, symbol.result, symbol.doc)
                shadow.name = f"{symbol.name}{_AFTER}"
                found[symbol.name] = shadow
    return tuple(found.values())


def _beside(node: Node, shadows: Mapping[str, Symbol]) -> Node:
    def change(node: Node) -> Node:
        if isinstance(node, Apply) and (node.after or node.symbol.kind == "event"):
            return Apply(shadows[node.symbol.name], node.arguments)
        return node

    return rebuilt(node, change)
