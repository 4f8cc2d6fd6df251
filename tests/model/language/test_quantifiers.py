"""A bound variable captures nothing, whatever the parameters of the bodies are called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model.explore.explore import explore
from model.language import Promise, Role, lifecycle, relation
from model.language.changes import Change, for_each
from model.language.protocol import Protocol
from model.language.quantifiers import exists, forall
from model.language.terms import Enumeration, Formula, Individual, Member, Quantified, Variable, choose, implies
from model.language.walk import free, fresh, parts, substitute
from model.proof.prove import prove
from model.proof.wellformed import wellformed
from model.reference.configuration import Configuration
from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, initial_state
from model.tla.judge import judge, missing
from model.tla.module import module
from tests.toys import captures, lonely


class Thing(Individual):
    """A thing."""


class Other(Individual):
    """A thing of another sort."""


class Phase(Enumeration):
    """What a thing is."""

    open = Member("Not chosen.")
    chosen = Member("Chosen.")


KEEPER = Role("Keeps things.")
r = relation(Thing, doc="The thing is chosen.", holder=KEEPER)
pair = relation(Thing, Thing, doc="Two things go together.", holder=KEEPER)
object.__setattr__(r, "name", "r")
object.__setattr__(pair, "name", "pair")


def alone(me: Thing) -> Formula:
    """No thing but this one is chosen: the helper that captured its argument."""
    return forall(Thing, lambda other: implies(other != me, ~r(other)))


def binders(formula: Formula) -> list[str]:
    """The names that quantifiers bind, the inner ones first."""
    return [
        variable.name for node in parts(formula.node) if isinstance(node, Quantified) for variable in node.variables
    ]


def test_an_argument_of_the_same_name_is_not_captured() -> None:
    formula = alone(Thing.variable("other"))
    assert free(formula.node) == {Variable("other", Thing)}
    assert binders(formula) == ["other_"]
    assert binders(alone(Thing.variable("me"))) == ["other"], "where nothing is captured, names are those of the source"


def test_an_argument_that_is_bound_outside_is_not_captured() -> None:
    formula = exists(Thing, lambda other: alone(other))
    assert free(formula.node) == set()
    (inner,) = [node for node in parts(formula.node) if isinstance(node, Quantified) and node.quantifier == "all"]
    assert isinstance(formula.node, Quantified)
    (outer,) = formula.node.variables
    assert free(inner) == {outer}


def test_a_variable_of_another_sort_is_not_captured_either() -> None:
    """Engines know variables by their names alone."""
    there = Other.variable("other")
    formula = forall(Thing, lambda other: r(other) & (there == there))
    assert binders(formula) == ["other_"]


def test_a_name_that_shadows_and_captures_nothing_stays() -> None:
    formula = forall(Thing, lambda thing: r(thing) & exists(Thing, lambda thing: ~r(thing)))
    assert binders(formula) == ["thing", "thing"]
    assert free(formula.node) == set()


def test_three_deep_every_variable_means_what_it_is_bound_to() -> None:
    formula = forall(Thing, lambda x: exists(Thing, lambda y: pair(x, y) & forall(Thing, lambda x: pair(x, y))))
    assert free(formula.node) == set()
    body = formula.node.body  # type: ignore[union-attr]
    assert binders(Formula(body)) == ["x", "y"]


def test_a_change_for_each_captures_nothing() -> None:
    other = Thing.variable("other")
    change = for_each(Thing, lambda other_: pair.add(other_, other))
    assert isinstance(change, Change)
    assert change.arguments[1] == Variable("other", Thing)
    captured = for_each(Thing, lambda other: pair.add(other, Thing.variable("other")))
    (binder,) = captured.binders
    assert captured.arguments == (binder, Variable("other", Thing))
    assert binder != Variable("other", Thing)


@lifecycle(holder=KEEPER)
def phase(thing: Thing) -> Phase:
    """Whether the thing is chosen."""
    return choose(r(thing), Phase.chosen, Phase.open)


def test_a_condition_is_about_the_steps_choices() -> None:
    other = Thing.variable("other")
    move = for_each(Thing, lambda other: phase.move(other, source=[Phase.open], to=[Phase.chosen])).when(r(other))
    change = for_each(Thing, Thing, lambda other, other_: pair.add(other, other_)).when(r(other))
    for made in (move, change):
        assert made.arguments == made.binders
        assert "other" not in [binder.name for binder in made.binders]
        assert Variable("other", Thing) in free(made.condition)
    assert len(set(change.binders)) == 2


def test_variables_of_one_quantifier_stay_apart() -> None:
    x, x_ = Variable("x", Thing), Variable("x_", Thing)
    made = substitute(Quantified("some", (x, x_), pair(Thing(x), Thing(x_)).node), {}, {x})
    assert isinstance(made, Quantified)
    assert made.body == pair(*(Thing(variable) for variable in made.variables)).node
    assert "x" not in [variable.name for variable in made.variables]
    assert len(set(made.variables)) == 2


def test_substitution_renames_by_name() -> None:
    """A variable of another sort with the name of the bound one is kept apart, too."""
    x, y = Variable("x", Thing), Variable("y", Other)
    node = Quantified("all", (x,), (r(Thing(x)) & (Other(y) == Other(y))).node)
    made = substitute(node, {y: Variable("x", Other)})
    assert free(made) == {Variable("x", Other)}
    assert isinstance(made, Quantified)
    assert made.variables[0].name != "x"
    assert fresh(x, {Variable("x", Other)}).name == "x_"


LONELY = Protocol.of("lonely", lonely)
CAPTURES = Protocol.of("captures", captures)
CLAIMS = [(protocol, claim) for protocol in (LONELY, CAPTURES) for claim in protocol.promises]
TWO = Configuration("two", {"Thing": ("a", "b")}, {}, {})
THREE = Configuration("three", {"Thing": ("a", "b", "c")}, {"Count": 2}, {})


def only(protocol: Protocol, claim: Promise, *, lemma: bool) -> Protocol:
    """The protocol with this claim only, as a lemma (which needs no witness and no variant) or as a promise."""
    made = replace(claim, lemma=lemma)
    object.__setattr__(made, "name", claim.name)
    return replace(protocol, promises=(made,))


@pytest.mark.parametrize(("protocol", "claim"), CLAIMS, ids=[claim.name for _, claim in CLAIMS])
def test_a_false_claim_is_red_in_every_engine(protocol: Protocol, claim: Promise) -> None:
    """While a variable was captured, engines held it to be true."""
    world = replace(THREE, bounds={sort.__name__: 2 for sort in protocol.numbers})
    found = explore(only(protocol, claim, lemma=False), world)
    assert (found.verdict, found.violated) == ("violated", claim.name)
    (proved,) = [proved for proved in prove(only(protocol, claim, lemma=True)).claims if proved.name == claim.name]
    assert proved.verdict == "violated"
    assert module(only(protocol, claim, lemma=False)).text


@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=missing() or "TLC can be asked")
@pytest.mark.parametrize("claim", CAPTURES.promises, ids=str)
def test_a_false_claim_is_red_in_tlc(claim: Promise, tmp_path: Path) -> None:
    promised = only(CAPTURES, claim, lemma=False)
    assert judge(promised, THREE, tmp_path, promises=promised.promises).violated == claim.name


def test_the_interpreter_finds_the_argument_not_to_be_captured() -> None:
    start = initial_state(LONELY, TWO)
    interpreter = Interpreter(LONELY, TWO)
    for thing in ("a", "b"):
        start, _ = interpreter.apply(start, Occurrence("take", (("thing", thing),)))
    (promise,) = LONELY.promises
    assert interpreter.counterexample(promise, start) is not None


def test_two_binders_of_one_change_stay_apart_in_the_claim_about_numbers() -> None:
    """While one was renamed to the other, the change was nowhere made."""
    claims = {claim.name: claim.verdict for claim in wellformed(replace(CAPTURES, promises=())).claims}
    assert claims["use: takes no number below 0"] == "violated"


def test_a_binder_is_no_choice_of_the_step_where_messages_are_read() -> None:
    """While they were one variable, the small model and the interpreter did not agree, and the proof ended in an error."""
    claims = {claim.name: claim.verdict for claim in prove(replace(CAPTURES, promises=())).claims}
    assert claims["list_offered: forgetting what is spent does not decide it"] == "violated"
