"""Numbers at their bounds: every engine cuts the same steps and tells of it, and refuses the same statements.

docs/bounds.md says what is meant. Each toy is one way to leave the bounds: the engines once differed on most of them.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from model.bad_input import BadInput
from model.explore.explore import explore
from model.explore.live import live
from model.language import Protocol
from model.machines.machines import System
from model.machines.simulate import simulate
from model.proof.bounded import bounded
from model.proof.prove import prove
from model.proof.wellformed import wellformed
from model.reference.configuration import Configuration
from model.reference.cut import Cut, cut_sentence
from model.reference.interpreter import Interpreter
from model.reference.lasso import why_no_counterexample
from model.reference.state import Occurrence, State, Trace, initial_state
from model.tla.judge import judge
from model.tla.module import module as exported
from model.tla.tlc import world

OPENING = '''
from model.language import *
from model.language.quantifiers import exists, forall
from model.language.terms import *

class Cell(Individual):
    """Where something is counted."""

class Count(Number):
    """What is counted."""

KEEPER = Role("Counts.")
c = function(Cell, to=Count, doc="The count of a cell.", holder=KEEPER)
k = function(Count, to=Count, doc="A number for each number.", holder=KEEPER)
seen = relation(Count, doc="The number was seen.", holder=KEEPER)
said = event(Cell, Count, doc="The count of a cell is said.")

@deadlock_when
def waits() -> Formula:
    """Nobody ever has to do anything."""
    return FALSE

@lemma
def small(cell: Cell) -> Formula:
    """A count is small."""
    return c(cell) <= Count.of(9)

'''

WORLD = Configuration("toy", {"Cell": ("a", "b")}, {"Count": 2}, {})


def protocol(text: str, folder: Path) -> Protocol:
    """The protocol of a module with this text behind the opening."""
    file = folder / "toy.py"
    file.write_text(OPENING + textwrap.dedent(text), encoding="utf-8")
    made = ModuleType("toy")
    made.__file__ = str(file)
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), made.__dict__)  # noqa: S102 # the text is ours
    return Protocol.of("toy", made)


def acting(step: str, choices: str = "cell: Cell", fair: str = "False") -> str:
    """An action with this step."""
    return (
        f'@action(by=KEEPER, fair={fair})\ndef act({choices}) -> Step:\n    """It acts."""\n    return Step({step})\n'
    )


UP, DOWN = Cut("act", "Count", above=True), Cut("act", "Count", above=False)


@dataclass(frozen=True)
class Toy:
    """A toy, and what every engine finds in it."""

    text: str
    distinct: int
    cut: dict[Cut, int]
    """Steps cut over all states."""
    starts: int = 0
    """Steps cut in the initial state."""


TOYS = {
    "a constant above the bound is assigned": Toy(acting("then=[c.assign(cell, to=Count.of(5))]"), 1, {UP: 2}, 2),
    "a constant above the bound is put into a tuple": Toy(acting("then=[seen.add(Count.of(3))]", ""), 1, {UP: 1}, 1),
    "a sum above the bound is assigned": Toy(acting("then=[c.assign(cell, to=c(cell) + 1)]"), 9, {UP: 6}),
    "a sum above the bound is put into a tuple": Toy(
        acting("then=[c.assign(cell, to=number), seen.add(number + 1)]", "cell: Cell, number: Count"), 9, {UP: 18}, 2
    ),
    "a sum above the bound is an argument": Toy(
        acting("then=[k.assign(number + 1, to=number)]", "number: Count"), 2, {UP: 2}, 1
    ),
    "a sum above the bound is said": Toy(
        acting("then=[c.assign(cell, to=number)], emits=[said(cell, number + 1)]", "cell: Cell, number: Count"),
        4,
        {UP: 8},
        2,
    ),
    "a number falls below 0": Toy(
        acting("then=[c.assign(cell, to=c(cell) + -1)]")
        + acting("then=[c.assign(cell, to=Count.of(2))]").replace("act(", "fill("),
        9,
        {DOWN: 6},
        2,
    ),
    "a guard keeps it at 0": Toy(
        acting("when=[Count.of(0) < c(cell)], then=[c.assign(cell, to=c(cell) + -1)]")
        + acting("then=[c.assign(cell, to=Count.of(2))]").replace("act(", "fill("),
        9,
        {},
    ),
    "a choice keeps it within": Toy(
        acting("then=[c.assign(cell, to=choose(c(cell) < Count.of(2), c(cell) + 1, c(cell)))]"), 9, {}
    ),
    "several at once, where a condition holds": Toy(
        acting(
            "then=[for_each(Cell, lambda one: c.assign(one, to=c(one) + 1).when(c(one) < number))]", "number: Count"
        ),
        3,
        {},
    ),
    "several at once": Toy(acting("then=[for_each(Cell, lambda one: c.assign(one, to=c(one) + 1))]", ""), 3, {UP: 1}),
    "a multiple": Toy(acting("then=[c.assign(cell, to=2 * c(cell) + 1)]"), 4, {UP: 4}),
    "two counts together": Toy(
        acting("then=[c.assign(cell, to=c(cell) + c(other) + 1)]", "cell: Cell, other: Cell"), 8, {UP: 20}
    ),
    "numbers above the bound are compared": Toy(
        acting("when=[c(cell) + 7 <= Count.of(8), Count.of(3) != c(cell) + 1], then=[c.assign(cell, to=c(cell) + 1)]"),
        9,
        {},
    ),
    "numbers below 0 are compared": Toy(
        acting(
            "when=[c(cell) + -1 < Count.of(1), ~(c(cell) + -2 == Count.of(0))], then=[c.assign(cell, to=c(cell) + 1)]"
        ),
        9,
        {},
    ),
}


def states_of(interpreter: Interpreter) -> list[State]:
    """All reachable states, by the plain interpreter."""
    start = initial_state(interpreter.protocol, interpreter.configuration)
    found = {start: None}
    waiting = [start]
    while waiting:
        state = waiting.pop()
        for step in interpreter.enabled(state):
            after = interpreter.apply(state, step)[0]
            if after not in found:
                found[after] = None
                waiting.append(after)
    return list(found)


@pytest.mark.parametrize("name", TOYS)
def test_every_engine_cuts_the_same_steps(name: str, tmp_path: Path) -> None:
    toy = TOYS[name]
    stated = protocol(toy.text, tmp_path)
    interpreter, system = Interpreter(stated, WORLD), System(stated, WORLD)
    cut = Counter[Cut]()
    states = states_of(interpreter)
    for state in states:
        system.load(state)
        assert {step: why for step, why in system.guarded() if why is not None} == interpreter.cut(state)
        assert system.enabled() == interpreter.enabled(state)
        cut.update(interpreter.cut(state).values())
    assert len(interpreter.cut(states[0])) == toy.starts
    explored = explore(stated, WORLD, everything=True)
    assert (explored.verdict, explored.distinct, explored.cut) == ("holds", len(states), cut)
    assert explored.said == ("holds within the bounds" if toy.cut else "holds")
    assert (explored.distinct, cut) == (toy.distinct, toy.cut)
    decided = live(stated, WORLD, everything=True)
    assert (decided.distinct, decided.cut) == (toy.distinct, toy.cut)
    simulated = simulate(stated, WORLD, runs=40, steps=20)
    assert simulated.verdict == ("holds" if toy.distinct > 1 else "undecided")
    assert set(simulated.cut) == set(toy.cut)
    assert set(bounded(stated, WORLD, steps_max=4).cut) == set(toy.cut)


@pytest.mark.parametrize("module", ["explore.kernel.ground", "reference.interpreter", "machines.machines"])
def test_an_engine_that_takes_what_the_others_cut_is_noticed(
    module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(f"model.{module}.written", lambda action: ())
    with pytest.raises(AssertionError):
        test_every_engine_cuts_the_same_steps("a sum above the bound is said", tmp_path)


@pytest.mark.parametrize("name", TOYS)
def test_tlc_finds_the_same_states(name: str, tmp_path: Path) -> None:
    found = judge(protocol(TOYS[name].text, tmp_path), WORLD, tmp_path)
    assert (found.violated, found.distinct) == ("", TOYS[name].distinct)


def test_what_was_cut_is_said_by_number_and_by_action() -> None:
    cut = {Cut("publish", "Version", above=True): 8, Cut("store", "Version", above=True): 4, DOWN: 1}
    said = "13 steps left the bounds: Version > 3 (publish 8, store 4), Count < 0 (act 1)"
    assert cut_sentence(cut, {"Version": 3, "Count": 2}) == said
    assert cut_sentence({}, {}) == ""


# ------------------------------------------------------------------------------------------------------------ proofs


def test_a_step_that_takes_a_number_below_0_is_no_well_formed_one(tmp_path: Path) -> None:
    claims = {claim.name: claim for claim in wellformed(protocol(TOYS["a number falls below 0"].text, tmp_path)).claims}
    claim = claims["act: takes no number below 0"]
    assert (claim.verdict, claim.because) == ("violated", "c(cell) - 1 may be below 0")
    assert claim.counterexample is not None
    cell = claim.counterexample.parameters["cell"]
    assert claim.counterexample.state.functions["c"][(cell,)] == 0


def test_a_guard_proves_that_no_number_falls_below_0(tmp_path: Path) -> None:
    claims = {claim.name: claim for claim in wellformed(protocol(TOYS["a guard keeps it at 0"].text, tmp_path)).claims}
    assert claims["act: takes no number below 0"].verdict == "holds"


def test_a_bulk_change_is_not_kept_at_0_by_the_guard_of_one_member(tmp_path: Path) -> None:
    step = "when=[Count.of(0) < c(one)], then=[for_each(Cell, lambda one: c.assign(one, to=c(one) + -1))]"
    claims = {claim.name: claim for claim in wellformed(protocol(acting(step, "one: Cell"), tmp_path)).claims}
    assert claims["act: takes no number below 0"].verdict == "violated"


# ----------------------------------------------------------------------------------------------------- what is read

PROMISE = '@always()\ndef read(number: Count, cell: Cell) -> Formula:\n    """It reads."""\n    return {}\n'
NOTE = (
    '@message(sender=KEEPER, receiver=KEEPER)\ndef note(number: Count) -> Formula:\n    """A note."""\n    return {}\n'
)
WITNESS = '@sometimes\ndef met(number: Count) -> Formula:\n    """It is met."""\n    return {}\n'
HOPE = '@eventually()\ndef ends(number: Count) -> LeadsTo:\n    """It ends."""\n    return leads_to(seen(number), {})\n'

MISREAD = {
    "a promise": (PROMISE.format("k(number) <= k(number + 1)"), "read", r"k(number + 1)"),
    "a promise, below 0": (PROMISE.format("seen(c(cell) + -1)"), "read", r"seen(c(cell) - 1)"),
    "a promise, even if it is guarded": (
        PROMISE.format("implies(number < c(cell), k(number) <= k(number + 1))"),
        "read",
        r"k(number + 1)",
    ),
    "a promise about steps": (
        PROMISE.replace("always", "two_state").format("~said(cell, number + 1)"),
        "read",
        "said(cell, number + 1)",
    ),
    "a guard": (acting("when=[k(number + 1) == number]", "number: Count"), "act", "k(number + 1)"),
    "a value": (acting("then=[k.assign(number, to=k(k(number) + 1))]", "number: Count"), "act", "k(k(number) + 1)"),
    "the argument of a change": (
        acting("then=[k.assign(k(2 * number), to=number)]", "number: Count"),
        "act",
        "k(2 × number)",
    ),
    "an event's argument": (
        acting("emits=[said(cell, k(c(cell) + c(cell)))]"),
        "act",
        "k(c(cell) + c(cell))",
    ),
    "a definition": (
        '@definition\ndef following(number: Count) -> Count:\n    """The next."""\n    return k(number + 1)\n',
        "following",
        "k(number + 1)",
    ),
    "a witness": (
        WITNESS.format("seen(choose(seen(number), number, number + 1))"),
        "met",
        "seen(if seen(number) then number else number + 1)",
    ),
    "an eventuality": (
        HOPE.format("seen(number + 1)"),
        "ends",
        "seen(number + 1)",
    ),
    "a taken message": (
        NOTE.format("FALSE") + acting("takes=[note(number + 1)]", "number: Count"),
        "act",
        "note(number + 1)",
    ),
    "when a message is spent": (
        NOTE.format("seen(number + 1)"),
        "note",
        "seen(number + 1)",
    ),
}


@pytest.mark.parametrize("name", MISREAD)
def test_nothing_is_read_at_a_sum(name: str, tmp_path: Path) -> None:
    text, claim, term = MISREAD[name]
    with pytest.raises(TypeError) as refused:
        protocol(text, tmp_path)
    line = next(
        number
        for number, line in enumerate((tmp_path / "toy.py").read_text(encoding="utf-8").splitlines(), start=1)
        if line.startswith(f"def {claim}(")
    )
    assert str(refused.value).startswith(f"{tmp_path / 'toy.py'}, line {line}: {claim} reads {term}, but ")


def test_what_is_meant_at_the_bound_can_be_said(tmp_path: Path) -> None:
    text = PROMISE.format("forall(Count, lambda next: implies(next == number + 1, k(number) <= k(next)))")
    acts = acting("then=[k.assign(number, to=number)]", "number: Count")
    stated = protocol(text + acts, tmp_path)
    assert explore(stated, WORLD).violated == "read"
    assert bounded(stated, WORLD, steps_max=3).violated == "read"
    assert simulate(stated, WORLD).violated == "read"
    proof = prove(protocol(text.replace("@always()", "@lemma") + acts, tmp_path))
    assert any(claim.name == "read" and claim.verdict == "violated" for claim in proof.claims)


def test_nothing_is_read_at_a_constant_above_its_bound(tmp_path: Path) -> None:
    stated = protocol(acting("when=[~seen(Count.of(5))], then=[c.assign(cell, to=c(cell) + 1)]"), tmp_path)
    said = r"toy\.py, line \d+: act reads seen\(5\), but the configuration toy bounds Count at 2; raise the bound"
    with pytest.raises(BadInput, match=said):
        Interpreter(stated, WORLD)
    with pytest.raises(BadInput, match=said):
        System(stated, WORLD)
    for engine in (explore, live, simulate, bounded):
        with pytest.raises(BadInput, match=said):
            engine(stated, WORLD)
    with pytest.raises(BadInput, match=said):
        world(stated, WORLD, exported(stated))
    larger = Configuration("toy", {"Cell": ("a",)}, {"Count": 5}, {})
    assert explore(stated, larger).distinct == 6
    # A proof has no bounds; its small states are as large as the statement needs.
    assert {claim.verdict for claim in prove(stated).claims if claim.name.startswith("act")} == {"holds"}


def test_an_action_that_is_left_out_may_read_at_any_constant(tmp_path: Path) -> None:
    text = acting("when=[seen(Count.of(5))]") + acting("then=[seen.add(Count.of(1))]", "").replace("act(", "see(")
    left_out = Configuration("toy", {"Cell": ("a",)}, {"Count": 2}, {}, frozenset({"act"}))
    assert explore(protocol(text, tmp_path), left_out, everything=True).distinct == 2


# --------------------------------------------------------------------------------------------------------- liveness

CLIMBING = acting("then=[c.assign(cell, to=c(cell) + 1)]", fair="True")


def hoping(conclusion: str) -> str:
    """The hope that the count of a cell, from 0, leads to this."""
    said = f"leads_to(c(cell) == Count.of(0), {conclusion})"
    return f'@eventually()\ndef climbs(cell: Cell) -> LeadsTo:\n    """It climbs."""\n    return {said}\n'


def test_a_run_that_ends_at_a_bound_breaks_no_hope(tmp_path: Path) -> None:
    stated = protocol(CLIMBING + hoping("Count.of(5) <= c(cell)"), tmp_path)
    found = live(stated, WORLD)
    assert (found.verdict, found.outcomes[0].ends_at_a_bound) == ("undecided", True)
    assert live(stated, Configuration("toy", {"Cell": ("a",)}, {"Count": 5}, {})).verdict == "holds"


def test_a_hope_within_the_bounds_holds_within_them(tmp_path: Path) -> None:
    found = live(protocol(CLIMBING + hoping("Count.of(2) <= c(cell)"), tmp_path), WORLD)
    assert (found.verdict, found.cut) == ("holds", {UP: 6})


def test_a_hope_is_broken_where_nothing_fair_is_cut(tmp_path: Path) -> None:
    """A cell that is lost does not climb; the other one does, and is cut."""
    text = (
        'lost = relation(Cell, doc="It is lost.", holder=KEEPER)\n'
        + acting("when=[~lost(cell)], then=[c.assign(cell, to=c(cell) + 1)]", fair="True")
        + acting("then=[lost.add(cell)]").replace("act(", "lose(")
        + hoping("Count.of(5) <= c(cell)")
    )
    stated = protocol(text, tmp_path)
    found = live(stated, WORLD).outcomes[0]
    assert found.verdict == "violated"
    assert found.lasso is not None
    cell = str(dict(found.values)["cell"])
    assert all((member,) in found.lasso.states[-1].relations["lost"] for member in ("a", "b"))
    interpreter = Interpreter(stated, WORLD)
    assert not why_no_counterexample(interpreter, found.lasso, found.eventuality, {"cell": cell}, forget_spent=True)


def test_what_is_not_fair_may_stop_at_a_bound_or_anywhere(tmp_path: Path) -> None:
    text = CLIMBING.replace("fair=True", "fair=False") + hoping("Count.of(5) <= c(cell)")
    assert live(protocol(text, tmp_path), WORLD).verdict == "violated"


def test_a_lasso_that_ends_at_a_bound_is_no_counterexample(tmp_path: Path) -> None:
    said = {}
    for fair in ("True", "False"):
        stated = protocol(CLIMBING.replace("True", fair) + hoping("Count.of(5) <= c(cell)"), tmp_path)
        interpreter = Interpreter(stated, WORLD)
        states, steps = [initial_state(stated, WORLD)], list[Occurrence]()
        while enabled := interpreter.enabled(states[-1]):
            steps.append(enabled[0])
            states.append(interpreter.apply(states[-1], enabled[0])[0])
        lasso = Trace("toy", WORLD, tuple(states), tuple(steps), loop=len(steps))
        hope = stated.eventualities[0]
        said[fair] = why_no_counterexample(interpreter, lasso, hope, {"cell": "a"}, forget_spent=True)
    assert said == {"True": "act(cell=a) is always enabled in the loop, and never taken", "False": ""}
