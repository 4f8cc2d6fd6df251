"""The mutation table of what a protocol claims: every mutant that says less, and the evidence that notices it.

A claim that was right stays right when it says less, so checking it again shows nothing; what does is evidence that needs all of
it. The engines, in the order in which they are asked; a mutant that one of them notices is asked about no further:

- *shown*: a wrong run, kept in a file, that the claim notices and the mutant does not. `ondemand golden` writes no other file in
  its place while it is a run of its variant.
- *proved*: a claim whose proof needs what was left out.
- *live*: an eventuality that does not hold without an obligation.

A mutant that follows from the other promises and lemmas is equivalent: the claims together say what they said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from conformance import configurations
from conformance.mutation.claims.wrong_runs import WrongLassos, WrongRuns
from conformance.mutation.table import Check, Kill, Row
from model.explore.live import live
from model.language import Protocol
from model.mutation.claims import weaker_eventualities, weaker_promises
from model.mutation.entailment import Entailment
from model.mutation.fairness import fairness_mutants, with_fairness
from model.mutation.needed import Needed

ENGINES: Final = {
    "shown": "which wrong run it would no longer notice",
    "proved": "which claim is not inductive any more without what it left out, with a counterexample that was executed",
    "live": "which eventuality does not hold without an obligation",
}

EQUIVALENT: Final = "the other promises and lemmas say what it leaves out"

Told = Callable[[str], None]
"""Told of each mutant that was dealt with."""


def _row(name: str, of: str, rule: str, engine: str, kill: Kill | None, equivalent: bool = False) -> Row:
    return Row(name, of, rule, {engine: kill or "survives"}, EQUIVALENT if equivalent and kill is None else "")


def of_promises(protocol: Protocol) -> Iterator[Row]:
    """The rows of weaker promises."""
    runs, entailment, needed = WrongRuns(protocol), Entailment(protocol), Needed(protocol)
    kinds = {promise.name: "lemma" if promise.lemma else "promise" for promise in protocol.promises}
    for mutant in weaker_promises(protocol):
        row = _row(mutant.name, mutant.original.name, mutant.rule, "shown", runs.noticed(mutant))
        if not row.kills:
            if entailment.promise_follows(mutant):
                row = Row(row.name, row.of, row.rule, row.answers, EQUIVALENT)
            else:
                question = needed.by(mutant)
                lost = None
                if question is not None:
                    name = mutant.original.name if question.claim.name == mutant.name else question.claim.name
                    lost = Kill(Check(kinds.get(name, "spent"), name), question.action.name if question.action else "")
                row = Row(row.name, row.of, row.rule, {**row.answers, "proved": lost or "survives"})
        yield row


def of_eventualities(protocol: Protocol) -> Iterator[Row]:
    """The rows of weaker eventualities."""
    lassos, entailment = WrongLassos(protocol), Entailment(protocol)
    for mutant in weaker_eventualities(protocol):
        kill = lassos.noticed(mutant)
        equivalent = kill is None and entailment.eventuality_follows(mutant)
        yield _row(mutant.name, mutant.original.name, mutant.rule, "shown", kill, equivalent)


def of_fairness(protocol: Protocol) -> Iterator[Row]:
    """The rows of obligations that are dropped, or that nobody has."""
    lassos = WrongLassos(protocol)
    for mutant in fairness_mutants(protocol):
        changed = with_fairness(protocol, mutant)
        engine = "shown" if mutant.action.fair else "live"
        kill = lassos.unfair_in(changed) if mutant.action.fair else _unmet(changed)
        yield _row(mutant.name, mutant.original.name, mutant.rule, engine, kill)


def _unmet(changed: Protocol) -> Kill | None:
    """The first eventuality that does not hold in a configuration in which it is decided, and the others there."""
    for name in configurations.live_names(changed):
        decided = live(changed, configurations.find(name, changed))
        broken = [outcome for outcome in decided.outcomes if outcome.verdict == "violated"]
        if broken:
            first, *others = (Check("eventuality", outcome.eventuality.name) for outcome in broken)
            lasso = broken[0].lasso
            return Kill(first, name, len(lasso.steps) if lasso else None, tuple(others))
    return None


KINDS: Final[dict[str, Callable[[Protocol], Iterator[Row]]]] = {
    "promises": of_promises,
    "eventualities": of_eventualities,
    "fairness": of_fairness,
}
"""What is mutated, and who makes its rows."""


def checks_of(protocol: Protocol, rows: Sequence[Row]) -> tuple[Check, ...]:
    """Every check that a protocol's mutants are asked about: each that could notice one, and those of proofs that did."""
    found = [*WrongRuns(protocol).checks, *WrongLassos(protocol).checks]
    found += [Check("eventuality", eventuality.name) for eventuality in protocol.eventualities]
    noticing = (check for row in rows for kill in row.kills.values() for check in (kill.check, *kill.also))
    return tuple(dict.fromkeys([*found, *sorted(noticing)]))
