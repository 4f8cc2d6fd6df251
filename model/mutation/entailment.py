"""Whether a weaker claim says the same as the original, for any size, if all other promises and lemmas hold.

A claim about steps reads two states and the events between them. So the question is asked of *pairs*: a protocol whose symbols are
those before the step, those after it, and the events; every claim about states holds for both. z3 is bounded by its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from model.language import Eventuality, Lifecycle, Message, Promise, Protocol, Sometimes, Symbol
from model.language.terms import And, Apply, Compare, Formula, Implies, Named, Node, Not
from model.language.walk import parts, rebuilt, unfolded
from model.mutation.claims import C, ClaimMutant
from model.mutation.definitions import SharedMutant, defined_as
from model.proof.prove import Prover

STEPS_MAX: Final = 200_000
"""Of z3, for one question; those that are decided take a tenth of it."""


class Entailment:
    """Asks about the mutants of one protocol's claims."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._after: dict[Symbol, Symbol] = {}
        self._events: dict[Symbol, Symbol] = {}
        for symbol in protocol.symbols:
            if symbol.kind == "event":
                self._events[symbol] = _copy(symbol, symbol.name)
            elif symbol.kind != "constant":
                self._after[symbol] = _copy(symbol, f"{symbol.name}'")
        always = [promise for promise in protocol.promises if promise.kind == "always"]
        self._pairs = replace(
            protocol,
            symbols=(
                *(symbol for symbol in protocol.symbols if symbol.kind != "event"),
                *self._after.values(),
                *self._events.values(),
            ),
            promises=(
                *always,
                *(_as_state(promise, self._primed) for promise in always),
                *(_as_state(promise, self._in_pairs) for promise in protocol.promises if promise.kind == "two-state"),
            ),
        )

    def promise_follows(self, mutant: ClaimMutant[Promise]) -> bool:
        """Whether the original follows from the mutant and all other claims."""
        promise, claim = mutant.original, mutant.claim
        if promise.kind == "always":
            promises = tuple(claim if other is promise else other for other in self._protocol.promises)
            return _holds(replace(self._protocol, promises=promises), promise, promise.formula)
        stated, weak = _as_state(promise, self._in_pairs), _as_state(claim, self._in_pairs)
        promises = tuple(weak if other.name == stated.name else other for other in self._pairs.promises)
        return _holds(replace(self._pairs, promises=promises), stated, stated.formula)

    def witness_follows(self, mutant: ClaimMutant[Sometimes]) -> bool:
        """Whether the mutant holds only where the original does."""
        formula = Implies(self._in_pairs(mutant.claim.formula), self._in_pairs(mutant.original.formula))
        return _holds(self._pairs, mutant.original, formula)

    def eventuality_follows(self, mutant: ClaimMutant[Eventuality]) -> bool:
        """Whether both mean the same: a premise counts only where the conclusion does not hold."""
        one, other = mutant.original, mutant.claim
        concludes = Implies(other.conclusion, one.conclusion)
        begins = Implies(And((one.premise, Not(one.conclusion))), And((other.premise, Not(other.conclusion))))
        return _holds(self._protocol, one, And((concludes, begins)))

    def uses_follow(self, mutant: SharedMutant) -> bool:
        """Whether only claims use a definition, and each of them says the same with the mutant, which may differ elsewhere."""
        protocol, definition = self._protocol, mutant.original
        bodies = [each.value.node for each in protocol.lifecycles] + [each.spent for each in protocol.messages]
        bodies += [protocol.deadlock_when.formula] if protocol.deadlock_when else []
        if any(isinstance(part, Named) and part.definition is definition for body in bodies for part in parts(body)):
            return False
        if isinstance(definition, Message | Lifecycle):
            return False
        with defined_as(protocol, mutant) as changed:
            acts = [
                (each.actions, each.alternatives, [one.action for one in each.variants]) for each in (protocol, changed)
            ]
            if acts[0] != acts[1]:
                return False
            promises = _changed(protocol.promises, changed.promises)
            weaker = Entailment(changed)
            return (
                all(self._is_true(new) and weaker._is_true(old) for old, new in promises)
                and all(
                    self.witness_follows(ClaimMutant(one.name, one, other, ""))
                    for pair in _changed(protocol.sometimes, changed.sometimes)
                    for one, other in (pair, pair[::-1])
                )
                and all(
                    self.eventuality_follows(ClaimMutant(one.name, one, other, ""))
                    for pair in _changed(protocol.eventualities, changed.eventualities)
                    for one, other in (pair, pair[::-1])
                )
            )

    def _is_true(self, promise: Promise) -> bool:
        """Whether a promise follows from all claims of the protocol."""
        if promise.kind == "always":
            return _holds(self._protocol, promise, promise.formula)
        stated = _as_state(promise, self._in_pairs)
        return _holds(self._pairs, stated, stated.formula)

    def shared_follows(self, mutant: SharedMutant) -> bool:
        """Whether a definition, or the condition under which a sent message is spent, has the same value in every state."""
        original = mutant.original
        if isinstance(original, Message):
            sent = Apply(original, original.parameters)
            same: Node = Implies(sent, _same(original.spent, mutant.body))
        elif isinstance(original.value, Formula):
            same = _same(original.value.node, mutant.body)
        else:
            same = Compare("=", original.value.node, mutant.body)
        return Prover(self._protocol, steps_max=STEPS_MAX).follows(None, same, original.parameters) == "holds"

    def _primed(self, node: Node) -> Node:
        return self._renamed(node, lambda read: True)

    def _in_pairs(self, node: Node) -> Node:
        return self._renamed(node, lambda read: read.after)

    def _renamed(self, node: Node, is_after: Callable[[Apply], bool]) -> Node:
        def change(part: Node) -> Node:
            if not isinstance(part, Apply):
                return part
            if part.symbol in self._events:
                return Apply(self._events[part.symbol], part.arguments)
            symbol = self._after.get(part.symbol, part.symbol) if is_after(part) else part.symbol
            return Apply(symbol, part.arguments)

        return rebuilt(unfolded(node), change)


def _changed(old: Sequence[C], new: Sequence[C]) -> list[tuple[C, C]]:
    """The claims that a changed definition changes, and what became of them."""
    return [(one, other) for one, other in zip(old, new, strict=True) if one is not other]


def _same(one: Node, other: Node) -> Node:
    return And((Implies(one, other), Implies(other, one)))


def _copy(symbol: Symbol, name: str) -> Symbol:
    copy = Symbol("state", symbol.arguments, symbol.result, symbol.doc)
    copy.name = name
    return copy


def _as_state(promise: Promise, change: Callable[[Node], Node]) -> Promise:
    """The promise as one about states of another protocol, under the same name."""
    made = replace(promise, kind="always", formula=change(promise.formula))
    object.__setattr__(made, "name", promise.name)
    return made


def _holds(protocol: Protocol, claim: Promise | Sometimes | Eventuality, formula: Node) -> bool:
    prover = Prover(protocol, steps_max=STEPS_MAX)
    return prover.follows(None, formula, claim.parameters) == "holds"
