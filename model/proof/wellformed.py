"""Well-formedness: what a protocol's text must satisfy before its promises have a meaning.

The text has none of the faults that `model.language.checks` names. Proved: alternatives are total and disjoint where the protocol
says so, every change of a lifecycle's state is a move that the action declares, and no step would take a number below 0.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from model.language import Action, Alternatives, Lifecycle, Move, Protocol
from model.language.bounds import Written, may_be_negative, written
from model.language.checks import idle_deviations
from model.language.notation import notation
from model.language.terms import And, Compare, Constant, Implies, Node, Not, Or, Quantified, Variable
from model.language.transition import after, changed, symbols
from model.language.walk import apart, substitute, unfolded
from model.proof.prove import Claim, Proof, Prover, text_claim


def wellformed(protocol: Protocol) -> Proof:
    """All claims of well-formedness."""
    started = time.perf_counter()
    claims = [text_claim(protocol)]
    if claims[0].verdict != "holds":  # then there is nothing meaningful to prove
        return Proof(claims, time.perf_counter() - started)
    if idle := list(idle_deviations(protocol)):
        claims[0].verdict, claims[0].because = "violated", "; ".join(idle)
    prover = Prover(protocol)
    for alternatives in protocol.alternatives:
        claims.append(alternatives_claim(prover, alternatives))
    for lifecycle in protocol.lifecycles:
        claims.append(lifecycle_claim(prover, lifecycle, protocol.actions))
    for action in protocol.actions:
        if falling := [term for term in written(action) if may_be_negative(term.node)]:
            claims.append(numbers_claim(prover, action, falling))
    return Proof(claims, time.perf_counter() - started)


# -------------------------------------------------------------------------------------------------- alternatives


def alternatives_name(alternatives: Alternatives) -> str:
    """The name of the claim about alternatives."""
    return f"{alternatives.name}: exactly one applies"


def lifecycle_name(lifecycle: Lifecycle[Any, Any]) -> str:
    """The name of the claim about a lifecycle."""
    return f"{lifecycle.name}: moves only as declared"


def alternatives_claim(prover: Prover, alternatives: Alternatives) -> Claim:
    """Whether exactly one of them applies."""
    claim, started = Claim(alternatives_name(alternatives), "alternatives"), time.perf_counter()
    parameters = alternatives.parameters
    guards = [_guard(action, parameters, "") for action in alternatives.choices]
    total = Or(tuple(Quantified("some", extra, guard) if extra else guard for guard, extra in guards))
    _note(claim, prover, total, parameters, (alternatives.given,), "none of them may be enabled")
    for place, action in enumerate(alternatives.choices):
        for other in alternatives.choices[:place]:
            (one, extra), (two, more) = _guard(action, parameters, "one!"), _guard(other, parameters, "two!")
            apart = Not(And((one, two)))
            variables = (*parameters, *extra, *more)
            why = f"{other.name} and {action.name} may both be enabled"
            _note(claim, prover, apart, variables, (alternatives.given,), why)
    claim.seconds = time.perf_counter() - started
    return claim


def _guard(action: Action, shared: tuple[Variable, ...], prefix: str) -> tuple[Node, tuple[Variable, ...]]:
    """An action's guard, with parameters that are not shared (by name and sort) renamed."""
    extra = [parameter for parameter in action.parameters if parameter not in shared]
    names = {variable: Variable(f"{prefix}{variable.name}!", variable.sort) for variable in extra}
    return substitute(And(action.guard), names), tuple(names.values())


def _note(
    claim: Claim, prover: Prover, goal: Node, variables: tuple[Variable, ...], given: tuple[Node, ...], why: str
) -> None:
    claim.checks += 1
    verdict, small = prover.settled(None, goal, variables, given)
    if verdict != "holds" and claim.verdict != "violated":
        claim.verdict, claim.because, claim.counterexample = verdict, why, small


# ------------------------------------------------------------------------------------------------------- numbers


def numbers_claim(prover: Prover, action: Action, falling: Sequence[Written]) -> Claim:
    """Whether the guard keeps these numbers, which the action writes, at 0 or above: otherwise every bounded model cuts a step."""
    claim, started = Claim(f"{action.name}: takes no number below 0", "numbers"), time.perf_counter()
    for term in falling:
        names = dict(zip(term.binders, apart(term.binders, action.parameters), strict=True))
        condition, node = substitute(term.condition, names), substitute(term.node, names)
        goal = Implies(And((*action.guard, condition)), Compare("<=", Constant(0, term.sort), node))
        _note(claim, prover, goal, (*action.parameters, *names.values()), (), f"{notation(term.node)} may be below 0")
    claim.seconds = time.perf_counter() - started
    return claim


# ---------------------------------------------------------------------------------------------------- lifecycles


def lifecycle_claim(prover: Prover, lifecycle: Lifecycle[Any, Any], actions: Sequence[Action]) -> Claim:
    """Whether these actions make only moves that they declare."""
    claim = Claim(lifecycle_name(lifecycle), "lifecycle")
    started = time.perf_counter()
    state = unfolded(lifecycle.value.node)
    read = symbols(state)
    names = {parameter: Variable(f"claim!{parameter.name}", parameter.sort) for parameter in lifecycle.parameters}
    for action in actions:
        if not read & changed(action):
            claim.trivial += 1
            continue
        before = substitute(state, names)
        afterwards = after(action, before, everything=True)
        allowed: list[Node] = [Compare("=", before, afterwards)]
        for move in action.moves:
            if move.lifecycle is lifecycle:
                allowed.append(_moved(move, tuple(names.values()), before, afterwards))
        claim.checks += 1
        verdict, small = prover.settled(action, Or(tuple(allowed)), tuple(names.values()))
        if verdict != "holds" and claim.verdict != "violated":
            claim.verdict, claim.because = verdict, f"{action.name} makes a move that it does not declare"
            claim.counterexample = small
    claim.seconds = time.perf_counter() - started
    return claim


def _moved(move: Move, arguments: tuple[Variable, ...], before: Node, afterwards: Node) -> Node:
    """The declared move has these arguments, and leads from one of its sources to one of its targets."""
    binding: dict[Variable, Node] = {}
    for given, argument in zip(move.arguments, arguments, strict=True):
        if isinstance(given, Variable) and given in move.binders:
            binding.setdefault(given, argument)
    same = [
        Compare("=", substitute(given, binding), argument)
        for given, argument in zip(move.arguments, arguments, strict=True)
    ]
    sources = Or(tuple(Compare("=", before, source) for source in move.sources))
    targets = Or(tuple(Compare("=", afterwards, target) for target in move.targets))
    return And((*same, substitute(move.condition, binding), sources, targets))
