"""Compares the engines on one protocol in one configuration.

The plain interpreter visits the states breadth first. Every other engine is asked the same, in its own way:

| engine | what has to be the same |
|---|---|
| language | steps and promises, if the text is read without bound variables |
| kernel | successors, broken promises and reached claims of every state; counts, verdict, and length of a shortest run |
| machines | enabled steps, their effects and events |
| terms | the prover's questions, evaluated in every state without a solver |
| prove | what is said to hold is broken by no step from a state that satisfies all promises |
| bounded | verdict and length of a shortest run |
| tlc | verdict and length of a shortest run, counts |
"""

from __future__ import annotations

import re
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final

from model.agreement.drawn import Drawn
from model.agreement.reached import Reached, reach, scattered
from model.agreement.z3_terms import Evaluator
from model.explore.explore import Exploration, UnconfirmedError, explore, search_in
from model.explore.kernel.emit import STATE_BITS
from model.explore.kernel.kernel import Kernel
from model.language.protocol import DEADLOCK
from model.language.terms import Number, Quantified
from model.language.walk import parts, unfolded
from model.machines.machines import System
from model.proof.bounded import bounded
from model.proof.prove import Claim, Prover, Question, questions_of
from model.proof.symbolic import Translator
from model.reference.deadlock import is_deadlock
from model.tla.judge import Judgement, NotJudged, judge

STATES_OF_MACHINES: Final = 25
"""States in which the role machines take every step."""

STATES_OF_TERMS: Final = 40
"""States in which the prover's questions are evaluated."""

STATES_OF_KERNEL: Final = 100_000
"""The kernel is given more room than the interpreter, so that it does not stop earlier."""

STEPS_MAX: Final = 5
"""The longest runs that bounded model checking looks for."""


@dataclass(frozen=True)
class Disagreement:
    """An engine says something else than the interpreter."""

    engine: str
    about: str
    """What they differ in: one word for all disagreements of a kind, so that shrinking keeps to it."""
    sentence: str


Differing = Iterator[tuple[str, str]]
"""What an engine differs in, and the sentence that says so."""


class Subject:
    """A protocol in a configuration, with what the interpreter visits. Any exception is the text's or the language's."""

    def __init__(self, drawn: Drawn) -> None:
        self.drawn = drawn
        self.protocol = drawn.protocol()
        self.configuration = drawn.configuration(self.protocol)

    @cached_property
    def reached(self) -> Reached:
        """With all messages kept."""
        return reach(self.protocol, self.configuration)

    @cached_property
    def forgetting(self) -> Reached:
        """With spent messages discarded."""
        if not self.protocol.messages:
            return self.reached
        return reach(self.protocol, self.configuration, forget_spent=True)

    @cached_property
    def scattered(self) -> Reached:
        """Any states, reachable or not."""
        return scattered(self.protocol, self.configuration)

    @cached_property
    def counts_all_numbers(self) -> bool:
        """Whether something is said of all numbers: a proof has more of them than the configuration."""
        nodes = [node for action in self.protocol.actions for node in (*action.guard, *action.emits)]
        nodes += [node for action in self.protocol.actions for change in action.changes for node in change.nodes()]
        nodes += [promise.formula for promise in self.protocol.promises]
        nodes += [message.spent for message in self.protocol.messages]
        return any(
            issubclass(variable.sort, Number)
            for node in nodes
            for part in parts(unfolded(node))
            if isinstance(part, Quantified)
            for variable in part.variables
        )


def compare(
    subject: Subject, engines: Mapping[str, Callable[[Subject], Differing]], seconds: dict[str, float]
) -> Disagreement | None:
    """The first disagreement. `seconds`: those of each engine are added."""
    for name, engine in {"interpreter": _visited, **engines}.items():
        started = time.perf_counter()
        try:
            found = next(engine(subject), None)
        except Exception as problem:  # a crash is a disagreement too
            frame = traceback.extract_tb(problem.__traceback__)[-1]
            said = " ".join(str(problem).split())[:200]
            where = f"{Path(frame.filename).name}, {frame.name}"
            found = f"{type(problem).__name__} in {frame.name}", f"{type(problem).__name__}: {said} ({where})"
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started
        if found is not None:
            return Disagreement(name, *found)
    return None


def _visited(subject: Subject) -> Differing:
    """The interpreter has nothing to differ from; it may only crash."""
    assert subject.reached.states
    assert subject.forgetting.states
    return iter(())


