"""Whether a weaker claim says the same as the original, for any size, if all other promises and lemmas hold; and so for definitions
that only promises read.

A claim about steps reads two states and the events between them. So the question is asked of *pairs*: a protocol whose symbols are
those before the step, those after it, and the events; every claim about states holds for both. z3 is bounded by its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from model.language import Declaration, Eventuality, Message, Promise, Protocol, Sometimes, Symbol
from model.language.protocol import nodes_of
from model.language.terms import And, Apply, Compare, Formula, Implies, Named, Node, Not
from model.language.walk import parts, rebuilt, unfolded
from model.mutation.claims import ClaimMutant
from model.mutation.definitions import SharedMutant
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

    def claims_follow(self, mutant: SharedMutant, changed: Protocol) -> bool:
        """Whether nothing but promises about states reads a definition, and with the mutant they say together what they said."""
        readers = [each for each in _declared(self._protocol) if _reads(each, mutant.original)]
        if not readers or not all(isinstance(each, Promise) and each.kind == "always" for each in readers):
            return False
        pairs = [pair for pair in zip(self._protocol.promises, changed.promises, strict=True) if pair[0] is not pair[1]]
        return all(_holds(self._protocol, new, new.formula) and _holds(changed, old, old.formula) for old, new in pairs)

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


def _declared(protocol: Protocol) -> Iterator[Declaration]:
    """Everything that reads definitions, except variants."""
    yield from (*protocol.definitions, *protocol.messages, *protocol.actions, *protocol.alternatives)
    yield from (*protocol.promises, *protocol.sometimes, *protocol.eventualities)
    if protocol.deadlock_when is not None:
        yield protocol.deadlock_when


def _reads(declared: Declaration, definition: Declaration) -> bool:
    nodes = nodes_of(declared)
    return any(isinstance(part, Named) and part.definition is definition for node in nodes for part in parts(node))


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
