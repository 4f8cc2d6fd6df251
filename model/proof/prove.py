"""Prove: every promise is inductive, without bounds on sorts or numbers.

A promise about states holds initially, and every action preserves it, given that all promises and lemmas held before. A promise
about steps holds in every step from such a state. Claims that read nothing an action changes need no question.

**Discarding spent messages** is proved sound here too, for every message: taking it spends it (unless it is lasting); once sent and
spent it stays spent; no action can take it when it is spent; and no promise depends on it: each promise has the same truth value
when all messages are read as *sent and not spent*. So have guards, effects and witnesses that read messages otherwise.

Each question goes to z3 first without model-based instantiation, which decides almost all in milliseconds, then briefly with it.
Questions open after that are usually false, so a small counterexample is looked for before z3 gets its full time. Once one is
found, later questions that z3 does not decide at once are left undecided, unless all results are wanted: the first red result
counts. A question that stays open is undecided, never green.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import z3

from model.language import Action, Message, Promise, Protocol
from model.language.checks import counts_numbers, faults
from model.language.terms import And, Apply, Compare, Formula, Implies, Node, Not, Truth, Variable
from model.language.transient import is_transient, reads_sent
from model.language.transition import after, changed, symbols
from model.language.walk import apart, rebuilt, substitute, unfolded
from model.proof.finite_models import Small, find_small
from model.proof.symbolic import Translator, conjuncts

Verdict = Literal["holds", "violated", "undecided"]

SECONDS_MAX = 10.0
"""For one question to z3; the slowest needs a tenth of a second."""

SECONDS_BRIEF = 1.0
"""For a question that pattern matching alone has not decided, before a small counterexample is looked for."""

SECONDS_AFTERWARDS = 0.3
"""For such a question after a counterexample to another one was found."""


@dataclass
class Claim:
    """One claim and its verdict."""

    name: str
    kind: Literal[
        "always", "two-state", "lemma", "spent", "satisfiable", "alternatives", "lifecycle", "numbers", "text"
    ]
    verdict: Verdict = "holds"
    seconds: float = 0.0
    checks: int = 0
    trivial: int = 0
    """Actions that change nothing the claim reads."""
    because: str = ""
    """Where it failed, or was not decided."""
    counterexample: Small | None = None


@dataclass
class Proof:
    """All claims, with the total time."""

    claims: list[Claim] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def checks(self) -> int:
        """Questions asked, and trivial ones."""
        return sum(claim.checks + claim.trivial for claim in self.claims)

    @property
    def verdict(self) -> Verdict:
        """Violated if any claim is; undecided if any is, or if there are none."""
        verdicts = {claim.verdict for claim in self.claims}
        return "violated" if "violated" in verdicts else "undecided" if verdicts != {"holds"} else "holds"

    def as_json(self) -> dict[str, Any]:
        """The result as the command line writes it."""
        claims = [
            {"name": claim.name, "kind": claim.kind, "verdict": claim.verdict, "seconds": round(claim.seconds, 4)}
            for claim in self.claims
        ]
        return {"verdict": self.verdict, "claims": claims, "seconds": round(self.seconds, 3)}


Progress = Callable[[int, int], None]
"""Called now and then with the questions done and their total."""


@dataclass(frozen=True)
class Question:
    """Whether `goal` follows from the invariants and the guard of an action (if there is one)."""

    claim: Claim
    action: Action | None
    goal: Node
    variables: tuple[Variable, ...]
    given: tuple[Node, ...] = ()
    initially: bool = False


def prove(
    protocol: Protocol,
    *,
    actions: Sequence[Action] | None = None,
    seconds_max: float = SECONDS_MAX,
    progress: Progress | None = None,
    thorough: bool = False,
    stop_at_violation: bool = False,
) -> Proof:
    """Proves the promises and lemmas, and that spent messages may be discarded.

    A text that is not well-formed has no meaning: this is then the only claim, and violated.

    `actions`: only these actions, if all others are known to be fine (for variants). `thorough`: pursue
    every question even after a counterexample was found. `stop_at_violation`: ask none after it; the remaining claims are then
    missing from the proof, which says nothing about them.
    """
    started = time.perf_counter()
    text = text_claim(protocol)
    if text.verdict != "holds":
        return Proof([text], time.perf_counter() - started)
    asked = protocol.actions if actions is None else actions
    questions = list(questions_of(protocol, asked, actions is None))
    prover = Prover(protocol, seconds_max)
    claims: dict[int, Claim] = {}
    found = False
    for number, question in enumerate(questions):
        claims.setdefault(id(question.claim), question.claim)
        prover.ask(question, brief=found and not thorough)
        found = found or question.claim.counterexample is not None
        if progress is not None:
            progress(number + 1, len(questions))
        if found and stop_at_violation:
            return Proof(list(claims.values()), time.perf_counter() - started)
    if actions is None:
        for claim in prover.satisfiable_guards():
            claims[id(claim)] = claim
    return Proof(list(claims.values()), time.perf_counter() - started)


def text_claim(protocol: Protocol) -> Claim:
    """Whether the text is well-formed."""
    claim = Claim("the text is well-formed", "text", checks=1)
    found = list(faults(protocol))
    if found:
        claim.verdict, claim.because = "violated", "; ".join(found)
    return claim


# ----------------------------------------------------------------------------------------------------- questions


def questions_of(protocol: Protocol, actions: Sequence[Action], start: bool) -> Iterator[Question]:
    """The questions about these actions; `start`: also about the initial state, and about what depends on no action."""
    for promise in protocol.promises:
        yield from _about_promise(promise, actions, start)
    for message in protocol.messages:
        yield from _about_spent(message, actions)
    for action in actions:
        yield from _about_reading(action)
    if start:
        yield from _about_forgetting(protocol)


def _about_promise(promise: Promise, actions: Sequence[Action], start: bool) -> Iterator[Question]:
    claim = Claim(promise.name, "lemma" if promise.lemma else promise.kind)
    parameters = promise.parameters
    if promise.kind == "always" and start:
        yield Question(claim, None, promise.formula, parameters, initially=True)
    read = symbols(promise.formula)
    for action in actions:
        if promise.kind == "always" and not read & changed(action):
            claim.trivial += 1
            continue
        goal = _renamed(promise.formula, parameters)
        goal = after(action, goal, everything=promise.kind == "always")
        yield Question(claim, action, goal, _apart(parameters))


def _about_spent(message: Message[Any], actions: Sequence[Action]) -> Iterator[Question]:
    stays = Claim(f"{message.name}: once sent and spent it stays spent", "spent")
    spends = Claim(f"{message.name}: taking it spends it", "spent")
    nothing = Claim(f"{message.name}: spent it enables nothing", "spent")
    parameters = _apart(message.parameters)
    spent = _renamed(message.spent, message.parameters)
    sent = Apply(message, parameters)
    for action in actions:
        if symbols(spent) & changed(action):
            yield Question(stays, action, after(action, spent, everything=True), parameters, (sent, spent))
        else:
            stays.trivial += 1
        for taken in action.takes:
            if taken.symbol is message:
                here = substitute(message.spent, dict(zip(message.parameters, taken.arguments, strict=True)))
                yield Question(nothing, action, Not(here), ())
                if not message.lasting:
                    yield Question(spends, action, after(action, here, everything=True), ())


def _about_reading(action: Action) -> Iterator[Question]:
    """An action reads messages that it does not take only in ways that forgetting does not change."""
    claim = Claim(_undecided_by_forgetting(action.name), "spent")
    for node in action.guard[len(action.takes) :]:
        if reads_sent(node):
            yield Question(claim, None, _same(node), action.parameters)  # also where the action is not enabled
    conditions: list[tuple[Node, tuple[Variable, ...]]] = []
    values: list[tuple[Node, tuple[Variable, ...]]] = [(node, ()) for emit in action.emits for node in emit.arguments]
    for stated in action.changes:
        binders = apart(stated.binders, action.parameters)  # the step's choices are other variables of the question
        change = stated.bound(dict(zip(stated.binders, binders, strict=True)), binders)
        conditions.append((change.condition, change.binders))
        values += [(node, change.binders) for node in change.arguments]
        (conditions if change.symbol.result is Formula else values).append((change.value, change.binders))
    for node, variables in conditions:
        if reads_sent(node):
            yield Question(claim, action, _same(node), variables)
    for node, variables in values:
        if reads_sent(node):
            yield Question(claim, action, Compare("=", node, rebuilt(node, _only_unspent)), variables)


def _about_forgetting(protocol: Protocol) -> Iterator[Question]:
    """Each formula that an engine reads in a state has the same value for all messages and for the unspent ones."""
    for promise in protocol.promises:
        if (
            promise.kind != "always"
            or promise.lemma
            or not any(isinstance(symbol, Message) for symbol in symbols(promise.formula))
        ):
            continue
        claim = Claim(_undecided_by_forgetting(promise.name), "spent")
        without = rebuilt(promise.formula, _only_unspent)
        yield Question(claim, None, without, promise.parameters)
    for eventuality in protocol.eventualities:
        claim = Claim(_undecided_by_forgetting(eventuality.name), "spent")
        for formula in (eventuality.premise, eventuality.conclusion):
            if any(isinstance(symbol, Message) for symbol in symbols(formula)):
                yield Question(claim, None, _same(formula), eventuality.parameters)
    read: list[tuple[str, Node, tuple[Variable, ...]]] = [
        *((claimed.name, claimed.formula, claimed.parameters) for claimed in protocol.sometimes),
        *(
            (promise.name, promise.formula, promise.parameters)
            for promise in protocol.promises
            if promise.kind != "always"
        ),
        *((message.name, message.spent, message.parameters) for message in protocol.messages),
        *((each.name, each.formula, each.parameters) for each in (protocol.deadlock_when,) if each is not None),
    ]
    for name, formula, parameters in read:
        if not reads_sent(formula):
            continue
        claim = Claim(_undecided_by_forgetting(name), "spent")
        if not is_transient(unfolded(formula)):
            yield Question(claim, None, _same(formula), parameters)
            continue
        for action in protocol.actions:  # what is sent in the step itself is not yet forgotten
            seen = after(action, _renamed(formula, parameters), everything=False)
            yield Question(claim, action, _same(seen), _apart(parameters))


def _undecided_by_forgetting(name: str) -> str:
    return f"{name}: forgetting what is spent does not decide it"


def _same(formula: Node) -> Node:
    without = rebuilt(formula, _only_unspent)
    return And((Implies(formula, without), Implies(without, formula)))


def _only_unspent(node: Node) -> Node:
    if isinstance(node, Apply) and isinstance(node.symbol, Message):
        spent = substitute(node.symbol.spent, dict(zip(node.symbol.parameters, node.arguments, strict=True)))
        return And((node, Not(spent)))
    return node


def _apart(parameters: Sequence[Variable]) -> tuple[Variable, ...]:
    return tuple(Variable(f"claim!{variable.name}", variable.sort) for variable in parameters)


def _renamed(node: Node, parameters: Sequence[Variable]) -> Node:
    """A claim's parameters, renamed: an action may have the same names."""
    return substitute(node, dict(zip(parameters, _apart(parameters), strict=True)))


