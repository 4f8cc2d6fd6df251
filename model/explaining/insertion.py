"""Inferred steps, inserted where an observation needs them: a backward search from what is false, one goal after the other.

A process without a log has also taken steps. Every message that it received was sent, so the search goes from a missing message
back to the steps that send it, with the choices that the message determines, and from each to the false parts of its guard. Choices
that no message determines are guessed, and noted as such: the inferred steps explain the observation, but need not be the only ones
that do.

The search has bounds. An empty result proves that there are no such steps only if no bound was reached.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final

from model.explaining.repairs import Step
from model.explaining.scene import Environment, Scene
from model.explaining.subgoals import Subgoal, subgoals, unified
from model.language import Action, Change
from model.language.terms import Apply, Compare, Constant, Node, Plus, Value, Variable
from model.reference.state import Element, Tuple

NESTED_MAX: Final = 6
"""Nesting depth of steps that enable each other: an answer needs a request, that a route, that a version, and that its place."""

STEPS_MAX: Final = 40
"""Steps before one observation: an agent may have restarted repeatedly."""

SEARCHED_MAX: Final = 4_000
"""Steps tried before one observation: about a second."""

TRIED_MAX: Final = 40
"""Choices of one step tried for one goal if nothing determines them."""

May = Callable[[Action, Environment], bool]
"""Whether a step with these choices, as far as they are known, may have been taken unobserved."""


class Inserter:
    """Searches on one state, and applies the steps found to it."""

    def __init__(self, scene: Scene, may: May) -> None:
        self._scene = scene
        self._may = may
        self._steps: list[tuple[Action, Tuple]] = []
        self._left = 0
        self.bounded = False
        """Whether the last search has reached a bound."""
        self.guessed = False
        """Whether the last result contains a guessed choice."""
        self._guesses = 0

    def insert(self, goals: Sequence[tuple[Node, Environment]], fits: Callable[[], bool]) -> tuple[Step, ...] | None:
        """Takes steps after which all goals hold and the observation fits; None if there are none: then nothing has changed."""
        self._left, self.bounded, self._steps, self._guesses = SEARCHED_MAX, False, [], 0
        search = self._all(list(goals), NESTED_MAX)
        found = None
        for _ in search:
            if fits():
                found, self.guessed = list(self._steps), self._guesses > 0
                break
            if self._left < 0:
                break
        search.close()
        if found is None:
            return None
        for action, choices in found:
            for (name, arguments), value in self._scene.changes(action, choices).items():
                self._scene.put(name, arguments, value)
        return tuple(_named(action, choices) for action, choices in found)

    # --------------------------------------------------------------------------------------------------- search

    def _all(self, goals: Sequence[tuple[Node, Environment]], level: int) -> Generator[None, None, None]:
        """Ways to satisfy all goals at once. A later step may undo what an earlier one achieved, so all are checked again."""
        for node, given in goals:
            if not self._scene.value(node, given):
                for _ in self._goal(node, given, level):
                    yield from self._all(goals, level)
                return
        yield

    def _goal(self, node: Node, given: Environment, level: int) -> Iterator[None]:
        """Ways to satisfy one formula."""
        if level == 0 or len(self._steps) >= STEPS_MAX:
            self.bounded = True
            return
        for action, change, known, subgoal in self._helpful(node, given):
            options = self._choices(action, known)
            for choices in options:
                self._left -= 1
                if self._left < 0:
                    self.bounded = True
                    return
                environment = dict(zip(action.parameters, choices, strict=True))
                if not self._may(action, environment):
                    continue
                counted = self._counted(change, subgoal, environment)
                for more in (counted, []) if counted else ([],):
                    needed = [(conjunct, environment) for conjunct in (*action.guard, *more)]
                    for _ in self._all(needed, level - 1):
                        with self._taken(action, choices, guess=len(options) > 1):
                            if self._scene.value(node, given):
                                yield
                            elif self._nearer(change, subgoal, environment):
                                yield from self._goal(node, given, level)

    @contextmanager
    def _taken(self, action: Action, choices: Tuple, *, guess: bool) -> Iterator[None]:
        with self._scene.after(self._scene.changes(action, choices)):
            self._steps.append((action, choices))
            self._guesses += guess
            try:
                yield
            finally:
                self._steps.pop()
                self._guesses -= guess

    def _counted(self, change: Change, subgoal: Subgoal, given: Environment) -> list[Node]:
        """What has to hold first for a computed value to equal the wanted one: the preceding version, for a next one."""
        pairs = [*zip(change.arguments, subgoal.arguments, strict=True), (change.value, subgoal.value)]
        return [
            Compare("=", node, Constant(wanted, _node_sort(node)))
            for node, wanted in pairs
            if isinstance(node, Plus) and type(wanted) is int and wanted - self._scene.value(node, given) in (1, 2)
        ]

    def _nearer(self, change: Change, subgoal: Subgoal, given: Environment) -> bool:
        """Whether a counting step is still below the wanted value: epochs and versions come one by one."""
        pairs = [*zip(change.arguments, subgoal.arguments, strict=True), (change.value, subgoal.value)]
        for node, wanted in pairs:
            if isinstance(node, Plus) and type(wanted) is int:
                now = self._scene.value(node, given)  # after the step: what the next one would write
                if now > wanted:
                    return False
        return any(isinstance(node, Plus) and type(wanted) is int for node, wanted in pairs)

    def _helpful(
        self, node: Node, given: Environment
    ) -> Iterator[tuple[Action, Change, dict[Variable, Element], Subgoal]]:
        """Steps that may give an entry the wanted value, those with the most determined choices first."""
        found: list[tuple[int, int, tuple[Action, Change, dict[Variable, Element], Subgoal]]] = []
        for subgoal in subgoals(self._scene, node, given):
            for action in self._scene.protocol.actions:
                for change in action.changes:
                    known = unified(change, subgoal)
                    if known is None:
                        continue
                    fixed = {variable: value for variable, value in known.items() if variable in action.parameters}
                    if self._may(action, fixed):
                        found.append(
                            (len(action.parameters) - len(fixed), len(found), (action, change, fixed, subgoal))
                        )
        for _, _, helpful in sorted(found, key=lambda entry: entry[:2]):
            yield helpful

    def _choices(self, action: Action, known: dict[Variable, Element]) -> list[Tuple]:
        """The choices to try: enabled ones, then those whose messages are available, then any."""
        open_ = [parameter for parameter in action.parameters if parameter not in known]
        if not open_:
            return [tuple(known[parameter] for parameter in action.parameters)]
        found: dict[Tuple, None] = {}
        for nodes in (action.guard, action.takes, self._equalities(action), ()):
            if nodes or not found:
                for rest in islice(self._scene.witnesses(open_, nodes, known), TRIED_MAX):
                    chosen = {**known, **dict(zip(open_, rest, strict=True))}
                    found[tuple(chosen[parameter] for parameter in action.parameters)] = None
                    if len(found) >= TRIED_MAX:
                        self.bounded = True
                        return list(found)
        return list(found)

    def _equalities(self, action: Action) -> tuple[Node, ...]:
        return tuple(
            conjunct for conjunct in action.guard if isinstance(conjunct, Compare) and conjunct.operator == "="
        )


def _node_sort(node: Node) -> type[Value]:
    """The sort of a number that is read and added to."""
    while isinstance(node, Plus):
        node = node.number
    assert isinstance(node, Apply)
    return node.symbol.result


def _named(action: Action, choices: Tuple) -> Step:
    return Step(action.name, tuple(zip((parameter.name for parameter in action.parameters), choices, strict=True)))
