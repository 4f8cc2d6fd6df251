"""The mutation table of what a protocol claims: every mutant that says less, and the evidence that notices it.

A claim that was right stays right when it says less, so checking it again shows nothing; what does is evidence that needs all of
it. The engines, in the order in which they are asked; a mutant that one of them notices is asked about no further:

- *shown*: a wrong run, kept in a file, that the claim notices and the mutant does not. `ondemand golden` writes no other file in
  its place while it is a run of its variant.
- *replayed*: a kept run of the protocol that a wrong definition does not take, or that breaks a promise with it.
- *reached*: a run that is written by hand and reaches the mutant of a witness earlier than the witness.
- *proved*: a claim whose proof needs what was left out.
- *pinned*: the counts of states of a small configuration.
- *live*: an eventuality that does not hold without an obligation.
- *listed*: the reviewed list, which says of an action that nobody is obliged to take it.

A mutant that follows from the other promises and lemmas is equivalent: the claims together say what they said. So is a wrong
definition that only promises read, if nothing notices it and the claims together say with it what they said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from conformance import configurations
from conformance.evidence import reviewed
from conformance.evidence.witnesses import earlier, firsts, runs_of
from conformance.mutation.claims.kept_runs import RightRuns, WrongLassos, WrongRuns
from conformance.mutation.table import Answer, Check, Kill, Row
from model.explore.explore import explore
from model.explore.live import live
from model.language import Message, Promise, Protocol
from model.mutation.claims import weaker_eventualities, weaker_promises, weaker_witnesses
from model.mutation.definitions import SharedMutant, defined_as, definition_mutants, spent_mutants, spent_when
from model.mutation.entailment import Entailment
from model.mutation.fairness import fairness_mutants, with_fairness
from model.mutation.needed import Needed

ENGINES: Final = {
    "shown": "which wrong run it would no longer notice",
    "replayed": "which kept run of the protocol would not be one any more, or would break a promise",
    "reached": "which run that is written by hand would reach it earlier",
    "proved": "which claim is not inductive any more, with a counterexample that was executed",
    "pinned": "which small configuration has other counts of states",
    "live": "which eventuality does not hold without an obligation",
    "listed": "whether the reviewed list says that nobody is obliged to take an action",
}

EQUIVALENT: Final = "the other promises and lemmas say what it leaves out"
SAME: Final = "it has the same value wherever all promises and lemmas hold"
TOGETHER: Final = "the promises that read it say together what they said"

STATES_MAX: Final = 150_000
"""The states of a configuration that is explored to see whether its counts change, unless it is the smallest: seconds for each
mutant, which has a kernel of its own.
"""

Engines = Mapping[str, Callable[[], Kill | None]]


def _asked(engines: Engines) -> dict[str, Answer]:
    """The answers of engines, up to the first that notices."""
    found: dict[str, Answer] = {}
    for name, ask in engines.items():
        kill = ask()
        found[name] = kill or "survives"
        if kill is not None:
            break
    return found


def of_promises(protocol: Protocol) -> Iterator[Row]:
    """The rows of weaker promises."""
    runs, entailment, needed = WrongRuns(protocol), Entailment(protocol), Needed(protocol)
    for mutant in weaker_promises(protocol):
        shown: dict[str, Answer] = _asked({"shown": lambda: runs.noticed(mutant.original, mutant.claim)})  # noqa: B023
        equivalent = shown["shown"] == "survives" and entailment.promise_follows(mutant)
        if shown["shown"] == "survives" and not equivalent:
            question = needed.by(mutant)
            shown["proved"] = "survives"
            if question is not None:
                name = mutant.original.name if question.claim.name == mutant.name else question.claim.name
                where = question.action.name if question.action else ""
                shown["proved"] = Kill(_check(protocol, name), where)
        yield Row(mutant.name, mutant.original.name, mutant.rule, shown, EQUIVALENT if equivalent else "")


def of_witnesses(protocol: Protocol) -> Iterator[Row]:
    """The rows of witnesses that are easier to reach."""
    runs, entailment = runs_of(protocol), Entailment(protocol)
    pinned = firsts(protocol, runs)
    for mutant in weaker_witnesses(protocol):
        sooner = list(earlier(mutant.claim, mutant.original.name, runs, pinned))
        kill = None
        if sooner:
            (run, steps), *others = sooner
            also = tuple(Check("vector", vector.name) for vector, _ in others)
            kill = Kill(Check("vector", run.name), run.trace.configuration.name, steps, also)
        same = kill is None and entailment.witness_follows(mutant)
        answers: dict[str, Answer] = {"reached": kill or "survives"}
        yield Row(mutant.name, mutant.original.name, mutant.rule, answers, EQUIVALENT if same else "")


def of_eventualities(protocol: Protocol) -> Iterator[Row]:
    """The rows of weaker eventualities."""
    lassos, entailment = WrongLassos(protocol), Entailment(protocol)
    for mutant in weaker_eventualities(protocol):
        kill = lassos.noticed(mutant.original, mutant.claim)
        same = kill is None and entailment.eventuality_follows(mutant)
        yield Row(
            mutant.name, mutant.original.name, mutant.rule, {"shown": kill or "survives"}, EQUIVALENT if same else ""
        )


def of_fairness(protocol: Protocol) -> Iterator[Row]:
    """The rows of obligations that are dropped, or that nobody has."""
    lassos = WrongLassos(protocol)
    agreed = reviewed.read(reviewed.file_of(protocol))
    for mutant in fairness_mutants(protocol):
        changed, key = with_fairness(protocol, mutant), ("action", mutant.original.name)
        if mutant.action.fair:
            is_listed = dict(reviewed.entries(changed)).get(key) != agreed.get(key)
            listed = Kill(Check("reviewed", mutant.original.name)) if is_listed else None
            engines: Engines = {
                "shown": lambda changed=changed: lassos.unfair_in(changed),  # type: ignore[misc]
                "listed": lambda listed=listed: listed,  # type: ignore[misc]
            }
        else:
            engines = {"live": lambda changed=changed: _unmet(changed)}  # type: ignore[misc]
        yield Row(mutant.name, mutant.original.name, mutant.rule, _asked(engines))


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


def of_definitions(protocol: Protocol) -> Iterator[Row]:
    """The rows of wrong definitions."""
    wrong, lassos, right = WrongRuns(protocol), WrongLassos(protocol), RightRuns(protocol)
    entailment, needed = Entailment(protocol), Needed(protocol)
    for mutant in definition_mutants(protocol):
        same = entailment.shared_follows(mutant)
        with defined_as(protocol, mutant) as changed:
            engines: Engines = {
                "replayed": lambda changed=changed: right.noticed(changed),  # type: ignore[misc]
                "shown": lambda changed=changed: _unseen(protocol, changed, wrong, lassos),  # type: ignore[misc]
                "proved": lambda changed=changed: _lost(needed, changed),  # type: ignore[misc]
                "pinned": lambda changed=changed: _counted(changed),  # type: ignore[misc]
            }
            answers = {} if same else _asked(engines)
            survives = bool(answers) and set(answers.values()) == {"survives"}
            says_the_same = survives and entailment.claims_follow(mutant, changed)
        yield _shared_row(mutant, answers, SAME if same else TOGETHER if says_the_same else "")


def of_spent(protocol: Protocol) -> Iterator[Row]:
    """The rows of messages that are spent sooner, or later."""
    wrong, lassos = WrongRuns(protocol), WrongLassos(protocol)
    entailment, needed = Entailment(protocol), Needed(protocol)
    for mutant in spent_mutants(protocol):
        message = mutant.original
        assert isinstance(message, Message)
        same = entailment.shared_follows(mutant)
        with spent_when(protocol, mutant) as changed:
            engines: Engines = {
                "shown": lambda changed=changed: _unseen(protocol, changed, wrong, lassos),  # type: ignore[misc]
                "proved": lambda changed=changed, message=message: _lost(needed, changed, message),  # type: ignore[misc]
                "pinned": lambda changed=changed: _counted(changed),  # type: ignore[misc]
            }
            answers = {} if same else _asked(engines)
        yield _shared_row(mutant, answers, SAME if same else "")


def _shared_row(mutant: SharedMutant, answers: Mapping[str, Answer], equivalent: str) -> Row:
    return Row(mutant.name, mutant.original.name, mutant.rule, answers, equivalent)


def _unseen(protocol: Protocol, changed: Protocol, wrong: WrongRuns, lassos: WrongLassos) -> Kill | None:
    """A wrong run that a promise or an eventuality does not notice any more, since it reads what was changed."""
    for old, new in zip(protocol.promises, changed.promises, strict=True):
        if old is not new and not old.lemma and (kill := wrong.noticed(old, _renamed(new))) is not None:
            return kill
    for hope, other in zip(protocol.eventualities, changed.eventualities, strict=True):
        if hope is not other and (kill := lassos.noticed(hope, other)) is not None:
            return kill
    return None


def _counted(changed: Protocol) -> Kill | None:
    """The first of the small configurations in which the counts of states are others, or something breaks."""
    small = [configurations.find(name, changed) for name in configurations.names(changed)]
    smallest, *others = sorted(small, key=lambda each: each.pinned["distinct"])
    for configuration in (smallest, *others):
        if configuration is smallest or configuration.pinned["distinct"] <= STATES_MAX:
            found = explore(changed, configuration, states_max=2 * configuration.pinned["distinct"])
            if found.verdict != "holds":
                return Kill(Check("pin", configuration.name), found.violated or "more states")
    return None


def _renamed(promise: Promise) -> Promise:
    """The promise under a name of its own: the interpreter remembers what it compiled by name."""
    object.__setattr__(promise, "name", f"{promise.name} as mutated")
    return promise


def _lost(needed: Needed, changed: Protocol, message: Message[Any] | None = None) -> Kill | None:
    claim = needed.lost_in(changed, message)
    return None if claim is None else Kill(_check(changed, claim.name))


def _check(protocol: Protocol, name: str) -> Check:
    """A claim of the proof as a check, by its kind."""
    kinds = {promise.name: "lemma" if promise.lemma else "promise" for promise in protocol.promises}
    return Check(kinds.get(name, "wellformed"), name)


KINDS: Final[dict[str, Callable[[Protocol], Iterator[Row]]]] = {
    "promises": of_promises,
    "witnesses": of_witnesses,
    "eventualities": of_eventualities,
    "fairness": of_fairness,
    "definitions": of_definitions,
    "spent": of_spent,
}
"""What is mutated, and who makes its rows."""


def checks_of(protocol: Protocol, rows: Sequence[Row]) -> tuple[Check, ...]:
    """Every check that a protocol's mutants are asked about: kept wrong runs, eventualities, and all that noticed one."""
    found = [*WrongRuns(protocol).checks, *WrongLassos(protocol).checks]
    found += [Check("vector", run.name) for run in runs_of(protocol)]
    found += [Check("eventuality", eventuality.name) for eventuality in protocol.eventualities]
    noticing = (check for row in rows for kill in row.kills.values() for check in (kill.check, *kill.also))
    return tuple(dict.fromkeys([*found, *sorted(noticing)]))
