"""Claims, and the deviations that show that the claims detect errors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from model.language.actions import Action, Step, action
from model.language.declaration import Declaration, declared_by
from model.language.refusals import refuse_other
from model.language.terms import Formula, Node, Quantified, Variable, node_of, parameters_of, stated


@dataclass(frozen=True, repr=False, eq=False)
class Sometimes(Declaration):
    """A condition that must be reachable: for some parameter values, in some state or (if it reads events) step."""

    parameters: tuple[Variable, ...]
    formula: Node
    doc: str
    name: str = field(default="", init=False)


@dataclass(frozen=True, repr=False, eq=False)
class DeadlockWhen(Declaration):
    """Where it is a deadlock that no role can change the state: if this holds for some parameter values.

    Without such a declaration it is a deadlock everywhere, unless a bound of the configuration keeps a role from acting. With it a
    bound excuses nobody: where work is outstanding, the configuration has to be large enough to finish it.
    """

    parameters: tuple[Variable, ...]
    formula: Node
    doc: str
    name: str = field(default="", init=False)

    @property
    def closed(self) -> Node:
        """The formula for some values of its parameters."""
        return Quantified("some", self.parameters, self.formula) if self.parameters else self.formula


@dataclass(frozen=True, repr=False, eq=False)
class Promise(Declaration):
    """A claim about every reachable state, or (two-state) about every step between reachable states, for all parameters.

    A *lemma* supports the proofs of other claims and promises nothing itself.
    """

    kind: Literal["always", "two-state"]
    lemma: bool
    parameters: tuple[Variable, ...]
    formula: Node
    sometimes: tuple[Sometimes, ...]
    doc: str
    weakens: Promise | None = None
    """The promise of a smaller protocol that this one replaces in a protocol that contains both."""
    name: str = field(default="", init=False)


@dataclass(frozen=True, slots=True)
class LeadsTo:
    """Whenever the premise holds, the conclusion holds then or later."""

    premise: Formula
    conclusion: Formula


def leads_to(premise: Formula, conclusion: Formula) -> LeadsTo:
    """Whenever the premise holds, the conclusion holds then or later, in every run in which fair actions are fair."""
    node_of(premise, "the premise of leads_to")
    node_of(conclusion, "the conclusion of leads_to")
    return LeadsTo(premise, conclusion)


@dataclass(frozen=True, repr=False, eq=False)
class Eventuality(Declaration):
    """A promise about infinite runs, for all parameters: the premise leads to the conclusion, both about states."""

    parameters: tuple[Variable, ...]
    premise: Node
    conclusion: Node
    sometimes: tuple[Sometimes, ...]
    doc: str
    name: str = field(default="", init=False)


def eventually(*witnesses: Sometimes) -> Callable[[Callable[..., LeadsTo]], Eventuality]:
    """Declares an eventuality; the witnesses show that it is not vacuous."""

    _refuse_no_witness(witnesses)

    def declare(declared: Callable[..., LeadsTo]) -> Eventuality:
        parameters = parameters_of(declared)
        claimed: LeadsTo = declared(*(variable.sort(variable) for variable in parameters))
        refuse_other([claimed], (LeadsTo,), f"what {declared.__name__} returns is leads_to(...)")
        doc = inspect.cleandoc(declared.__doc__ or "")
        made = Eventuality(parameters, claimed.premise.node, claimed.conclusion.node, witnesses, doc)
        return declared_by(declared, made)

    return declare


def sometimes(declared: Callable[..., Formula]) -> Sometimes:
    """Declares a condition that must be reachable."""
    return declared_by(declared, Sometimes(*stated(declared), inspect.cleandoc(declared.__doc__ or "")))


def deadlock_when(declared: Callable[..., Formula]) -> DeadlockWhen:
    """Declares where it is a deadlock that no role can act. Elsewhere a run may end."""
    return declared_by(declared, DeadlockWhen(*stated(declared), inspect.cleandoc(declared.__doc__ or "")))


def always(*witnesses: Sometimes, weakens: Promise | None = None) -> Callable[[Callable[..., Formula]], Promise]:
    """Declares a promise about every reachable state; the witnesses show that it is not vacuous.

    `weakens`: the stronger promise, which holds only without what this protocol adds.
    """
    return _promise("always", False, witnesses, weakens)


def two_state(*witnesses: Sometimes) -> Callable[[Callable[..., Formula]], Promise]:
    """Declares a promise about every step: it may read the state after the step, and events."""
    return _promise("two-state", False, witnesses)


def lemma(declared: Callable[..., Formula]) -> Promise:
    """Declares an invariant that only supports proofs."""
    return _promise("always", True, ())(declared)


@dataclass(frozen=True, repr=False, eq=False)
class Assumption(Declaration):
    """What every configuration must satisfy about the constants, for all parameters; proofs may use it."""

    parameters: tuple[Variable, ...]
    formula: Node
    doc: str
    name: str = field(default="", init=False)


def assumption(declared: Callable[..., Formula]) -> Assumption:
    """Declares an assumption about the constants."""
    return declared_by(declared, Assumption(*stated(declared), inspect.cleandoc(declared.__doc__ or "")))


def weaker_lemma(weakens: Promise) -> Callable[[Callable[..., Formula]], Promise]:
    """Declares a lemma that replaces a stronger one, which does not hold with what this protocol adds."""
    return _promise("always", True, (), weakens)


def _refuse_no_witness(witnesses: Sequence[object]) -> None:
    """Without brackets a decorator takes the function itself for a witness, and no claim is declared."""
    refuse_other(witnesses, (Sometimes,), "each witness, in brackets behind the decorator, is declared by @sometimes")


def _promise(
    kind: Literal["always", "two-state"],
    supporting: bool,
    witnesses: tuple[Sometimes, ...],
    weakens: Promise | None = None,
) -> Callable[[Callable[..., Formula]], Promise]:
    _refuse_no_witness(witnesses)
    refuse_other(
        [] if weakens is None else [weakens], (Promise,), "what is weakened, in brackets, is a promise or lemma"
    )

    def declare(declared: Callable[..., Formula]) -> Promise:
        doc = inspect.cleandoc(declared.__doc__ or "")
        return declared_by(declared, Promise(kind, supporting, *stated(declared), witnesses, doc, weakens))

    return declare


class Deviation(Enum):
    """The source of a variant."""

    AS_BUILT = "a defect of the original implementation"
    AS_DESIGNED = "a hole of the design document"
    MUTANT = "a rule changed on purpose"


@dataclass(frozen=True, repr=False, eq=False)
class Variant(Declaration):
    """A deliberate deviation: `action` replaces `replaces`, and breaks these promises."""

    replaces: Action
    action: Action
    breaks: tuple[Promise | Eventuality, ...]
    kind: Deviation
    doc: str
    name: str = field(default="", init=False)


def variant(
    *, replaces: Action, breaks: Sequence[Promise | Eventuality], kind: Deviation = Deviation.MUTANT
) -> Callable[[Callable[..., Step]], Variant]:
    """Declares a variant; its function states the changed action, usually as a difference (`Action.but`)."""

    refuse_other([replaces], (Action,), "what a variant replaces is an action")
    refuse_other(breaks, (Promise, Eventuality), "what a variant breaks is a promise or eventuality")

    def declare(declared: Callable[..., Step]) -> Variant:
        changed = action(by=replaces.role, fair=replaces.fair)(declared)
        return declared_by(declared, Variant(replaces, changed, tuple(breaks), kind, changed.doc))

    return declare
