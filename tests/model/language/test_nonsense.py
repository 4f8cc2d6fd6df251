"""What has no meaning is refused where it is written: what was given, and what is expected. Some of it was taken for a formula."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import pytest

from model.language import (
    Role,
    Step,
    action,
    alternatives,
    always,
    assumption,
    deadlock_when,
    definition,
    event,
    eventually,
    for_each,
    function,
    leads_to,
    lemma,
    lifecycle,
    message,
    relation,
    sometimes,
    two_state,
    variant,
    weaker_lemma,
)
from model.language.quantifiers import forall
from model.language.terms import (
    Enumeration,
    Formula,
    Individual,
    Member,
    Number,
    Value,
    both,
    choose,
    either,
    implies,
    is_sort,
    same,
)


class Thing(Individual):
    """A thing."""


class Count(Number):
    """A count."""


class Phase(Enumeration):
    """A phase."""

    first = Member("The first.")


class Other(Enumeration):
    """Another enumeration."""

    first = Member("The first.")


R = Role("Acts.")
r: Any = relation(Thing, doc="A relation.")
fixed: Any = relation(Thing, doc="A constant.", kind="constant")
many: Any = function(Thing, to=Count, doc="A function.")
said: Any = event(Thing, Thing, doc="An event.")
for symbol, name in ((r, "r"), (fixed, "fixed"), (many, "many"), (said, "said")):
    object.__setattr__(symbol, "name", name)
t: Any = Thing.variable("t")
n: Any = Count.variable("n")
quantified: Any = forall
each: Any = for_each
step: Any = Step
choose_: Any = choose


def returning(value: object, *parameters: type[Value]) -> Any:
    """A function `it` that returns this value; it has parameters of these sorts."""

    def it(*values: object) -> object:
        return value

    names = ("a", "b")[: len(parameters)]
    scope: dict[str, Any] = {"value": value, **dict(zip(("A", "B"), parameters, strict=False))}
    exec(f"def it({', '.join(f'{name}: {name.upper()}' for name in names)}): return value", scope)  # noqa: S102
    return scope["it"]


@definition
def is_chosen(thing: Thing) -> Formula:
    """It is chosen."""
    return thing == thing


@lifecycle(holder=R)
def phase(thing: Thing) -> Phase:
    """Its phase."""
    return Phase.first


@message(sender=R, receiver=R)
def note(thing: Thing) -> Formula:
    """A note."""
    return thing == thing


@action(by=R)
def act(thing: Thing) -> Step:
    """It acts."""
    return Step(when=[r(thing)])


@sometimes
def happens(thing: Thing) -> Formula:
    """It happens."""
    return thing == thing


phase_: Any = phase
act_: Any = act
note_: Any = note
chosen_: Any = is_chosen
anything: Any = lambda thing: r(thing)  # noqa: E731 # the body of a quantifier is a lambda
number: Any = lambda thing: many(thing)  # noqa: E731 # as above
SORT = "is a sort, a subclass of Individual, Number or Enumeration, and "

NONSENSE: Final[Mapping[str, tuple[Callable[[], object], str]]] = {
    # a value in the place of a formula
    "both": (lambda: both(r(t), n), "what & or both joins is a formula, not a count"),
    "&": (lambda: r(t) & n, "what & or both joins is a formula, not a count"),
    "& from the right": (lambda: n & r(t), "what & joins is a formula, not a count"),
    "& with a truth value": (lambda: r(t) & True, "what & or both joins is a formula, not a bool; write TRUE or FALSE"),
    "either": (lambda: either(n), "what | or either joins is a formula, not a count"),
    "|": (lambda: r(t) | t, "what | or either joins is a formula, not a thing"),
    "| from the right": (lambda: t | r(t), "what | joins is a formula, not a thing"),
    "~": (lambda: ~n, "bad operand type for unary ~: 'Count'"),
    "a premise": (lambda: implies(n, r(t)), "the premise of implies is a formula, not a count"),
    "a conclusion": (lambda: implies(r(t), n), "the conclusion of implies is a formula, not a count"),
    "same": (lambda: same(r(t), n), "the conclusion of implies is a formula, not a count"),
    "a choice": (lambda: choose_(n, n, n), "the condition of choose is a formula, not a count"),
    "a choice of no values": (lambda: choose_(r(t), 1, 2), "a choice between an int and an int"),
    "the body of a quantifier": (
        lambda: quantified(Thing, number),
        "the body of a quantifier is a formula, not a count",
    ),
    "a body that returns nothing": (
        lambda: quantified(Thing, lambda x: None),
        "the body of a quantifier is a formula, not a NoneType",
    ),
    "a condition": (lambda: r.add(t).when(n), "the condition of when is a formula, not a count"),
    "a condition of a move": (
        lambda: phase_.move(t, source=[], to=[]).when(n),
        "the condition of when is a formula, not a count",
    ),
    "what is assigned": (lambda: r.assign(t, to=n), "what is assigned to r is a formula, not a count"),
    "a guard": (lambda: Step(when=[n]), "each entry of when is a formula, not a count"),
    "what is taken": (lambda: Step(takes=[n]), "each entry of takes is a formula, not a count"),
    "what is said": (lambda: Step(emits=[n]), "each entry of emits is a formula, not a count"),
    "an update": (lambda: Step(then=[r(t)]), "each entry of then is a change, not a formula"),
    "a move": (lambda: Step(moves=[r.add(t)]), "each entry of moves is a move, not a Change"),
    "a guard without brackets": (lambda: Step(when=r(t)), "when is a list, not a formula; write when=[...]"),
    "a guard that is read once": (
        lambda: step(when=(r(t) for _ in range(1))),
        "when is a list, not a generator; write when=[...]",
    ),
    "a premise of leads_to": (lambda: leads_to(n, r(t)), "the premise of leads_to is a formula, not a count"),
    "a conclusion of leads_to": (lambda: leads_to(r(t), n), "the conclusion of leads_to is a formula, not a count"),
    **{
        f"what a {declare.__name__} returns": (
            partial(lambda declare: declare(returning(n)), declare),
            "what it returns is a formula, not a count",
        )
        for declare in (sometimes, lemma, assumption, deadlock_when, always(), two_state())
    },
    "alternatives": (lambda: alternatives(act)(returning(n)), "what it returns is a formula, not a count"),
    "a message": (
        lambda: message(sender=R, receiver=R)(returning(n)),
        "what it returns is a formula, not a count",
    ),
    "a definition": (lambda: definition(returning(5)), "what it returns is a formula or a value of a sort, not an int"),
    "a lifecycle": (
        lambda: lifecycle(holder=R)(returning(n)),
        "the state of it is a member of an enumeration, not a count",
    ),
    "an action": (lambda: action(by=R)(returning(None)), "what it returns is a Step, not a NoneType"),
    "an eventuality": (lambda: eventually()(returning(r(t))), "what it returns is leads_to(...), not a formula"),
    # formulas are no values
    "==": (lambda: r(t) == r(t), "formulas are not compared by == and !=: write same(a, b) or ~same(a, b)"),
    "!=": (lambda: r(t) != r(t), "formulas are not compared by == and !=: write same(a, b) or ~same(a, b)"),
    # no sorts
    "a quantifier over formulas": (
        lambda: quantified(Formula, anything),
        f"what a variable is bound to {SORT}Formula is none",
    ),
    "a quantifier over integers": (lambda: quantified(int, anything), f"what a variable is bound to {SORT}int is none"),
    "a quantifier over all individuals": (
        lambda: quantified(Individual, anything),
        f"what a variable is bound to {SORT}Individual is none",
    ),
    "a quantifier over a value": (
        lambda: quantified(t, anything),
        f"what a variable is bound to {SORT}a thing is none",
    ),
    "a change for each formula": (
        lambda: each(Formula, anything),
        f"what a variable is bound to {SORT}Formula is none",
    ),
    "a quantifier over nothing": (
        lambda: quantified(lambda: r(t)),
        "sorts are bound in a function behind them: write forall(Host, lambda host: ...)",
    ),
    "an empty quantifier": (
        lambda: quantified(),
        "sorts are bound in a function behind them: write forall(Host, lambda host: ...)",
    ),
    "a quantifier without a function": (
        lambda: quantified(Thing, r(t)),
        "sorts are bound in a function behind them: write forall(Host, lambda host: ...)",
    ),
    "for each of them no change": (
        lambda: each(Thing, anything),
        "for each of them there is a change or move, not a formula",
    ),
    "a relation of formulas": (
        lambda: relation(Formula, doc="No."),
        f"each argument of a symbol {SORT}Formula is none",
    ),
    "a function to formulas": (
        lambda: function(Thing, to=Formula, doc="No."),
        f"the value of a function {SORT}Formula is none",
    ),
    "a parameter that is a formula": (
        lambda: sometimes(returning(r(t), Formula)),
        f"it: the parameter a {SORT}Formula is none",
    ),
    "a parameter without a sort": (
        lambda: sometimes(anything),
        "<lambda>: the parameter thing has no sort; write thing: and the name of the sort",
    ),
    "a role for each number": (
        lambda: Role("Each.", each=Count),  # type: ignore[arg-type] # under test
        "a role has one actor for each member of a subclass of Individual, and …Count'> is none",
    ),
    # decorators without brackets, which declare nothing
    **{
        f"{declare.__name__} without brackets": (
            partial(lambda declare: declare(returning(r(t))), declare),
            "each witness, in brackets behind the decorator, is declared by @sometimes, not a function",
        )
        for declare in (always, two_state, eventually)
    },
    "alternatives without brackets": (
        lambda: alternatives(returning(r(t))),
        "each of the alternatives, which stand in brackets behind @alternatives, is an action, not a function",
    ),
    "weaker_lemma without brackets": (
        lambda: weaker_lemma(returning(r(t))),
        "what is weakened, in brackets, is a promise or lemma, not a function",
    ),
    # other declarations
    "a claim for a witness": (
        lambda: always(act),  # type: ignore[arg-type] # under test
        "each witness, in brackets behind the decorator, is declared by @sometimes, not an Action",
    ),
    "a variant of no action": (
        lambda: variant(replaces=r, breaks=[]),
        "what a variant replaces is an action, not a Relation",
    ),
    "a variant that breaks a witness": (
        lambda: variant(replaces=act, breaks=[happens]),  # type: ignore[list-item] # under test
        "what a variant breaks is a promise or eventuality, not a Sometimes",
    ),
    "a part that is left out": (
        lambda: act_.but(without=[n]),
        "what is left out is a formula or a symbol, not a count",
    ),
    "an actor": (lambda: action(by=Thing)(returning(Step())), "who acts is a role, not a type"),  # type: ignore[arg-type] # under test
    "a holder": (lambda: relation(Thing, doc="No.", holder=Thing), "a holder is a role, not a type"),  # type: ignore[call-overload] # under test
    "a receiver": (
        lambda: message(sender=R, receiver=Thing)(returning(r(t))),  # type: ignore[arg-type] # under test
        "a sender or receiver is a role, not a type",
    ),
    "an event by its kind": (
        lambda: relation(Thing, doc="No.", kind="event"),
        "the kind of a relation or function is state, constant or history, not 'event'",
    ),
    # arguments
    "an argument of a definition": (lambda: chosen_(n), "is_chosen takes a thing, not a count"),
    "an argument by name": (lambda: chosen_(thing=n), "is_chosen takes a thing, not a count"),
    "an argument that is missing": (lambda: chosen_(), "is_chosen: missing a required argument: 'thing'"),
    "an argument of a lifecycle": (
        lambda: phase_.move(n, source=[], to=[]),
        "phase takes a thing, not a count",
    ),
    "a state of another enumeration": (
        lambda: phase_.move(t, source=[Other.first], to=[]),
        "what phase moves between is a phase, not an other",
    ),
    "a field that a message does not have": (
        lambda: note_(t, more=t),
        "note: got an unexpected keyword argument 'more'",
    ),
    "an event after the step": (
        lambda: said.after(t, t),
        "said is read without .after: the event is no other one after the step",
    ),
    "a constant after the step": (
        lambda: fixed.after(t),
        "fixed is read without .after: the constant is no other one after the step",
    ),
    # numbers
    "half a number": (lambda: Count.of(1.5), "a count is made of an integer, not of a float"),  # type: ignore[arg-type] # under test
    "a number that is true": (lambda: Count.of(True), "a count is made of an integer, not of a bool"),
    "half a number more": (lambda: n + 0.5, "a count is added to a float"),
    "a truth value more": (lambda: n + True, "a count is added to a bool"),
    "half of a number": (lambda: 0.5 * n, "a count is multiplied by an integer, not by a float"),
}


@pytest.mark.parametrize(("made", "sentence"), NONSENSE.values(), ids=NONSENSE.keys())
def test_what_has_no_meaning_is_refused(made: Callable[[], object], sentence: str) -> None:
    with pytest.raises(TypeError) as refused:
        made()
    assert re.fullmatch(".*".join(map(re.escape, sentence.split("…"))), str(refused.value)), refused.value


def test_only_classes_of_values_are_sorts() -> None:
    class Both(Individual, Number):
        """Neither."""

    assert all(map(is_sort, (Thing, Count, Phase)))
    assert not any(map(is_sort, (Individual, Number, Enumeration, Formula, Value, Both, int, t, None)))


def test_arguments_may_be_given_by_name() -> None:
    assert is_chosen(thing=t).node == is_chosen(t).node
    assert note(thing=t).node == note(t).node
    assert note.send(thing=t) == note.send(t)
