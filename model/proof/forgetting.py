"""Whether engines may forget spent messages: only if it is proved of this very statement that a spent message enables nothing.

The proof is what `model.proof.prove` says about spent messages, from promises and lemmas that are all inductive for it.
It is bounded by z3's own steps and not by time, in a context of its own, so the answer is the same on every machine and after any
other proof, and it is kept in the cache. If something is said of all numbers, it is proved for those up to a bound, whatever the
bound is: what depends on a number above the bound is decided otherwise in a configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from model import cache
from model.language import Declaration, Eventuality, Promise, Protocol, Sometimes
from model.language.checks import counts_numbers, without_meaning
from model.language.protocol import nodes_of
from model.language.terms import Node
from model.language.transient import reads_sent

KIND: Final = "forgetting"
"""The folder of the cache."""

STEPS_MAX: Final = 1_000_000
"""Of z3, for one question: about half a second. Questions that are decided at all take a hundredth of it."""

_ANSWERS: Final = {b"proved": True, b"not proved": False}

_found: Final[dict[str, bool]] = {}
"""What this process knows, whether or not it could write the cache."""

Claimed = Promise | Sometimes | Eventuality


def may_forget(protocol: Protocol, claims: Iterable[Claimed] = (), told: Callable[[], object] = lambda: None) -> bool:
    """Whether it is proved that forgetting spent messages changes no verdict.

    `claims`: what is asked, if it is not what the protocol promises. `told`: hears that a proof begins, which takes some seconds.
    """
    if not protocol.messages:
        return True
    own = {
        *(promise for promise in protocol.promises if not promise.lemma),
        *protocol.sometimes,
        *protocol.eventualities,
    }
    if any(reads_sent(node) for claim in claims if claim not in own for node in _formulas(claim)):
        return False
    key = cache.key_of(KIND, protocol.digest())
    if key not in _found:
        known = _ANSWERS.get(cache.read(KIND, key) or b"")
        if known is None:
            told()
            known = _is_proved(protocol)
            _keep(key, known)
        _found[key] = known
    return _found[key]


def note_proof(protocol: Protocol) -> None:
    """Keeps that all claims of the protocol are proved, so that nobody proves them again."""
    if _counts_numbers(protocol):  # a proof is about other numbers
        return
    key = cache.key_of(KIND, protocol.digest())
    _found[key] = True
    _keep(key, True)


def _keep(key: str, known: bool) -> None:
    cache.write(KIND, key, next(word for word, answer in _ANSWERS.items() if answer is known))


def _formulas(claim: Claimed) -> tuple[Node, ...]:
    return (claim.premise, claim.conclusion) if isinstance(claim, Eventuality) else (claim.formula,)


def _counts_numbers(protocol: Protocol) -> bool:
    """Whether what is proved of all numbers may be false in a configuration. Otherwise its runs are runs without bounds, too."""
    claims: list[Declaration] = [*protocol.promises, *protocol.sometimes, *protocol.eventualities]
    claims += [protocol.deadlock_when] if protocol.deadlock_when else []
    steps: list[Declaration] = [*protocol.actions, *protocol.messages, *protocol.assumptions]
    # What a claim reads of unspent messages, or of none, is the same with and without spent ones.
    return any(map(counts_numbers, [*steps, *(claim for claim in claims if any(map(reads_sent, nodes_of(claim))))]))


def _is_proved(protocol: Protocol) -> bool:
    # z3 takes a while to load, and is not needed for what is known.
    from model.proof.prove import Prover, questions_of
    from model.proof.symbolic import context_apart

    if any(without_meaning(protocol)):
        return False
    with context_apart():
        prover = Prover(protocol, steps_max=STEPS_MAX, bounded=_counts_numbers(protocol))
        return all(
            prover.follows(question.action, question.goal, question.variables, question.given, question.initially)
            == "holds"
            for question in questions_of(protocol, protocol.actions, True)
            if question.claim.kind != "two-state"  # no proof uses them
        )
