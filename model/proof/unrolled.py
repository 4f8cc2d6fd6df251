"""A grounded protocol, unrolled: any number of steps, as propositions over the facts of each state.

There is a *frame* for each state: a proposition for each fact (a field with two possible values), or one for each value of a field
with more. Between two frames exactly one instance of an action happens; unassigned fields keep their values. All of this is built
once, over an anonymous frame before and one after a step, and instantiated by substitution, which z3 does much faster than Python
builds terms.

An event is an additional fact of a step. A promise about steps reads it like any other fact, so that it is grounded once and not
again for each instance of each action.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import z3

from model.explore.kernel.boolean import Expression
from model.explore.kernel.ground import AFTER, Ground
from model.explore.kernel.instances import Happenings, Instance
from model.explore.kernel.standing import no_end
from model.language import Assumption, Promise, Sometimes
from model.language.protocol import DEADLOCK
from model.language.transient import is_transient
from model.language.walk import unfolded
from model.proof.propositions import Propositions
from model.reference.cut import Cut

Choice = tuple[object, ...]
"""Part of the choice of a step: the action, or a value for its n-th parameter of a sort."""


@dataclass(frozen=True)
class Question:
    """A question about a state, or (`of_step`) about a step and the states around it; over the anonymous frames."""

    name: str
    term: Any
    of_step: bool


class Frame:
    """The propositions of one state, and of the step that leads out of it."""

    def __init__(self, ground: Ground, choices: Iterable[Choice], events: int, name: str) -> None:
        self._values: dict[tuple[int, int], Any] = {}
        for place, (symbol, arguments) in enumerate(ground.places):
            for value in watched(ground, place):
                self._values[place, value] = z3.Bool(f"{name}.{symbol.name}{arguments}={value}")
        self.facts = list(self._values.values())
        self.choices = {choice: z3.Bool(f"{name}.{choice}") for choice in choices}
        self.chosen = [z3.Bool(f"{name}.step{number}") for number in range(len(ground.instances))]
        self.events = [z3.Bool(f"{name}.event{number}") for number in range(events)]

    def has(self, field: int, value: int) -> Any:
        """The field has the value; of two possible values, the smaller one is expressed by negation."""
        return self._values[field, value]

    @property
    def everything(self) -> list[Any]:
        """All propositions, in a fixed order."""
        return [*self.facts, *self.choices.values(), *self.chosen, *self.events]


def watched(ground: Ground, place: int) -> list[int]:
    """The values of a field that have a proposition: none of one, the larger of two, each of more."""
    possible = sorted(ground.possible[place])
    return possible[1:] if len(possible) <= 2 else possible


class Unrolling:
    """A protocol in a configuration, and a solver that knows its runs of a number of steps; `grow` adds a step."""

    def __init__(self, ground: Ground, solver: Any) -> None:
        self._ground = ground
        self.solver = solver
        self._happenings = _happenings(ground)
        self._choices = list(dict.fromkeys(choice for instance in ground.instances for choice in _choices(instance)))
        self._before, self._after = self._frame("before"), self._frame("after")
        self._term = Propositions(self._has).of
        self._step = z3.And(*self._one_instance(), *self._effects())
        self._frames = [self._frame("0")]
        solver.add(*self._start(self._frames[0]))

    @property
    def depth(self) -> int:
        """Steps so far."""
        return len(self._frames) - 1

    @property
    def facts(self) -> int:
        """Propositions about one state."""
        return len(self._before.facts)

    def grow(self) -> None:
        """Adds one step."""
        last, following = self._frames[-1], self._frame(str(len(self._frames)))
        self._frames.append(following)
        self.solver.add(self._placed(self._step, last, following))

    def ask(self, question: Question) -> Any:
        """The question about the last state, or about the step that leads to it: no step leads to the initial state."""
        if not question.of_step:
            return self._placed(question.term, self._frames[-1], self._frames[-1])
        return self._placed(question.term, *self._frames[-2:]) if self.depth else z3.BoolVal(False)

    def assume(self, assumed: Assumption) -> None:
        """Constrains constants that are left open to satisfy this."""
        given = self._ground.environments(assumed.parameters)
        truth = self._ground.algebra.conjunction(self._ground.truth(assumed.formula, argument) for argument in given)
        self.solver.add(self._placed(self._term(truth), self._frames[0], self._frames[0]))

    def broken(self, promise: Promise) -> Question:
        """Whether a promise is broken."""
        negation = self._ground.algebra.negation
        return self._question(promise, negation, of_step=promise.kind == "two-state")

    def reached(self, claim: Sometimes) -> Question:
        """Whether a reachable claim is reached."""
        return self._question(claim, lambda truth: truth, of_step=is_transient(unfolded(claim.formula)))

    def stuck(self) -> Question:
        """Whether the state is a deadlock: no role but the environment can change it, and a run may not end there."""
        ground, parts = self._ground, [no_end(self._ground)]
        for instance in ground.instances:
            if not instance.action.role.environment:
                parts.append(ground.algebra.negation(_moves(instance, ground)))
        return Question(DEADLOCK, self._term(ground.algebra.conjunction(parts)), of_step=False)

    def cut(self, name: str, why: Cut) -> Question:
        """Whether a step is cut for this reason."""
        wanted = (step.condition for step in self._ground.cuts if step.why == why)
        return Question(name, self._term(self._ground.algebra.disjunction(wanted)), of_step=False)

    def steps(self, model: Any) -> list[Instance]:
        """The steps of the run that the solver has found."""
        taken = []
        for frame in self._frames[:-1]:
            (number,) = (number for number, chosen in enumerate(frame.chosen) if z3.is_true(model.eval(chosen)))
            taken.append(self._ground.instances[number])
        return taken

    def value(self, model: Any, depth: int, place: int) -> int:
        """The value of a field in that run after this many steps."""
        frame, possible = self._frames[depth], sorted(self._ground.possible[place])
        held = (value for value in watched(self._ground, place) if z3.is_true(model.eval(frame.has(place, value))))
        return next(held, possible[0])

    # ------------------------------------------------------------------------------------------------ the encoding

    def _frame(self, name: str) -> Frame:
        return Frame(self._ground, self._choices, len(self._happenings), name)

    def _placed(self, term: Any, before: Frame, after: Frame) -> Any:
        nameless = [*self._before.everything, *self._after.facts]
        return z3.substitute(term, *zip(nameless, [*before.everything, *after.facts], strict=True))

    def _has(self, field: int, value: int) -> Any:
        if field >= AFTER:
            return self._after.has(field - AFTER, value)
        event = field - len(self._ground.places)
        return self._before.has(field, value) if event < 0 else self._before.events[event]

    def _question(self, claim: Promise | Sometimes, wanted: Callable[..., Any], *, of_step: bool) -> Question:
        ground = self._ground
        given = ground.environments(claim.parameters)
        parts = (wanted(ground.truth(claim.formula, environment, events=self._happenings)) for environment in given)
        return Question(claim.name, self._term(ground.algebra.disjunction(parts)), of_step)

    def _start(self, frame: Frame) -> Iterator[Any]:
        """Every field has its initial value; a constant that is left open has one of its values."""
        for place, value in enumerate(self._ground.initial):
            facts = {candidate: frame.has(place, candidate) for candidate in watched(self._ground, place)}
            if place not in self._ground.open:
                yield from (fact if candidate == value else z3.Not(fact) for candidate, fact in facts.items())
            elif len(facts) > 1:
                yield from _exactly_one(facts.values())

    def _one_instance(self) -> Iterator[Any]:
        """One instance happens: an action, with one value for each parameter, and its guard holds."""
        frame = self._before
        for instance, happens in zip(self._ground.instances, frame.chosen, strict=True):
            yield happens == z3.And(*(frame.choices[choice] for choice in _choices(instance)))
            yield z3.Implies(happens, self._term(instance.guard))
        alike: dict[Choice, list[Any]] = {}
        for (*what, _), chosen in frame.choices.items():
            alike.setdefault(tuple(what), []).append(chosen)
        yield from (z3.AtMost(*options, 1) for options in alike.values() if len(options) > 1)
        yield z3.Or(*frame.chosen)

    def _effects(self) -> Iterator[Any]:
        """A field has a value after the step if it is assigned, or had it before and is assigned no other; and the events."""
        assigned: dict[int, dict[int, list[Any]]] = {}
        happening: list[list[Any]] = [[] for _ in self._happenings]
        for instance, happens in zip(self._ground.instances, self._before.chosen, strict=True):
            for place, value, when in _settled(instance, self._ground):
                ways = assigned.setdefault(place, {}).setdefault(value, [])
                ways.append(happens if when is True else z3.And(happens, self._term(when)))
            for symbol, arguments, when in instance.events:
                number = next(n for n, happening in enumerate(self._happenings) if happening[:2] == (symbol, arguments))
                happening[number].append(z3.And(happens, self._term(when)))
        for place in range(len(self._ground.places)):
            by_value = assigned.get(place, {})
            for value in watched(self._ground, place):
                becomes = by_value.get(value, [])
                others = [way for other, found in by_value.items() if other != value for way in found]
                stays = z3.And(self._before.has(place, value), z3.Not(z3.Or(*others)))
                yield self._after.has(place, value) == z3.Or(*becomes, stays)
        for event, whens in zip(self._before.events, happening, strict=True):
            yield event == z3.Or(*whens)


def _exactly_one(options: Iterable[Any]) -> Iterator[Any]:
    found = list(options)
    yield z3.AtMost(*found, 1)
    yield z3.Or(*found)


def _choices(instance: Instance) -> list[Choice]:
    """The choices of an instance. Actions share the choices of parameters: only one of them happens."""
    seen: Counter[type] = Counter()
    found: list[Choice] = [("action", instance.action.name)]
    for variable, value in zip(instance.action.parameters, instance.choices, strict=True):
        found.append((variable.sort, seen[variable.sort], value))
        seen[variable.sort] += 1
    return found


def _settled(instance: Instance, ground: Ground) -> Iterator[tuple[int, int, Expression]]:
    """The assignments of an instance, of which the later one wins, each with the condition under which it applies."""
    algebra, later = ground.algebra, dict[int, list[Expression]]()
    for assignment in reversed(instance.assignments):
        over = later.setdefault(assignment.field, [])
        when = algebra.conjunction((assignment.condition, *map(algebra.negation, over)))
        over.append(assignment.condition)
        if when is not False:
            yield assignment.field, assignment.value, when


def _moves(instance: Instance, ground: Ground) -> Expression:
    """Whether an instance is enabled, and leads to another state."""
    algebra = ground.algebra
    differs = (
        algebra.conjunction((when, algebra.negation(algebra.has(place, value))))
        for place, value, when in _settled(instance, ground)
    )
    return algebra.conjunction((instance.guard, algebra.disjunction(differs)))


def _happenings(ground: Ground) -> Happenings:
    """Every event that some step can emit, as an additional field after those of the state."""
    found = dict.fromkeys(
        (symbol, arguments) for instance in ground.instances for symbol, arguments, _ in instance.events
    )
    happenings = []
    for number, (symbol, arguments) in enumerate(found, start=len(ground.places)):
        ground.possible[number] = {0, 1}
        happenings.append((symbol, arguments, ("is", number, 1)))
    return tuple(happenings)