def language(subject: Subject) -> Differing:
    """The text without bound variables, on the same interpreter."""
    mine, other = subject.reached, reach(*subject.drawn.expanded(subject.configuration))
    for number, (steps, others) in enumerate(zip(mine.steps, other.steps, strict=False)):
        if [taken.step for taken in steps] != [taken.step for taken in others]:
            yield "enabled", f"other enabled steps in state {number}"
        for taken, also in zip(steps, others, strict=True):
            if taken.after.relations != also.after.relations or any(
                also.after.functions[name] != table for name, table in taken.after.functions.items()
            ):
                yield "effects", f"{taken.step} in state {number}"
            if taken.events != also.events:
                yield "events", f"{taken.step} in state {number}"
            if taken.broken != also.broken:
                yield (
                    "broken",
                    f"{taken.step} in state {number} breaks {sorted(also.broken)}, not {sorted(taken.broken)}",
                )
    if mine.broken != other.broken or mine.claims != other.claims:
        yield "claims", f"claims {other.claims}, and not {mine.claims}, or another promise is broken"


# ------------------------------------------------------------------------------------------------------- kernel


def kernel(subject: Subject) -> Differing:
    """Each state by itself, with all fields and messages, then without those that can be left out or forgotten."""
    protocol, configuration, reached = subject.protocol, subject.configuration, subject.reached
    everything = Kernel.of(protocol, configuration, everything=True, forget_spent=False, level=0, kept=False)
    yield from _each_state(everything, reached)
    found = search_in(everything, protocol, configuration, states_max=STATES_OF_KERNEL, deadlocks=False)
    yield from _searched(found, reached, deadlocks=False)
    if reached.violations is None and reached.complete:
        yield from _counted(found, reached)
    whole = explore(protocol, configuration, states_max=STATES_OF_KERNEL, forget_spent=False, kept=False)
    yield from _searched(whole, reached)
    forgets = Kernel.of(protocol, configuration, forget_spent=True, level=0, kept=False)
    yield from _each_state(forgets, subject.forgetting)
    with suppress(UnconfirmedError):  # what may not be forgotten may lead to a run that is none
        found = search_in(forgets, protocol, configuration, states_max=STATES_OF_KERNEL, deadlocks=False)
        yield from _searched(found, subject.forgetting, deadlocks=False)


def _each_state(made: Kernel, reached: Reached) -> Differing:
    claims = made.claims.in_states
    for number, state in enumerate(reached.states):
        mine = {made.pack(taken.after) for taken in reached.steps[number]} - {made.pack(state)}
        if made.successors(state) != mine:
            yield "successors", f"other successors of state {number}, after {reached.depths[number]} steps"
        if set(made.broken(state)) != reached.broken[number]:
            yield "broken", f"state {number} breaks {made.broken(state)}, and not {sorted(reached.broken[number])}"
        cut = Counter(reached.interpreter.cut(state).values())
        if made.cut(state) != cut:
            yield "cut", f"other steps are cut in state {number}: {made.cut(state)}, and not {dict(cut)}"
        mask = made.mask(state) >> STATE_BITS
        for bit, claim in enumerate(claims):
            if bool(mask >> bit & 1) != (reached.interpreter.counterexample(claim, state) is not None):
                yield "claims", f"{claim.name} in state {number}"


def _searched(found: Exploration, reached: Reached, *, deadlocks: bool = True) -> Differing:
    """The verdict. A deadlock is noticed when it is left, which may be after a promise is broken in the next states."""
    wrong = set() if reached.violations is None else {(name, reached.violations[0]) for name in reached.violations[1]}
    if found.trace is None:
        stuck = deadlocks and reached.deadlock is not None
        if wrong or stuck:
            yield "verdict", f"{found.verdict}, and not violated by {sorted(wrong) or 'a deadlock'}"
        elif reached.complete and found.verdict != "holds":
            yield "verdict", f"{found.verdict}, and not holds"
    elif found.violated == DEADLOCK:  # fields that are left out may make the run longer
        if not is_deadlock(reached.interpreter, found.trace.states[-1]):
            yield "deadlock", f"the state after {len(found.trace.steps)} steps is none"
        elif wrong and reached.violations is not None and reached.violations[0] <= (reached.deadlock or 0):
            yield "shortest", f"a deadlock, and not {sorted(wrong)}"
    elif (found.violated, len(found.trace.steps)) not in wrong:
        yield "shortest", f"{found.violated} after {len(found.trace.steps)} steps, and not {sorted(wrong)}"


