"""The mutation table of a statement: every mutant that the rules make, and the verdict of each engine on it.

Mutants are dealt with in batches, each in a process of its own that knows nothing of the others: so tables are the same whatever
the number of cores, and in whatever order batches end. The engines, in the order in which they are asked:

- *proved*: which claims are not inductive any more. A mutant that z3 shows to say the same as the statement is asked about no
  further.
- *replayed*: which vector is no run of it, or would be followed otherwise.
- *logged*: which line of a right implementation's logs does not fit it.
- *explored*: the first promise that a shortest run breaks. Configurations are taken by size; those that have more than
  `STATES_MAX` states only for mutants that nothing else has noticed.
- *pinned*: where no promise breaks, whether the counts of states are others, or something that must be reachable is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Final

from conformance import configurations
from conformance.mutation.digests import of_files, of_vectors
from conformance.mutation.kept import LOGS, STATEMENT, VECTORS, code, once
from conformance.mutation.logs import logs_of
from conformance.mutation.table import Answer, Check, Kill, Row, Undecided, answer_json, answer_of
from conformance.mutation.vectors import Vectors
from conformance.protocols import DRIVEN, REPLAYED
from model.explore.explore import Exploration, UnconfirmedError
from model.language import Action, Protocol
from model.language.protocol import DEADLOCK
from model.mutation.proof import MutantProver
from model.mutation.rules import Mutant, mutants_of
from model.mutation.switched import Switched
from model.proof.forgetting import may_forget
from model.reference.configuration import Configuration

STATES_MAX: Final = 1_200_000
"""The states of a configuration in which every mutant is explored, about a second each."""

UNFORGOTTEN_MAX: Final = 200_000
"""States at most where nothing is forgotten."""

BATCH: Final = 120
"""Mutants of one process: few enough for cores to share the work, many enough for one compiled protocol to serve them all."""

ENGINES: Final = {
    "proved": "which claims are not inductive any more, with a counterexample that was executed",
    "explored": "the first promise that a shortest run breaks",
    "pinned": "whether counts are others or something is not reached, where no promise breaks",
    "replayed": "which vector it would not follow, if the implementation were right",
    "logged": "which line of a fleet's logs would not fit it, if the implementation were right",
}

_ONLY: Final = {"replayed": REPLAYED, "logged": DRIVEN}
"""The protocols that an engine is for, where these are not all."""


Told = Callable[[str], None]
"""Told whenever a mutant was dealt with by one of the stages."""

STAGES: Final = 2
"""How often a mutant is told of: proved and replayed, then explored."""


@dataclass
class _Course:
    """A mutant and what is known about it so far."""

    mutant: Mutant
    answers: dict[str, Answer] = field(default_factory=dict)
    equivalent: str = ""
    changed: list[Check] = field(default_factory=list)
    """Pins that notice."""
    first_changed: str = ""
    reached: set[str] = field(default_factory=set)
    unfinished: list[str] = field(default_factory=list)
    """Configurations that were not explored to the end."""
    skipped: list[str] = field(default_factory=list)
    """Large configurations that it was not explored in: what it reaches there is not known."""

    @property
    def is_noticed(self) -> bool:
        return bool(self.changed) or any(isinstance(answer, Kill) for answer in self.answers.values())

    def row(self) -> Row:
        answers = {engine: self.answers[engine] for engine in ENGINES if engine in self.answers}
        return Row(self.mutant.name, self.mutant.original.name, self.mutant.rule, answers, self.equivalent)


def batches(protocol: Protocol) -> list[list[Mutant]]:
    """The mutants of a protocol in their batches, whole actions in each."""
    found: list[list[Mutant]] = [[]]
    for action in own_actions(protocol):
        mutants = mutants_of(protocol, (action,))
        if found[-1] and len(found[-1]) + len(mutants) > BATCH:
            found.append([])
        found[-1] += mutants
    return found


def own_actions(protocol: Protocol) -> tuple[Action, ...]:
    """The actions that are mutated: those of a protocol that this one extends are mutated there."""
    inherited = protocol.extends.actions if protocol.extends else ()
    return tuple(action for action in protocol.actions if action not in inherited)


def engines_of(protocol: Protocol) -> dict[str, str]:
    """The engines that a protocol's mutants are asked of, with what they ask."""
    return {name: asks for name, asks in ENGINES.items() if protocol.name in _ONLY.get(name, {protocol.name})}


