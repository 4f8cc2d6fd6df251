"""The proof engine's verdict on a mutant: the claims that it breaks, or that it is equivalent to the original.

Only the mutated action is checked, since all others preserve every claim. z3 is bounded by its own steps and never by time, so
results are the same on every machine. A claim counts as broken only if there is a small counterexample to its induction, which the
interpreter has executed; a claim that is neither proved nor refuted is undecided.

A mutant is **equivalent**, for any size of configuration, if from every state that satisfies all promises and lemmas: where both
are enabled, both lead to the same state and emit the same events; and a step that only one of the two can make changes nothing and
emits nothing. Then both protocols have the same reachable states.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from model.language import Action, Protocol, Symbol
from model.language.meaning import meaningless
from model.language.terms import And, Apply, Compare, Formula, Implies, Node, Not, Truth, Variable
from model.language.transition import after
from model.mutation.rules import Mutant, mutated
from model.proof.finite_models import SIZES, Small, find_small
from model.proof.prove import Claim, Prover, Question, Verdict, questions_of
from model.proof.wellformed import alternatives_claim, alternatives_name, lifecycle_claim, lifecycle_name

STEPS_MAX: Final = 1_000_000
"""Of z3, for one question: about half a second. Questions that are decided at all take a hundredth of it."""


@dataclass(frozen=True)
class Proved:
    """The verdicts on a mutant's claims."""

    broken: tuple[tuple[str, str], ...]
    """Kind and name of each claim that it breaks, in the order of checking: promises first."""
    undecided: tuple[str, ...]
    """Claims that are neither proved nor refuted."""
    equivalent: str = ""
    """How equivalence was shown; empty if it was not."""


class _StepProver(Prover):
    """Bounded by steps; looks for a small counterexample before z3 gets its full limit, since most questions have one."""

    def settled(
        self,
        action: Action | None,
        goal: Node,
        variables: Sequence[Variable],
        given: Sequence[Node] = (),
        initially: bool = False,
        *,
        sizes: Sequence[tuple[int, int, int]] = SIZES[:1],
    ) -> tuple[Verdict, Small | None]:
        """As in `Prover`; `sizes`: of the configurations in which a counterexample is looked for."""
        asked = (action, goal, variables, given, initially)
        if self.follows(*asked, model_based=(False,)) == "holds":
            return "holds", None
        small = find_small(self.protocol, action, And((*given, Not(goal))), variables, sizes)
        if small is not None:
            return "violated", small
        # z3's answer alone is not enough for a violation: no state shows it.
        return ("holds" if self.follows(*asked, model_based=(True,)) == "holds" else "undecided"), None