def _counted(found: Exploration, reached: Reached) -> Differing:
    """What is counted if nothing is wrong."""
    counts = (found.distinct, found.transitions, found.depth)
    mine = (len(reached.states), reached.transitions, max(reached.depths))
    taken = {step.step.action for steps in reached.steps for step in steps}
    if counts != mine:
        yield "counts", f"states, transitions and depth {counts}, and not {mine}"
    if found.cut != reached.cut:
        yield "cut", f"cut steps {found.cut}, and not {reached.cut}"
    if dict(found.reached) != reached.claims:
        yield "reached", f"claims {dict(found.reached)}, and not {reached.claims}"
    if found.actions != taken:
        yield "taken", f"actions {sorted(found.actions)}, and not {sorted(taken)}"


# ----------------------------------------------------------------------------------------------------- machines


def machines(subject: Subject) -> Differing:
    """Enabled steps, those that are cut, and what they do."""
    system = System(subject.protocol, subject.configuration, check=False)
    for looked in (subject.reached, subject.scattered):
        for number, state in enumerate(islice(looked.states, STATES_OF_MACHINES)):
            system.load(state)
            if system.enabled() != [taken.step for taken in looked.steps[number]]:
                yield "enabled", f"other enabled steps in {_place(looked, number)}"
            cut = {occurrence: why for occurrence, why in system.guarded() if why is not None}
            if cut != looked.interpreter.cut(state):
                yield "cut", f"other steps are cut in {_place(looked, number)}"
            for taken in looked.steps[number]:
                system.load(state)
                events = system.take(taken.step)
                if (events, system.state) != (taken.events, taken.after):
                    yield "effects", f"{taken.step} in {_place(looked, number)}"


def _place(looked: Reached, number: int) -> str:
    """Which state it is; an unreachable one is shown, since no run leads there."""
    relations = {name: sorted(held) for name, held in looked.states[number].relations.items() if held}
    return f"state {number}, {relations} {dict(looked.states[number].functions)}"


# ------------------------------------------------------------------------------------------------------- proofs


def terms(subject: Subject) -> Differing:
    """What the prover is asked of each step, in states and not by a solver."""
    protocol = subject.protocol
    if subject.counts_all_numbers:
        return
    evaluator, translator = Evaluator(protocol, subject.configuration), Translator(protocol)
    for looked in (subject.reached, subject.scattered):
        tables = [evaluator.tables(state) for state in islice(looked.states, STATES_OF_TERMS)]
        for promise in protocol.promises:
            if promise.kind == "always" and not any(issubclass(each.sort, Number) for each in promise.parameters):
                wanted = [evaluator.meaning(part) for part in translator.closed(promise.parameters, promise.formula)]
                for number, state in enumerate(tables):
                    if all(part(state, {}, ()) for part in wanted) == (promise.name in looked.broken[number]):
                        yield "invariant", f"{promise.name} in {_place(looked, number)}"
        for question in questions_of(protocol, protocol.actions, False):
            if question.action is not None and question.claim.name in {promise.name for promise in protocol.promises}:
                yield from _asked(looked, question, evaluator, translator, tables)


def _asked(
    looked: Reached, question: Question, evaluator: Evaluator, translator: Translator, tables: list[Any]
) -> Differing:
    action = question.action
    assert action is not None
    named = {**translator.constants(action.parameters, "c!"), **translator.constants(question.variables, "p!")}
    goal = evaluator.meaning(translator.term(question.goal, named))
    given = [dict(values) for values in looked.interpreter.environments(question.variables)]
    sorts = [variable.sort for variable in question.variables]
    environments = [
        dict(zip((f"p!{name}" for name in values), evaluator.values(sorts, tuple(values.values())), strict=True))
        for values in given
    ]
    for number, state in enumerate(tables):
        for taken in looked.steps[number]:
            if taken.step.action == action.name:
                chosen = tuple(value for _, value in taken.step.choices)
                values = evaluator.values([each.sort for each in action.parameters], chosen)
                choices = {f"c!{each.name}": value for each, value in zip(action.parameters, values, strict=True)}
                holds = all(goal(state, {**choices, **environment}, ()) for environment in environments)
                if holds == (question.claim.name in taken.broken):
                    yield "question", f"{question.claim.name} by {taken.step} in {_place(looked, number)}"


