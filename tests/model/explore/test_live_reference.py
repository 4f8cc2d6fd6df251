"""The live engine agrees with a plain check over the interpreter's states, on random protocols."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from model.explore.live import _Engine, live
from model.language import Change, Declaration, Eventuality, Protocol, Step, action, eventually, function, relation
from model.language import leads_to as leading
from model.language.claims import LeadsTo
from model.language.terms import Formula
from model.reference.configuration import Configuration
from model.reference.interpreter import Interpreter
from model.reference.lasso import values_of
from model.reference.state import Element, Occurrence, State, initial_state
from spec.on_demand.protocol import PROTOCOL
from tests.toys import hopes
from tests.toys.hopes import SOMEBODY, Count, Thing

# ------------------------------------------------------------------------------------------------------ reference


@dataclass
class Graph:
    """All states that the interpreter reaches, each with the steps that change it."""

    interpreter: Interpreter
    steps: dict[State, list[tuple[Occurrence, State]]]
    cut: dict[State, frozenset[Occurrence]]
    """The steps that would leave the bounds."""

    @classmethod
    def of(cls, protocol: Protocol, configuration: Configuration) -> Graph:
        """Builds the graph with the interpreter."""
        interpreter = Interpreter(protocol, configuration)
        start = initial_state(protocol, configuration)
        found, waiting = Graph(interpreter, {}, {}), [start]
        while waiting:
            state = waiting.pop()
            if state in found.steps:
                continue
            after = [
                (item, interpreter.forget_spent(interpreter.apply(state, item)[0]))
                for item in interpreter.enabled(state)
            ]
            found.cut[state] = frozenset(interpreter.cut(state))
            found.steps[state] = [(one, target) for one, target in after if target != state]
            waiting += [target for _, target in found.steps[state]]
        return found

    def reached(self, states: Sequence[State], allowed: Callable[[State], bool]) -> set[State]:
        """All states that these states reach through allowed ones, themselves included."""
        found, waiting = set(states), list(states)
        while waiting:
            for _, target in self.steps[waiting.pop()]:
                if allowed(target) and target not in found:
                    found.add(target)
                    waiting.append(target)
        return found

    def is_fair(self, component: set[State], *, cut_is_enabled: bool = False) -> bool:
        """Whether a run can stay in the component and be fair to every fair action, for each choice.

        `cut_is_enabled`: a step that is cut counts as enabled, and is never taken.
        """
        fair = {each_action.name for each_action in self.interpreter.protocol.actions if each_action.fair}
        enabled = {
            state: {step for step, _ in self.steps[state]} | (self.cut[state] if cut_is_enabled else set())
            for state in component
        }
        owed = {one for state in component for one in enabled[state] if one.action in fair}
        return all(
            any(item not in enabled[state] for state in component)
            or any((item, target) in self.steps[state] for state in component for target in component)
            for item in owed
        )

    def breaks(self, promised: Eventuality, values: Mapping[str, Element], **options: bool) -> bool:
        """Whether some fair run breaks an eventuality for these values. Options: those of `is_fair`."""
        met = {step: self.interpreter.evaluate(promised.conclusion, step, values) for step in self.steps}
        opening = [
            step for step in self.steps if self.interpreter.evaluate(promised.premise, step, values) and not met[step]
        ]
        ahead = self.reached(opening, lambda item: not met[item])
        reach = {item: self.reached([item], lambda other: not met[other]) for item in ahead}
        components = ({other for other in reach[item] if item in reach[other]} for item in ahead)
        return any(self.is_fair(component, **options) for component in components)


# ----------------------------------------------------------------------------------------------- random protocols


class Maker:
    """Makes protocols from one random generator."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.relations = [relation(Thing, doc="Something.", holder=SOMEBODY) for _ in range(3)]
        self.count = function(Thing, to=Count, doc="A number.", holder=SOMEBODY)

    def literal(self, things: Sequence[Thing], *, readable: int = 2) -> Formula:
        """A fact or its opposite. No guard reads the last relation, unless requested."""
        thing = self.random.choice(things)
        if self.random.random() < 0.3:
            number = Count.of(self.random.randrange(3))
            return self.random.choice([self.count(thing) == number, self.count(thing) <= number])
        fact = self.relations[self.random.randrange(readable)](thing)
        return fact if self.random.random() < 0.5 else ~fact

    def change(self, things: Sequence[Thing]) -> Change:
        """A change of a step."""
        thing = self.random.choice(things)
        one = self.random.choice(self.relations)
        kind = self.random.randrange(5)
        if kind == 0:
            return self.count.assign(thing, to=self.count(thing) + 1)
        if kind == 1:
            return self.count.assign(thing, to=Count.of(0))
        if kind == 2:
            return one.assign(thing, to=~one(thing))
        change = one.add(thing) if kind == 3 else one.remove(thing)
        return change.when(self.literal(things)) if self.random.random() < 0.3 else change

    def step(self, *things: Thing) -> Step:
        """A guard and an update."""
        when = [self.literal(things) for _ in range(self.random.randrange(1, 3))]
        return Step(when=when, then=[self.change(things) for _ in range(self.random.randrange(1, 3))])

    def protocol(self) -> Protocol:
        """Two to four actions, most of them fair, and an eventuality."""
        declared: dict[str, Declaration] = {f"r{place}": one for place, one in enumerate(self.relations)}
        declared["count"] = self.count
        for number in range(self.random.randrange(2, 5)):
            made = action(by=SOMEBODY, fair=self.random.random() < 0.75)

            def one(thing: Thing) -> Step:
                """A step about one thing."""
                return self.step(thing)

            def two(thing: Thing, other: Thing) -> Step:
                """A step about one thing, or two."""
                return self.step(thing, other)

            declared[f"act{number}"] = made(one) if self.random.random() < 0.5 else made(two)

        @eventually()
        def happens(thing: Thing) -> LeadsTo:
            """An eventuality."""
            return leading(self.literal([thing]), self.literal([thing]) & self.literal([thing]))

        return hopes.protocol("random", **declared, happens=happens)


