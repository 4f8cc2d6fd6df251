"""A bound variable captures nothing, whatever the parameters of the bodies are called."""

from __future__ import annotations

from model.explore.explore import explore
from model.language import Role, relation
from model.language.changes import Change, for_each
from model.language.protocol import Protocol
from model.language.quantifiers import exists, forall
from model.language.terms import Formula, Individual, Quantified, Variable, implies
from model.language.walk import free, fresh, parts, substitute
from model.proof.prove import prove
from model.reference.configuration import Configuration
from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, initial_state
from tests.toys import lonely


class Thing(Individual):
    """A thing."""


class Other(Individual):
    """A thing of another sort."""


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


def test_substitution_renames_by_name() -> None:
    """A variable of another sort with the name of the bound one is kept apart, too."""
    x, y = Variable("x", Thing), Variable("y", Other)
    node = Quantified("all", (x,), (r(Thing(x)) & (Other(y) == Other(y))).node)
    made = substitute(node, {y: Variable("x", Other)})
    assert free(made) == {Variable("x", Other)}
    assert isinstance(made, Quantified)
    assert made.variables[0].name != "x"
    assert fresh(x, {Variable("x", Other)}).name == "x_"


PROTOCOL = Protocol.of("lonely", lonely)
TWO = Configuration("two", {"Thing": ("a", "b")}, {}, {})


def test_a_false_promise_is_red_in_every_engine() -> None:
    """While the argument was captured, all of them held it: `other != other` is never so."""
    found = explore(PROTOCOL, TWO)
    assert (found.verdict, found.violated) == ("violated", "is_alone")
    assert prove(PROTOCOL).verdict == "violated"
    start = initial_state(PROTOCOL, TWO)
    interpreter = Interpreter(PROTOCOL, TWO)
    for thing in ("a", "b"):
        start, _ = interpreter.apply(start, Occurrence("take", (("thing", thing),)))
    (promise,) = PROTOCOL.promises
    assert interpreter.counterexample(promise, start) is not None