def prove(subject: Subject) -> Differing:
    """What holds by proof is broken by no step from a state that satisfies all promises, and not at the start."""
    protocol = subject.protocol
    if subject.counts_all_numbers:
        return
    claims: dict[int, Claim] = {}
    prover = Prover(protocol)  # with a limit of z3's steps instead of time, z3 crashes now and then
    for question in questions_of(protocol, protocol.actions, True):
        prover.ask(question, brief=True)
        claims[id(question.claim)] = question.claim
    proved = {claim.name for claim in claims.values() if claim.verdict == "holds"}
    for name in sorted(proved & subject.reached.broken[0]):
        yield "proved", f"{name} holds by proof, and is broken at the start"
    for looked in (subject.reached, subject.scattered):
        for number, steps in enumerate(looked.steps):
            for taken in [] if looked.broken[number] else steps:
                for name in sorted(proved & taken.broken):
                    yield "proved", f"{name} holds by proof, and {taken.step} breaks it in {_place(looked, number)}"
    if all(claim.verdict == "holds" for claim in claims.values()):
        yield from _forgotten(subject)


def _forgotten(subject: Subject) -> Differing:
    """What discarding spent messages would change in a state, where it is proved to change nothing."""
    interpreter = subject.reached.interpreter
    for number, state in enumerate(subject.reached.states):
        without = interpreter.forget_spent(state)
        steps = [taken.step for taken in subject.reached.steps[number]]
        if without != state and interpreter.enabled(without) != steps:
            yield "forgotten", f"other enabled steps in state {number} without spent messages"


def unrolled(subject: Subject) -> Differing:
    """Bounded model checking."""
    soonest, reached = subject.reached.soonest, subject.reached
    complete = reached.complete or soonest is not None
    depth = soonest[0] if soonest else max(reached.depths) + 1
    steps = min(depth, STEPS_MAX)
    found = bounded(subject.protocol, subject.configuration, steps_max=steps)
    if soonest is not None and depth <= STEPS_MAX:
        if found.depth != depth or found.violated not in soonest[1]:
            said = f"{found.violated or found.because} after {found.depth} steps"
            yield "verdict", f"{said}, and not {sorted(soonest[1])} after {depth}"
    elif complete and found.violated:
        yield "verdict", f"{found.violated} after {found.depth} steps, which the interpreter does not find"
    if soonest is None and complete:
        early = {name: depth for name, depth in reached.claims.items() if 0 <= depth <= steps}
        mine = {name: depth for name, depth in found.reached.items() if reached.claims.get(name) != -1}
        if mine != early:
            yield "reached", f"claims {mine}, and not {early}"


def tlc(subject: Subject) -> Differing:
    """TLC, on what is exported."""
    reached, soonest = subject.reached, subject.reached.soonest
    if not reached.complete:
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            judged = judge(subject.protocol, subject.configuration, Path(folder), forget_spent=False)
        except NotJudged as refused:
            yield re.sub(r"'[^']*'|\d+", "", f"{refused}"), f"{refused}"
            return
    if soonest is not None:
        depth, wrong = soonest
        allowed = {(name, depth) for name in wrong}
        if DEADLOCK in wrong and reached.violations is not None and reached.violations[0] == depth + 1:
            # The export notes which promises a step has broken; a step that changes nothing but this note is no rest to TLC.
            allowed |= {(name, depth + 1) for name in reached.violations[1]}
        known = {promise.name for promise in subject.protocol.promises}
        violated = judged.violated if not judged.violated or judged.violated in known else DEADLOCK
        if (violated, judged.steps) not in allowed:
            yield "verdict", f"{violated or 'holds'} after {judged.steps} steps, and not {sorted(allowed)}"
        return
    mine = Judgement("", reached.transitions + 1, len(reached.states), max(reached.depths) + 1, 0)
    if judged != mine:
        yield "counts", f"{judged}, and not {mine}"


ENGINES: Final[Mapping[str, Callable[[Subject], Differing]]] = {
    "language": language,
    "kernel": kernel,
    "machines": machines,
    "terms": terms,
    "prove": prove,
    "bounded": unrolled,
}
"""By name, in the order in which they are asked. TLC is left out: it is a Java program that not everybody has."""