def configurations() -> Iterator[Configuration]:
    """One thing, two things, and two of which some choices are forbidden."""
    yield Configuration("one", {"Thing": ("t1",)}, {"Count": 2}, {})
    yield Configuration("two", {"Thing": ("t1", "t2")}, {"Count": 1}, {})
    without = frozenset({"act1"})
    yield Configuration("kept", {"Thing": ("t1", "t2")}, {"Count": 1}, {}, without=without)


SEEDS = range(4)
"""Each makes protocols until it has seen enough of them."""

ENOUGH = {("holds", False): 5, ("violated", False): 5, ("violated", True): 5, ("undecided", False): 3}
"""Eventualities to decide for each seed, by verdict, and by whether the run that breaks one continues in a loop."""


def compared(seed: int) -> None:
    """Compares the engine with the reference on random protocols."""
    seen: Counter[tuple[str, bool]] = Counter()
    number = 0
    while any(seen[kind] < enough for kind, enough in ENOUGH.items()):
        number += 1
        protocol = Maker(1000 * seed + number).protocol()
        for configuration in configurations():
            graph = Graph.of(protocol, configuration)
            (found,) = live(protocol, configuration).outcomes
            choices = [{"thing": sort} for sort in configuration.sorts["Thing"]]
            within = [values for values in choices if graph.breaks(found.eventuality, values)]
            broken = [values for values in within if graph.breaks(found.eventuality, values, cut_is_enabled=True)]
            expected = "violated" if broken else "undecided" if within else "holds"
            assert found.verdict == expected, (seed, number, configuration.name)
            if found.occurred:
                seen[found.verdict, bool(found.lasso and found.lasso.loop != len(found.lasso.steps))] += 1
            if found.lasso is not None:
                assert dict(found.values) in broken
                assert values_of(graph.interpreter, found.lasso, found.eventuality) is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_the_engine_agrees_with_plain_reasoning(seed: int) -> None:
    compared(seed)


def test_an_engine_that_counts_on_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unfair(_Engine):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self._fair[:] = False

    monkeypatch.setattr("model.explore.live._Engine", Unfair)
    with pytest.raises(AssertionError, match="always enabled in the loop, and never taken"):
        compared(0)


def test_fairness_to_an_action_is_less_than_fairness_to_each_of_its_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_fair_to_actions(graph: Graph, component: set[State], **_: bool) -> bool:
        fair = {each_action.name for each_action in graph.interpreter.protocol.actions if each_action.fair}
        return all(
            any(name not in {step.action for step, _ in graph.steps[state]} for state in component)
            or any(
                step.action == name and target in component
                for state in component
                for step, target in graph.steps[state]
            )
            for name in fair
        )

    graph = Graph.of(hopes.queue(), hopes.WORLD)
    (served,) = graph.interpreter.protocol.eventualities
    assert not graph.breaks(served, {"thing": "t1"})
    monkeypatch.setattr(Graph, "is_fair", is_fair_to_actions)
    assert graph.breaks(served, {"thing": "t1"})


TINY = Configuration(
    "tiny",
    {"Host": ("h1",), "Pod": ("p1", "p2"), "Vpc": ("red",), "Request": ("r1",)},
    {"Version": 1, "Epoch": 1},
    {"correct": frozenset({("h1",)}), "vpc_of": {("p1",): "red", ("p2",): "red"}},
    without=frozenset({"deliver", "drop", "restart_ncm", "restart_dpm", "evict", "deregister", "supersede"}),
    only={
        "place": (("p1", "h1"), ("p2", "h1")),
        "report_failed": (("p1", "1"),),
        "remove": (),
        "ask": (("h1", "r1", "p1", "p2"),),
    },
)
"""One host, which may ask for a pod before it is placed."""


@pytest.mark.parametrize(
    ("variant", "broken"),
    [
        (None, []),
        ("hears_of_success_only", []),
        ("pauses_until_something_is_known", ["pauses_end"]),
    ],
)
def test_the_engine_agrees_on_the_protocol_itself(variant: str | None, broken: list[str]) -> None:
    changed = {each_variant.name: PROTOCOL.with_variant(each_variant) for each_variant in PROTOCOL.variants}
    protocol = changed[variant] if variant else PROTOCOL
    graph = Graph.of(protocol, TINY)
    found = live(protocol, TINY, everything=True)
    assert found.distinct == len(graph.steps)
    assert found.transitions == sum(map(len, graph.steps.values()))
    for outcome in found.outcomes:
        choices = list(graph.interpreter.environments(outcome.eventuality.parameters))
        assert any(graph.breaks(outcome.eventuality, values) for values in choices) == (outcome.verdict == "violated")
    violated = {outcome.eventuality.name for outcome in found.outcomes if outcome.verdict == "violated"}
    assert violated == {
        "dpm_hears_of_every_version",
        *broken,
    }  # since no report says that the other pod's version failed
    # Leaving out unread fields changes no verdict.
    assert [outcome.verdict for outcome in live(protocol, TINY).outcomes] == [
        outcome.verdict for outcome in found.outcomes
    ]
