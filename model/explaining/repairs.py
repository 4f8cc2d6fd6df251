"""The steps that may be missing before an observation: a backward search from the false parts of its guard.

If `waiting(h1, r, p, q)` is false: which action makes it true, with which choices, and is that enabled now? If the observation fits
after it, it is a repair. A step that only helps is tried together with another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from model.explaining.nearest import Observation, differences, given_by
from model.explaining.reasons import Message
from model.explaining.scene import Environment, Scene
from model.explaining.subgoals import Subgoal, subgoals, unified
from model.language import Action
from model.language.terms import Node
from model.reference.state import Element, Tuple

STEPS_MAX: Final = 2
"""Consecutive steps to try."""

TRIED_MAX: Final = 60
"""Choices of one action tried for one subgoal."""

SEARCHED_MAX: Final = 3_000
"""Steps tried in total for one number of steps: about a second."""

Then = Callable[["tuple[Step, ...]"], None]
"""Called with the steps that were found."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the statement."""

    action: str
    choices: tuple[tuple[str, Element], ...]

    @property
    def values(self) -> Tuple:
        """Of the parameters, in order."""
        return tuple(value for _, value in self.choices)


def missing_steps(scene: Scene, seen: Observation, most: int = 4) -> list[tuple[Step, ...]]:
    """Steps, the fewest first, after which the observation fits: its guard, its messages and its entries."""
    action = scene.actions[seen.action]
    given = given_by(action, seen.choices)
    if len(given) < len(action.parameters):
        return []
    found: list[tuple[Step, ...]] = []

    def note(steps: tuple[Step, ...]) -> None:
        if steps not in found and len(found) < most and not differences(scene, action, tuple(given.values()), seen):
            found.append(steps)

    for depth in range(1, STEPS_MAX + 1):
        search = _Search(scene, lambda: len(found) >= most)
        search.ways(action, given, depth, (), note)
        if found:
            break
    return found


def steps_that_send(scene: Scene, message: Message) -> list[Step]:
    """The steps that are enabled now and send a message."""
    name, *arguments = message
    subgoal = Subgoal(scene.layout.kept[str(name)], tuple(arguments), True)
    found = []
    for action, choices in _granting(scene, subgoal):
        sent = scene.changes(action, choices).get((str(name), tuple(arguments)))
        if sent and scene.is_possible(action, choices):
            found.append(
                Step(action.name, tuple(zip((parameter.name for parameter in action.parameters), choices, strict=True)))
            )
    return found


class _Search:
    """Steps that enable an action. The callback sees the state after them."""

    def __init__(self, scene: Scene, enough: Callable[[], bool]) -> None:
        self._scene = scene
        self._enough = enough
        self._left = SEARCHED_MAX

    def ways(self, action: Action, given: Environment, depth: int, done: tuple[Step, ...], then: Then) -> None:
        """At most this many steps beyond those already done; `then` is called with all of them."""
        scene = self._scene
        false = [node for node in action.guard if not scene.value(node, given)]
        for other, choices in _helpful(scene, false, given):
            self._left -= 1
            if self._left < 0 or self._enough():
                return
            named = Step(
                other.name, tuple(zip((parameter.name for parameter in other.parameters), choices, strict=True))
            )

            def go_on(
                before: tuple[Step, ...], other: Action = other, choices: Tuple = choices, named: Step = named
            ) -> None:
                with scene.after(scene.changes(other, choices)):
                    steps = (*before, named)
                    left = [node for node in action.guard if not scene.value(node, given)]
                    rest = depth - (len(steps) - len(done))
                    if not left:
                        then(steps)
                    elif rest > 0 and len(left) < len(false):
                        self.ways(action, given, rest, steps, then)

            if scene.is_possible(other, choices):
                go_on(done)
            elif depth > 1:
                self.ways(other, dict(zip(other.parameters, choices, strict=True)), depth - 1, done, go_on)


def _helpful(scene: Scene, false: list[Node], given: Environment) -> list[tuple[Action, Tuple]]:
    """Steps that give some wanted entry another value: enabled ones, and those whose choices are all determined."""
    wanted = (subgoal for node in false for subgoal in subgoals(scene, node, given))
    return list(dict.fromkeys(step for subgoal in wanted for step in _granting(scene, subgoal)))


def _granting(scene: Scene, subgoal: Subgoal) -> Iterator[tuple[Action, Tuple]]:
    """Steps that give one entry another value."""
    for other in scene.protocol.actions:
        for change in other.changes:
            known = unified(change, subgoal)
            if known is None:
                continue
            fixed = {variable: value for variable, value in known.items() if variable in other.parameters}
            for choices in scene.choices(other, fixed, TRIED_MAX):
                yield other, choices
            if len(fixed) == len(other.parameters):
                yield other, tuple(fixed[parameter] for parameter in other.parameters)