class MutantProver:
    """Checks mutants of one protocol, one after the other."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._prover = _StepProver(protocol, steps_max=STEPS_MAX)
        self._kinds = {promise.name: "lemma" if promise.lemma else "promise" for promise in protocol.promises}

    @property
    def checks(self) -> list[tuple[str, str]]:
        """Kind and name of every claim about mutants."""
        found = [
            (TEXT.kind, TEXT.name),
            *((self._kinds[promise.name], promise.name) for promise in self._protocol.promises),
        ]
        claims = (question.claim.name for question in questions_of(self._protocol, self._protocol.actions, False))
        found += [("spent", name) for name in dict.fromkeys(claims) if name not in self._kinds]
        found += [("alternatives", alternatives_name(alternative)) for alternative in self._protocol.alternatives]
        found += [("lifecycle", lifecycle_name(lifecycle)) for lifecycle in self._protocol.lifecycles]
        found += [("guard", _guard(action)) for action in self._protocol.actions]
        return sorted(found, key=lambda claim: KINDS.index(claim[0]))

    def ask(self, mutant: Mutant) -> Proved:
        """All claims about the mutated action; and whether it is equivalent, if it breaks none."""
        if any(meaningless(mutant.action)):  # such a text has no meaning, so there is nothing to prove
            return Proved(((TEXT.kind, TEXT.name),), ())
        prover = self._prover.anew()
        verdicts: dict[tuple[str, str], Verdict] = {}
        open_ones: list[Question] = []
        for question in questions_of(self._protocol, [mutant.action], False):
            key = (self._kinds.get(question.claim.name, "spent"), question.claim.name)
            asked = (question.action, question.goal, question.variables, question.given)
            verdict, _ = prover.settled(*asked)
            if verdict == "undecided":
                open_ones.append(question)
            verdicts[key] = _worse(verdicts.get(key, "holds"), verdict)
        if "violated" not in verdicts.values():
            for question in open_ones:  # a larger configuration may show it
                key = (self._kinds.get(question.claim.name, "spent"), question.claim.name)
                asked = (question.action, question.goal, question.variables, question.given)
                if (
                    find_small(self._protocol, asked[0], And((*asked[3], Not(asked[1]))), asked[2], SIZES[1:])
                    is not None
                ):
                    verdicts[key] = "violated"
        verdicts |= self._wellformed(prover, mutant)
        broken = [key for key, verdict in verdicts.items() if verdict == "violated"]
        undecided = tuple(name for (_, name), verdict in verdicts.items() if verdict == "undecided")
        if not broken and prover.settled(mutant.action, Truth(False), ())[0] == "holds":
            broken.append(("guard", _guard(mutant.original)))
        equivalent = "" if broken or undecided else self._equivalent(prover, mutant)
        return Proved(tuple(sorted(broken, key=lambda key: KINDS.index(key[0]))), undecided, equivalent)

    def _wellformed(self, prover: Prover, mutant: Mutant) -> dict[tuple[str, str], Verdict]:
        found: dict[tuple[str, str], Verdict] = {}
        changed = mutated(self._protocol, mutant)
        for group in changed.alternatives:
            if any(choice is mutant.action for choice in group.choices):
                claim = alternatives_claim(prover, group)
                found["alternatives", claim.name] = claim.verdict
        for lifecycle in changed.lifecycles:
            claim = lifecycle_claim(prover, lifecycle, [mutant.action])
            found["lifecycle", claim.name] = claim.verdict
        return found

    # ------------------------------------------------------------------------------------------------ equivalence

    def _equivalent(self, prover: Prover, mutant: Mutant) -> str:
        original, action = mutant.original, mutant.action
        mine, its = And(action.guard), And(original.guard)
        same = prover.settled(original, _same_effects(original, action), _variables(original, action), (mine,))
        if same[0] != "holds":
            return ""
        added = self._alone(prover, action, its)
        left_out = self._alone(prover, original, mine)
        if added is None or left_out is None:
            return ""
        if added == left_out == "none":
            guard = "the guard says the same" if mine != its else ""
            effect = "the step leads to the same" if _effects(original) != _effects(action) else ""
            return " and ".join(part for part in (guard, effect) if part) or "the step is the same"
        parts = [f"the steps that it adds {added}"] * (added != "none")
        parts += [f"the steps that it leaves out {left_out}"] * (left_out != "none")
        return " and ".join(parts)

    def _alone(self, prover: Prover, action: Action, other: Node) -> str | None:
        """The effect of an action where only it is enabled: `none` if there is no such state, and None if it has an effect."""
        if prover.settled(action, other, ())[0] == "holds":
            return "none"
        nothing = And(tuple(_unchanged(action)))
        if not action.emits and prover.settled(action, nothing, _variables(action), (Not(other),))[0] == "holds":
            return "change nothing"
        return None


KINDS: Final = ("text", "promise", "lemma", "spent", "alternatives", "lifecycle", "guard")
"""The kinds of claims, in the order in which they are listed."""

TEXT: Final = Claim("the text is well-formed", "text")


def _guard(action: Action) -> str:
    return f"{action.name}: its guard can be satisfied"


def _worse(verdict: Verdict, other: Verdict) -> Verdict:
    return max(verdict, other, key=("holds", "undecided", "violated").index)


def _effects(action: Action) -> tuple[Any, ...]:
    return action.changes, action.emits


def _reads(*actions: Action) -> Iterator[tuple[Symbol, tuple[Variable, ...]]]:
    """Each symbol that one of them changes, with variables for its arguments."""
    symbols = dict.fromkeys(change.symbol for action in actions for change in action.changes)
    symbols |= dict.fromkeys(event.symbol for action in actions for event in action.emits)
    for symbol in symbols:
        yield symbol, tuple(Variable(f"{symbol.name}!{place}", sort) for place, sort in enumerate(symbol.arguments))


def _variables(*actions: Action) -> tuple[Variable, ...]:
    return tuple(variable for _, variables in _reads(*actions) for variable in variables)


def _equal(symbol: Symbol, node: Node, other: Node) -> Node:
    if symbol.result is Formula:
        return And((Implies(node, other), Implies(other, node)))
    return Compare("=", node, other)


def _same_effects(original: Action, action: Action) -> Node:
    parts = []
    for symbol, variables in _reads(original, action):
        read = Apply(symbol, variables)
        value, mutated = (after(each, read, everything=True) for each in (original, action))
        parts.append(_equal(symbol, value, mutated))
    return And(tuple(parts))


def _unchanged(action: Action) -> Iterator[Node]:
    for symbol, variables in _reads(action):
        if symbol.kind != "event":
            read = Apply(symbol, variables)
            yield _equal(symbol, read, after(action, read, everything=True))