def checks_of(protocol: Protocol) -> list[Check]:
    """Every check that a protocol's mutants are asked about."""
    found = [Check(kind, name) for kind, name in MutantProver(protocol).checks]
    found += [Check(DEADLOCK, DEADLOCK)]
    found += [Check("pin", name) for name in configurations.names(protocol) if name != configurations.BENCH]
    found += [Check("sometimes", claim.name) for claim in protocol.sometimes]
    if protocol.name in REPLAYED:
        found += Vectors(protocol).checks
    if protocol.name in DRIVEN:
        with logs_of(protocol) as logs:
            found += logs.checks
    return found


def rows_of(protocol: Protocol, mutants: Sequence[Mutant], told: Told) -> list[Row]:
    """The verdicts of every engine on some mutants."""
    courses = [_Course(mutant) for mutant in mutants]
    with ExitStack() as opened:
        _ask_of_each(protocol, courses, opened, told)
    _explore_all(protocol, [course for course in courses if not course.equivalent])
    for course in courses:
        told(course.mutant.name)
    return [course.row() for course in courses]


def _ask_of_each(protocol: Protocol, courses: Sequence[_Course], opened: ExitStack, told: Told) -> None:
    """Asks the engines that need only one mutant at a time. What they need is prepared when the first answer is not kept."""
    prover, vectors = cache(lambda: MutantProver(protocol)), cache(lambda: Vectors(protocol))
    logs = cache(lambda: opened.enter_context(logs_of(protocol)))
    for course in courses:
        mutant = course.mutant
        about = {"of": protocol.digest(), "mutant": mutant.name}
        _prove(course, once({"proved": code(STATEMENT), **about}, lambda: asdict(prover().ask(mutant))))  # noqa: B023 - asked at once
        if protocol.name in REPLAYED and not course.equivalent:
            asked = {"replayed": code(VECTORS), "vectors": of_vectors(protocol), **about}
            answer = once(asked, lambda: answer_json(vectors().noticed(mutant) or "survives"))  # noqa: B023
            course.answers["replayed"] = answer_of(answer)
        if protocol.name in DRIVEN and not course.equivalent:
            answer = once({"logged": code(LOGS), **about}, lambda: answer_json(logs().noticed(mutant)))  # noqa: B023
            course.answers["logged"] = answer_of(answer)
        told(mutant.name)


def _prove(course: _Course, found: Mapping[str, Any]) -> None:
    if found["broken"]:
        first, *also = (Check(kind, name) for kind, name in found["broken"])
        course.answers["proved"] = Kill(first, also=tuple(also))
    elif found["undecided"]:
        course.answers["proved"] = Undecided(", ".join(found["undecided"]))
    else:
        course.answers["proved"] = "survives"
        course.equivalent = found["equivalent"]


# ----------------------------------------------------------------------------------------------------- exploring


def _explore_all(protocol: Protocol, courses: Sequence[_Course]) -> None:
    named = [
        configurations.find(name, protocol) for name in configurations.names(protocol) if name != configurations.BENCH
    ]
    sized = sorted(named, key=lambda item: (item.pinned.get("distinct", 0), item.name))
    reached: set[str] = set()
    for configuration in sized:
        large = configuration.pinned.get("distinct", 0) > STATES_MAX
        here = [each_course for each_course in courses if "explored" not in each_course.answers]
        if large:
            for course in here:
                course.skipped += [configuration.name] * course.is_noticed
            here = [item for item in here if not item.is_noticed]
        if here:
            reached |= _explore(protocol, configuration, here)
    for course in courses:
        if "explored" not in course.answers:
            why = f"not to the end in {', '.join(course.unfinished)}"
            course.answers["explored"] = Undecided(why) if course.unfinished else "survives"
            _pinned(course, protocol, reached)