# -------------------------------------------------------------------------------------------------------- prover


class Prover:
    """One protocol's invariants, asserted once for each action."""

    def __init__(
        self,
        protocol: Protocol,
        seconds_max: float = SECONDS_MAX,
        steps_max: int | None = None,
        *,
        bounded: bool = False,
    ) -> None:
        """`steps_max`: a question ends after this many z3 steps instead of a time: the same on every machine.

        `bounded`: numbers are those of a configuration, whatever its bounds are; by default, all numbers.
        """
        self.protocol = protocol
        self._seconds_max = seconds_max
        self._steps_max = steps_max
        self._translator = Translator(protocol, bounded=bounded)
        self._invariants = self._translator.domain()
        for promise in protocol.promises:
            if promise.kind == "always":
                self._invariants += self._translator.closed(promise.parameters, promise.formula)
        self._solvers: dict[tuple[Action | None, bool, bool], Any] = {}
        self._environments: dict[Action | None, Any] = {None: {}}

    def anew(self) -> Self:
        """A prover with the same invariants and no earlier questions: results do not depend on previous questions."""
        found = copy.copy(self)
        found._translator = copy.copy(self._translator)
        found._solvers, found._environments = {}, {None: {}}
        return found

    def ask(self, question: Question, *, brief: bool) -> None:
        """Asks z3, and writes the verdict into the question's claim. `brief`: gives up early, undecided."""
        claim, started = question.claim, time.perf_counter()
        claim.checks += 1
        answer, small = self._answer(question, brief)
        if answer != "holds" and claim.verdict != "violated":
            where = (
                f"by {question.action.name}"
                if question.action
                else "at the start"
                if question.initially
                else "in itself"
            )
            claim.verdict, claim.because, claim.counterexample = answer, where, small
        claim.seconds += time.perf_counter() - started

    def _answer(self, question: Question, brief: bool) -> tuple[Verdict, Small | None]:
        asked = (question.action, question.goal, question.variables, question.given)
        if brief:
            return self.follows(*asked, question.initially, seconds=SECONDS_AFTERWARDS), None
        return self.settled(*asked, question.initially)

    def settled(
        self,
        action: Action | None,
        goal: Node,
        variables: Sequence[Variable],
        given: Sequence[Node] = (),
        initially: bool = False,
    ) -> tuple[Verdict, Small | None]:
        """As `follows`; what z3 does not decide at once is looked for in a small state before z3 gets its full time."""
        asked = (action, goal, variables, given, initially)
        answer = self.follows(*asked, seconds=min(SECONDS_BRIEF, self._seconds_max))
        if answer == "holds":
            return answer, None
        if not initially:
            small = find_small(self.protocol, action, And((*given, Not(goal))), variables)
            if small is not None:
                return "violated", small
        return (self.follows(*asked) if answer == "undecided" else answer), None

    def follows(
        self,
        action: Action | None,
        goal: Node,
        variables: Sequence[Variable],
        given: Sequence[Node] = (),
        initially: bool = False,
        *,
        seconds: float | None = None,
        model_based: Sequence[bool] = (False, True),
    ) -> Verdict:
        """Whether the goal follows from the invariants, the action's guard, and the given formulas.

        `model_based`: the ways to ask z3, without its model-based instantiation or with it.
        """
        limit = self._seconds_max if seconds is None else seconds
        asked = (variables, given, initially, limit, model_based)
        verdicts = [self._follows(action, part, *asked) for part in conjuncts(goal)]
        return "violated" if "violated" in verdicts else "undecided" if "undecided" in verdicts else "holds"

    def _follows(
        self,
        action: Action | None,
        goal: Node,
        variables: Sequence[Variable],
        given: Sequence[Node],
        initially: bool,
        seconds: float,
        model_based: Sequence[bool],
    ) -> Verdict:
        translator = self._translator
        for way in model_based:
            solver = self._solver(action, initially, way)
            if self._steps_max is None:
                solver.set("timeout", int(seconds * 1000))
            else:
                solver.set("rlimit", self._steps_max)
            environment = {**self._environments[action], **translator.constants(variables, "p!")}
            solver.push()
            try:
                solver.add(*translator.ranges(environment))
                solver.add(*(translator.term(node, environment) for node in given))
                solver.add(z3.Not(translator.term(goal, environment)))
                answer = solver.check()
            finally:
                solver.pop()
            if answer == z3.unsat:
                return "holds"
        return "violated" if answer == z3.sat else "undecided"

    def _solver(self, action: Action | None, initially: bool, model_based: bool) -> Any:
        key = (action, initially, model_based)
        if key not in self._solvers:
            solver = z3.Solver()
            solver.set("smt.mbqi", model_based)
            if initially:
                solver.add(*self._start())
            else:
                solver.add(*self._invariants)
            if action is not None:
                environment = self._translator.constants(action.parameters, "c!")
                self._environments[action] = environment
                solver.add(*self._translator.ranges(environment))
                solver.add(*(self._translator.term(node, environment) for node in action.guard))
                solver.add(*self._translator.within(action, environment))
            self._solvers[key] = solver
        return self._solvers[key]

    def _start(self) -> Iterator[Any]:
        """Relations are empty, numbers 0, enumerations at their first member; constants have any value."""
        for symbol in self.protocol.symbols:
            if symbol.kind not in ("constant", "event"):
                variables = tuple(Variable(f"v{place}", sort) for place, sort in enumerate(symbol.arguments))
                environment = self._translator.constants(variables, "s!")
                read = self._translator.term(Apply(symbol, variables), environment)
                first = z3.Not(read) if z3.is_bool(read) else read == 0
                yield z3.ForAll(list(environment.values()), first) if environment else first
        yield from self._translator.domain()

    def satisfiable_guards(self) -> Iterator[Claim]:
        """Every action is enabled in some state that satisfies all invariants."""
        for action in self.protocol.actions:
            started = time.perf_counter()
            claim = Claim(f"{action.name}: its guard can be satisfied", "satisfiable", checks=1)
            if find_small(self.protocol, action, Truth(True), ()) is None:
                claim.verdict, claim.because = "undecided", "no small state satisfies it together with the invariants"
            elif any(map(counts_numbers, (action, *self.protocol.assumptions))) and self._is_never_enabled(action):
                claim.verdict, claim.because = "violated", "it can be satisfied only where numbers end at a bound"
            claim.seconds = time.perf_counter() - started
            yield claim

    def _is_never_enabled(self, action: Action) -> bool:
        """Whether its guard, the invariants and the assumptions contradict each other, so that anything follows from them."""
        return self.follows(action, Truth(False), (), seconds=SECONDS_BRIEF) == "holds"