def _explore(protocol: Protocol, configuration: Configuration, courses: Sequence[_Course]) -> set[str]:
    """Explores mutants in a configuration; what the protocol itself reaches there."""
    mutants = [course.mutant for course in courses]
    doubtful = [course.mutant.name for course in courses if isinstance(course.answers.get("proved"), Undecided)]
    asked = {
        "explored": code(STATEMENT),
        "of": protocol.digest(),
        "in": of_files([configurations.path_of(configuration.name, protocol)]),
        "mutants": [mutant.name for mutant in mutants],
        "doubtful": doubtful,
    }
    found = once(asked, lambda: _explored(protocol, configuration, mutants, doubtful))
    for course, seen in zip(courses, found["mutants"], strict=True):
        _note(course, configuration.name, seen)
    return set(found["reached"])


def _explored(
    protocol: Protocol, configuration: Configuration, mutants: Sequence[Mutant], doubtful: Sequence[str]
) -> dict[str, Any]:
    """What exploring finds of mutants, and what the protocol itself reaches.

    `doubtful`: those of which nothing is proved, so that they may not forget. One that breaks a claim is noticed anyway, and one
    that breaks none may forget as the protocol does.
    """
    switched = Switched(protocol, configuration, mutants, forget_spent=may_forget(protocol))
    stated = switched.unchanged()
    assert stated.verdict == "holds", f"{configuration.name}: {stated.violated or stated.verdict}"
    found: dict[str, dict[str, Any]] = {}
    unseen = []
    for mutant in mutants:
        if mutant not in switched.mutants:
            found[mutant.name] = {"reached": list(stated.reached)}
            continue
        try:
            one = switched.of(mutant, 2 * stated.distinct)
        except UnconfirmedError:
            unseen.append(mutant)
            continue
        is_sure = mutant.name not in doubtful if one.trace is None else switched.is_seen(mutant, one)
        if not is_sure:
            unseen.append(mutant)
        else:
            found[mutant.name] = _seen(one, stated)
    if unseen:
        # What was forgotten could still be needed, so what was found says nothing.
        whole = Switched(protocol, configuration, unseen, forget_spent=False)
        found |= {mutant.name: _seen(whole.of(mutant, UNFORGOTTEN_MAX), None) for mutant in unseen}
    return {"reached": list(stated.reached), "mutants": [found[mutant.name] for mutant in mutants]}


def _seen(found: Exploration, stated: Exploration | None) -> dict[str, Any]:
    """What exploring found of a mutant; `stated`: and of the protocol itself, if that is to be compared."""
    seen: dict[str, Any] = {"reached": list(found.reached)}
    if found.trace is not None:
        return seen | {"violated": found.violated, "depth": len(found.trace.steps)}
    differs = _first_count(found, stated) if stated is not None and _counts(found) != _counts(stated) else ""
    return seen | {"complete": found.complete, "differs": differs}


def _note(course: _Course, configuration: str, seen: Mapping[str, Any]) -> None:
    """Writes down what exploring found of a mutant in a configuration."""
    course.reached |= set(seen["reached"])
    violated = seen.get("violated")
    if violated is not None:
        check = Check(DEADLOCK if violated == DEADLOCK else "promise", violated)
        course.answers["explored"] = Kill(check, configuration, seen["depth"])
        return
    if not seen.get("complete", True):
        course.unfinished.append(configuration)
    if seen.get("differs"):
        course.changed.append(Check("pin", configuration))
        course.first_changed = course.first_changed or seen["differs"]


def _counts(found: Exploration) -> dict[str, int]:
    return {"distinct": found.distinct, "transitions": found.transitions, "depth": found.depth}


def _first_count(found: Exploration, stated: Exploration) -> str:
    if not found.complete:
        return f"more than {stated.distinct:,} states"
    return next(name for name, count in _counts(found).items() if count != _counts(stated)[name])


def _pinned(course: _Course, protocol: Protocol, reached: set[str]) -> None:
    lost = [
        Check("sometimes", sometime.name)
        for sometime in protocol.sometimes
        if sometime.name in reached - course.reached
    ]
    noticing = [*course.changed, *(lost if not course.unfinished + course.skipped else [])]
    if not noticing:
        course.answers["pinned"] = "survives"
        return
    course.answers["pinned"] = Kill(noticing[0], course.first_changed, also=tuple(noticing[1:]))
